"""Make the demo clip: a lake in the evening sun, 640x360 at 30 frames a second, eight seconds that loop without a seam.

    python -m tools.demo.clip sdv2_live/assets/demo.mp4

The same seed gives the same pictures. Takes some minutes on two cores.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from multiprocessing import Pool
from pathlib import Path

import av
import numpy as np
from PIL import Image

from .landscape import EYE, Sky, Terrain, Water
from .noise import bilinear, mix, smoothstep
from .shapes import FOCAL, SCALE, WIDTH, Polygon, birds, blade, boat, paint, reed_color, thick_line

HEIGHT, RATE, SECONDS = 360, 30, 8
FRAMES = RATE * SECONDS
HORIZON = 196 * SCALE
HEADROOM = 100 * SCALE  # sky above the picture, for the water to mirror
PAN = 0.12  # radians to either side


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
                stem = blade(x, HEIGHT * SCALE + 4, tall, bend, 0)
                yield thick_line(stem[5], stem[8], 2.3 * SCALE), (0.075, 0.040, 0.018)


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
