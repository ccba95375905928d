"""Make the demo clip: a lake in the evening sun, 640x360 at 30 frames a second, eight seconds that loop without a seam.

    python tools/demo_clip.py sdv2_live/assets/demo.mp4

The same seed gives the same pictures. Takes some minutes on two cores.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from multiprocessing import Pool
from pathlib import Path

import av
import numpy as np
from landscape import EYE, Sky, Terrain, Water, bilinear, mix, smoothstep
from PIL import Image, ImageDraw

WIDTH, HEIGHT, RATE, SECONDS = 640, 360, 30, 8
FRAMES = RATE * SECONDS
SCALE = 2  # pictures are made larger and averaged down
FOCAL = 611 * SCALE  # pixels per radian: 60 degrees across
HORIZON = 196 * SCALE
HEADROOM = 100 * SCALE  # sky above the picture, for the water to mirror
PAN = 0.12  # radians to either side
Polygon = tuple[Sequence[tuple[float, float]], Sequence[float]]  # corners in pixels, linear RGB


class Scene:
    """Everything in the picture; `frame(i)` renders one."""

    def __init__(self, seed: int) -> None:
        self.columns = (np.arange(WIDTH * SCALE) - WIDTH * SCALE / 2) / FOCAL
        self.above = (HORIZON - np.arange(-HEADROOM, HORIZON)) / FOCAL  # tangents of the rows above the horizon
        self.below = (HORIZON - np.arange(HORIZON + 1, HEIGHT * SCALE + 1)) / FOCAL
        reach = int(PAN * FOCAL) + 2
        azimuths = (np.arange(-reach, len(self.columns) + reach) - WIDTH * SCALE / 2) / FOCAL
        tangents = np.concatenate([self.above, self.below[: 20 * SCALE]])
        terrain = Terrain(azimuths, tangents, seed)
        self.terrain = np.concatenate([terrain.color * terrain.cover[..., None], terrain.cover[..., None]], -1)
        self.first = azimuths[0]
        self.sky, self.water = Sky(seed), Water(SECONDS, seed)
        self.reeds = np.random.default_rng(seed).random((150, 6))

    def frame(self, index: int) -> np.ndarray:
        """RGB, uint8 (HEIGHT, WIDTH, 3)."""
        phase = index / FRAMES
        yaw = PAN * np.sin(2 * np.pi * phase)
        azimuths = self.columns + yaw
        land = self._land(azimuths)
        sky = self._sky(azimuths, phase)
        sky = land[: len(sky), :, :3] + sky * (1 - land[: len(sky), :, 3:])
        lake = self.water(azimuths, self.below, sky, HEADROOM + HORIZON, FOCAL, phase)
        shore = land[len(sky) :]
        lake[: len(shore)] = shore[..., :3] + lake[: len(shore)] * (1 - shore[..., 3:])
        picture = np.concatenate([sky[HEADROOM:], lake])
        for journey in ((phase + 1) / 2, phase / 2):  # each boat takes two loops, so that the second continues the first
            self._boat(picture, azimuths, phase, journey)
        paint(picture, birds(phase, yaw))
        paint(picture, self._reeds(phase, yaw))
        return develop(picture)

    def _land(self, azimuths: np.ndarray) -> np.ndarray:
        start = (azimuths[0] - self.first) * FOCAL
        left, rest = int(start), np.float32(start - int(start))
        wide = self.terrain[:, left : left + len(azimuths) + 1]
        return mix(wide[:, :-1], wide[:, 1:], rest)

    def _sky(self, azimuths: np.ndarray, phase: float) -> np.ndarray:
        """At the final resolution, enlarged: there is nothing sharp in it."""
        small = self.sky(azimuths[::SCALE], self.above[::SCALE], phase)
        column, row = np.meshgrid(np.arange(len(azimuths)) / SCALE, np.arange(len(self.above)) / SCALE)
        return bilinear(small, column, row)

    def _boat(self, picture: np.ndarray, azimuths: np.ndarray, phase: float, journey: float) -> None:
        """A boat at `journey` 0..1 of its way from the left, near, to the right, far; with its image in the water."""
        x, z = mix(-62, 150, journey), mix(66, 185, journey)
        away = np.hypot(x, z)
        metre = FOCAL / away
        column = (np.arctan2(x, z) - azimuths[0]) * FOCAL
        row = HORIZON + EYE * metre + 0.12 * metre * np.sin(2 * np.pi * 5 * phase + 9 * journey)
        if not -12 * metre < column < len(azimuths) + 12 * metre:
            return
        heel = 0.10 + 0.03 * np.sin(2 * np.pi * 3 * phase + 1)
        layer = np.zeros((*picture.shape[:2], 4), np.float32)
        paint(layer, boat(column, row, metre, heel))
        top, bottom = int(row) + 1, min(int(row + 13 * metre), picture.shape[0])
        left, right = max(int(column - 9 * metre), 0), min(int(column + 9 * metre), picture.shape[1])
        if right - left > 2:
            self._mirror(picture, layer, azimuths, phase, (row, away), (top, bottom, left, right))
        picture[:] = layer[..., :3] + picture * (1 - layer[..., 3:])

    def _mirror(
        self,
        picture: np.ndarray,
        layer: np.ndarray,
        azimuths: np.ndarray,
        phase: float,
        waterline: tuple[float, float],
        box: tuple[int, int, int, int],
    ) -> None:
        (line, away), (top, bottom, left, right) = waterline, box
        column, row = np.meshgrid(np.arange(left, right), np.arange(top, bottom))
        down = (row - HORIZON) / FOCAL
        distance = EYE / down
        x, z = distance * np.sin(azimuths[column]), distance * np.cos(azimuths[column])
        across, along, _ = self.water.slopes(x, z, distance / FOCAL * (0.35 + 0.05 / down), phase)
        gap = 2 * FOCAL * self.water.breeze(x, z) * np.clip((away - distance) / away + 0.03, 0, 1)
        seen = bilinear(layer, column + across * gap * down * 4, 2 * line - row + along * gap)
        below = picture[top:bottom, left:right]
        below[:] = 0.62 * seen[..., :3] + below * (1 - 0.72 * seen[..., 3:])

    def _reeds(self, phase: float, yaw: float) -> Iterable[Polygon]:
        """Reeds on the near bank; close by, so they pass faster than the rest turns."""
        for root, height, lean, turn, shade, width in self.reeds:
            side = -1 if root < 0.62 else 1
            spread = root / 0.62 if side < 0 else (root - 0.62) / 0.38
            x = WIDTH * SCALE / 2 + side * (0.60 - 0.27 * spread**1.6) * WIDTH * SCALE - 1.5 * yaw * FOCAL
            tall = (25 + 105 * height**1.3 * (1 - 0.55 * spread)) * SCALE
            wind = 0.10 * np.sin(2 * np.pi * (2 * phase + 0.25 * root) + turn) + 0.035 * np.sin(2 * np.pi * (7 * phase + turn))
            bend = (1.1 * (lean - 0.48) * abs(lean - 0.48) * 4 + 0.12 + wind) * tall
            yield blade(x, HEIGHT * SCALE + 4, tall, bend, (1.5 + 2.2 * width**2) * SCALE), reed_color(shade, height)
            if turn > 0.9:  # a bulrush
                tip = [blade(x, HEIGHT * SCALE + 4, tall, bend, 0)[i] for i in (5, 8)]
                yield thick_line(*tip, 2.3 * SCALE), (0.075, 0.040, 0.018)


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


def develop(picture: np.ndarray) -> np.ndarray:
    """From linear light to a finished picture: average down, glow, vignette, film curve."""
    small = np.minimum(picture, 30).reshape(HEIGHT, SCALE, WIDTH, SCALE, 3).mean((1, 3))
    for radius, part in ((5, 0.10), (22, 0.09)):
        bright = np.clip(small - 0.9, 0, 6)
        planes = [Image.fromarray(bright[..., c]).resize((WIDTH // 2, HEIGHT // 2)) for c in range(3)]
        blurred = [gaussian(np.asarray(plane), radius / 2) for plane in planes]
        small = small + part * np.stack([np.asarray(Image.fromarray(b).resize((WIDTH, HEIGHT))) for b in blurred], -1)
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    light = small * (1 - 0.22 * smoothstep(0.5, 2.0, x * x + y * y))[..., None] * 0.60
    curve = np.clip(light * (2.51 * light + 0.03) / (light * (2.43 * light + 0.59) + 0.14), 0, 1) ** (1 / 2.2)
    grey = curve @ np.array([0.2126, 0.7152, 0.0722])
    return np.rint(np.clip(mix(grey[..., None], curve, 1.14), 0, 1) * 255).astype(np.uint8)


def gaussian(plane: np.ndarray, sigma: float) -> np.ndarray:
    reach = int(3 * sigma)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    for axis in (0, 1):
        plane = np.apply_along_axis(np.convolve, axis, np.pad(plane, reach, mode="edge"), kernel, "same")
        plane = plane[reach:-reach, reach:-reach] if reach else plane
    return plane.astype(np.float32)


def write(path: Path, pictures: Iterable[np.ndarray], crf: int) -> None:
    """H.264 in MP4, BT.709 limited range, ready to be streamed."""
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": str(crf), "preset": "veryslow", "g": "120"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = 1, 1, 1, 1
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")))
        container.mux(stream.encode())


_scene: Scene | None = None


def _start(seed: int) -> None:
    global _scene
    _scene = Scene(seed)


def _render(index: int) -> np.ndarray:
    assert _scene is not None
    return _scene.frame(index)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--crf", type=int, default=27, help="x264 quality, lower is better and larger")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    options.path.parent.mkdir(parents=True, exist_ok=True)
    with Pool(options.workers, _start, (options.seed,)) as pool:
        write(options.path, pool.imap(_render, range(FRAMES)), options.crf)


if __name__ == "__main__":
    main()
