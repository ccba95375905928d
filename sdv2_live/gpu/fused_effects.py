"""The look of painted pictures, and feedback, as one kernel each: the arguments of effects.cu."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from sdv2_live.gpu.feedback import Feedback, Move
from sdv2_live.gpu.kernels import DTYPES, Kernels, named, rows_of
from sdv2_live.gpu.look import Look

MOST_FRAMES = 32  # that the kernel takes at once
BORDERS = {"black": 0, "clamp": 1, "mirror": 2, "wrap": 3}
_STRIDES = [(name, "i8") for name in ("frame", "channel", "row", "column")]

# The structs of effects.cu, laid out as C does.
GRADE = np.dtype(
    [
        *((name, "u8") for name in ("pixels", "out", "table")),
        *_STRIDES,
        *((name, "i4") for name in ("width", "height", "size", "solid")),
        ("color", "f4", (3, 4)),
        ("scale", "f4", 3),
        ("offset", "f4", 3),
    ],
    align=True,
)
FEEDBACK = np.dtype(
    [
        *((name, "u8") for name in ("pixels", "last", "out")),
        *_STRIDES,
        ("last_channel", "i8"),
        *((name, "i4") for name in ("frames", "width", "height", "border")),
        ("share", "f4"),
        ("place", "f4", (MOST_FRAMES, 2, 3)),
        ("color", "f4", (MOST_FRAMES, 3, 4)),
    ],
    align=True,
)


def graded_by(kernels: Kernels, pixels: torch.Tensor, look: Look) -> torch.Tensor:
    """float32 pixels (T, 3, h, w) in [-1, 1] with the look's colours, from pixels of any strides."""
    pixels = pixels if pixels.dtype in DTYPES else pixels.to(torch.float32)
    count, _, height, width = pixels.shape
    out = torch.empty(pixels.shape, dtype=torch.float32, device=pixels.device)
    frame, channel, row, column = pixels.stride()
    fields: dict[str, Any] = {"pixels": pixels.data_ptr(), "out": out.data_ptr()}
    fields |= {"frame": frame, "channel": channel, "row": row, "column": column}
    fields |= {"width": width, "height": height, "color": rows_of(look.affine())}
    if look.lut is not None:
        scale, offset = look.lut.scales()
        fields |= {"table": look.lut.on(pixels.device).data_ptr(), "scale": scale, "offset": offset}
        fields |= {"size": look.lut.size, "solid": look.lut.solid}
    kernels.launch(named("grade", pixels.dtype), (width, height, count), record(GRADE, fields))
    return out


class FusedFeedback(Feedback):
    """Feedback in one kernel a chunk."""

    def __init__(self, kernels: Kernels) -> None:
        self.backend = kernels.name
        self._kernels = kernels

    def __call__(self, pixels: torch.Tensor, last: torch.Tensor, move: Move, share: float, times: range) -> torch.Tensor:
        count, height, width = pixels.shape[2:]
        if count > MOST_FRAMES:
            return super().__call__(pixels, last, move, share, times)
        last = last.to(pixels.dtype)
        out = torch.empty(pixels.shape, dtype=pixels.dtype, device=pixels.device)
        _, channel, frame, row, column = pixels.stride()
        if last.stride()[1:] != (width, 1):
            last = last.contiguous()
        place, color = np.zeros((MOST_FRAMES, 2, 3)), np.zeros((MOST_FRAMES, 3, 4))
        place[:count] = move.places((height, width), times)
        color[:count] = [rows_of(affine) for affine in move.colors(times)]
        fields: dict[str, Any] = {
            "pixels": pixels.data_ptr(),
            "last": last.data_ptr(),
            "out": out.data_ptr(),
            "last_channel": last.stride(0),
        }
        fields |= {"frame": frame, "channel": channel, "row": row, "column": column, "frames": count}
        fields |= {"width": width, "height": height, "border": BORDERS[move.border], "share": share}
        fields |= {"place": place, "color": color}
        self._kernels.launch(named("feedback", pixels.dtype), (width, height, count), record(FEEDBACK, fields))
        return out


def record(layout: np.dtype, fields: dict[str, Any]) -> np.ndarray:
    """One record with these fields, all others 0."""
    made = np.zeros(1, layout)
    for name, value in fields.items():
        made[name] = value
    return made
