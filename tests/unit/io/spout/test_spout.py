"""Spout in and out against a stand-in of the binding; real Spout needs Windows (`sdv2-live doctor` tries it there)."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from support import fake_spout
from support.pictures import assert_like, bars, to_uyvy, with_fourth
from support.waiting import DEADLINE_S, eventually

from sdv2_live.config.schema import Config, InputConfig
from sdv2_live.doctor.spout import look_spout
from sdv2_live.errors import VideoError
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.io.open import open_sink, open_source
from sdv2_live.io.spout import lib as spout_lib
from sdv2_live.io.spout.lib import SpoutSenderInfo, list_senders, match_sender
from sdv2_live.io.spout.sink import SpoutSink
from sdv2_live.io.spout.source import SpoutSource

# Every method of SpoutSender and SpoutReceiver in the Windows module of SpoutGL 0.1.1.
BINDING = """
setSenderName releaseSender sendTexture sendFbo sendImage getFrame setFrameSync waitFrameSync getCPU getGLDX createMemoryBuffer
writeMemoryBuffer deleteMemoryBuffer getMemoryBufferSize setReceiverName releaseReceiver receiveTexture receiveImage getSenderList
getSenderName getSenderWidth getSenderHeight getSenderFormat isConnected isUpdated isFrameNew isFrameCountEnabled getSenderFrame
readMemoryBuffer isGLDXReady getAutoShare setAutoShare getCPUshare setCPUshare createOpenGL closeOpenGL setActiveSender
getActiveSender getSenderInfo
"""


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> fake_spout.Machine:
    machine = fake_spout.Machine()
    for name, module in fake_spout.modules(machine).items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(spout_lib, "SYSTEM", "win32")
    return machine


@pytest.fixture
def closing() -> Iterator[Callable]:
    things: list = []

    def register(thing: Any) -> Any:
        things.append(thing)
        return thing

    yield register
    for thing in reversed(things):
        thing.close()


def frame_of(picture: np.ndarray, format: PixelFormat = PixelFormat.RGBX) -> Frame:
    rows = to_uyvy(picture) if format is PixelFormat.UYVY else with_fourth(picture, format.name[:3]).reshape(len(picture), -1)
    return Frame(rows, picture.shape[1], picture.shape[0], format)


def rgb(frame: Frame) -> np.ndarray:
    return frame.data.reshape(frame.height, frame.width, 4)[..., :3]


def received(source: SpoutSource, sink: SpoutSink, frame: Frame) -> Frame:
    def look() -> Frame | None:
        sink.send(frame)
        return source.read(0.01)

    got = eventually("a picture", look)
    assert got is not None
    return got


def test_the_stand_in_has_no_method_that_the_binding_lacks() -> None:
    for kind in (fake_spout.SpoutSender, fake_spout.SpoutReceiver):
        assert {name for name in dir(kind) if not name.startswith("_")} <= set(BINDING.split())


@pytest.mark.parametrize("format", list(PixelFormat))
def test_every_layout_arrives_with_its_colours_and_opaque(
    machine: fake_spout.Machine, closing: Callable, format: PixelFormat
) -> None:
    picture = bars(48, 128)
    sink, source = closing(SpoutSink("show")), closing(SpoutSource("show"))
    got = received(source, sink, frame_of(picture, format))
    assert got.size == (48, 128)
    assert got.format is PixelFormat.RGBX
    if format is PixelFormat.UYVY:
        assert_like(rgb(got), picture)
    else:
        assert np.array_equal(rgb(got), picture)
    if format in (PixelFormat.BGRX, PixelFormat.RGBX, PixelFormat.UYVY):
        assert (machine.senders["show"].pixels[..., 3] == 255).all()
    assert source.connected == "show"
    assert source.status == "connected to 'show'"


def test_padded_rows_and_new_sizes_are_followed_and_black_is_left_out(machine: fake_spout.Machine, closing: Callable) -> None:
    sink, source = closing(SpoutSink("show")), closing(SpoutSource("show"))
    for height, width in ((32, 64), (64, 96), (16, 16)):
        frame = frame_of(bars(height, width))
        padded = Frame(np.pad(frame.data, ((0, 0), (0, 12)), constant_values=9), width, height, frame.format)
        got = received(source, sink, padded)
        assert got.size == (height, width)
        assert np.array_equal(rgb(got), bars(height, width))  # so the black one before it was not given


def test_pictures_are_not_overwritten_by_later_ones(machine: fake_spout.Machine, closing: Callable) -> None:
    sink, source = closing(SpoutSink("show")), closing(SpoutSource("show"))
    first = received(source, sink, frame_of(np.full((16, 16, 3), 10, np.uint8)))
    second = received(source, sink, frame_of(np.full((16, 16, 3), 90, np.uint8)))
    assert (first.data[0, 0], second.data[0, 0]) == (10, 90)
    assert second.index == first.index + 1
    assert second.captured_ns > first.captured_ns


def test_the_same_picture_is_not_given_twice(machine: fake_spout.Machine, closing: Callable) -> None:
    sink, source = closing(SpoutSink("show")), closing(SpoutSource("show"))
    assert not source.linked
    received(source, sink, frame_of(bars(16, 16)))
    assert source.read(0.05) is None
    assert source.linked  # so it may be repeated
    sink.close()
    assert eventually("the loss", lambda: source.read(0.01) is None and not source.linked)


def test_a_sender_that_does_not_count_is_read_at_a_steady_rate(machine: fake_spout.Machine, closing: Callable) -> None:
    machine.counted = False
    sink, source = closing(SpoutSink("show")), closing(SpoutSource("show"))
    first = received(source, sink, frame_of(bars(16, 16)))
    second = eventually("another", lambda: source.read(0.1))
    assert second.captured_ns - first.captured_ns >= 15_000_000


def test_a_sender_may_come_late_go_and_return(machine: fake_spout.Machine, closing: Callable) -> None:
    source = closing(SpoutSource("show"))
    assert source.read(0.02) is None
    assert source.status == "searching for 'show'"
    for level in (40, 80):
        with SpoutSink("show") as sink:
            got = received(source, sink, frame_of(np.full((16, 16, 3), level, np.uint8)))
            assert got.data[0, 0] == level
        eventually("its end to be seen", lambda: (source.read(0.01), source.connected is None)[1])


def test_no_name_takes_the_active_sender_but_not_ourselves(machine: fake_spout.Machine, closing: Callable) -> None:
    own, other = closing(SpoutSink("sdv2-live")), closing(SpoutSink("VDMX"))
    own.send(frame_of(np.zeros((16, 16, 3), np.uint8)))
    source = closing(open_source("spout:", ignore=["sdv2-live"]))
    assert isinstance(source, SpoutSource)
    assert machine.active == "sdv2-live"
    got = received(source, other, frame_of(np.full((16, 16, 3), 70, np.uint8)))
    assert got.data[0, 0] == 70
    assert source.connected == "VDMX"


def test_matching() -> None:
    names = ["Arena - Composition", "TDSyphonSpoutOut", "sdv2-live"]
    assert match_sender("TDSyphonSpoutOut", names, None) == "TDSyphonSpoutOut"
    assert match_sender("arena", names, "TDSyphonSpoutOut") == "Arena - Composition"
    assert match_sender("", names, "TDSyphonSpoutOut") == "TDSyphonSpoutOut"
    assert match_sender("", names, "sdv2-live", ["sdv2-live"]) == "Arena - Composition"
    assert match_sender("sdv2", names, None, ["sdv2-live"]) is None
    assert match_sender("sdv2-live", names, None, ["sdv2-live"]) == "sdv2-live"
    assert match_sender("", [], None) is None


def test_any_thread_may_read_and_close(machine: fake_spout.Machine) -> None:
    """The stand-in refuses calls from any thread but the object's own."""
    sink, source = SpoutSink("show"), SpoutSource("show")
    got: list[Frame] = []
    reader = threading.Thread(target=lambda: got.append(received(source, sink, frame_of(bars(16, 16)))))
    reader.start()
    reader.join(DEADLINE_S)
    waiting = threading.Thread(target=source.read, args=(600.0,))
    waiting.start()
    for port in (source, sink, source, sink):
        port.close()
    waiting.join(DEADLINE_S)
    assert got
    assert not waiting.is_alive()
    assert source.read(0) is None
    sink.send(frame_of(bars(16, 16)))
    assert machine.senders == {}


