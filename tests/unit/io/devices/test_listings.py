"""Listings as libavdevice logs them on Windows and macOS (the wording of its dshow.c and avfoundation.m)."""

from __future__ import annotations

from fractions import Fraction

import av
import pytest

from sdv2_live.io.devices.cameras import Camera, device_of, seen, with_modes
from sdv2_live.io.devices.listings import avfoundation_modes, dshow_modes, logged
from sdv2_live.io.devices.modes import Mode, asked

DSHOW = """\
DirectShow video device options (from video devices)
 Pin "Capture" (alternative pin name "0")
  pixel_format=yuyv422  min s=640x480 fps=5 max s=640x480 fps=30
  pixel_format=yuyv422  min s=640x480 fps=5 max s=640x480 fps=30 (tv, bt470bg/bt709/unknown, topleft)
  vcodec=mjpeg  min s=1280x720 fps=5 max s=1280x720 fps=30.0003
  unknown compression type 0x30323449  min s=640x480 fps=30 max s=640x480 fps=30
""".splitlines()
AVFOUNDATION = """\
Selected framerate (997.000000) is not supported by the device.
Supported modes:
  640x480@[15.000000 30.000000]fps
  1280x720@[29.970030 29.970030]fps
  1920x1080@[30.000030 30.000030]fps
""".splitlines()


def test_what_libavdevice_logs_is_taken_down() -> None:
    with logged() as lines, pytest.raises(av.error.FFmpegError):
        av.open("nonsense=1", format="lavfi")
    assert any("nonsense" in line for line in lines)


class Listed:
    """As av.device.DeviceInfo."""

    def __init__(self, name: str, description: str, *media: str) -> None:
        self.name, self.description, self.media_types = name, description, list(media)


def test_directshow_tells_raw_and_compressed_modes() -> None:
    assert dshow_modes(DSHOW) == [
        Mode(480, 640, Fraction(30), "yuyv422"),
        Mode(720, 1280, Fraction(30), "mjpeg", packed=True),
    ]


def test_avfoundation_tells_its_modes_when_it_refuses_one() -> None:
    rates = [Fraction(30), Fraction(29970030, 1000000).limit_denominator(1001), Fraction(30)]
    assert [mode.rate for mode in avfoundation_modes(AVFOUNDATION)] == rates
    assert [(mode.height, mode.width) for mode in avfoundation_modes(AVFOUNDATION)] == [(480, 640), (720, 1280), (1080, 1920)]


def test_a_windows_camera_is_opened_by_its_own_path_and_in_a_mode_that_it_has() -> None:
    found = seen("dshow", [Listed("@device_pnp_1", "HD Webcam", "video"), Listed("@device_cm_2", "Microphone", "audio")])
    assert found == [Camera("HD Webcam", 0, "dshow", "video=@device_pnp_1")]
    camera = with_modes(found[0], lambda format, url: DSHOW)
    device = device_of(asked("webcam"), [camera])
    assert (device.format, device.url) == ("dshow", "video=@device_pnp_1")
    assert device.options["video_size"] == "1280x720"
    assert device.options["framerate"] == "30/1"
    assert device.options["vcodec"] == "mjpeg"
    assert device_of(asked("0@480x640"), [camera]).options["pixel_format"] == "yuyv422"


def test_a_mac_lists_screens_among_its_cameras() -> None:
    listed = [Listed("0", "FaceTime HD Camera", "video"), Listed("1", "Capture screen 0", "video")]
    camera = with_modes(seen("avfoundation", listed)[0], lambda format, url: AVFOUNDATION)
    assert len(seen("avfoundation", listed)) == 1
    device = device_of(asked("FaceTime HD Camera@720x1280"), [camera])
    assert (device.url, device.options["framerate"]) == ("0:none", "30000/1001") or device.options["framerate"] == "2997/100"
    assert "pixel_format" not in device.options
