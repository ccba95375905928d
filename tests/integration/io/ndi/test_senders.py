"""NDI senders of every kind: fields, oblong pixels, rates that cannot be true, pauses, sound alone. Real NDI on loopback."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

pytest.importorskip("NDIlib", reason="ndi-python has no wheel for this system", exc_type=ImportError)
pytest.importorskip("cyndilib", reason="the independent NDI client (cyndilib) has no wheel for this system", exc_type=ImportError)

import NDIlib
from support.ndi_client import unique_name
from support.waiting import eventually

from sdv2_live.frame import Frame
from sdv2_live.io.ndi.pictures import square_width
from sdv2_live.io.ndi.source import SOUND_S, NdiSource

HEIGHT, WIDTH = 64, 128


def disc(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A bright disc on dark as UYVY rows, half the height across where pixels are squares."""
    y, x = np.mgrid[:height, :width]
    rows = np.full((height, width, 2), 128, np.uint8)
    rows[..., 1] = np.where((x - width / 2) ** 2 + (y - height / 2) ** 2 < (height / 4) ** 2, 200, 40)
    return rows.reshape(height, 2 * width)


class Sender:
    """One source of the SDK's; whatever a picture can declare may be declared."""

    def __init__(self) -> None:
        NDIlib.initialize()
        create = NDIlib.SendCreate()
        create.ndi_name, create.clock_video, create.clock_audio = unique_name(), False, False
        self._sender = NDIlib.send_create(create)
        self.name = str(NDIlib.send_get_source_name(self._sender).ndi_name)

    def send(self, rows: np.ndarray, *, rate: tuple[int, int] = (30, 1), kind: str = "PROGRESSIVE", aspect: float = 0.0) -> None:
        rows = np.ascontiguousarray(rows)
        video = NDIlib.VideoFrameV2()
        video.data = rows
        video.yres, video.xres, video.line_stride_in_bytes = len(rows), rows.shape[1] // 2, rows.shape[1]
        video.FourCC, video.picture_aspect_ratio = NDIlib.FOURCC_VIDEO_TYPE_UYVY, aspect
        video.frame_format_type = getattr(NDIlib, f"FRAME_FORMAT_TYPE_{kind}")
        video.frame_rate_N, video.frame_rate_D = rate
        NDIlib.send_send_video_v2(self._sender, video)

    def sound(self) -> None:
        samples = np.zeros((2, 480), np.float32)
        audio = NDIlib.AudioFrameV2()
        audio.data = samples
        audio.no_channels, audio.no_samples = samples.shape
        audio.channel_stride_in_bytes, audio.sample_rate = samples.strides[0], 48_000
        NDIlib.send_send_audio_v2(self._sender, audio)

    def close(self) -> None:
        sender, self._sender = self._sender, None
        if sender is not None:
            NDIlib.send_destroy(sender)


@pytest.fixture
def sender() -> Iterator[Sender]:
    one = Sender()
    yield one
    one.close()


@contextmanager
def received(sender: Sender, **options: Any) -> Iterator[NdiSource]:
    source = NdiSource(sender.name, **options)
    try:
        yield source
    finally:
        source.close()


def first(source: NdiSource, pump: Callable[[], object], wanted: Callable[[Frame], bool] = lambda _: True) -> Frame:
    """The first frame that is wanted, while `pump` sends."""

    def look() -> Frame | None:
        pump()
        frame = source.read(0.02)
        return frame if frame is not None and wanted(frame) else None

    found = eventually("a frame", look)
    assert found is not None
    return found


def extent(frame: Frame) -> tuple[int, int]:
    """(height, width) of what is bright."""
    bright = frame.data[:, 1 : 2 * frame.width : 2] > 120
    rows, columns = (np.flatnonzero(bright.any(axis)) for axis in (1, 0))
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


def fields(sender: Sender, rows: np.ndarray) -> None:
    for field in (0, 1):
        sender.send(rows[field::2], rate=(25, 1), kind=f"FIELD_{field}")


@pytest.mark.parametrize("fielded", [False, True])
@pytest.mark.parametrize(("height", "width"), [(HEIGHT, WIDTH), (1080, 1920)])
def test_interlaced_pictures_come_whole(sender: Sender, height: int, width: int, fielded: bool) -> None:
    rows = disc(height, width)
    pump = lambda: fields(sender, rows) if fielded else sender.send(rows, rate=(25, 1), kind="INTERLEAVED")  # noqa: E731
    with received(sender) as source:
        frame = first(source, pump)
        assert frame.size == (height, width)
        assert frame.rate == 25
        tall, wide = extent(frame)
        assert tall == pytest.approx(height / 2, abs=3)
        assert wide == pytest.approx(height / 2, abs=3)


