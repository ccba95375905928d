"""Cameras and screens of this machine, as libavdevice (PyAV) and the systems offer them."""
