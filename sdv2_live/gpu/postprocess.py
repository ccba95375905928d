"""From the model's tensor to frames' bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from sdv2_live.errors import EngineError
from sdv2_live.frame import ColorSpec, Frame, PixelFormat
from sdv2_live.gpu.between import Between
from sdv2_live.gpu.color import code_limits, rgb_to_ycbcr
from sdv2_live.gpu.detail import Detail, Guide, add_detail, new_detail, new_guide
from sdv2_live.gpu.geometry import Fit, Rect, Size, return_crop, shown_part
from sdv2_live.gpu.look import PLAIN, Look
from sdv2_live.gpu.preprocess import RGB_OFFSETS
from sdv2_live.gpu.resample import change_color, downsample_chroma, pack_uyvy, resize_bytes, resize_columns, resize_rows
from sdv2_live.gpu.staging import begin_download


class Postprocessor:
    """Pixels in [-1, 1] to frames, at the model's size or (`input_size`) back at the size of the input frames.

    Pixels are clamped to [-1, 1] first, resized (antialiased bicubic: sharper than bilinear on the usual way up), clamped to
    the nominal codes of the format, and rounded half to even: truncation would darken by half a code, and by another at
    every turn of a feedback loop. The fourth byte of the RGB formats is 255. UYVY chroma is filtered (1, 2, 1) / 4 and
    sited on the left, as `Preprocessor` takes it; an odd width loses its last column.
    """

    backend = "torch"

    def __init__(
        self,
        format: PixelFormat = PixelFormat.BGRX,
        *,
        color: ColorSpec = ColorSpec(),  # noqa: B008 (frozen)
        input_size: bool = False,
        fit: Fit = Fit.FILL,
    ) -> None:
        self.format = format
        self.color = color
        self.input_size = input_size
        self.fit = fit
        self.between: Between | None = None  # makes more frames of the pictures

    def forget(self) -> None:
        """A new stream begins: its first pictures follow none."""
        if self.between is not None:
            self.between.forget()

    def plan(self, size: Size, like: Frame) -> tuple[Rect, Size]:
        """The part of a picture of the model's `size` that becomes a frame, and the frame's size, for the input frame `like`."""
        crop = return_crop(like.size, size, self.fit) if self.input_size else Rect(0, 0, size[1], size[0])
        height, width = like.size if self.input_size else size
        if self.format is PixelFormat.UYVY:
            width = max(width - width % 2, 2)
        return crop, (height, width)

    def guide(self, frames: Sequence[Frame], pixels: torch.Tensor, look: Look = PLAIN) -> Guide | None:
        """The guide of a chunk's input frames and of their pixels (1, 3, T, h, w), for `begin`; None where they are not alike.

        look: which the pixels have, and the frames have not.
        """
        first = frames[0]
        if any(not frame.alike(first) or frame.color != first.color for frame in frames):
            return None
        size = int(pixels.shape[-2]), int(pixels.shape[-1])
        return new_guide(frames, shown_part(first.size, size, self.fit, look.seen_in) if self.input_size else None, pixels, look)

    def __call__(
        self, pixels: torch.Tensor, like: Sequence[Frame], guide: Guide | None = None, detail: float = 0.0, look: Look = PLAIN
    ) -> list[Frame]:
        """Frames from pixels (3, H, W) or (1, 3, T, H, W), one for each of `like`, the input frames they were made from.

        Each takes the rate, capture time and index of its input frame. Data are contiguous uint8 on the host. Raises
        EngineError when the shapes do not agree.

        Args:
            guide: of the same frames; None leaves the pictures as they were painted.
            detail: how much of the input's detail they take, 0..1.
            look: of the pictures.
        """
        return self.begin(pixels, like, guide, detail, look)()

    def begin(
        self, pixels: torch.Tensor, like: Sequence[Frame], guide: Guide | None = None, detail: float = 0.0, look: Look = PLAIN
    ) -> Callable[[], list[Frame]]:
        """Queue the work of a call on the current stream. Returns what waits for it and gives the frames."""
        if pixels.ndim == 3:
            pixels = pixels[None, :, None]
        if pixels.ndim != 5 or pixels.shape[:2] != (1, 3) or pixels.shape[2] != len(like):
            raise EngineError(f"{len(like)} output frames need pixels (1, 3, {len(like)}, H, W), not {tuple(pixels.shape)}")
        pixels = pixels[0].transpose(0, 1)
        if look.colors or look.lut is not None:
            pixels = self._graded(pixels, look)
        size = int(pixels.shape[-2]), int(pixels.shape[-1])
        plans = [self.plan(size, frame) for frame in like]
        if len(set(plans)) == 1:
            crop = plans[0][0]
            added = new_detail(pixels, guide, detail, crop) if guide and detail else None
            return self._frames(pixels, *plans[0], like, look, added)
        # The input changed size within the chunk.
        parts = [self._frames(pixels[i : i + 1], *plans[i], [frame], look) for i, frame in enumerate(like)]
        return lambda: [frame for part in parts for frame in part()]

    def _graded(self, pixels: torch.Tensor, look: Look) -> torch.Tensor:
        """float32 pixels (T, 3, h, w) in [-1, 1], with the look's colours."""
        pixels = pixels.to(torch.float32).clamp(-1, 1)
        if look.colors:
            pixels = change_color(pixels, look.affine()).clamp_(-1, 1)
        return look.lut(pixels) if look.lut is not None else pixels

    def _frames(
        self, pixels: torch.Tensor, crop: Rect, size: Size, like: Sequence[Frame], look: Look, detail: Detail | None = None
    ) -> Callable[[], list[Frame]]:
        """Frames of one size from pixels (T, 3, H, W), to be waited for."""
        height, width = size
        pixels = look.turned(crop.of(pixels))
        detail = detail.turned(look) if detail is not None and (look.mirror or look.flip) else detail
        made = self._bytes(pixels, size) if detail is None else self._detailed(pixels, size, detail)
        if self.between is not None:
            made, like = self.between(made, like)
        fetch = begin_download(made)
        return lambda: [
            Frame(rows, width, height, self.format, frame.rate, frame.captured_ns, frame.index, self.color)
            for rows, frame in zip(fetch(), like, strict=True)
        ]

    def _bytes(self, pixels: torch.Tensor, size: Size) -> torch.Tensor:
        """uint8 rows (T, height, bytes) of pictures of `size`, from all of pixels (T, 3, h, w)."""
        rgb = pixels.to(torch.float32).clamp(-1, 1).add_(1).mul_(127.5)
        pack = self._pack_uyvy if self.format is PixelFormat.UYVY else self._pack_rgb
        return pack(rgb, *size).flatten(2)

    def _detailed(self, pixels: torch.Tensor, size: Size, detail: Detail) -> torch.Tensor:
        """`_bytes` with detail. Pictures are resized as bytes: off by a code or two, and on a CPU in a tenth of the time."""
        rgb = pixels.to(torch.float32).clamp(-1, 1).add_(1).mul_(127.5)
        codes = torch.full((*pixels.shape[::2], pixels.shape[3], 4), 255, dtype=torch.uint8, device=pixels.device)
        if self.format is not PixelFormat.UYVY:
            for channel, offset in enumerate(RGB_OFFSETS[self.format]):
                codes[..., offset] = rgb[:, channel].round_()
            codes = resize_bytes(codes, size)
            add_detail(codes, detail)
            return codes.flatten(2)
        luma_limits, chroma_limits = code_limits(self.color)
        ycbcr = change_color(rgb, rgb_to_ycbcr(self.color))
        for channel, limits in enumerate((luma_limits, chroma_limits, chroma_limits)):
            codes[..., channel] = ycbcr[:, channel].clamp(*limits).round_()
        height, width = size
        # The columns first: chroma is halved while there are few rows, and rows of UYVY are resized like any other.
        uyvy = pack_uyvy(resize_bytes(codes, (codes.shape[1], width)))
        rows = resize_bytes(uyvy, (height, width // 2)).flatten(2)
        add_detail(rows[..., 1::2, None], detail, luma_limits)
        return rows

    def _pack_rgb(self, rgb: torch.Tensor, height: int, width: int) -> torch.Tensor:
        """uint8 (T, height, width, 4) from RGB codes (T, 3, h, w)."""
        rgb = resize_rows(resize_columns(rgb, width, "bicubic"), height, "bicubic").clamp_(0, 255).round_()
        out = torch.full((rgb.shape[0], height, width, 4), 255, dtype=torch.uint8, device=rgb.device)
        for channel, offset in enumerate(RGB_OFFSETS[self.format]):
            out[..., offset] = rgb[:, channel]
        return out

    def _pack_uyvy(self, rgb: torch.Tensor, height: int, width: int) -> torch.Tensor:
        """uint8 (T, height, width / 2, 4) from RGB codes (T, 3, h, w)."""
        ycbcr = resize_columns(change_color(rgb, rgb_to_ycbcr(self.color)), width, "bicubic")
        luma_limits, chroma_limits = code_limits(self.color)
        luma = resize_rows(ycbcr[:, :1], height, "bicubic")[:, 0].clamp_(*luma_limits).round_()
        chroma = resize_rows(downsample_chroma(ycbcr[:, 1:]), height, "bicubic").clamp_(*chroma_limits).round_()
        out = torch.empty((rgb.shape[0], height, width // 2, 4), dtype=torch.uint8, device=rgb.device)
        out[..., 0] = chroma[:, 0]
        out[..., 1] = luma[..., 0::2]
        out[..., 2] = chroma[:, 1]
        out[..., 3] = luma[..., 1::2]
        return out
