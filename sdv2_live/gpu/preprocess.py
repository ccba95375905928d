"""From a frame's bytes to the model's tensor."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from sdv2_live.errors import EngineError
from sdv2_live.frame import ColorMatrix, Frame, PixelFormat
from sdv2_live.gpu.color import Affine, ycbcr_to_rgb
from sdv2_live.gpu.geometry import Fit, FitPlan, Rect, Size, fit_plan
from sdv2_live.gpu.look import PLAIN, Look
from sdv2_live.gpu.resample import change_color, resize_columns, resize_rows, upsample_chroma
from sdv2_live.gpu.staging import upload

RGB_OFFSETS = {
    PixelFormat.BGRA: (2, 1, 0),
    PixelFormat.BGRX: (2, 1, 0),
    PixelFormat.RGBA: (0, 1, 2),
    PixelFormat.RGBX: (0, 1, 2),
}


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

    backend = "torch"

    def __init__(
        self, size: Size, *, fit: Fit = Fit.FILL, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
    ) -> None:
        self.size = size
        self.fit = fit
        self.dtype = dtype
        self.device = torch.device(device)

    def plan(self, frame: Frame) -> FitPlan:
        """The fit of this frame: the part that is used, and its place in the model's picture."""
        return fit_plan(frame.size, self.size, self.fit)

    def __call__(self, frame: Frame) -> torch.Tensor:
        """Pixels (3, H, W) in [-1, 1] of one frame."""
        return self.chunk([frame])[0, :, 0]

    def chunk(self, frames: Sequence[Frame], look: Look = PLAIN) -> torch.Tensor:
        """Pixels (1, 3, T, H, W) of T frames, which need not be alike."""
        return Coming(self, len(frames), look).fill(frames)

    def write(self, frame: Frame, out: torch.Tensor, look: Look = PLAIN) -> None:
        """Pixels of one frame into `out`, a view (3, H, W) whose pictures have no gaps."""
        plan = self.plan(frame)
        if plan.target.size != plan.size:
            out.fill_(-1.0)
        plan.target.of(out).copy_(look.turned(self._picture(frame, plan, look).clamp_(-1, 1)[0]))

    def _picture(self, frame: Frame, plan: FitPlan, look: Look) -> torch.Tensor:
        """Unclamped RGB (1, 3, *plan.target.size), 0..255 scaled to [-1, 1]."""
        rows = self._upload(frame, plan.source)
        height, width = plan.target.size
        if frame.format is not PixelFormat.UYVY:
            rgb = _planes(rows, 4, RGB_OFFSETS[frame.format])
            rgb = resize_columns(resize_rows(rgb, height, "bilinear"), width, "bilinear")
            rgb = rgb.div_(127.5).sub_(1)
            return change_color(rgb, look.affine(frame.color.matrix)) if look.colors else rgb
        luma = resize_rows(_planes(rows, 2, (1,)), height, "bilinear")
        chroma = resize_rows(_planes(rows, 4, (0, 2)), height, "bilinear")
        chroma = resize_columns(upsample_chroma(chroma), width, "bilinear")
        ycbcr = torch.cat([resize_columns(luma, width, "bilinear"), chroma], 1)
        return change_color(ycbcr, graded(ycbcr_to_rgb(frame.color), look, frame.color.matrix))

    def _upload(self, frame: Frame, source: Rect) -> torch.Tensor:
        """The rows of a part of the frame, uint8 (height, bytes), on the device. Cropped rows are not uploaded."""
        unit = frame.format.bytes_per_pixel
        left, right = source.x * unit, (source.x + source.width) * unit
        return upload(frame.data[source.y : source.y + source.height, left:right], self.device)


def graded(to_codes: Affine, look: Look, matrix: ColorMatrix) -> Affine:
    """The change to R'G'B' in [-1, 1], with the look's colours, from one to R'G'B' codes."""
    scaled = to_codes.scaled(1 / 127.5, -1)
    return scaled.then(look.affine(matrix)) if look.colors else scaled


class Coming:
    """A chunk of `count` frames while they come. frames: those that have come, in order."""

    def __init__(self, preprocess: Preprocessor, count: int, look: Look = PLAIN) -> None:
        self.frames: list[Frame] = []
        self.look = look
        self._preprocess = preprocess
        self._pixels = torch.empty((1, 3, count, *preprocess.size), dtype=preprocess.dtype, device=preprocess.device)

    def fill(self, frames: Sequence[Frame]) -> torch.Tensor:
        """Pixels (1, 3, T, H, W) of the chunk's first T frames. Frames that came before are not read again.

        Raises:
            EngineError: `frames` do not begin with those that came before, or are more than the chunk has.
        """
        known, count = len(self.frames), self._pixels.shape[2]
        if len(frames) > count or [*map(_identity, frames[:known])] != [*map(_identity, self.frames)]:
            raise EngineError(f"{len(frames)} frames do not go on from the {known} of {count} that the chunk had: begin it anew")
        for i, frame in enumerate(frames[known:], known):
            self._preprocess.write(frame, self._pixels[0, :, i], self.look)
            self.frames.append(frame)
        return self._pixels[:, :, : len(frames)]


def _identity(frame: Frame) -> tuple[int, int]:
    """An identity of a frame that also holds when it comes from another process."""
    return frame.index, frame.captured_ns


def _planes(rows: torch.Tensor, step: int, offsets: Sequence[int]) -> torch.Tensor:
    """The bytes at `offsets` of every `step`: float32 (1, len(offsets), height, width)."""
    out = torch.empty((1, len(offsets), rows.shape[0], rows.shape[1] // step), device=rows.device)
    for plane, offset in zip(out[0], offsets, strict=True):
        plane.copy_(rows[:, offset::step])
    return out
