"""Probe of Spout, on Windows: a picture is shared with ourselves and compared."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import numpy as np

from sdv2_live.config.schema import Config
from sdv2_live.doctor.probe import Check, fail, ok, warn
from sdv2_live.errors import VideoError
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.io.spout import lib as spout_lib
from sdv2_live.io.spout.sink import SpoutSink
from sdv2_live.io.spout.source import SpoutSource
from sdv2_live.system.clock import monotonic

LOOPBACK_S = 10.0
SIZES = ((180, 320), (270, 480))  # the second one shows that a change of size is followed
COLOUR = np.array([200, 100, 50, 255], np.uint8)  # R, G, B, A: all different, so that a swap shows
TOLERANCE = 2


def look_spout(config: Config) -> Iterator[Check]:
    """spout."""
    wanted = any(spec.startswith("spout:") for spec in (config.input.source, *config.output.sink))
    if spout_lib.SYSTEM != "win32" and not wanted:
        yield ok("spout", "not on this system (Windows only)")
        return
    problem = fail if wanted else warn
    try:
        yield loopback()
    except VideoError as error:
        yield problem("spout", str(error), "not needed for ndi:" if not wanted else "or set input.source and output.sink to ndi:")


def loopback() -> Check:
    """Share pictures of two sizes and receive them. Raises VideoError where Spout cannot run."""
    name = f"sdv2-live doctor {uuid.uuid4().hex[:8]}"
    began = monotonic()
    with SpoutSink(name) as sink, SpoutSource(name) as source:
        for height, width in SIZES:
            data = np.tile(COLOUR[[2, 1, 0, 3]], (height, width)).reshape(height, -1)
            got = _exchange(sink, source, Frame(data, width, height, PixelFormat.BGRX))
            if got is None:
                return fail(
                    "spout",
                    f"a {width}x{height} picture was shared and did not come back within {LOOPBACK_S:g} s",
                    "let python.exe and the other program use the same graphics card (Windows: Settings, Display, Graphics)",
                )
            mean = got.data.reshape(height, width, 4).mean((0, 1))
            if np.abs(mean - COLOUR)[:3].max() > TOLERANCE:
                came = ", ".join(f"{value:.0f}" for value in mean[:3])
                return fail("spout", f"the colour {COLOUR[:3].tolist()} came back as {came}", "update the graphics driver")
    return ok("spout", f"two sizes shared, found and received in {monotonic() - began:.1f} s, colours exact")


def _exchange(sink: SpoutSink, source: SpoutSource, frame: Frame) -> Frame | None:
    """The first picture of this frame's size that comes back while it is shared again and again."""
    deadline = monotonic() + LOOPBACK_S
    while monotonic() < deadline:
        sink.send(frame)
        got = source.read(0.03)
        if got is not None and got.size == frame.size:
            return got
    return None
