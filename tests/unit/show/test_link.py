"""The keeper of Link's process, over a process that tells what the test says and ends when it says so."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from support.waiting import eventually

from sdv2_live.control.params import Params
from sdv2_live.control.store import ParamStore
from sdv2_live.music.clock import BeatClock
from sdv2_live.music.tempo import Tempo
from sdv2_live.show import link
from sdv2_live.show.link import LinkKeeper
from sdv2_live.system.clock import monotonic_ns


class Process:
    """In place of Link's."""

    def __init__(self, host: str, port: int, tempo: Tempo, beats_per_bar: int) -> None:
        self.tempo, self.beats_per_bar = tempo, beats_per_bar
        self.closed = threading.Event()
        self._ended = threading.Event()

    @property
    def ended(self) -> str:
        return "was killed" if self._ended.is_set() else ""

    def end(self) -> None:
        self._ended.set()

    def wait(self, seconds: float) -> None:
        self._ended.wait(min(seconds, 0.01))

    def close(self) -> None:
        self.closed.set()


class Rig:
    def __init__(self, **params: Any) -> None:
        self.store = ParamStore(Params(tempo_source="link", **params))
        self.clock = BeatClock(Tempo(monotonic_ns(), 0.0, 120.0), "link")
        self.clock.set_offset(self.store.latest().tempo_offset_ms, monotonic_ns())
        self.processes: list[Process] = []
        self.keeper = LinkKeeper(self.store, self.clock, self._started)  # type: ignore[arg-type]
        self.keeper.server = ("127.0.0.1", 9000)
        self.keeper.start()

    def _started(self, *args: Any) -> Process:
        self.processes.append(Process(*args))
        return self.processes[-1]

    def process(self, number: int) -> Process:
        eventually(f"process {number}", lambda: len(self.processes) > number)
        return self.processes[number]


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "installed", lambda: "1")
    monkeypatch.setattr(link, "FIRST_S", 0.01)


def test_each_start_goes_on_with_links_own_beat_whatever_hands_have_done_to_ours() -> None:
    rig = Rig(tempo_offset_ms=200.0)
    try:
        own = Tempo(monotonic_ns(), 10.0, 120.0)
        assert rig.process(0).tempo.beat(monotonic_ns()) == pytest.approx(rig.clock.beat(monotonic_ns()) - 0.4, abs=0.05)
        rig.clock.lead("link", own, peers=0, at_ns=monotonic_ns())
        rig.clock.scale(2.0, monotonic_ns())
        for number in (0, 1, 2):
            rig.process(number).end()
            begun = rig.process(number + 1).tempo
            assert (begun.bpm, begun.beat(own.t0_ns)) == (120.0, pytest.approx(10.0))
        assert rig.keeper.counters.ended == 3
    finally:
        rig.keeper.close()


def test_the_process_goes_with_the_source_and_comes_back_with_it() -> None:
    rig = Rig()
    try:
        first = rig.process(0)
        rig.store.set("tempo/source", "internal", "hand")
        assert first.closed.wait(10)
        rig.store.set("tempo/source", "link", "hand")
        rig.process(1)
        assert rig.keeper.counters.ended == 0
    finally:
        rig.keeper.close()
