"""The live state survives the daemon."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import stat
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.systems import kill, needs_modes

from sdv2_live.control.macros import Macros
from sdv2_live.control.names import ParamNames
from sdv2_live.control.params import PARAMS, Params
from sdv2_live.control.presets.library import PresetLibrary
from sdv2_live.control.store import ParamStore
from sdv2_live.control.timeline.model import Event, Timeline
from sdv2_live.control.timeline.transport import Transport
from sdv2_live.errors import ConfigError
from sdv2_live.show.journal import Journal, LiveState, Standing, journal_path, previous, read_journal

WORDS = 'a \u0142\u00f3d\u017a of ink, \U0001f3a8 and "quotes"'
CHANGES = {
    "prompt": WORDS,
    "seed": 2**62 + 1,
    "noise_scale": 0.123456789,
    "steps": (800, 600, 300),
    "prompt/3/weight": 0.4,
    "bypass": True,
}


def changed_store() -> ParamStore:
    store = ParamStore()
    store.set_many(CHANGES, "hand")
    return store


def test_every_parameter_comes_back_as_it_was(tmp_path: Path) -> None:
    store = changed_store()
    journal = Journal(tmp_path / "new" / "show.json", store)
    journal.start()
    store.set("mix", 0.25, "hand")
    journal.close()
    state = read_journal(journal.path)
    assert state.start_params(Params()) == store.latest()
    assert set(state.values) == {name for name, spec in PARAMS.items() if spec.kept}
    assert [path.name for path in journal.path.parent.iterdir()] == ["show.json"]  # no half-written file stays


def test_a_scale_belongs_to_its_lora_whatever_the_order(tmp_path: Path) -> None:
    store = ParamStore(names=ParamNames(["ink", "rain"]))
    store.set("lora/rain/scale", 0.75, "hand")
    journal = Journal(tmp_path / "show.json", store)
    journal.start()
    journal.close()
    values = read_journal(journal.path, ParamNames(["rain", "ink"])).values
    assert (values["lora/1/scale"], values["lora/2/scale"]) == (0.75, PARAMS["lora/1/scale"].default)


def test_a_change_is_written_while_the_show_runs(tmp_path: Path, wait: Any) -> None:
    store = ParamStore()
    journal = Journal(tmp_path / "show.json", store)
    journal.start()
    try:
        for scale in (0.1, 0.2, 0.3):
            store.set("noise_scale", scale, "hand")
            wait(lambda scale=scale: journal.path.is_file() and read_journal(journal.path).values["noise_scale"] == scale)
    finally:
        journal.close()


def test_what_glides_comes_back_at_its_target(tmp_path: Path) -> None:
    (tmp_path / "ink.yaml").write_text("params: {noise_scale: 0.2}")
    now = 0.0
    store = ParamStore(macros=Macros(PresetLibrary(tmp_path)), clock=lambda: now)
    store.set_many({"morph_seconds": 10.0, "preset": "ink"}, "hand")
    now = 3.0
    store.snapshot()
    assert 0.2 < store.latest().noise_scale < Params().noise_scale
    journal = Journal(tmp_path / "show.json", store)
    journal.start()
    journal.close()
    assert read_journal(journal.path).values["noise_scale"] == 0.2


def _show(folder: str, ready: Any) -> None:
    store = changed_store()
    journal = Journal(Path(folder) / "show.json", store)
    journal.start()
    deadline = time.monotonic() + 30
    while not journal.path.is_file() and time.monotonic() < deadline:
        time.sleep(0.002)
    ready.send(True)
    for i in range(100_000):  # killed in the midst of this
        store.set("seed", i, "hand")


def test_a_kill_leaves_a_whole_state(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    for attempt in range(3):
        here, there = context.Pipe()
        child = context.Process(target=_show, args=(str(tmp_path), there))
        child.start()
        assert here.poll(60), "the child never wrote its state"
        time.sleep(0.01 * attempt)  # another moment of its writing each time; any is right
        assert child.pid is not None
        kill(child.pid)
        child.join()
        assert read_journal(tmp_path / "show.json").values["prompt"] == WORDS


def test_the_state_of_the_show_before_stays_beside_a_new_one(tmp_path: Path) -> None:
    for store in (changed_store(), ParamStore()):
        journal = Journal(tmp_path / "show.json", store)
        journal.start()
        journal.close()
    assert read_journal(journal.path).values["seed"] == Params().seed
    assert read_journal(previous(journal.path)).values["seed"] == CHANGES["seed"]


def test_values_of_no_use_now_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "show.json"
    path.write_text(json.dumps({"format": 1, "params": {"mix": 0.5, "gone": 1, "noise_scale": 7}, "timeline": None}))
    assert read_journal(path).values == {"mix": 0.5}
    assert "show.json: gone: there is no parameter 'gone'" in caplog.text
    assert "show.json: noise_scale: noise_scale cannot be 7" in caplog.text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "no show left its state there"),
        ("{", "holds no live state"),
        ("[]", "holds no live state"),
        ('{"params": 3, "timeline": null}', "holds no live state"),
        ('{"params": {}, "timeline": {"playing": true}}', "holds no live state"),
        ('{"params": {}, "timeline": null, "beat": {"beat": 0, "bpm": 0, "unix": 0}}', "holds no live state"),
    ],
)
def test_what_is_no_journal_is_refused_by_name(tmp_path: Path, text: str | None, why: str) -> None:
    path = tmp_path / "show.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=f"show.json: {why}"):
        read_journal(path)


def test_a_disk_that_cannot_be_written_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    store = ParamStore()
    journal = Journal(tmp_path / "file" / "show.json", store)
    journal._write()
    store.set("mix", 0.5, "hand")
    journal._write()
    assert journal.failures == 2
    assert caplog.text.count("the live state cannot be written") == 1


@pytest.mark.parametrize("name", ["ndi:sdv2-live", "../../etc/passwd", "ndi:\u4e2d\u6587", "a" * 300, ""])
def test_an_output_name_never_leaves_the_folder(tmp_path: Path, name: str) -> None:
    assert journal_path(tmp_path, name).resolve().parent == tmp_path.resolve()


def timeline(loop: bool = False) -> Timeline:
    events = (Event(0.0, {"mix": 0.1}), Event(50.0, {"mix": 0.9}))
    return Timeline(events, duration=100.0, loop=loop)


@pytest.mark.parametrize(
    ("standing", "loop", "position", "playing", "mix"),
    [
        (Standing(True, 40.0, False, -5.0), False, 45.0, True, 0.5),  # what the hand had set is not set back by what came before
        (Standing(True, 40.0, False, -20.0), False, 60.0, True, 0.9),  # it would have gone on in the meantime
        (Standing(True, 51.0, False, -5.0, applied=49.9), False, 56.0, True, 0.9),  # written before its event was applied
        (Standing(False, 40.0, False, -20.0), False, 40.0, False, 0.5),
        (Standing(False, 0.0, False, -20.0, applied=-1.0), False, 0.0, False, 0.5),  # never played
        (Standing(True, 40.0, False, -900.0), False, 100.0, False, 0.9),  # its end passed
        (Standing(True, 90.0, True, -20.0), True, 10.0, True, 0.1),
        (Standing(True, 90.0, True, -470.0), True, 60.0, True, 0.9),  # it went round several times
        (Standing(True, 40.0, False, +900.0), False, 40.0, True, 0.5),  # the clock was set back
    ],
)
def test_a_timeline_goes_on_where_it_would_be(standing: Standing, loop: bool, position: float, playing: bool, mix: float) -> None:
    store = ParamStore()
    store.set("mix", 0.5, "hand")
    transport = Transport(timeline(loop), store, clock=lambda: 7.0)
    LiveState({}, replace(standing, written=time.time() + standing.written)).resume(transport)
    assert transport.position == pytest.approx(position, abs=4)
    assert transport.playing is playing
    assert store.latest().mix == mix


def test_a_moved_timeline_is_written(tmp_path: Path) -> None:
    store = ParamStore()
    transport = Transport(timeline(), store)
    journal = Journal(tmp_path / "show.json", store, transport)
    transport.seek(50.0)
    journal.start()
    journal.close()
    standing = read_journal(journal.path).timeline
    assert standing is not None
    assert (standing.playing, standing.position) == (False, 50.0)
    assert (standing.applied, standing.digest) == (50.0, timeline().digest)


def test_what_was_due_meanwhile_is_set_and_fires_nothing_but_a_take() -> None:
    store = ParamStore()
    events = (Event(30.0, {"cue_prompt": "two", "reset": True}), Event(31.0, {"take": True}), Event(90.0, {"prompt": "three"}))
    transport = Transport(Timeline(events, 100.0), store, clock=lambda: 7.0)
    LiveState({}, Standing(True, 25.0, False, time.time() - 12)).resume(transport)
    assert (store.latest().prompt, store.snapshot().fired) == ("two", {"take"})


@pytest.mark.parametrize("other", [Timeline((Event(0.0, {"mix": 0.2}),), 100.0), replace(timeline(), duration=99.0)])
def test_a_journal_belongs_to_its_timeline(other: Timeline, tmp_path: Path) -> None:
    store = ParamStore()
    transport = Transport(timeline(), store)
    transport.seek(50.0)
    journal = Journal(tmp_path / "show.json", store, transport)
    journal.start()
    journal.close()
    state = read_journal(journal.path)
    new = Transport(other, ParamStore(), clock=lambda: 7.0)
    state.resume(new)
    assert (new.position, new.playing) == (0.0, True)
    same = Transport(replace(timeline(), name="renamed"), ParamStore(), clock=lambda: 7.0)
    state.resume(same)
    assert (same.position, same.playing) == (50.0, False)


def test_the_preset_is_known_again_and_not_recalled(tmp_path: Path) -> None:
    (tmp_path / "ink.yaml").write_text("params: {noise_scale: 0.2}")
    store = ParamStore(macros=Macros(PresetLibrary(tmp_path)))
    store.set_many({"preset": "ink", "noise_scale": 0.6}, "hand")
    journal = Journal(tmp_path / "show.json", store)
    journal.start()
    journal.close()
    params = read_journal(journal.path).start_params(Params())
    assert (params.preset, params.noise_scale) == ("ink", 0.6)


def test_a_full_disk_keeps_what_the_show_before_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Journal(tmp_path / "show.json", changed_store())
    first.start()
    first.close()

    def full(file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        second = Journal(first.path, ParamStore())
        second.start()
        second.close()
    assert second.failures
    assert read_journal(first.path).values["seed"] == CHANGES["seed"]
    assert os.listdir(tmp_path) == ["show.json"]  # nothing half-written
    third = Journal(first.path, ParamStore())
    third.start()
    third.close()
    assert read_journal(previous(first.path)).values["seed"] == CHANGES["seed"]


@needs_modes
def test_nobody_else_reads_what_is_kept(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "new" / "sdv2-live" / "show.json", changed_store())
    before = os.umask(0o022)
    try:
        journal.start()
        journal.close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(journal.path.parent.stat().st_mode) == 0o700
