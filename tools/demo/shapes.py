"""What moves in the demo clip, as polygons in pixels: reeds, boats, gulls; and how they are drawn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image, ImageDraw

from .noise import mix

WIDTH = 640
SCALE = 2  # pictures are made larger and averaged down
FOCAL = 611 * SCALE  # pixels per radian: 60 degrees across
Polygon = tuple[Sequence[tuple[float, float]], Sequence[float]]  # corners in pixels, linear RGB


def reed_color(shade: float, height: float) -> tuple[float, float, float]:
    gold = 0.25 + 0.75 * shade * height
    return 0.16 * gold + 0.012, 0.135 * gold + 0.018, 0.028 * gold + 0.008


def blade(x: float, y: float, tall: float, bend: float, width: float) -> list[tuple[float, float]]:
    """A leaf from (x, y) upwards: one side up, the other down."""
    along = np.linspace(0, 1, 10)
    middle, up = x + bend * along**2, y - tall * along * (1 - 0.12 * along * abs(bend) / tall)
    half = width / 2 * (1 - along**2)
    return [*zip(middle - half, up, strict=True), *zip((middle + half)[::-1], up[::-1], strict=True)]


def thick_line(start: tuple[float, float], end: tuple[float, float], width: float) -> list[tuple[float, float]]:
    (x0, y0), (x1, y1) = start, end
    across = np.array([y0 - y1, x1 - x0]) / max(np.hypot(x1 - x0, y1 - y0), 1e-6) * width / 2
    return [tuple(np.array(p) + s * across) for p, s in ((start, 1), (end, 1), (end, -1), (start, -1))]


def boat(column: float, row: float, metre: float, heel: float) -> Iterable[Polygon]:
    """A sloop on its way to the right; its waterline at (column, row), `metre` pixels to the metre."""

    def place(*points: tuple[float, float]) -> list[tuple[float, float]]:
        """Metres forward and up to pixels; the heel leans the rig away a little."""
        return [(column + metre * (x + heel * 0.5 * y), row - metre * y * (1 - heel**2)) for x, y in points]

    main = [(-0.05, 1.5), (-0.05, 10.2), (-1.2, 7.4), (-2.5, 4.2), (-3.3, 1.55)]
    jib = [(0.15, 8.8), (1.7, 5.2), (2.9, 2.6), (3.7, 1.15), (1.6, 1.35), (0.1, 1.7)]
    yield place((-3.9, 0.95), (-3.7, 0.0), (3.0, 0.0), (4.3, 1.25), (0, 0.9)), (0.15, 0.055, 0.035)
    yield place((-3.95, 1.1), (-3.9, 0.85), (0, 0.78), (4.2, 1.1), (4.4, 1.32), (0, 0.98)), (0.85, 0.70, 0.52)
    yield place((-1.7, 0.95), (-1.5, 1.45), (0.9, 1.45), (1.5, 1.0)), (0.42, 0.33, 0.25)
    yield place(*main), (0.66, 0.50, 0.36)
    for seam in (3.0, 4.8, 6.6, 8.3):  # shade along the battens, and a darker leech
        back = np.interp(seam, [1.55, 4.2, 7.4, 10.2], [-3.3, -2.5, -1.2, -0.05])
        yield place((-0.05, seam), (back, seam - 0.15), (back, seam - 0.30), (-0.05, seam - 0.10)), (0.46, 0.34, 0.26)
    yield place((-0.05, 1.5), (-0.05, 10.2), (-0.45, 9.3), (-0.75, 1.5)), (0.40, 0.31, 0.26)
    yield place(*jib), (0.95, 0.74, 0.50)
    yield place((0.15, 8.8), (0.1, 1.7), (0.7, 1.6)), (0.58, 0.45, 0.34)
    yield place((-0.07, 0.9), (-0.05, 10.6), (0.06, 10.6), (0.08, 0.9)), (0.10, 0.07, 0.05)
    yield place((-2.6, 0.9), (-2.5, 1.9), (-2.2, 1.95), (-2.0, 0.9)), (0.32, 0.06, 0.04)  # the helmsman
    yield place((-2.5, 1.9), (-2.5, 2.25), (-2.2, 2.25), (-2.2, 1.9)), (0.30, 0.17, 0.11)


def birds(phase: float, yaw: float) -> Iterable[Polygon]:
    """Gulls that cross once a loop, from right to left."""
    for i, (ahead, high, span, start) in enumerate(
        [(0, 0, 15, 0.0), (-34, 12, 13, 0.31), (-62, -7, 13.5, 0.62), (-96, 9, 12, 0.17), (-128, 27, 11, 0.8)]
    ):
        x = (mix(WIDTH * 0.72 + 150, -WIDTH * 0.72, phase) - ahead) * SCALE + WIDTH * SCALE / 2 - 0.35 * yaw * FOCAL
        y = (70 + high + 16 * np.sin(2 * np.pi * (phase + 0.1 * i)) - 18 * np.sin(np.pi * phase)) * SCALE
        beat = np.sin(2 * np.pi * (17 * phase + start)) * (0.65 + 0.35 * np.sin(2 * np.pi * (2 * phase + start)))
        size = span * SCALE
        for side in (-1, 1):
            elbow = x + side * 0.42 * size, y - (0.22 + 0.20 * beat) * size
            tip = x + side * size, y - (0.05 + 0.55 * beat) * size + 0.1 * size
            under = x + side * 0.40 * size, elbow[1] + 0.17 * size
            yield [(x, y - 0.05 * size), elbow, tip, under, (x, y + 0.12 * size)], (0.20, 0.18, 0.19)
        body = [(-0.34, 0.0), (-0.2, -0.08), (0.15, -0.07), (0.46, 0.03), (0.15, 0.13), (-0.2, 0.10)]
        yield [(x + size * a, y + size * b) for a, b in body], (0.30, 0.26, 0.25)


def paint(picture: np.ndarray, polygons: Iterable[Polygon]) -> None:
    """Draw over `picture` (rows, columns, 3 or 4 with premultiplied alpha), with smooth edges."""
    for corners, color in polygons:
        points = np.array(corners)
        left, top = np.maximum(np.floor(points.min(0)).astype(int), 0)
        right, bottom = np.minimum(np.ceil(points.max(0)).astype(int) + 1, picture.shape[1::-1])
        if right <= left or bottom <= top:
            continue
        mask = Image.new("L", ((right - left) * 4, (bottom - top) * 4))
        ImageDraw.Draw(mask).polygon([tuple(p) for p in (points - (left, top)) * 4], fill=255)
        cover = np.asarray(mask.reduce(4), np.float32)[..., None] / 255
        over = np.array([*color, 1.0][: picture.shape[2]], np.float32)
        part = picture[top:bottom, left:right]
        part += (over - part) * cover
