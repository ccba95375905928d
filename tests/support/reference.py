"""Bytes to pixels and back the slow, obvious way, in float64: convert at full size, then resample with explicit weights."""

from __future__ import annotations

import numpy as np

from sdv2_live.frame import ColorMatrix, ColorRange, ColorSpec, Frame, PixelFormat
from sdv2_live.gpu.geometry import FitPlan, Rect

# Kr, Kb and the code scales are written out again, so that a slip in the package does not repeat itself here.
LUMA = {ColorMatrix.BT601: (0.299, 0.114), ColorMatrix.BT709: (0.2126, 0.0722), ColorMatrix.BT2020: (0.2627, 0.0593)}
CORE, LIMIT = 1.5, 64  # of detail, in codes
COLORS = [ColorSpec(matrix, range_) for matrix in ColorMatrix for range_ in ColorRange]


def random_frame(
    height: int, width: int, format: PixelFormat, *, padding: int = 0, color: ColorSpec | None = None, seed: int = 0
) -> Frame:
    """Noise over every code, row padding included."""
    data = np.random.default_rng(seed).integers(0, 256, (height, width * format.bytes_per_pixel + padding), dtype=np.uint8)
    return Frame(data, width, height, format, color=color or ColorSpec())


def solid_rgb_frame(rgb: np.ndarray, format: PixelFormat = PixelFormat.BGRX) -> Frame:
    """An RGB picture (height, width, 3) as a frame of an RGB format, with 77 as its fourth byte."""
    data = np.full((*rgb.shape[:2], 4), 77, np.uint8)
    for channel, name in enumerate("RGB"):
        data[..., format.value.index(name)] = rgb[..., channel]
    return Frame(data.reshape(rgb.shape[0], -1), rgb.shape[1], rgb.shape[0], format)


def to_rgb(frame: Frame) -> np.ndarray:
    """RGB (height, width, 3) on the scale 0..255, unclamped."""
    samples = frame.data[:, : frame.width * frame.format.bytes_per_pixel].astype(np.float64)
    if frame.format is not PixelFormat.UYVY:
        pixels = samples.reshape(frame.height, frame.width, 4)
        return pixels[..., [frame.format.value.index(name) for name in "RGB"]]
    luma, cb, cr = samples[:, 1::2], *(_chroma_at_luma(samples[:, offset::4]) for offset in (0, 2))
    if frame.color.range is ColorRange.LIMITED:
        luma, cb, cr = (luma - 16) / 219, (cb - 128) / 224, (cr - 128) / 224
    else:
        luma, cb, cr = luma / 255, (cb - 128) / 255, (cr - 128) / 255
    kr, kb = LUMA[frame.color.matrix]
    red, blue = luma + 2 * (1 - kr) * cr, luma + 2 * (1 - kb) * cb
    return np.stack([red, (luma - kr * red - kb * blue) / (1 - kr - kb), blue], -1) * 255


def cropped(frame: Frame, rect: Rect) -> Frame:
    """The rectangle as a frame of its own: what lies outside does not reach in, not even as 4:2:2 chroma."""
    unit = frame.format.bytes_per_pixel
    data = frame.data[rect.y : rect.y + rect.height, rect.x * unit : (rect.x + rect.width) * unit]
    return Frame(data, rect.width, rect.height, frame.format, color=frame.color)


def _chroma_at_luma(chroma: np.ndarray) -> np.ndarray:
    """Chroma sample i lies on luma column 2i."""
    columns = np.arange(chroma.shape[1]) * 2
    return np.stack([np.interp(np.arange(chroma.shape[1] * 2), columns, row) for row in chroma])


def triangle_weights(size: int, out: int) -> np.ndarray:
    """(out, size): triangle filter around each output pixel's centre, as wide as the larger of both pixel pitches."""
    scale = size / out
    radius = max(scale, 1.0)
    centre = (np.arange(out) + 0.5) * scale
    weights = np.maximum(0, 1 - np.abs(np.arange(size) + 0.5 - centre[:, None]) / radius)
    return weights / weights.sum(1, keepdims=True)


