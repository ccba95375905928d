"""Frames to engine to frames, live and offline alike."""
