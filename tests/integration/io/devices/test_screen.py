"""A screen as an input, on a display of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.devices import Display
from support.waiting import eventually

from sdv2_live.errors import DeviceError
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.io.base import Source
from sdv2_live.io.devices import screens
from sdv2_live.io.devices.monitors import list_monitors
from sdv2_live.io.open import open_source


@pytest.fixture
def display() -> Iterator[Display]:
    with Display("640x480") as one:
        yield one


def seen(source: Source, bgr: tuple[int, int, int]) -> bool:
    frame = source.read(0.1)
    return frame is not None and bool((frame.data[2, 8:11] == bgr).all())


def next_frame(source: Source) -> Frame:
    frame = eventually("a picture", lambda: source.read(0.1))
    assert frame is not None
    return frame


def test_the_monitor_is_listed(display: Display) -> None:
    (monitor,) = list_monitors()
    assert (monitor.left, monitor.top, monitor.size) == (0, 0, "480x640")


def test_a_screen_that_was_switched_off_comes_back_in_its_new_size(display: Display) -> None:
    with open_source("screen:", receiver_timeout_s=60) as source:
        frame = next_frame(source)
        assert (frame.format, frame.size) == (PixelFormat.BGRX, (480, 640))
        display.stop()
        eventually("the loss", lambda: source.read(0.05) is None and not source.connected)  # type: ignore[attr-defined]
        display.start("320x200")
        assert eventually("the new size", lambda: (frame := source.read(0.1)) and frame.size == (200, 320))


def test_a_part_of_the_screen_is_shown_as_it_is(display: Display) -> None:
    display.fill((10, 120, 240))
    with open_source("screen:16,32,200,100") as source:
        assert next_frame(source).size == (100, 200)
        eventually("the colour", lambda: seen(source, (240, 120, 10)))


def test_a_monitor_that_changes_is_opened_anew(display: Display, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    found = [screens.device_of("0,0,64,48", list, "linux", display.name)]
    capture = screens.ScreenCapture(lambda: found[0], lambda: now[0])
    frame = capture.read()
    assert frame is not None
    now[0] = screens.LOOK_S
    assert capture.read() is not None
    found[0] = screens.device_of("0,0,32,48", list, "linux", display.name)
    now[0] += screens.LOOK_S
    with pytest.raises(DeviceError, match="has another size or place"):
        capture.read()
    capture.close()
