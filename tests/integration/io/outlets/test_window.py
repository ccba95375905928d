"""A window on a display of its own, compared with what a screenshot shows."""

from __future__ import annotations

import ctypes.util
import importlib.util
from collections.abc import Iterator

import numpy as np
import pytest
from support.devices import ESCAPE, Display, F
from support.pictures import bars, to_uyvy, with_fourth
from support.waiting import eventually

from sdv2_live.errors import DeviceError
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.io.base import Sink, Source
from sdv2_live.io.open import open_sink, open_source

pytestmark = pytest.mark.skipif(importlib.util.find_spec("sdl2") is None, reason="there is no PySDL2 (the extra window)")
HEIGHT, WIDTH = 480, 640


@pytest.fixture(scope="module")
def display() -> Iterator[Display]:
    with Display(f"{WIDTH}x{HEIGHT}") as one:
        yield one


@pytest.fixture(scope="module")
def window(display: Display) -> Iterator[Sink]:
    with open_sink("window:1") as one:
        yield one


@pytest.fixture(scope="module")
def screen(display: Display) -> Iterator[Source]:
    with open_source("screen:") as one:
        yield one


def frame_of(picture: np.ndarray, format: PixelFormat = PixelFormat.BGRX) -> Frame:
    rows = to_uyvy(picture) if format is PixelFormat.UYVY else with_fourth(picture, format.name[:3], 0).reshape(len(picture), -1)
    return Frame(rows, picture.shape[1], picture.shape[0], format)


def screenshot(screen: Source) -> np.ndarray:
    """RGB as somebody before the screen sees it."""
    frame = eventually("a screenshot", lambda: screen.read(0.1))
    assert frame is not None
    return frame.data.reshape(*frame.size, 4)[..., 2::-1]


@pytest.mark.parametrize("format", list(PixelFormat))
def test_what_was_sent_is_on_the_screen(window: Sink, screen: Source, format: PixelFormat) -> None:
    picture = bars(HEIGHT, WIDTH)[:, :: -1 if format.name.startswith("B") else 1].copy()
    tolerance = 4 if format is PixelFormat.UYVY else 0

    def there() -> bool:
        window.send(frame_of(picture, format))
        apart = np.abs(screenshot(screen).astype(int) - picture)
        return bool((apart.max(axis=(0, 2)) <= tolerance).mean() > (0.94 if tolerance else 0.999))

    eventually("the picture", there)


def test_another_shape_has_black_beside_it(window: Sink, screen: Source) -> None:
    white = np.full((100, 400, 3), 255, np.uint8)

    def there() -> bool:
        window.send(frame_of(white))
        seen = screenshot(screen)
        return seen[HEIGHT // 2 - 70 : HEIGHT // 2 + 70].min() == 255 and seen[:150].max() == 0 and seen[-150:].max() == 0

    eventually("a wide picture", there)


@pytest.mark.skipif(ctypes.util.find_library("Xtst") is None, reason="nobody can press a key: there is no libXtst")
def test_esc_leaves_full_screen_and_f_takes_it_again(display: Display, window: Sink, screen: Source) -> None:
    white = frame_of(np.full((HEIGHT, WIDTH, 3), 255, np.uint8))

    def share() -> float:
        window.send(white)
        return float((screenshot(screen) == 255).mean())

    eventually("the whole screen", lambda: share() == 1.0)
    display.press(ESCAPE)
    eventually("a quarter of it", lambda: 0.2 < share() < 0.3)
    display.press(F)
    eventually("the whole screen again", lambda: share() == 1.0)


def test_a_monitor_that_there_is_not_is_told(display: Display) -> None:
    with pytest.raises(DeviceError, match=r"there is no monitor 3; there are: 1 \(.*480x640\); plug it in, or choose another"):
        open_sink("window:3")


def test_without_a_display_there_is_no_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":4711")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(DeviceError, match=r"there is no display that a window could be on; on Linux set DISPLAY"):
        open_sink("window:")


def test_a_display_that_was_switched_off_gets_its_window_again() -> None:
    picture = bars(200, 320)
    with Display("320x200") as display, open_sink("window:") as window:
        display.stop()
        eventually("the loss", lambda: window.trouble)
        display.start("320x200")
        with open_source("screen:") as screen:

            def there() -> bool:
                window.send(frame_of(picture))
                return bool((screenshot(screen) == picture).all())

            eventually("the picture", there)
        eventually("all to be well", lambda: window.send(frame_of(picture)) or window.trouble == "")
