"""A moving test card, for rehearsal without a camera and for tests, and black for shows without an input."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from sdv2_live.errors import VideoError
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.io.base import Source
from sdv2_live.io.playback import PlaybackClock
from sdv2_live.system.clock import monotonic_ns

MIN_SIDE, MAX_SIDE = 16, 8192
BARS = np.array([(191, 191, 191), (191, 191, 0), (0, 191, 191), (0, 191, 0), (191, 0, 191), (191, 0, 0), (0, 0, 191)], np.uint8)
GLYPHS = [  # digits 0 to 9, five rows of three bits each
    (7, 5, 5, 5, 7), (2, 6, 2, 2, 7), (7, 1, 7, 4, 7), (7, 1, 7, 1, 7), (5, 5, 7, 1, 1),
    (7, 4, 7, 1, 7), (7, 4, 7, 5, 7), (7, 1, 2, 2, 2), (7, 5, 7, 5, 7), (7, 5, 7, 1, 7),
]  # fmt: skip
DIGITS = 6


class GeneratedSource(Source):
    """Pictures drawn from their index alone, RGBX uint8 (height, width, 4).

    Args:
        realtime: give frames when they are due; otherwise at once.
    """

    def __init__(self, name: str, draw: Callable[[int], np.ndarray], rate: Fraction, *, realtime: bool = True) -> None:
        self.name = name
        self._draw, self._rate, self._realtime = draw, rate, realtime
        self._clock = PlaybackClock()
        self._index = 0
        self._closed = False

    def read(self, timeout: float) -> Frame | None:
        if self._closed or (self._realtime and not self._clock.wait(float(self._index / self._rate), timeout)):
            return None
        index, self._index = self._index, self._index + 1
        pixels = self._draw(index)
        height, width = pixels.shape[:2]
        rows = pixels.reshape(height, 4 * width)
        return Frame(rows, width, height, PixelFormat.RGBX, self._rate, monotonic_ns(), index)

    @property
    def ended(self) -> bool:
        return self._closed

    def close(self) -> None:
        self._closed = True
        self._clock.interrupt()


class TestSource(GeneratedSource):
    """A moving card as RGBX: 75 % colour bars, a landscape that drifts, two shaded balls, a grey ramp, the frame's number."""

    __test__ = False  # not a test case, whatever its name suggests to pytest

    def __init__(self, height: int = 512, width: int = 512, rate: Fraction = Fraction(30), *, realtime: bool = True) -> None:
        """Make a card of one size.

        Raises:
            VideoError: a size is outside 16..8192, or the rate is not positive.
        """
        if not (MIN_SIDE <= height <= MAX_SIDE and MIN_SIDE <= width <= MAX_SIDE):
            raise VideoError(f"test:{height}x{width}: sides must lie in {MIN_SIDE}..{MAX_SIDE}, as in test:512x512")
        if rate <= 0:
            raise VideoError(f"test: the rate must be above 0, not {rate}")
        super().__init__(f"test:{height}x{width}", Card(height, width).draw, rate, realtime=realtime)


class BlackSource(GeneratedSource):
    """Black at a steady rate: the clock and the shape of a show without an input, and its picture until it paints."""

    def __init__(self, height: int, width: int, rate: Fraction) -> None:
        black = np.zeros((height, width, 4), np.uint8)
        black[..., 3] = 255
        super().__init__("no input", lambda index: black, rate)


