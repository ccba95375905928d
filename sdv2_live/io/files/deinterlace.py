"""Deinterlacing by FFmpeg's filter bwdif."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

import av
from av.filter import Graph


def deinterlaced(frames: Iterable[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """One picture for each frame, in order, at the time of the field shown first. Progressive frames stay unchanged.

    The decoder tells of each frame whether it is interlaced, and its field order.
    """
    bwdif: Deinterlacer | None = None
    for frame in frames:
        if bwdif is not None and not bwdif.takes(frame):
            yield from bwdif.push(None)
            bwdif = None
        if bwdif is None and frame.interlaced_frame:
            bwdif = Deinterlacer(frame)
        if bwdif is None:
            yield frame
        else:
            yield from bwdif.push(frame)
    if bwdif is not None:
        yield from bwdif.push(None)


class Deinterlacer:
    """Deinterlaces frames of the size and format of `like`. It needs the frame after each, and so is one frame late."""

    def __init__(self, like: av.VideoFrame) -> None:
        self._kind = _kind(like)
        self._graph = Graph()
        size, pix_fmt = f"{like.width}x{like.height}", like.format.name
        buffer = self._graph.add("buffer", f"video_size={size}:pix_fmt={pix_fmt}:time_base={like.time_base}")
        bwdif = self._graph.add("bwdif", mode="send_frame", parity="auto", deint="interlaced")
        sink = self._graph.add("buffersink")
        buffer.link_to(bwdif)
        bwdif.link_to(sink)
        self._graph.configure()

    def takes(self, frame: av.VideoFrame) -> bool:
        """True when the frame has the size and format that this was made for."""
        return _kind(frame) == self._kind

    def push(self, frame: av.VideoFrame | None) -> Iterator[av.VideoFrame]:
        """Take a frame, or None at the end. Yields the finished pictures."""
        self._graph.push(frame)
        with suppress(BlockingIOError, EOFError):  # no more for now; no more at all
            while True:
                yield self._graph.vpull()


def _kind(frame: av.VideoFrame) -> tuple[object, ...]:
    return frame.width, frame.height, frame.format.name, frame.time_base
