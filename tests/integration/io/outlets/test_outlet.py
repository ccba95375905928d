"""An output in a process of its own, with an outlet that can be told to fail."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from support.fakes import fake_frame
from support.outlets import NotingOutlet, shown
from support.waiting import eventually

from sdv2_live.errors import DeviceError
from sdv2_live.frame import ColorMatrix, ColorRange, ColorSpec, Frame, PixelFormat
from sdv2_live.io.outlets.process import PLACES
from sdv2_live.io.outlets.sink import OutletSink

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a file that is being read cannot be replaced there")


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[OutletSink]:
    with OutletSink("fake:", NotingOutlet, str(tmp_path), hang_s=0.5) as one:
        yield one


def order(folder: Path, word: str) -> None:
    """Tell the outlet what to do."""
    part = folder / "part"
    part.write_text(word)
    part.replace(folder / "order")


def shows(sink: OutletSink, folder: Path, frame: Frame) -> bool:
    """Send it, and say whether it is shown."""
    sink.send(frame)
    row = frame.width * frame.format.bytes_per_pixel
    picture = shown(folder)
    return bool(picture) and np.array_equal(picture["rows"], frame.data[:, :row])


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(fake_frame(7, 16, 24, format=PixelFormat.UYVY, rate=Fraction(30000, 1001)), id="UYVY"),
        pytest.param(fake_frame(9, 5, 7, format=PixelFormat.BGRX), id="odd"),
    ],
)
def test_a_frame_arrives_as_it_was_sent(sink: OutletSink, tmp_path: Path, frame: Frame) -> None:
    color = ColorSpec(ColorMatrix.BT601, ColorRange.FULL)
    padded = np.pad(frame.data, ((0, 0), (0, 8)))
    sent = Frame(padded, frame.width, frame.height, frame.format, frame.rate, color=color)
    eventually("the picture", lambda: shows(sink, tmp_path, sent))
    about = shown(tmp_path)
    assert (str(about["format"]), str(about["rate"])) == (frame.format.name, str(frame.rate))
    assert about["color"].tolist() == ["BT601", "FULL"]
    larger = fake_frame(11, 64, 48)
    eventually("a larger one", lambda: shows(sink, tmp_path, larger))
    eventually("a smaller one", lambda: shows(sink, tmp_path, fake_frame(12, 8, 8)))
    assert (sink.trouble, sink.failures, sink.full_name) == ("", 0, "the folder")


def test_a_process_that_hangs_or_crashes_is_started_again(sink: OutletSink, tmp_path: Path) -> None:
    first = sink.pid
    order(tmp_path, "hang")
    for index in range(PLACES + 4):  # it never waits, and leaves out what it has no room for
        sink.send(fake_frame(index))
    assert sink.dropped >= 4
    eventually("it to be noticed", lambda: sink.trouble == "it has shown no picture for 0.5 s")
    eventually("it to be given up", lambda: not sink.watched or sink.pid != first)  # said first, then done
    order(tmp_path, "crash")
    eventually("the crash", lambda: "(its process ended with exit status 3)" in sink.trouble)
    order(tmp_path, "")
    eventually("the picture", lambda: shows(sink, tmp_path, fake_frame(50)))
    eventually("all to be well", lambda: sink.send(fake_frame(51)) or sink.trouble == "")
    assert sink.failures >= 2
    assert sink.pid != first


def test_a_device_that_went_comes_back_and_says_why_it_is_away(
    sink: OutletSink, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    order(tmp_path, "gone")
    eventually("the loss", lambda: sink.send(fake_frame(1)) or sink.trouble == "the folder is gone; make it again")
    order(tmp_path, "away")
    eventually("the reason", lambda: sink.trouble == "there is no folder; make one")
    order(tmp_path, "")
    eventually("the picture", lambda: shows(sink, tmp_path, fake_frame(2)))
    assert "fake:: there is no folder; make one; it is opened again and again; the show goes on" in caplog.text


def test_what_was_closed_by_hand_stays_closed(sink: OutletSink, tmp_path: Path) -> None:
    order(tmp_path, "close")
    eventually("the end", lambda: sink.trouble == "it was closed by hand; start the show again to have it back")
    eventually("its thread to end", lambda: not sink._thread.is_alive())
    sink.send(fake_frame(1))
    assert not sink.watched


def test_what_cannot_be_opened_ends_the_start(tmp_path: Path) -> None:
    order(tmp_path, "away")
    with pytest.raises(DeviceError, match="there is no folder; make one"):
        OutletSink("fake:", NotingOutlet, str(tmp_path))
