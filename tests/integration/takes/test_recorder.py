"""What goes wrong with recording ends the take, never the show."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from support.systems import needs_full_disk
from support.take_rig import Rig, lines_of, repainted, takes_of
from support.waiting import eventually

from sdv2_live.takes import writer
from sdv2_live.takes.recorder import MARKS
from sdv2_live.takes.replay import Take
from sdv2_live.takes.video import VideoWriter


def test_the_show_goes_on_while_takes_begin_and_end(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        for _ in range(2):
            rig.record()
            rig.chunks()
            rig.set(record=True)  # a controller sends it again: the take goes on
            rig.chunks()
            rig.set(record=False)
            assert not rig.recorder.recording
        eventually("both takes", lambda: rig.counters["takes_recorded"] == 2)
    first, second = takes_of(rig)
    assert second.name.startswith(first.name[:8])
    for take in (first, second):
        assert Take(take).problem == ""
        assert sum("begins" in line for line in lines_of(take)) == 1
        assert all(chunk.same for chunk in repainted(take, rig.config))
    assert rig.counters["takes_failed"] == rig.counters["engine_failures"] == 0


def test_a_take_that_runs_when_the_show_ends_is_complete(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        rig.record()
        rig.chunks()
    (take,) = takes_of(rig)
    assert Take(take).problem == ""


def test_a_take_without_a_chunk_leaves_nothing(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        rig.chunks(1)
        rig.set(freeze=True)
        eventually("a rest", lambda: not rig.loop._changed.is_set())
        rig.set(record=True)
        eventually("a take that waits", lambda: rig.recorder.waiting)
        rig.set(record=False)
    assert takes_of(rig) == []


def assert_ended(rig: Rig, caplog: pytest.LogCaptureFixture, *says: str) -> None:
    """One error in the log with the remedy, `record` false again, and the show going on."""
    eventually("the end of the take", lambda: not rig.store.latest().record)
    rig.chunks()
    assert not rig.recorder.recording
    assert rig.counters["takes_failed"] == 1
    assert rig.counters["engine_failures"] == 0
    (error,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    for part in ("recording has ended", "The show goes on", *says):
        assert part in error


@pytest.mark.parametrize("broken", ["a file in its place", "no space"])
def test_a_folder_that_cannot_be_used_leaves_the_picture_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, broken: str
) -> None:
    takes: dict[str, Any]
    if broken == "no space":
        takes, says = {"min_free_mb": 10**12}, ["MB are free, fewer than takes.min_free_mb", "free some space"]
    else:
        (tmp_path / "file").write_text("")
        takes, says = {"dir": tmp_path / "file" / "takes"}, [str(tmp_path / "file"), "cannot be written", "takes.dir"]
    with Rig(tmp_path, takes=takes) as rig:
        rig.chunks(2)
        state = rig.stream._state
        assert state is not None
        before = state.chunk
        rig.set(record=True)
        assert_ended(rig, caplog, *says)
        assert rig.stream._state is state
        assert state.chunk > before  # no reset for a take that never was
    assert takes_of(rig) == []


@needs_full_disk
@pytest.mark.parametrize("file", ["input-000.mkv.part", "chunks.jsonl"])
def test_a_disk_that_fills_up_ends_the_take(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    make = writer._new_folder

    def full(parent: Path) -> Path:
        folder = make(parent)
        (folder / file).symlink_to("/dev/full")
        return folder

    with Rig(tmp_path) as rig:
        monkeypatch.setattr(writer, "_new_folder", full)
        rig.source.size = (256, 256)  # more bytes than FFmpeg keeps to itself
        rig.chunks(1)
        rig.set(record=True)
        assert_ended(rig, caplog, str(rig.config.takes.folder), file, "No space left on device", "choose another folder")
        monkeypatch.undo()
        rig.record()  # and once there is space again, the next take works
        rig.chunks()
    assert rig.counters["takes_recorded"] == 1
    assert Take(takes_of(rig)[-1]).problem == ""


def test_a_disk_that_is_too_slow_ends_the_take_with_what_it_has(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    free, write = threading.Event(), VideoWriter.write

    def slow(self: VideoWriter, frame):  # type: ignore[no-untyped-def]
        assert free.wait(30)
        return write(self, frame)

    monkeypatch.setattr(VideoWriter, "write", slow)
    with Rig(tmp_path, takes={"max_queue_chunks": 3}) as rig:
        rig.set(record=True)
        assert_ended(rig, caplog, str(tmp_path), "3 chunks wait to be written", "takes.max_queue_chunks")
        free.set()
    (take,) = takes_of(rig)
    assert "too slow" in Take(take).problem
    assert Take(take).chunks >= 3
    assert all(chunk.same for chunk in repainted(take, rig.config))


def test_while_the_disk_hangs_no_finger_fills_the_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free, write = threading.Event(), VideoWriter.write

    def slow(self: VideoWriter, frame):  # type: ignore[no-untyped-def]
        assert free.wait(30)
        return write(self, frame)

    monkeypatch.setattr(VideoWriter, "write", slow)
    with Rig(tmp_path) as rig:
        rig.record()
        for _ in range(50):
            rig.set(record=False)
            rig.set(record=True)
        rig.set(record=False)
        waiting = rig.recorder.queues["recorder"]
        assert waiting.length <= waiting.bound == rig.config.takes.max_queue_chunks + MARKS
        free.set()
    assert rig.counters["takes_recorded"] == 1


def test_what_nobody_foresaw_ends_the_take_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: VideoWriter, frame):  # type: ignore[no-untyped-def]
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr(VideoWriter, "write", broken)
    with Rig(tmp_path) as rig:
        rig.set(record=True)
        eventually("the end of the take", lambda: rig.counters["takes_failed"] == 1)
        rig.chunks()
    assert "nobody foresaw this" in caplog.text
    assert not rig.store.latest().record


@pytest.mark.parametrize("first", ["made", "refused"])
def test_on_off_on_while_the_folder_is_being_made_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, first: str
) -> None:
    """A bouncing button, a disk that wakes up: whatever becomes of the first take, the second is written."""
    asked, free, make = threading.Event(), threading.Event(), writer._new_folder

    def slow(parent: Path) -> Path:
        again = asked.is_set()
        asked.set()
        assert free.wait(30)
        if first == "refused" and not again:
            raise OSError(5, "Input/output error")
        return make(parent)

    monkeypatch.setattr(writer, "_new_folder", slow)
    with Rig(tmp_path) as rig:
        rig.chunks(1)
        rig.set(record=True)
        assert asked.wait(30)
        rig.set(record=False)
        rig.set(record=True)
        rig.chunks()
        assert not rig.recorder.recording
        free.set()
        eventually("the take", lambda: rig.recorder.recording and not rig.recorder.waiting)
        rig.chunks()
        assert rig.store.latest().record
    (take,) = takes_of(rig)
    assert Take(take).problem == ""
    assert Take(take).chunks >= 2
    assert all(chunk.same for chunk in repainted(take, rig.config))
    assert rig.counters["takes_recorded"] == 1
    assert rig.counters["takes_failed"] == caplog.text.count("recording has ended") == (first == "refused")


def test_a_bouncing_button_leaves_one_take(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        rig.chunks(1)
        for _ in range(20):
            rig.set(record=True)
            rig.set(record=False)
        rig.record()
        rig.chunks()
    (take,) = [take for take in takes_of(rig) if Take(take).chunks >= 2]
    assert all(chunk.same for chunk in repainted(take, rig.config))
    assert rig.counters["takes_failed"] == 0


def test_a_chunk_without_a_take_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Rig(tmp_path) as rig:
        rig.record()
        rig.recorder._take = None
        assert_ended(rig, caplog, "no take is open", str(tmp_path))
