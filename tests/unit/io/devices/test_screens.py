from __future__ import annotations

import re

import pytest

from sdv2_live.errors import DeviceError, VideoError
from sdv2_live.io.devices.monitors import Monitor, in_order, match_monitor
from sdv2_live.io.devices.screens import Place, device_of, mac_device_of, open_screen, place_of

LAPTOP = Monitor("eDP-1", 0, 0, 1920, 1200)
BEAMER = Monitor("HDMI-1", 1920, 0, 1280, 720)
DESK = Monitor("DP-2", -2560, 0, 2560, 1440, primary=True)
BOTH = [LAPTOP, BEAMER]


class Listed:
    """As av.device.DeviceInfo."""

    def __init__(self, name: str, description: str) -> None:
        self.name, self.description, self.media_types = name, description, ["video"]


def test_monitors_are_numbered_from_the_primary_one_and_then_from_left_to_right() -> None:
    assert in_order([BEAMER, LAPTOP, DESK]) == [DESK, LAPTOP, BEAMER]


def test_a_monitor_is_found_by_its_number_or_name() -> None:
    assert match_monitor("", BOTH) is LAPTOP
    assert match_monitor("2", BOTH) is BEAMER
    assert match_monitor("hdmi", BOTH) is BEAMER


@pytest.mark.parametrize("text", ["0", "3", "VGA"])
def test_a_monitor_that_there_is_not_is_told_with_those_that_there_are(text: str) -> None:
    says = f"there is no monitor {text}; there are: 1 (eDP-1, 1200x1920), 2 (HDMI-1, 720x1280); plug it in, or choose another"
    with pytest.raises(DeviceError, match=re.escape(says)):
        match_monitor(text, BOTH)


def test_a_part_of_the_screen_is_told_by_its_corner_and_size() -> None:
    assert place_of("10, 20,300,200") == Place(10, 20, 300, 200)
    assert place_of("-1280,0,1280,720") == Place(-1280, 0, 1280, 720)
    assert place_of("2") is place_of("") is place_of("HDMI") is None


@pytest.mark.parametrize("text", ["10,20", "1,2,3,4,5", "a,b,c,d", "0,0,0,100", "0,0,100,0", "0,0,-5,9"])
def test_a_rectangle_that_is_none_is_refused_at_once(text: str) -> None:
    with pytest.raises(VideoError, match=r"screen:0,0,1280,720"):
        open_screen(text, system="win32")


def test_linux_and_windows_grab_a_rectangle_of_the_desktop() -> None:
    x11 = device_of("2", lambda: BOTH, "linux", ":0")
    assert (x11.format, x11.url, x11.options["video_size"]) == ("x11grab", ":0+1920,0", "1280x720")
    part = device_of("5,6,70,80", lambda: [], "linux", ":0")  # needs no list of monitors
    assert (part.url, part.options["video_size"]) == (":0+5,6", "70x80")
    gdi = device_of("", lambda: [DESK], "win32", "")
    assert (gdi.format, gdi.url) == ("gdigrab", "desktop")
    assert (gdi.options["offset_x"], gdi.options["video_size"]) == ("-2560", "2560x1440")


def test_macos_numbers_its_screens() -> None:
    listed = [Listed("0", "FaceTime HD Camera"), Listed("1", "Capture screen 0"), Listed("2", "Capture screen 1")]
    assert mac_device_of("2", listed).url == "2:none"
    assert mac_device_of("", listed).url == "1:none"
    with pytest.raises(DeviceError, match=r"there is no monitor 3; there are 2"):
        mac_device_of("3", listed)
    with pytest.raises(VideoError, match=r"chosen by its number"):
        open_screen("HDMI", system="darwin")


def test_without_a_display_the_show_does_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(DeviceError, match=r"there is no display: set DISPLAY"):
        open_screen("", system="linux")