@pytest.mark.parametrize(
    ("height", "width", "aspect", "squared"),
    [
        (576, 720, 16 / 9, 1024),
        (576, 720, 4 / 3, 768),
        (480, 720, 4 / 3, 640),
        (1080, 1440, 16 / 9, 1920),
        (1080, 1920, 16 / 9, 1920),
        (720, 1280, 0.0, 1280),
        (720, 1280, float("nan"), 1280),
        (720, 1280, float("inf"), 1280),
        (720, 1280, -1.0, 1280),
        (720, 1280, 1000.0, 1280),
        (2, 2, 0.3, 2),
    ],
)
def test_square_width(height: int, width: int, aspect: float, squared: int) -> None:
    assert square_width(width, height, aspect) == squared


@pytest.mark.parametrize("aspect", [16 / 9, 1.0])
def test_oblong_pixels_become_squares(sender: Sender, aspect: float) -> None:
    width = 72  # what was squeezed into it is round again
    squeezed = disc(72, round(72 * aspect / 2) * 2)
    columns = (np.arange(width) + 0.5) * squeezed.shape[1] / 2 / width
    rows = np.full((72, width, 2), 128, np.uint8)
    rows[..., 1] = squeezed[:, 1::2][:, columns.astype(int)]
    with received(sender) as source:
        frame = first(source, lambda: sender.send(rows.reshape(72, -1), aspect=aspect))
        assert frame.width / frame.height == pytest.approx(aspect, abs=0.02)
        tall, wide = extent(frame)
        assert wide == pytest.approx(tall, abs=3)


@pytest.mark.parametrize("rate", [(30000, 1001), (1_000_000_000, 16_683_333), (1, 1), (240, 1)])
def test_rates_that_can_be_true_are_believed(sender: Sender, rate: tuple[int, int]) -> None:
    with received(sender) as source:
        frame = first(source, lambda: sender.send(disc(), rate=rate))
        assert float(frame.rate) == pytest.approx(rate[0] / rate[1], rel=1e-6)
        assert frame.rate.denominator <= 100_000


@pytest.mark.parametrize("rate", [(90_000, 1), (2**31 - 1, 1), (1, 2), (241, 1)])
def test_rates_that_cannot_be_true_are_measured(sender: Sender, rate: tuple[int, int]) -> None:
    with received(sender) as source:
        assert first(source, lambda: sender.send(disc(), rate=rate)).rate == 30  # not known yet

        def pump() -> None:
            sender.send(disc(), rate=rate)
            time.sleep(0.07)

        assert 1 <= first(source, pump, lambda frame: frame.rate != 30).rate <= 60


def test_a_sender_that_pauses_stays_linked_and_one_that_goes_does_not(sender: Sender) -> None:
    with received(sender, receiver_timeout_s=0.2) as source:
        assert not source.linked
        first(source, lambda: sender.send(disc()))
        eventually("another receiver", lambda: source.read(0.05) or source.recreations)
        assert source.linked  # also while it is made anew
        assert source.connected == sender.name
        eventually(
            "the receiver's connection", lambda: source.read(0.05) or source._ndi.recv_get_no_connections(source._receiver)
        )
        first(source, lambda: sender.send(disc()))
        sender.close()
        eventually("the loss to be seen", lambda: source.read(0.05) is None and not source.linked)


def test_receivers_of_a_sender_that_pauses_are_made_anew_ever_more_rarely(sender: Sender) -> None:
    with received(sender, receiver_timeout_s=0.2) as source:
        first(source, lambda: sender.send(disc()))
        moments: list[float] = []

        def three() -> bool:
            source.read(0.02)
            if source.recreations > len(moments):
                moments.append(time.monotonic())
            return len(moments) >= 3

        eventually("three receivers", three)
        assert moments[2] - moments[1] > 0.7  # the third had 0.8 s


def test_sound_alone_is_told_once_and_keeps_its_receiver(sender: Sender, caplog: pytest.LogCaptureFixture) -> None:
    stop = threading.Event()

    def sounding() -> None:
        while not stop.wait(0.01):
            sender.sound()

    thread = threading.Thread(target=sounding)
    thread.start()
    told = f"'{sender.name}' sends sound but no picture"
    try:
        with caplog.at_level(logging.INFO, "sdv2_live.ndi_in"), received(sender, receiver_timeout_s=1.0) as source:
            eventually("the status", lambda: source.read(0.05) or source.status == told)
            until = time.monotonic() + SOUND_S
            while time.monotonic() < until:
                source.read(0.05)
            assert source.recreations == 0
            assert [record.message for record in caplog.records if told in record.message] == [
                f"{told}: choose another source, or switch its picture on"
            ]
            assert sum("receiving from" in record.message for record in caplog.records) == 1
            first(source, lambda: sender.send(disc()))
            assert source.status == f"connected to '{sender.name}'"
    finally:
        stop.set()
        thread.join()
