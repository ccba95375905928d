"""High dynamic range (PQ and HLG, ITU-R BT.2100) to BT.709 for an SDR display.

White of 203 cd/m2 is reference white (BT.2408). Up to some 90 cd/m2 light is unchanged; brighter light, up to 1000, is compressed
by the curve of BT.2390, on the largest of the three components so that hues stay. Colours beyond BT.709 are clipped.
"""

from __future__ import annotations

import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.filter import Graph
from av.video.reformatter import ColorTrc

TRANSFERS = {int(ColorTrc.SMPTE2084): "PQ", int(ColorTrc.ARIB_STD_B67): "HLG"}
PIX_FMT = "gbrp16le"  # of the pictures that `ToneMap` takes and gives: full range, BT.2020 in and BT.709 out

PEAK, WHITE = 1000.0, 203.0  # cd/m2
GAMMA = 2.4  # of an SDR display (BT.1886)
SIDE = 49  # points of the table along each component
LUMA_2020 = np.array([0.2627, 0.6780, 0.0593])
TO_BT709 = np.array([[1.660491, -0.587641, -0.072850], [-0.124550, 1.132900, -0.008349], [-0.018151, -0.100579, 1.118730]])


def pq_light(signal: np.ndarray) -> np.ndarray:
    """cd/m2 of PQ values 0..1."""
    root = signal ** (32 / 2523)
    return 10_000 * (np.maximum(root - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * root)) ** (16384 / 2610)


def pq_signal(light: np.ndarray) -> np.ndarray:
    """PQ values 0..1 of cd/m2."""
    power = (light / 10_000) ** (2610 / 16384)
    return ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)


def hlg_light(signal: np.ndarray) -> np.ndarray:
    """cd/m2 of HLG values (..., 3) in 0..1, on a display of PEAK."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    light: np.ndarray = PEAK * (scene @ LUMA_2020)[..., None] ** 0.2 * scene
    return light


def compressed(light: np.ndarray) -> np.ndarray:
    """Light in cd/m2, compressed for a display whose peak is WHITE (BT.2390, 5.4.1)."""
    top = pq_signal(np.array(PEAK))
    level = np.minimum(pq_signal(light) / top, 1)
    most = pq_signal(np.array(WHITE)) / top
    knee = 1.5 * most - 0.5
    t = np.maximum(level - knee, 0) / (1 - knee)
    bent = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * most
    return pq_light(np.where(level < knee, level, bent) * top)


def to_bt709(rgb: np.ndarray, transfer: int) -> np.ndarray:
    """BT.709 values 0..1 of BT.2020 values (..., 3) 0..1 with this transfer characteristic, one of TRANSFERS."""
    light = pq_light(rgb) if transfer == ColorTrc.SMPTE2084 else hlg_light(rgb)
    brightest = np.maximum(light.max(-1, keepdims=True), 1e-6)
    linear = light * (compressed(brightest) / brightest) / WHITE
    rgb_bt709: np.ndarray = (linear @ TO_BT709.T).clip(0, 1) ** (1 / GAMMA)
    return rgb_bt709


class ToneMap:
    """Tone-maps pictures of one size by a table of SIDE points a component, interpolated by FFmpeg's filter lut3d."""

    def __init__(self, transfer: int, width: int, height: int) -> None:
        self._graph = Graph()
        buffer = self._graph.add("buffer", f"video_size={width}x{height}:pix_fmt={PIX_FMT}:time_base=1/1")
        with tempfile.TemporaryDirectory(prefix="sdv2-live-") as folder:
            table = Path(folder) / "table.cube"
            table.write_text(_cube(transfer), encoding="ascii")
            lut = self._graph.add("lut3d", file=str(table), interp="tetrahedral")
        sink = self._graph.add("buffersink")
        buffer.link_to(lut)
        lut.link_to(sink)
        self._graph.configure()

    def __call__(self, picture: av.VideoFrame) -> av.VideoFrame:
        """The same picture for an SDR display. Takes over `picture`."""
        picture.pts, picture.time_base = 0, Fraction(1)
        self._graph.push(picture)
        return self._graph.vpull()


def _cube(transfer: int) -> str:
    """The table in the .cube format, red running fastest."""
    points = np.linspace(0, 1, SIDE)
    blue, green, red = np.meshgrid(points, points, points, indexing="ij")
    values = to_bt709(np.stack([red, green, blue], axis=-1), transfer).reshape(-1, 3)
    return f"LUT_3D_SIZE {SIDE}\n" + "\n".join(f"{r:.6f} {g:.6f} {b:.6f}" for r, g, b in values) + "\n"