def preprocess(frame: Frame, plan: FitPlan) -> np.ndarray:
    """Pixels (3, H, W) in [-1, 1]."""
    source, target = plan.source, plan.target
    rgb = to_rgb(cropped(frame, source))
    rows, columns = triangle_weights(source.height, target.height), triangle_weights(source.width, target.width)
    resized = np.einsum("hy,yxc->hxc", rows, rgb, optimize=True)
    resized = np.einsum("wx,hxc->chw", columns, resized, optimize=True)
    out = np.full((3, *plan.size), -1.0)
    out[:, target.y : target.y + target.height, target.x : target.x + target.width] = np.clip(resized / 127.5 - 1, -1, 1)
    return out


def cubic_weights(size: int, out: int) -> np.ndarray:
    """(out, size): cubic with a = -0.5 around each output pixel's centre, stretched where the picture shrinks."""
    if size == out:
        return np.eye(size)
    scale = size / out
    centre = (np.arange(out) + 0.5) * scale
    x = np.abs(np.arange(size) + 0.5 - centre[:, None]) / max(scale, 1.0)
    weights = np.where(x < 1, 1.5 * x**3 - 2.5 * x**2 + 1, np.where(x < 2, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2, 0))
    return weights / weights.sum(1, keepdims=True)


def change(planes: np.ndarray, guide: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """What detail adds to luma on the scale 0..255, (T, height, width), from gain and base (T, 2, h, w) and a guide (T, H, W)."""
    rows, columns = (triangle_weights(*sides) for sides in zip(planes.shape[2:], size, strict=True))
    gain, base = np.einsum("hy,wx,tcyx->cthw", rows, columns, planes.astype(np.float64), optimize=True)
    rows, columns = (cubic_weights(*sides) for sides in zip(guide.shape[1:], size, strict=True))
    whole = gain * np.clip(np.einsum("hy,wx,tyx->thw", rows, columns, guide.astype(np.float64), optimize=True), 0, 255) - base
    return np.sign(whole) * np.clip(np.abs(whole) - CORE, 0, LIMIT)


def postprocess(
    pixels: np.ndarray,
    crop: Rect,
    size: tuple[int, int],
    format: PixelFormat,
    color: ColorSpec,
    detail: np.ndarray | float = 0.0,
) -> np.ndarray:
    """Samples (T, height, bytes) of frames from pixels (T, 3, H, W), clamped to their nominal codes and not rounded.

    detail: see `change`.
    """
    codes = (np.clip(crop.of(pixels).astype(np.float64), -1, 1) + 1) * 127.5
    height, width = size
    resized = np.einsum("hy,tcyx->tchx", cubic_weights(crop.height, height), codes, optimize=True)
    resized = np.einsum("wx,tchx->tchw", cubic_weights(crop.width, width), resized, optimize=True)
    if format is not PixelFormat.UYVY:
        out = np.full((len(pixels), height, width, 4), 255.0)
        resized = resized.transpose(0, 2, 3, 1) + np.expand_dims(detail, -1)
        out[..., [format.value.index(name) for name in "RGB"]] = np.clip(resized, 0, 255)
        return out.reshape(len(pixels), height, -1)
    red, green, blue = (resized / 255).transpose(1, 0, 2, 3)
    kr, kb = LUMA[color.matrix]
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    limited = color.range is ColorRange.LIMITED
    out = np.empty((len(pixels), height, width, 2))
    shown = luma + np.asarray(detail) / 255  # chroma is of the luma without it
    out[..., 1] = np.clip(shown * 219 + 16, 16, 235) if limited else np.clip(shown * 255, 0, 255)
    for offset, chroma in ((0, (blue - luma) / (2 - 2 * kb)), (1, (red - luma) / (2 - 2 * kr))):
        before = np.concatenate([chroma[..., :1], chroma[..., 1:-1:2]], -1)
        chroma = (before + 2 * chroma[..., 0::2] + chroma[..., 1::2]) / 4
        out[..., offset::2, 0] = np.clip(chroma * 224 + 128, 16, 240) if limited else np.clip(chroma * 255 + 128, 0, 255)
    return out.reshape(len(pixels), height, -1)