class Card:
    """Draws the card; its still parts are prepared once."""

    def __init__(self, height: int, width: int) -> None:
        self._height, self._width = height, width
        self._bars = np.full((max(2, height // 6), width, 4), 255, np.uint8)
        self._bars[..., :3] = BARS[np.arange(width) * len(BARS) // width]
        self._ramp = np.full((max(2, height // 16), width, 4), 255, np.uint8)
        self._ramp[..., :3] = np.linspace(0, 255, width).astype(np.uint8)[:, None]
        self._landscape = _landscape(height, width)
        radius = max(3, min(height, width) // 9)
        self._balls = [_ball(radius, (230, 120, 60)), _ball(radius * 2 // 3 + 1, (70, 150, 235))]
        self._scale = max(1, min(height // 40, width // (4 * DIGITS + 2)))

    def draw(self, index: int) -> np.ndarray:
        """The card of one index: RGBX uint8, (height, width, 4)."""
        drift = index * 2 % self._width
        card = np.concatenate([self._landscape[:, drift:], self._landscape[:, :drift]], axis=1)
        for ball, speed, phase in zip(self._balls, (0.045, 0.061), (0.0, 2.0), strict=True):
            self._place(card, ball, 0.5 + 0.4 * np.cos(speed * index + phase), 0.55 + 0.25 * np.sin(1.7 * speed * index + phase))
        card[: len(self._bars)] = self._bars
        card[-len(self._ramp) :] = self._ramp
        self._count(card, index)
        return card

    def _place(self, card: np.ndarray, ball: tuple[np.ndarray, np.ndarray], across: float, down: float) -> None:
        """Put a ball where its whole square fits, its centre near (across, down) in 0..1."""
        pixels, inside = ball
        side = len(pixels)
        top = int(np.clip(down * self._height - side / 2, 0, self._height - side))
        left = int(np.clip(across * self._width - side / 2, 0, self._width - side))
        window = card[top : top + side, left : left + side]
        np.copyto(window, pixels, where=inside)

    def _count(self, card: np.ndarray, index: int) -> None:
        """The index in white on black, below the bars at the left; its last six digits."""
        bits = np.zeros((7, 4 * DIGITS + 1), np.uint8)
        for place, digit in enumerate(f"{index % 10**DIGITS:0{DIGITS}d}"):
            for row, line in enumerate(GLYPHS[int(digit)]):
                bits[row + 1, 4 * place + 1 : 4 * place + 4] = [line >> 2 & 1, line >> 1 & 1, line & 1]
        block = np.kron(bits * 255, np.ones((self._scale, self._scale), np.uint8))
        window = card[len(self._bars) :, :][: block.shape[0], : block.shape[1]]
        window[..., :3] = block[: window.shape[0], : window.shape[1], None]


def _landscape(height: int, width: int) -> np.ndarray:
    """Sky over hills, periodic across so that it can drift without a seam; RGBX (height, width, 4)."""
    x = np.linspace(0, 2 * np.pi, width, endpoint=False)[None, :]
    y = np.linspace(0, 1, height)[:, None]
    cloud = 0.5 + 0.25 * np.sin(3 * x + 9 * y) + 0.25 * np.sin(5 * x - 14 * y + 1)
    sky = np.stack([90 + 120 * y + 40 * cloud, 130 + 80 * y + 30 * cloud, 215 - 30 * y + 20 * cloud + 0 * x], axis=2)
    grain = 10 * np.sin(37 * x + 50 * y) * np.sin(23 * x - 71 * y)
    picture = sky
    for base, swing, waves, colour in [
        (0.55, 0.07, 3, (96, 110, 120)),
        (0.68, 0.06, 5, (70, 120, 60)),
        (0.82, 0.04, 2, (60, 84, 36)),
    ]:
        ridge = base + swing * np.sin(waves * x + 7 * base) + 0.02 * np.sin(11 * x)
        hill = np.array(colour) * (1.25 - 0.5 * (y - ridge))[..., None] + grain[..., None]
        picture = np.where((y > ridge)[..., None], hill, picture)
    rgbx = np.full((height, width, 4), 255, np.uint8)
    rgbx[..., :3] = picture.clip(0, 255)
    return rgbx


def _ball(radius: int, colour: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A ball lit from the upper left: RGBX square, and a mask of the ball's pixels."""
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1] / radius
    depth = np.sqrt(np.clip(1 - x * x - y * y, 0, 1))
    light = np.clip(0.25 + 0.75 * (-0.5 * x - 0.5 * y + 0.7 * depth), 0.1, 1.2)
    pixels = np.full((*x.shape, 4), 255, np.uint8)
    pixels[..., :3] = (np.array(colour) * light[..., None]).clip(0, 255)
    return pixels, (x * x + y * y <= 1)[..., None]
