"""What libavdevice says of the cameras of Windows and macOS: it logs their modes, and why one cannot be opened, and no more."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction

import av
import av.logging

from sdv2_live.io.devices.modes import Mode

_DSHOW = re.compile(
    r"(?:pixel_format=(?P<raw>\w+)|vcodec=(?P<codec>\w+))\s+min s=(?P<least>\d+x\d+) fps=(?P<slow>[\d.]+)"
    r" max s=(?P<most>\d+x\d+) fps=(?P<fast>[\d.]+)"
)
_AVFOUNDATION = re.compile(r"(?P<width>\d+)x(?P<height>\d+)@\[(?P<slow>[\d.]+)\s+(?P<fast>[\d.]+)\]fps")
_NO_RATE = "997"  # that no camera has, so that AVFoundation tells what it has


def dshow_modes(lines: Iterable[str]) -> list[Mode]:
    """The modes in what DirectShow lists (`list_options`)."""
    found = []
    for line in lines:
        match = _DSHOW.search(line)
        if match is None:
            continue
        width, height = (int(side) for side in match["most"].split("x"))
        found.append(Mode(height, width, _rate(match["fast"]), match["raw"] or match["codec"], match["codec"] is not None))
    return list(dict.fromkeys(found))


def avfoundation_modes(lines: Iterable[str]) -> list[Mode]:
    """The modes in what AVFoundation lists when it was asked for one that there is not."""
    matches = (_AVFOUNDATION.search(line) for line in lines)
    found = [Mode(int(match["height"]), int(match["width"]), _rate(match["fast"])) for match in matches if match is not None]
    return list(dict.fromkeys(found))


def said_by(format: str, url: str) -> list[str]:
    """The lines that libavdevice logs when it is asked for a device's modes; untried here, as both systems are."""
    options = {"dshow": {"list_options": "true"}, "avfoundation": {"framerate": _NO_RATE}}[format]
    with logged() as lines, suppress(av.error.FFmpegError, OSError):  # raised each time: a list is no stream
        av.open(url, format=format, options=options).close()
    return lines


@contextmanager
def logged() -> Iterator[list[str]]:
    """Take down what libavdevice logs on this thread; the lines are there at the end."""
    before, lines = av.logging.get_level(), list[str]()
    av.logging.set_level(av.logging.INFO)
    try:
        with av.logging.Capture() as said:
            yield lines
    finally:
        av.logging.set_level(before)
        lines += [line for _, _, line in said]


def _rate(text: str) -> Fraction:
    """Frames a second as printed: 30.00003 is 30."""
    rate = Fraction(text)
    return Fraction(round(rate)) if abs(rate - round(rate)) < Fraction(1, 100) else rate.limit_denominator(1001)
