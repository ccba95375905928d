"""Preprocessor and Postprocessor as one kernel each: one pass over memory, with nothing in between written down.

A frame's bytes go up through page-locked memory and the kernel writes the finished pixels into their place in the chunk's
tensor; on the way back it writes the finished bytes, and they come down through page-locked memory. All memory is PyTorch's
and all work is queued on PyTorch's current stream, so its allocators know when each buffer is free again.

What the kernels compute is in frames.cu, what filters they apply in taps.py. This module fills in their arguments; who
launches them is a `Kernels`.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

import numpy as np
import torch

from sdv2_live.frame import ColorSpec, Frame, PixelFormat
from sdv2_live.gpu.color import UNCHANGED, Affine, code_limits, rgb_to_ycbcr, ycbcr_to_rgb
from sdv2_live.gpu.detail import CORE, LIMIT, Detail
from sdv2_live.gpu.fused_effects import graded_by
from sdv2_live.gpu.geometry import Fit, FitPlan, Size
from sdv2_live.gpu.kernels import DTYPES, Kernels, named, rows_of
from sdv2_live.gpu.look import PLAIN, Look
from sdv2_live.gpu.postprocess import Postprocessor
from sdv2_live.gpu.preprocess import Preprocessor, graded
from sdv2_live.gpu.staging import upload
from sdv2_live.gpu.taps import Taps, downsample_chroma, resample, upsample_chroma

PLANS = 32  # that keep their tables; a stream uses one or two
FORMATS = {PixelFormat.RGBA: 0, PixelFormat.RGBX: 0, PixelFormat.BGRA: 1, PixelFormat.BGRX: 1, PixelFormat.UYVY: 2}

# The structs of frames.cu, laid out as C does.
_AXIS = np.dtype([("start", "u8"), ("weights", "u8"), ("taps", "i4"), ("outputs", "i4")], align=True)
_AXES = [("rows", _AXIS), ("columns", _AXIS), ("chroma", _AXIS)]
_COLOR = ("color", "f4", (3, 4))
PREPROCESS = np.dtype(
    [("source", "u8"), ("out", "u8"), ("channel", "i8"), *_AXES]
    + [(name, "i4") for name in ("words", "format", "width", "height", "x", "y", "graded", "mirror", "flip")]
    + [_COLOR],
    align=True,
)
POSTPROCESS = np.dtype(
    [(name, "u8") for name in ("pixels", "out", "detail", "guide")]
    + [(name, "i8") for name in ("frame", "channel", "row", "column")]
    + [*_AXES, *((name, _AXIS) for name in ("detail_rows", "detail_columns", "guide_rows", "guide_columns"))]
    + [(name, "i4") for name in ("crop_height", "crop_width", "guide_height", "guide_width", "words", "height", "format")]
    + [(name, "f4") for name in ("luma_low", "luma_high", "chroma_low", "chroma_high", "core", "limit", "luma_scale")]
    + [_COLOR],
    align=True,
)


class FusedPreprocessor(Preprocessor):
    """A Preprocessor in one kernel a frame. `dtype` is one of DTYPES."""

    def __init__(
        self,
        size: Size,
        kernels: Kernels,
        *,
        fit: Fit = Fit.FILL,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__(size, fit=fit, dtype=dtype, device=device)
        self.backend = kernels.name
        self._kernels = kernels
        self._kernel = named("preprocess", dtype)
        self._args = lru_cache(PLANS)(partial(self._make_args, self.device))  # not of `self`: its tables go with the stream

    def write(self, frame: Frame, out: torch.Tensor, look: Look = PLAIN) -> None:
        plan = self.plan(frame)
        source = self._upload(frame, plan.source).contiguous()
        fields: dict[str, Any] = {"source": source.data_ptr(), "out": out.data_ptr(), "channel": out.stride(0)}
        if not look.plain:
            uyvy = frame.format is PixelFormat.UYVY
            color = graded(ycbcr_to_rgb(frame.color) if uyvy else UNCHANGED, look, frame.color.matrix)
            fields |= {"color": rows_of(color), "graded": look.colors, "mirror": look.mirror, "flip": look.flip}
        args = self._args(plan, frame.format, frame.color).fill(**fields)
        self._kernels.launch(self._kernel, (plan.size[1], plan.size[0], 1), args)

    @staticmethod
    def _make_args(device: torch.device, plan: FitPlan, format: PixelFormat, color: ColorSpec) -> _Args:
        source, target = plan.source, plan.target
        columns = chroma = resample(source.width, target.width, "bilinear")
        if format is PixelFormat.UYVY:
            chroma = upsample_chroma(source.width // 2).then(columns)
        args = _Args(PREPROCESS, device)
        args.filters(rows=resample(source.height, target.height, "bilinear"), columns=columns, chroma=chroma)
        args.color(ycbcr_to_rgb(color).scaled(1 / 127.5, -1))
        return args.set(
            words=source.width * format.bytes_per_pixel // 4,
            format=FORMATS[format],
            width=plan.size[1],
            height=plan.size[0],
            x=target.x,
            y=target.y,
        )


class FusedPostprocessor(Postprocessor):
    """A Postprocessor in one kernel a chunk, from pixels of any strides, as a decoder leaves them."""

    def __init__(
        self,
        kernels: Kernels,
        format: PixelFormat = PixelFormat.BGRX,
        *,
        color: ColorSpec = ColorSpec(),  # noqa: B008 (frozen)
        input_size: bool = False,
        fit: Fit = Fit.FILL,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__(format, color=color, input_size=input_size, fit=fit)
        self.backend = kernels.name
        self.device = torch.device(device)
        self._kernels = kernels
        self._args = lru_cache(PLANS)(self._make_args)

    def _bytes(self, pixels: torch.Tensor, size: Size) -> torch.Tensor:
        return self._launched(pixels, size, None)

    def _detailed(self, pixels: torch.Tensor, size: Size, detail: Detail) -> torch.Tensor:
        return self._launched(pixels, size, detail)

    def _graded(self, pixels: torch.Tensor, look: Look) -> torch.Tensor:
        return graded_by(self._kernels, pixels.to(self.device), look)

    def _launched(self, pixels: torch.Tensor, size: Size, detail: Detail | None) -> torch.Tensor:
        pixels = pixels.to(self.device, pixels.dtype if pixels.dtype in DTYPES else torch.float32)
        frames, height, words = pixels.shape[0], size[0], size[1] * self.format.bytes_per_pixel // 4
        out = torch.empty((frames, height, words * 4), dtype=torch.uint8, device=self.device)
        frame, channel, row, column = pixels.stride()
        fields = {"pixels": pixels.data_ptr(), "out": out.data_ptr()}
        fields |= {"frame": frame, "channel": channel, "row": row, "column": column}
        if detail is not None:
            fields |= {"detail": detail.planes.data_ptr(), "guide": detail.guide.data_ptr()}
        crop = int(pixels.shape[2]), int(pixels.shape[3])
        guide = (int(detail.guide.shape[1]), int(detail.guide.shape[2])) if detail is not None else None
        args = self._args(crop, size, guide).fill(**fields)
        self._kernels.launch(named("postprocess", pixels.dtype), (words, height, frames), args)
        return out

    def _make_args(self, crop: Size, size: Size, guide: Size | None) -> _Args:
        columns = chroma = resample(crop[1], size[1], "bicubic")
        if self.format is PixelFormat.UYVY:
            chroma = columns.then(downsample_chroma(size[1]))
        luma_limits, chroma_limits = code_limits(self.color)
        args = _Args(POSTPROCESS, self.device)
        args.filters(rows=resample(crop[0], size[0], "bicubic"), columns=columns, chroma=chroma)
        if guide is not None:
            args.filters(
                detail_rows=resample(crop[0], size[0], "bilinear"), detail_columns=resample(crop[1], size[1], "bilinear")
            )
            args.filters(guide_rows=resample(guide[0], size[0], "bicubic"), guide_columns=resample(guide[1], size[1], "bicubic"))
            args.set(guide_height=guide[0], guide_width=guide[1])
        args.color(rgb_to_ycbcr(self.color))
        return args.set(
            crop_height=crop[0],
            crop_width=crop[1],
            words=size[1] * self.format.bytes_per_pixel // 4,
            height=size[0],
            format=FORMATS[self.format],
            luma_low=luma_limits[0],
            luma_high=luma_limits[1],
            chroma_low=chroma_limits[0],
            chroma_high=chroma_limits[1],
            core=CORE,
            limit=LIMIT,
            luma_scale=(luma_limits[1] - luma_limits[0]) / 255,
        )


class _Args:
    """A kernel's arguments that follow from the plan, and the tables on the device that they point to."""

    def __init__(self, layout: np.dtype, device: torch.device) -> None:
        self._record = np.zeros(1, layout)
        self._device = device
        self._tables: list[torch.Tensor] = []

    def set(self, **fields: float) -> _Args:
        """This, with fields by name."""
        for name, value in fields.items():
            self._record[name] = value
        return self

    def fill(self, **fields: Any) -> np.ndarray:
        """The whole record, with the fields that are a call's own."""
        record = self._record.copy()
        for name, value in fields.items():
            record[name] = value
        return record

    def filters(self, **taps: Taps) -> None:
        """Tables of filters by name; weights lie tap by tap, so that neighbouring threads read neighbours."""
        for name, axis in taps.items():
            start = upload(axis.start, self._device)
            weights = upload(np.ascontiguousarray(axis.weights.T, np.float32), self._device)
            self._tables += [start, weights]
            self._record[name] = (start.data_ptr(), weights.data_ptr(), *weights.shape)

    def color(self, affine: Affine) -> None:
        """A colour change, each row with its offset."""
        self._record["color"] = rows_of(affine)