def test_what_cannot_be_shared_is_told(machine: fake_spout.Machine, closing: Callable) -> None:
    sink = closing(open_sink("spout:show"))
    assert isinstance(sink, SpoutSink)
    machine.broken = True
    with pytest.raises(VideoError, match=r"could not share 'show'.*ndi:"):
        sink.send(frame_of(bars(16, 16)))
    machine.broken = False
    sink.send(frame_of(bars(16, 16)))
    assert sink.sent == 1
    with pytest.raises(VideoError, match="needs a name"):
        SpoutSink(" ")


def test_senders_are_listed(machine: fake_spout.Machine, closing: Callable) -> None:
    for name, size in (("b", 32), ("a", 16)):
        closing(SpoutSink(name)).send(frame_of(bars(size, 2 * size)))
    assert list_senders() == [SpoutSenderInfo("a", 32, 16, False), SpoutSenderInfo("b", 64, 32, True)]


def test_elsewhere_it_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spout_lib, "SYSTEM", "linux")
    for open_port in (open_source, open_sink):
        with pytest.raises(VideoError, match="on Windows only; use ndi:"):
            open_port("spout:show")


def test_a_missing_package_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spout_lib, "SYSTEM", "win32")
    monkeypatch.setitem(sys.modules, "SpoutGL", None)
    with pytest.raises(VideoError, match=r"pip install 'sdv2-live\[spout\]'"):
        open_source("spout:show")


def test_doctor_tries_it_on_windows(machine: fake_spout.Machine) -> None:
    (check,) = look_spout(Config())
    assert (check.name, check.status) == ("spout", "ok")
    assert "two sizes" in check.detail
    machine.broken = True
    (check,) = look_spout(Config())
    assert (check.status, "could not share" in check.detail) == ("warn", True)
    (check,) = look_spout(Config(input=InputConfig(source="spout:VDMX")))
    assert check.status == "fail"


def test_doctor_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spout_lib, "SYSTEM", "linux")
    (check,) = look_spout(Config())
    assert (check.status, check.detail) == ("ok", "not on this system (Windows only)")
    (check,) = look_spout(Config(input=InputConfig(source="spout:VDMX")))
    assert check.status == "fail"
