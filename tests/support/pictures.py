"""Pictures with known colours, and how far a codec may move them."""

from __future__ import annotations

import numpy as np

from sdv2_live.frame import ColorMatrix, ColorRange, ColorSpec, Frame, PixelFormat

BARS = [
    (235, 235, 235),
    (235, 235, 16),
    (16, 235, 235),
    (16, 235, 16),
    (235, 16, 235),
    (235, 16, 16),
    (16, 16, 235),
    (128, 128, 128),
]


def bars(height: int, width: int) -> np.ndarray:
    """Colour bars, RGB uint8 (height, width, 3)."""
    index = np.arange(width) * len(BARS) // width
    return np.broadcast_to(np.array(BARS, np.uint8)[index], (height, width, 3)).copy()


def with_fourth(rgb: np.ndarray, order: str = "RGB", fill: int = 255) -> np.ndarray:
    """RGB to RGBX or BGRX."""
    rgb = rgb if order == "RGB" else rgb[..., ::-1]
    return np.concatenate([rgb, np.full((*rgb.shape[:2], 1), fill, np.uint8)], axis=2)


def to_uyvy(rgb: np.ndarray, spec: ColorSpec | None = None) -> np.ndarray:
    """RGB to UYVY rows (height, 2 * width), straight from the recommendations; BT.709 limited by default."""
    spec = spec or ColorSpec()
    kr, kb = spec.matrix.value
    r, g, b = (rgb[..., i].astype(np.float64) / 255 for i in range(3))
    luma = kr * r + (1 - kr - kb) * g + kb * b
    blue, red = (b - luma) / (2 - 2 * kb), (r - luma) / (2 - 2 * kr)
    black, luma_span, chroma_span = (16, 219, 224) if spec.range is ColorRange.LIMITED else (0, 255, 255)
    out = np.empty((rgb.shape[0], 2 * rgb.shape[1]), np.float64)
    out[:, 1::2] = black + luma_span * luma
    out[:, 0::4] = 128 + chroma_span * (blue[:, 0::2] + blue[:, 1::2]) / 2
    out[:, 2::4] = 128 + chroma_span * (red[:, 0::2] + red[:, 1::2]) / 2
    return np.rint(out).clip(0, 255).astype(np.uint8)


def to_rgb(frame: Frame) -> np.ndarray:
    """A BT.709 limited UYVY frame to RGB uint8, straight from the recommendation."""
    assert frame.format is PixelFormat.UYVY
    assert (frame.color.matrix, frame.color.range) == (ColorMatrix.BT709, ColorRange.LIMITED)
    rows = frame.data[:, : 2 * frame.width].astype(np.float64)
    luma = (rows[:, 1::2] - 16) / 219
    blue, red = (np.repeat((rows[:, i::4] - 128) / 224, 2, axis=1) for i in (0, 2))
    r, b = luma + 1.5748 * red, luma + 1.8556 * blue
    g = (luma - 0.2126 * r - 0.0722 * b) / 0.7152
    return np.rint(np.stack([r, g, b], 2) * 255).clip(0, 255).astype(np.uint8)


def assert_like(got: np.ndarray, want: np.ndarray, *, bar_edges: bool = True) -> None:
    """Within the codec's tolerance; chroma is halved across, so columns beside a bar's edge are left out."""
    error = np.abs(got.astype(int) - want.astype(int))
    if bar_edges:
        index = np.arange(want.shape[1]) * len(BARS) // want.shape[1]
        edge = np.flatnonzero(np.diff(index))
        keep = np.setdiff1d(np.arange(want.shape[1]), np.concatenate([edge + d for d in range(-2, 4)]))
        error = error[:, keep]
    assert error.mean() <= 4, f"mean error {error.mean():.2f}"
    assert error.max() <= 20, f"largest error {error.max()}"
