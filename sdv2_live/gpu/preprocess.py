"""From a frame's bytes to the model's tensor."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import torch

from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.gpu.color import ycbcr_to_rgb
from sdv2_live.gpu.geometry import Fit, FitPlan, Rect, Size, fit_plan
from sdv2_live.gpu.resample import change_color, resize_columns, resize_rows, upsample_chroma

RGB_OFFSETS = {
    PixelFormat.BGRA: (2, 1, 0),
    PixelFormat.BGRX: (2, 1, 0),
    PixelFormat.RGBA: (0, 1, 2),
    PixelFormat.RGBX: (0, 1, 2),
}

# Frames are never written to, so a tensor over a read-only array is safe here.
warnings.filterwarnings("ignore", message="The given NumPy array is not writable")


class Preprocessor:
    """Frames of any format, size and stride to pixels (3, H, W) in [-1, 1], RGB, at the model's `size`.

    Planes are cropped and resized as they are (antialiased triangle filter) and become RGB only at the model's resolution:
    resampling and the colour matrix are both linear, so the order does not show. Values are clamped to [-1, 1] once, at the
    very end, and never rounded to 8 bits in between. Byte b of an RGB format becomes b / 127.5 - 1; bars are -1. UYVY chroma
    is taken as sited on the left (MPEG-2, SDI, NDI): without that, colours would lie half a pixel to the right. Alpha is
    ignored: the colours of BGRA and RGBA are taken straight, as if over nothing.

    The plan follows from each frame alone and is cached by size, so a source may change size, format or colour at any
    frame. `size` itself is fixed, as an engine's state is made for it.
    """

    def __init__(
        self, size: Size, *, fit: Fit = Fit.FILL, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
    ) -> None:
        self.size = size
        self.fit = fit
        self.dtype = dtype
        self.device = torch.device(device)

    def plan(self, frame: Frame) -> FitPlan:
        """Which part of this frame goes where."""
        return fit_plan(frame.size, self.size, self.fit)

    def __call__(self, frame: Frame) -> torch.Tensor:
        """Pixels (3, H, W) in [-1, 1] of one frame."""
        plan = self.plan(frame)
        picture = self._picture(frame, plan).clamp_(-1, 1)[0]
        if plan.target.size == plan.size:
            return picture.to(self.dtype)
        canvas = torch.full((3, *plan.size), -1.0, dtype=self.dtype, device=self.device)
        plan.target.of(canvas).copy_(picture)
        return canvas

    def chunk(self, frames: Sequence[Frame]) -> torch.Tensor:
        """Pixels (1, 3, T, H, W) of T frames, which need not be alike."""
        return torch.stack([self(frame) for frame in frames], dim=1)[None]

    def _picture(self, frame: Frame, plan: FitPlan) -> torch.Tensor:
        """Unclamped RGB (1, 3, *plan.target.size), 0..255 scaled to [-1, 1]."""
        rows = self._upload(frame)
        height, width = plan.target.size
        if frame.format is not PixelFormat.UYVY:
            rgb = _planes(rows[:, : frame.width * 4], 4, RGB_OFFSETS[frame.format], plan.source)
            rgb = resize_columns(resize_rows(rgb, height, "bilinear"), width, "bilinear")
            return rgb.div_(127.5).sub_(1)
        pairs = rows[:, : frame.width * 2]
        luma = resize_rows(_planes(pairs, 2, (1,), plan.source), height, "bilinear")
        chroma = resize_rows(_planes(pairs, 4, (0, 2), plan.source.half_width()), height, "bilinear")
        chroma = resize_columns(upsample_chroma(chroma), width, "bilinear")
        ycbcr = torch.cat([resize_columns(luma, width, "bilinear"), chroma], 1)
        return change_color(ycbcr, ycbcr_to_rgb(frame.color).scaled(1 / 127.5, -1))

    def _upload(self, frame: Frame) -> torch.Tensor:
        """The frame's rows, uint8 (height, stride), on the device."""
        data = np.ascontiguousarray(frame.data) if min(frame.data.strides) < 0 else frame.data  # a flipped view
        return torch.from_numpy(data).to(self.device, non_blocking=True)


def _planes(rows: torch.Tensor, step: int, offsets: Sequence[int], crop: Rect) -> torch.Tensor:
    """The bytes at `offsets` of every `step`, cropped: float32 (1, len(offsets), crop.height, crop.width)."""
    out = torch.empty((1, len(offsets), *crop.size), device=rows.device)
    for plane, offset in zip(out[0], offsets, strict=True):
        plane.copy_(crop.of(rows[:, offset::step]))
    return out
