"""NDI in and out against an independent client, over real NDI on loopback."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import psutil
import pytest

pytest.importorskip("NDIlib", reason="ndi-python has no wheel for this system", exc_type=ImportError)
pytest.importorskip("cyndilib", reason="the independent NDI client (cyndilib) has no wheel for this system", exc_type=ImportError)

from cyndilib import FourCC, RecvColorFormat
from support.ndi_client import ClientReceiver, ClientSender, unique_name
from support.pictures import assert_like, bars, to_rgb, to_uyvy, with_fourth
from support.systems import WINDOWS
from support.waiting import DEADLINE_S, eventually

from sdv2_live.errors import VideoError
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.io.ndi.lib import Finder, NdiSourceInfo, list_sources
from sdv2_live.io.ndi.settings import NdiSettings
from sdv2_live.io.ndi.sink import NdiSink
from sdv2_live.io.ndi.source import NdiSource


def frame_of(rows: np.ndarray, width: int, format: PixelFormat, rate: Fraction = Fraction(30)) -> Frame:
    return Frame(rows, width, rows.shape[0], format, rate)


class Pump:
    """Sends one picture again and again, from a thread, as a camera does; the picture may be exchanged."""

    def __init__(self, send: Callable[[], object]) -> None:
        self.send = send
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(0.02):
            self.send()

    def __enter__(self) -> Pump:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def next_frame(source: NdiSource, wanted: Callable[[Frame], bool] = lambda _: True) -> Frame:
    def look() -> Frame | None:
        frame = source.read(0.1)
        return frame if frame is not None and wanted(frame) else None

    frame = eventually("a frame", look)
    assert frame is not None
    return frame


@pytest.fixture
def closing() -> Iterator[Callable]:
    """Registers things to close, the last first."""
    things: list = []

    def register(thing: Any) -> Any:
        things.append(thing)
        return thing

    yield register
    for thing in reversed(things):
        thing.close()


# --- in ---------------------------------------------------------------------------------------------------------------


def test_bars_sent_by_others_keep_their_colours(closing: Callable) -> None:
    sender = closing(ClientSender(unique_name(), 128, 256, rate=Fraction(60000, 1001)))
    source = closing(NdiSource(sender.full_name))
    picture = bars(128, 256)
    with Pump(lambda: sender.send(with_fourth(picture, "BGR"))):
        frame = next_frame(source)
        later = next_frame(source)
    assert frame.size == (128, 256)
    assert frame.rate == Fraction(60000, 1001)
    assert (frame.index, later.index) == (0, 1)
    assert 0 < frame.captured_ns < later.captured_ns
    assert_like(to_rgb(frame), picture)
    assert source.connected == sender.full_name
    assert source.status == f"connected to '{sender.full_name}'"
    assert source.received == 2
    assert source.recreations == 0


@pytest.mark.parametrize(("height", "width"), [(34, 66), (50, 130), (64, 2), (16, 16)])
def test_padded_rows_are_read_as_they_lie(closing: Callable, height: int, width: int) -> None:
    """The SDK pads rows of such widths (66 pixels: 160 bytes), so a skewed picture would be far off."""
    ramp = np.linspace(40, 210, height)[:, None, None] + np.linspace(0, 20, width)[None, :, None] + np.zeros(3)
    picture = ramp.astype(np.uint8)
    sender = closing(ClientSender(unique_name(), height, width))
    source = closing(NdiSource(sender.full_name))
    with Pump(lambda: sender.send(with_fourth(picture, "BGR"))):
        frame = next_frame(source)
    assert frame.size == (height, width)
    assert_like(to_rgb(frame), picture, bar_edges=False)


def test_odd_sizes_lose_a_line_and_nothing_else(closing: Callable) -> None:
    sender = closing(ClientSender(unique_name(), 63, 127))
    source = closing(NdiSource(sender.full_name))
    with Pump(lambda: sender.send(with_fourth(bars(63, 127), "BGR"))):
        frame = next_frame(source)
    assert frame.size == (62, 126)
    assert_like(to_rgb(frame), bars(63, 127)[:62, :126])


def test_alpha_is_left_behind(closing: Callable) -> None:
    sender = closing(ClientSender(unique_name(), 64, 128, FourCC.BGRA))
    source = closing(NdiSource(sender.full_name))
    with Pump(lambda: sender.send(with_fourth(bars(64, 128), "BGR", fill=90))):
        frame = next_frame(source)
    assert frame.format is PixelFormat.UYVY
    assert_like(to_rgb(frame), bars(64, 128))


def test_size_and_rate_change_mid_stream(closing: Callable) -> None:
    sink = closing(NdiSink(unique_name()))
    source = closing(NdiSource(sink.full_name))
    sizes = [(64, 128, Fraction(30)), (96, 64, Fraction(24000, 1001)), (64, 128, Fraction(60))]
    for height, width, rate in sizes:
        frame = frame_of(to_uyvy(bars(height, width)), width, PixelFormat.UYVY, rate)
        with Pump(lambda frame=frame: sink.send(frame)):
            got = next_frame(source, lambda f, size=(height, width), rate=rate: f.size == size and f.rate == rate)
        assert_like(to_rgb(got), bars(height, width))


def test_source_appears_later_vanishes_and_returns(closing: Callable) -> None:
    name = unique_name()
    source = closing(NdiSource(name, receiver_timeout_s=0.5))
    assert source.read(0.05) is None
    assert source.status == f"searching for '{name}'"
    assert source.connected is None

    sender = ClientSender(name, 64, 128)
    with Pump(lambda: sender.send(with_fourth(bars(64, 128), "BGR"))):
        next_frame(source)
    sender.close()

    eventually("the loss to be noticed", lambda: source.read(0.05) is None and source.connected is None)
    assert source.status.startswith("waiting for")

    returned = closing(ClientSender(name, 32, 64))
    with Pump(lambda: returned.send(with_fourth(bars(32, 64), "BGR"))):
        frame = next_frame(source, lambda frame: frame.size == (32, 64))
        assert source.connected == returned.full_name
    assert_like(to_rgb(frame), bars(32, 64))
    assert source.received == frame.index + 1


def address_of(sender: ClientSender) -> str:
    with Finder(NdiSettings()) as finder:
        named = lambda infos: [info.address for info in infos if info.name == sender.full_name]  # noqa: E731
        return str(eventually("the sender", lambda: named(finder.sources))[0])


def test_a_sender_started_again_at_another_port_is_found_under_its_name(closing: Callable) -> None:
    name = unique_name()
    source = closing(NdiSource(name, receiver_timeout_s=0.5))
    sender = ClientSender(name, 64, 128)
    with Pump(lambda: sender.send(with_fourth(bars(64, 128), "BGR"))):
        next_frame(source)
    before = address_of(sender)
    sender.close()
    closing(ClientSender(unique_name("squatter"), 32, 32))  # takes the port that became free
    returned = closing(ClientSender(name, 32, 64))
    with Pump(lambda: returned.send(with_fourth(bars(32, 64), "BGR"))):
        frame = next_frame(source, lambda frame: frame.size == (32, 64))
        assert_like(to_rgb(frame), bars(32, 64))
    if WINDOWS and address_of(returned) == before:
        pytest.skip("NDI on Windows gave the sender its old port again, though another took one meanwhile")
    assert address_of(returned) != before


def test_silent_source_gets_a_new_receiver_and_then_flows(closing: Callable) -> None:
    sender = closing(ClientSender(unique_name(), 64, 128))
    source = closing(NdiSource(sender.full_name, receiver_timeout_s=0.3))
    picture = with_fourth(bars(64, 128), "BGR")
    source.set_tally(True, False)
    with Pump(lambda: sender.send(picture)):
        next_frame(source)
    eventually("the watchdog", lambda: source.read(0.05) is None and source.recreations >= 2)
    with Pump(lambda: sender.send(picture)):
        frame = next_frame(source)
        eventually("the tally on the new receiver", lambda: source.read(0.05) and sender.tally == (True, False))
    assert_like(to_rgb(frame), bars(64, 128))


def test_late_reader_keeps_its_receiver(closing: Callable) -> None:
    """Frames that wait in the queue are no silence, however long nobody read."""
    sender = closing(ClientSender(unique_name(), 64, 128))
    source = closing(NdiSource(sender.full_name, receiver_timeout_s=0.0))  # every pause is too long
    with Pump(lambda: sender.send(with_fourth(bars(64, 128), "BGR"))):
        next_frame(source)
        made = source.recreations
        eventually("a frame in the queue", lambda: source._ndi.recv_get_queue(source._receiver).video_frames)
        assert source.read(0) is not None
    assert source.recreations == made


def test_substring_of_two_senders_takes_the_first_and_names_both(closing: Callable, caplog: pytest.LogCaptureFixture) -> None:
    stem = unique_name("pair")
    second = closing(ClientSender(f"{stem}-b", 32, 64))
    first = closing(ClientSender(f"{stem}-a", 32, 128))

    def send() -> None:
        second.send(with_fourth(bars(32, 64), "BGR"))
        first.send(with_fourth(bars(32, 128), "BGR"))

    with caplog.at_level(logging.WARNING, "sdv2_live.ndi"), Pump(send):
        assert next_frame(closing(NdiSource(stem.upper()))).size == (32, 128)
        assert f"'{first.full_name}', '{second.full_name}'" in caplog.text
        assert next_frame(closing(NdiSource(f"{stem}-b"))).size == (32, 64)
        assert next_frame(closing(NdiSource(stem, ignore=[first.full_name]))).size == (32, 64)


def test_connects_by_address(closing: Callable) -> None:
    sender = closing(ClientSender(unique_name(), 48, 80))
    found = eventually(
        "the address", lambda: [s for s in list_sources(NdiSettings(), 0.2) if s.name == sender.full_name and s.address]
    )
    source = closing(NdiSource(found[0].address))
    with Pump(lambda: sender.send(with_fourth(bars(48, 80), "BGR"))):
        frame = next_frame(source)
    assert frame.size == (48, 80)
    assert source.connected == found[0].address


def test_tally_reaches_the_sender(closing: Callable) -> None:
    sender = closing(ClientSender(unique_name(), 32, 64))
    source = closing(NdiSource(sender.full_name))
    with Pump(lambda: sender.send(with_fourth(bars(32, 64), "BGR"))):
        next_frame(source)
        for tally in [(True, False), (False, True), (False, False)]:
            source.set_tally(*tally)
            eventually(f"tally {tally}", lambda tally=tally: (source.read(0.05), sender.tally == tally)[1])


def test_close_wakes_a_reader_and_repeats(closing: Callable) -> None:
    source = closing(NdiSource(unique_name()))
    reader = threading.Thread(target=source.read, args=(600.0,))
    reader.start()
    source.close()
    reader.join(DEADLINE_S)
    assert not reader.is_alive()
    source.close()
    assert source.read(0) is None


# --- out --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("receive", [RecvColorFormat.RGBX_RGBA, RecvColorFormat.BGRX_BGRA])
def test_bars_received_by_others_keep_their_colours(closing: Callable, receive: RecvColorFormat) -> None:
    """In every layout, one after the other, each of a height of its own: so it is this one that came."""
    sink, width = closing(NdiSink(unique_name())), 256
    receiver = closing(ClientReceiver(sink.full_name, receive))
    for height, format in zip((96, 112, 128, 144, 160), PixelFormat, strict=True):
        picture = bars(height, width)
        rows = to_uyvy(picture) if format is PixelFormat.UYVY else with_fourth(picture, format.name[:3]).reshape(height, -1)
        padded = np.pad(rows, ((0, 0), (0, 24)), constant_values=7)
        frame = frame_of(padded, width, format, Fraction(30000, 1001))
        got = receiver.picture(lambda p, h=height: p.shape[:2] == (h, width), lambda f=frame: sink.send(f))
        assert_like(got[..., :3] if receive is RecvColorFormat.RGBX_RGBA else got[..., 2::-1], picture)
        assert receiver.rate == Fraction(30000, 1001)


def test_watched_follows_the_receivers(closing: Callable) -> None:
    sink = closing(NdiSink(unique_name()))
    assert not sink.watched
    receiver = ClientReceiver(sink.full_name)
    eventually("a receiver to count", lambda: sink.watched)
    receiver.set_tally(True, False)
    eventually("the receiver's tally", lambda: sink.tally == (True, False))
    receiver.close()
    eventually("the receiver to be gone", lambda: not sink.watched)


def test_sent_data_may_be_reused_at_once(closing: Callable) -> None:
    """The caller overwrites its rows after every send; receivers never see the overwritten ones."""
    sink, width = closing(NdiSink(unique_name())), 128
    source = closing(NdiSource(sink.full_name))
    rows = np.empty((64, 2 * width), np.uint8)

    def send() -> None:
        rows[:] = to_uyvy(bars(64, width))
        sink.send(frame_of(rows, width, PixelFormat.UYVY))
        rows[:] = 0

    with Pump(send):
        for _ in range(10):
            assert_like(to_rgb(next_frame(source)), bars(64, width))


def test_name_in_use_is_a_clear_error(closing: Callable) -> None:
    name = unique_name()
    closing(NdiSink(name))
    with pytest.raises(VideoError, match=f"'{name}'.*choose another output name"):
        NdiSink(name)
    with pytest.raises(VideoError, match="needs a name"):
        NdiSink(" ")


@pytest.mark.parametrize("letter", ["y", "ü", "日"])
def test_a_name_that_is_too_long_is_told_apart_from_one_in_use(closing: Callable, letter: str) -> None:
    with pytest.raises(VideoError, match=r"the name is too long: at most (\d+) characters") as error:
        NdiSink(letter * 250)
    room = int(str(error.value).split("at most ")[1].split()[0]) // len(letter.encode())
    longest = unique_name().ljust(room, letter)[:room] if letter == "y" else letter * room
    closing(NdiSink(longest))
    with pytest.raises(VideoError, match="too long" if letter == "y" else "already does"):
        NdiSink(longest + "y" * (letter == "y"))


def test_a_name_is_published_as_others_write_it(closing: Callable, caplog: pytest.LogCaptureFixture) -> None:
    stem = unique_name()
    with caplog.at_level(logging.INFO, "sdv2_live.ndi_out"):
        sink = closing(NdiSink(f"Bu\u0308hne: {stem}"))
    assert sink.full_name.endswith(f"(Bühne  {stem})")
    assert f"'Bühne: {stem}' is published as '{sink.full_name}'" in caplog.text
    source = closing(NdiSource(f"Bühne: {stem}"))
    frame = frame_of(to_uyvy(bars(32, 64)), 64, PixelFormat.UYVY)
    with Pump(lambda: sink.send(frame)):
        assert next_frame(source).size == (32, 64)


def test_receivers_fall_back_to_the_failover_source(closing: Callable) -> None:
    backup, sink = closing(NdiSink(unique_name("backup"))), NdiSink(unique_name())
    info = eventually("the backup", lambda: [s for s in list_sources(NdiSettings(), 0.2) if s.name == backup.full_name])[0]
    sink.set_failover(info)
    receiver = closing(ClientReceiver(sink.full_name))
    frame = frame_of(to_uyvy(bars(48, 128)), 128, PixelFormat.UYVY)
    receiver.picture(lambda pixels: pixels.shape[:2] == (48, 128), lambda: sink.send(frame))
    sink.close()
    fallback = frame_of(to_uyvy(bars(32, 64)), 64, PixelFormat.UYVY)
    got = receiver.picture(lambda pixels: pixels.shape[:2] == (32, 64), lambda: backup.send(fallback))
    assert_like(got[..., :3], bars(32, 64))


def test_close_repeats_and_send_after_close_is_nothing() -> None:
    sink = NdiSink(unique_name(), NdiSettings(groups=("public", "stage")))
    frame = frame_of(to_uyvy(bars(16, 16)), 16, PixelFormat.UYVY)
    sink.send(frame)
    sink.close()
    sink.close()
    sink.send(frame)
    assert sink.sent == 1
    assert not sink.watched
    assert sink.tally == (False, False)
    assert NdiSourceInfo(sink.full_name).inner_name in sink.name


def test_memory_stays_flat(closing: Callable) -> None:
    """300 frames of 1 MB through both ports: one leaked buffer a frame would be 300 MB on either side."""
    sink = closing(NdiSink(unique_name()))
    source = closing(NdiSource(sink.full_name))
    frame = frame_of(to_uyvy(bars(512, 1024)), 1024, PixelFormat.UYVY, Fraction(240))

    def resident_mb() -> float:
        return float(psutil.Process().memory_info().rss) / 2**20

    def exchange(count: int) -> None:
        goal = source.received + count
        eventually(f"{goal} frames", lambda: (sink.send(frame), source.read(0.02), source.received >= goal)[2], 60)

    exchange(100)
    before = resident_mb()
    exchange(300)
    assert resident_mb() - before < 100
