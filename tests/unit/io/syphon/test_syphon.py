"""Syphon against a stand-in of syphon-python, made by its source; real Syphon needs a Mac."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.waiting import eventually

from sdv2_live.errors import DeviceError, VideoError
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.io.open import open_sink, open_source
from sdv2_live.io.syphon import source as module
from sdv2_live.io.syphon.lib import Server, match_server
from sdv2_live.io.syphon.sink import SyphonServer
from sdv2_live.io.syphon.source import SyphonCapture, open_syphon

ONE, TWO = Server("Main", "Resolume", None), Server("", "VDMX", None)


class Texture:
    """A Metal texture: BGRA of a server, RGBA as we make it."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels

    def height(self) -> int:
        return int(self.pixels.shape[0])

    def width(self) -> int:
        return int(self.pixels.shape[1])


class FakeSyphon:
    """The module syphon, on a Mac with some servers."""

    def __init__(self) -> None:
        self.running = {"Main": np.full((4, 6, 4), (30, 20, 10, 255), np.uint8)}
        self.published: list[np.ndarray] = []
        self.stopped = 0
        self.utils = SimpleNamespace(
            raw=SimpleNamespace(
                copy_mtl_texture_to_bytes=lambda texture: texture.pixels.tobytes(),
                create_mtl_texture=lambda device, width, height: Texture(np.zeros((height, width, 4), np.uint8)),
            ),
            numpy=SimpleNamespace(copy_image_to_mtl_texture=lambda image, texture: np.copyto(texture.pixels, image)),
        )

    def SyphonServerDirectory(self) -> Any:  # noqa: N802 (their names there, here and below)
        servers = [SimpleNamespace(name=name, app_name="App") for name in self.running]
        return SimpleNamespace(servers=servers, update_run_loop=lambda: None)

    def SyphonMetalClient(self, server: Any) -> Any:  # noqa: N802
        fake = self

        class Client:
            has_new_frame = True
            is_valid = property(lambda self: server.name in fake.running)
            new_frame_image = property(lambda self: Texture(fake.running[server.name]))

            def stop(self) -> None:
                fake.stopped += 1

        return Client()

    def SyphonMetalServer(self, name: str) -> Any:  # noqa: N802
        return SimpleNamespace(device=None, publish_frame_texture=lambda texture: self.published.append(texture.pixels.copy()))


def test_a_server_is_found_by_its_name_or_its_programs() -> None:
    assert match_server("", [ONE, TWO]) is ONE
    assert match_server("resol", [ONE, TWO]) is ONE
    assert match_server("VDMX", [ONE, TWO]) is TWO
    assert match_server("Main", [ONE, TWO], ignore=("Main",)) is ONE
    assert match_server("", [ONE, TWO], ignore=("Main",)) is TWO
    assert match_server("", [TWO, ONE]) is TWO
    assert match_server("other", [ONE, TWO]) is None


def test_a_server_that_goes_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeSyphon()
    monkeypatch.setattr(module, "load", lambda: fake)
    with open_syphon("main") as source:
        frame = eventually("a picture", lambda: source.read(0.1))
        assert frame is not None
        assert (frame.format, frame.size) == (PixelFormat.BGRX, (4, 6))
        assert frame.data[0, :3].tolist() == [30, 20, 10]
        assert source.status == "connected to 'App - Main'"
        pixels = fake.running.pop("Main")
        eventually(
            "the loss", lambda: source.read(0.01) is None and "there is no Syphon server 'main'; start one" in source.status
        )
        fake.running["Main"] = pixels
        eventually("its return", lambda: source.read(0.1))
    assert fake.stopped >= 1


def test_a_server_that_there_is_not_is_told_with_those_that_there_are() -> None:
    with pytest.raises(DeviceError, match="there is no Syphon server 'x'; there are: 'App - Main'"):
        SyphonCapture(FakeSyphon(), "x")


def test_pictures_are_shared_as_rgba() -> None:
    fake = FakeSyphon()
    server = SyphonServer("show", fake)
    rows = np.tile(np.array([30, 20, 10, 0], np.uint8), (5, 7))
    server.show(Frame(rows, 7, 5, PixelFormat.BGRX))
    (picture,) = fake.published
    assert picture.shape == (5, 7, 4)
    assert picture[2, 3, :3].tolist() == [10, 20, 30]
    assert server.look()


def test_elsewhere_there_is_no_syphon() -> None:
    for open_port in (open_source, open_sink):
        with pytest.raises(VideoError, match="on macOS only; use ndi: in place of syphon:"):
            open_port("syphon:show")
