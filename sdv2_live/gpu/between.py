"""Moved pictures between the painted ones: an output of more frames a second than are painted.

It shows the picture of each tick of its rate. A tick at which a picture was painted, or nearly, shows that; another one shows the
two around it, moved; and where they are a cut, or lie too far apart, the nearer of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import torch
from torch import Tensor

from sdv2_live.frame import ColorSpec, Frame, PixelFormat
from sdv2_live.gpu.motion import Movement, between, movement
from sdv2_live.gpu.preprocess import RGB_OFFSETS

NEAR = 0.1  # of the time from one painting to the next: so near to one a tick shows it as it is
FARTHEST_NS = 250_000_000  # from one painting to the next: nothing is known of what moved meanwhile
SECOND_NS = 1_000_000_000


class Between:
    """The pictures of one stream, chunk by chunk: each chunk's go from after the last one of the chunk before to its own last."""

    def __init__(self, fps: int, format: PixelFormat) -> None:
        self._fps = fps
        self._format = format
        self._last: tuple[Tensor, int] | None = None  # the last painted picture, and its time

    def forget(self) -> None:
        """A new stream begins: its first picture follows none."""
        self._last = None

    @torch.inference_mode()
    def __call__(self, painted: Tensor, like: Sequence[Frame]) -> tuple[Tensor, list[Frame]]:
        """The pictures to show, and frames at whose place in time they are.

        Args:
            painted: uint8 (T, height, bytes), in the output's format.
            like: the frame of each of them.
        """
        pictures, times = list(painted), [frame.captured_ns for frame in like]
        last, self._last = self._last, (pictures[-1].clone(), times[-1])
        known = last is not None and last[0].shape == pictures[0].shape and 0 <= times[0] - last[1] <= FARTHEST_NS
        if last is not None and known:
            pictures, times = [last[0], *pictures], [last[1], *times]
        moves: Movement | None = None
        shown, places = [], []
        for i, frame in enumerate(like, len(times) - len(like)):
            before = times[i - 1] if i and times[i] - times[i - 1] <= FARTHEST_NS else times[i] - SECOND_NS // self._fps
            for tick in range(self._ticks(before), self._ticks(times[i])):
                at = tick * SECOND_NS // self._fps
                share = (at - before) / (times[i] - before)
                places.append(frame.at(rate=Fraction(self._fps), captured_ns=at, index=frame.index))
                if i and before == times[i - 1] and NEAR < share < 1 - NEAR:
                    moves = moves or movement(self._luma(torch.stack(pictures)))
                    shown.append(self._moved(pictures[i - 1], pictures[i], moves, i - 1, share))
                else:
                    shown.append(pictures[i if share >= 0.5 or not i else i - 1])
        return torch.stack(shown) if shown else painted[:0], places

    def _ticks(self, time_ns: int) -> int:
        """Ticks up to a time, that of 0 included."""
        return ((time_ns + 1) * self._fps - 1) // SECOND_NS + 1

    def _luma(self, pictures: Tensor) -> Tensor:
        """float32 (N, 1, H, W) in 0..1, of bytes (N, height, bytes)."""
        if self._format is PixelFormat.UYVY:
            return pictures[:, None, :, 1::2].float().div_(255)
        kr, kb = ColorSpec().matrix.value
        red, green, blue = (pictures[:, :, offset::4].float() for offset in RGB_OFFSETS[self._format])
        return (red * (kr / 255)).add_(green, alpha=(1 - kr - kb) / 255).add_(blue, alpha=kb / 255)[:, None]

    def _moved(self, first: Tensor, second: Tensor, moves: Movement, index: int, share: float) -> Tensor:
        """Bytes (height, bytes) of the picture between two."""
        out = torch.empty_like(first)
        for offsets, step in self._planes():
            one, other = (torch.stack([rows[:, offset::step] for offset in offsets]) for rows in (first, second))
            planes = between(one, other, moves, index, share).round_().to(torch.uint8)
            for offset, plane in zip(offsets, planes, strict=True):
                out[:, offset::step] = plane
        return out

    def _planes(self) -> list[tuple[tuple[int, ...], int]]:
        """The bytes that lie on one raster: their offsets, and the step from one to the next."""
        return [((1,), 2), ((0, 2), 4)] if self._format is PixelFormat.UYVY else [((0, 1, 2, 3), 4)]
