"""Outputs of this machine, each in a process of its own: windows, virtual cameras and Syphon servers.

A display that goes away ends every program that Xlib has it open for, drivers hang, macOS wants windows on the main thread, and
pyvirtualcam is under the GPL: none of that is to be in the show's process.
"""
