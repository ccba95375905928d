"""Spout: pictures shared with other programs of the same Windows machine."""
