"""What the show and an outlet's process say to each other, and the outlet's end of it.

The show sends a segment of shared memory (SEGMENT and JSON, then the segment) and pictures in it (PICTURE and their place).
The outlet says once what it is (HELLO and JSON, or PROBLEM and JSON), then gives back each place (DONE); PROBLEM ends it.
"""

from __future__ import annotations

import json
import logging
import os
import struct
from collections.abc import Callable
from fractions import Fraction
from typing import Protocol

from sdv2_live.errors import VideoError
from sdv2_live.frame import ColorMatrix, ColorRange, ColorSpec, Frame, PixelFormat
from sdv2_live.system.process import Connection, end_with_parent
from sdv2_live.system.shm import Segment

SEGMENT, PICTURE, HELLO, PROBLEM, DONE = b"S", b"P", b"H", b"X", b"D"
AT = struct.Struct("<IQ")  # which segment, and where in it
SHAPE = struct.Struct("<IIIBBBII")  # height, width, stride, layout, matrix, range, frames a second
LAYOUTS, MATRICES, RANGES = tuple(PixelFormat), tuple(ColorMatrix), tuple(ColorRange)
EVENTS_S = 0.01  # between two looks at what the system has to tell


class Outlet(Protocol):
    """Shows pictures. It is made and used on its process's main thread."""

    name: str

    def show(self, frame: Frame) -> None:
        """Show a picture; may wait for the display. Raises VideoError when the device is gone."""

    def look(self) -> bool:
        """Do what the system asks meanwhile. False when somebody has closed it by hand. Raises VideoError as `show`."""


def shape_of(frame: Frame) -> bytes:
    """All of a frame but its rows."""
    color = MATRICES.index(frame.color.matrix), RANGES.index(frame.color.range)
    rate = frame.rate.limit_denominator(1001)
    layout = LAYOUTS.index(frame.format)
    return SHAPE.pack(frame.height, frame.width, frame.stride, layout, *color, rate.numerator, rate.denominator)


def frame_at(segment: Segment, offset: int, shape: bytes) -> Frame:
    """The frame whose rows lie in a segment."""
    height, width, stride, layout, matrix, range, numerator, denominator = SHAPE.unpack(shape)
    color = ColorSpec(MATRICES[matrix], RANGES[range])
    rows = segment.rows(offset, height, stride)
    return Frame(rows, width, height, LAYOUTS[layout], Fraction(numerator, denominator), color=color)


def serve(connection: Connection, opener: Callable[[str], Outlet], target: str) -> None:
    """An outlet's process: shows the newest picture until the show ends it."""
    end_with_parent()
    logging.disable()  # the terminal is the show's, which says what matters
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for printed in (1, 2):  # drivers print whatever they try
        os.dup2(nowhere, printed)
    try:
        outlet = opener(target)
        connection.send_bytes(HELLO + json.dumps({"name": outlet.name}).encode())
        _show_all(connection, outlet)
    except VideoError as error:
        connection.send_bytes(PROBLEM + json.dumps({"problem": str(error)}).encode())
    except (EOFError, BrokenPipeError):
        pass  # the show has closed its end
    except Exception as error:  # noqa: BLE001 (the process's top: the show logs it, and starts another)
        connection.send_bytes(PROBLEM + json.dumps({"problem": f"it failed: {error}"}).encode())


def _show_all(connection: Connection, outlet: Outlet) -> None:
    segments: dict[int, Segment] = {}  # the newest alone
    while True:
        if not outlet.look():
            connection.send_bytes(PROBLEM + json.dumps({"closed": True}).encode())
            return
        newest = b""
        while connection.poll(0 if newest else EVENTS_S):
            said = connection.recv_bytes()
            if said[:1] == SEGMENT:
                about = json.loads(said[1:])
                segments = {about["number"]: Segment.receive(connection, about["size"], about["name"])}
                continue
            if newest:
                connection.send_bytes(DONE + newest[1 : 1 + AT.size])
            newest = said
        if newest:
            at = newest[1 : 1 + AT.size]
            number, offset = AT.unpack(at)
            if number in segments:
                outlet.show(frame_at(segments[number], offset, newest[1 + AT.size :]))
            connection.send_bytes(DONE + at)
