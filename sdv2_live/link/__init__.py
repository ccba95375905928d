"""Ableton Link, in a process of its own that speaks OSC to the daemon: Link is under the GPL, and a crash of it touches no show.

session   the library: one session's tempo, on our clock
bridge    the loop that tells the daemon of it
process   that loop as a child of the show
"""
