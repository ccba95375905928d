"""Pixels between the video world (bytes) and the model world (tensors)."""
