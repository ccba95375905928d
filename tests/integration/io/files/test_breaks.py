"""An input file that breaks, is replaced or goes away in the midst of a show; and an output file whose show is killed."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from support.clips import grey, noise, write_clip
from support.systems import KILLED, kill, needs_open_files_to_go
from support.waiting import eventually

from sdv2_live.config.choices import OnLost
from sdv2_live.errors import VideoError
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.io.base import Source
from sdv2_live.io.files import source as file
from sdv2_live.io.files.sink import FileSink
from sdv2_live.io.files.source import FileSource
from sdv2_live.live.failover import Failover
from sdv2_live.live.input_policy import ActiveInput, Policy
from sdv2_live.stats import Counters

RATE = 50
KINDS = {"mp4": "libx264", "mkv": "ffv1", "webm": "libvpx"}


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "AGAIN_S", 0.02)


def clip(path: Path, level: int, count: int = 4) -> Path:
    """Half of it a grey that tells it from others, half noise, so that it takes its place."""
    pictures = [np.concatenate([grey(level, 120, 160), noise(i, 120, 160)]) for i in range(count)]
    codec = KINDS[path.suffix[1:]]
    write_clip(path, pictures, [i / RATE for i in range(count)], codec=codec, declared=Fraction(RATE))
    return path


def shows(source: Source, level: int) -> None:
    eventually(f"level {level}", lambda: grey_of(source.read(0.1)) == level)


def grey_of(frame: Frame | None) -> int:
    """The grey of a clip's upper half, to the next ten; -1 for no frame."""
    if frame is None:
        return -1
    return round(float(frame.data[8:100, : 4 * frame.width : 4].mean()) / 10) * 10


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("breaks", ["emptied", "cut", "overwritten with rubbish"])
def test_a_file_that_breaks_is_opened_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str, breaks: str) -> None:
    caplog.set_level(logging.INFO)
    path, good = clip(tmp_path / f"a.{kind}", 60), clip(tmp_path / f"b.{kind}", 180)
    with FileSource(path) as source:
        shows(source, 60)
        if breaks == "cut":
            os.truncate(path, 300)
        elif breaks == "overwritten with rubbish":
            path.write_bytes(os.urandom(path.stat().st_size))
        else:
            os.truncate(path, 0)
        eventually("it to be told", lambda: source.read(0.01) is None and source.status != source.name)
        assert not source.ended
        shutil.copy(good, path)
        shows(source, 180)
        assert source.status == source.name
    told = [record.getMessage() for record in caplog.records if "cannot be read any more" in record.getMessage()]
    assert told == [f"{path} cannot be read any more; it is opened anew as soon as that works"]
    assert f"{path} can be read again" in caplog.text


@needs_open_files_to_go
def test_a_file_that_is_replaced_is_shown_from_its_next_round(tmp_path: Path) -> None:
    path, other = clip(tmp_path / "a.mp4", 60), clip(tmp_path / "b.mp4", 180)
    with FileSource(path) as source:
        shows(source, 60)
        other.replace(path)
        shows(source, 180)


@needs_open_files_to_go
@pytest.mark.parametrize("by", ["nothing", "no video"])
def test_what_is_open_goes_on_where_nothing_better_comes(tmp_path: Path, caplog: pytest.LogCaptureFixture, by: str) -> None:
    path = clip(tmp_path / "a.mkv", 60)
    with FileSource(path) as source:
        shows(source, 60)
        path.unlink()
        if by == "no video":
            path.write_text("notes")
        for _ in range(12):  # three rounds
            assert grey_of(source.read(1)) == 60
        clip(tmp_path / "b.mkv", 180).replace(path)
        shows(source, 180)
    assert ("what was there before goes on" in caplog.text) == (by == "no video")


def play_and_empty(source: FileSource, path: Path) -> None:
    os.truncate(path, 0)
    for _ in range(100):
        source.read(0)


def test_offline_a_file_that_breaks_is_no_endless_loop(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mkv", 60)
    with (
        FileSource(path, realtime=False, loop=True) as source,
        pytest.raises(VideoError, match=r"a\.mkv cannot be read any more"),
    ):
        play_and_empty(source, path)


@pytest.mark.parametrize("on_lost", list(OnLost))
def test_a_broken_file_counts_as_lost_and_its_backup_is_shown_whatever_the_policy(tmp_path: Path, on_lost: OnLost) -> None:
    path, good = clip(tmp_path / "a.mkv", 60), clip(tmp_path / "b.mkv", 180)
    counters = Counters()
    policy = Policy(on_lost, lost_s=30.0, return_s=0.1, fade_s=0.0)  # it is lost for being broken, not for being late
    with Failover(FileSource(path), policy, counters, backup=FileSource(good)) as source:
        given: list[Frame] = []
        gives = lambda level: eventually(f"level {level}", lambda: given and grey_of(given[-1]) == level)  # noqa: E731
        source.start(given.append)
        gives(60)
        os.truncate(path, 0)
        gives(180)
        assert source.state.shown is ActiveInput.BACKUP
        assert counters["inputs_lost"] == 1
        assert "cannot be read" in source.status
        clip(path, 120)
        gives(120)
        assert not source.ended


WRITING = """
import sys
import numpy as np
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.io.files.sink import FileSink
sink = FileSink(sys.argv[1])
picture = np.random.default_rng(0).integers(0, 256, (64, 4 * 64), np.uint8)
for index in range(10_000):
    sink.send(Frame(np.roll(picture, index, 0), 64, 64, PixelFormat.RGBX))
    print(index, flush=True)
"""


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_what_a_killed_show_has_written_plays(tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture) -> None:
    path, sent = tmp_path / f"a.{suffix}", 90
    writer = subprocess.Popen([sys.executable, "-c", WRITING, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    for line in writer.stdout:
        if int(line) == sent:
            kill(writer.pid)
            break
    writer.stdout.close()
    assert writer.wait(30) == KILLED
    left = tmp_path / f"a.{suffix}.part"
    with av.open(str(left)) as container:
        count = sum(1 for _ in container.decode(video=0))
    assert count >= (sent - 60 if suffix == "mp4" else 1)
    with FileSink(path) as sink:  # the next show writes to the same file
        sink.send(Frame(np.zeros((64, 256), np.uint8), 64, 64, PixelFormat.RGBX))
    (kept,) = (found for found in tmp_path.iterdir() if found != path)
    assert kept.name.startswith("a-")
    assert kept.suffix == f".{suffix}"
    assert str(kept) in caplog.text
    with FileSource(kept, realtime=False, loop=False) as source:
        assert source.read(0) is not None
