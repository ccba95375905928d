from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.fakes import fake_frame
from support.pictures import to_uyvy

from sdv2_live.errors import DeviceError
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.io.devices.v4l2 import CAPTURE, OUTPUT, VideoDevice
from sdv2_live.io.outlets.virtual_camera import LoopbackCamera, ObsCamera, match_loopback

WEBCAM = VideoDevice("/dev/video0", 0, "HD Webcam", CAPTURE)
STAGE = VideoDevice("/dev/video7", 7, "Stage 1", OUTPUT)
FOYER = VideoDevice("/dev/video9", 9, "Foyer", OUTPUT | CAPTURE)
RED = (81, 90, 81, 240)  # YUYV of BT.601, limited range


def red(format: PixelFormat = PixelFormat.RGBX, height: int = 8, width: int = 16) -> Frame:
    rgb = np.zeros((height, width, 3), np.uint8)
    rgb[..., 0] = 255
    if format is PixelFormat.UYVY:
        return Frame(to_uyvy(rgb), width, height, format)
    rows = np.zeros((height, width, 4), np.uint8)
    rows[..., 0 if format.name.startswith("R") else 2] = 255
    return Frame(rows.reshape(height, -1), width, height, format)


@pytest.mark.parametrize(
    ("target", "found"), [("", STAGE), ("7", STAGE), ("/dev/video9", FOYER), ("Foyer", FOYER), ("stage", STAGE)]
)
def test_a_virtual_camera_is_found_by_number_file_or_name(target: str, found: VideoDevice) -> None:
    assert match_loopback(target, [WEBCAM, STAGE, FOYER]) is found


def test_what_there_is_not_is_told_with_the_remedy() -> None:
    with pytest.raises(DeviceError, match=r"no virtual camera 'HD Webcam'; there are: 'Stage 1', 'Foyer'"):
        match_loopback("HD Webcam", [WEBCAM, STAGE, FOYER])
    with pytest.raises(DeviceError, match=r"there is no virtual camera 'x'; make one: .*modprobe v4l2loopback exclusive_caps=1"):
        match_loopback("x", [WEBCAM])


@pytest.mark.parametrize("format", list(PixelFormat))
def test_pictures_are_written_in_the_layout_and_colours_of_webcams(tmp_path: Path, format: PixelFormat) -> None:
    path = tmp_path / "device"
    camera = LoopbackCamera(VideoDevice(str(path), 7, "Stage", OUTPUT), muxer="rawvideo")
    camera.show(red(format))
    camera.show(red(format, 32, 64))  # scaled: who reads it expects no other size
    camera._container.close()
    pictures = np.frombuffer(path.read_bytes(), np.uint8).reshape(2, 8, -1, 4)
    assert np.abs(pictures[:, :, 2:-2].astype(int) - RED).max() <= 2


def test_a_device_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    camera = LoopbackCamera(VideoDevice(str(tmp_path / "none" / "video7"), 7, "Stage", OUTPUT), muxer="rawvideo")
    with pytest.raises(DeviceError, match="'Stage' takes no picture: No such file or directory; load v4l2loopback again"):
        camera.show(red())


class FakeLibrary(SimpleNamespace):
    """As pyvirtualcam."""

    def __init__(self) -> None:
        super().__init__(cameras=[], away=False)

    def Camera(self, width: int, height: int, fps: float, device: str | None) -> Any:  # noqa: N802 (its name there)
        if self.away:
            raise RuntimeError("virtual camera output could not be started")
        camera = SimpleNamespace(made=(width, height, fps, device), sent=[])
        camera.send = camera.sent.append
        self.cameras.append(camera)
        return camera


def test_obs_gets_rgb() -> None:
    library = FakeLibrary()
    camera = ObsCamera("", lambda: library)
    assert camera.name == "OBS Virtual Camera"
    camera.show(red(PixelFormat.BGRX))
    camera.show(red(PixelFormat.BGRX))
    (one,) = library.cameras
    assert one.made == (16, 8, 30.0, None)
    assert [picture.shape for picture in one.sent] == [(8, 16, 3)] * 2
    assert one.sent[0][4, 8].tolist() == [255, 0, 0]


def test_obs_that_is_not_there_is_told() -> None:
    library = FakeLibrary()
    library.away = True
    with pytest.raises(DeviceError, match=r"could not be started; install OBS Studio, start its virtual camera once"):
        ObsCamera("", lambda: library).show(fake_frame())

    def missing() -> Any:
        raise ImportError("no module")

    with pytest.raises(DeviceError, match=r"pip install 'sdv2-live\[virtual-camera\]'"):
        ObsCamera("", missing)
