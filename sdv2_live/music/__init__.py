"""Tempo, beats, sound and what moves with them: numbers alone. Every function takes the time as an argument."""
