"""Companion's variables over a real socket, on an event loop whose time the test moves."""

from __future__ import annotations

import heapq
import itertools
import socket
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pythonosc.osc_message import OscMessage

from sdv2_live.control.osc import companion as module
from sdv2_live.control.osc.companion import AGAIN_S, RATE, Companion
from sdv2_live.control.store import ParamStore

VARIABLES = {"noise": "noise_scale", "also": "noise_scale", "frozen": "freeze", "beat": "tempo/beat", "next": "pending/preset"}


class Events:
    """As much of an event loop as is needed. What is due is done in its order, at its time."""

    def __init__(self) -> None:
        self.now = 100.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def call_later(self, seconds: float, call: Callable[[], None]) -> Any:
        entry = (self.now + seconds, next(self._numbers), call)
        heapq.heappush(self._due, entry)
        return SimpleNamespace(cancel=lambda: self._due.remove(entry) if entry in self._due else None)

    def call_soon(self, call: Callable[[], None]) -> Any:
        return self.call_later(0.0, call)

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while self._due and self._due[0][0] <= until:
            self.now, _, call = heapq.heappop(self._due)
            call()
        self.now = until


class Rig:
    """A Companion that is told of a show, and what it hears, with the time."""

    def __init__(self, events: Events) -> None:
        self.events, self.store = events, ParamStore()
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", 0))
        self._udp.setblocking(False)
        news: Any = SimpleNamespace(listeners=[], status={})
        self.companion = Companion("127.0.0.1", self._udp.getsockname()[1], VARIABLES, self.store, news, cast("Any", None))
        self.store.add_listener(lambda change: self.companion.changed(change.values, change.origin))
        self._serving = self.companion._serving()
        _awaited(self._serving.__aenter__())

    def hears(self, seconds: float = 0.0) -> list[tuple[float, str, Any]]:
        """What comes within so many seconds: time, variable, value."""
        heard = []
        steps = max(round(seconds * 100), 1)
        for _ in range(steps):
            self.events.run(seconds / steps)
            while True:
                try:
                    message = OscMessage(self._udp.recv(2000))
                except BlockingIOError:
                    break
                _, kind, variable, value = message.address.split("/")
                assert (kind, value) == ("custom-variable", "value")
                heard.append((self.events.now, variable, message.params[0]))
        return heard

    def close(self) -> None:
        _awaited(self._serving.__aexit__(None, None, None))
        self.companion._udp.close()
        self._udp.close()


def _awaited(step: Coroutine[Any, Any, object]) -> None:
    """It waits for nothing."""
    with suppress(StopIteration):
        step.send(None)


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    events = Events()
    with monkeypatch.context() as patch:
        patch.setattr(module, "asyncio", SimpleNamespace(get_running_loop=lambda: events))
        patch.setattr(module, "monotonic", lambda: events.now)
        rig = Rig(events)
        yield rig
        rig.close()


def test_a_fader_that_is_moved_comes_ten_times_a_second_and_ends_where_it_ends(rig: Rig) -> None:
    rig.hears(1.0)
    heard = []
    for step in range(200):  # for two seconds
        rig.store.set("noise_scale", step / 200, "hand")
        heard += rig.hears(0.01)
    heard += rig.hears(1.0)
    for variable in ("noise", "also"):
        times = [at for at, name, _ in heard if name == variable]
        assert len(times) == pytest.approx(2 * RATE, abs=2)
        assert min(after - before for before, after in itertools.pairwise(times)) > 1 / RATE - 0.011
        assert [value for _, name, value in heard if name == variable][-1] == pytest.approx(199 / 200)


def test_one_variable_that_hurries_holds_up_no_other(rig: Rig) -> None:
    rig.hears(1.0)
    for _ in range(3):
        rig.store.set("noise_scale", rig.store.latest().noise_scale / 2, "hand")
        rig.hears(0.01)
    rig.store.set("freeze", True, "hand")
    assert [(name, value) for _, name, value in rig.hears(0.01)] == [("frozen", 1)]


def test_all_that_is_known_comes_again_every_half_a_minute(rig: Rig) -> None:
    assert {name for _, name, _ in rig.hears(0.5)} == {"noise", "also", "frozen"}
    rig.companion.told_at_once("/sdv2/tempo/beat", (3,))
    assert [(name, value) for _, name, value in rig.hears(1.0)] == [("beat", 3)]
    assert rig.hears(AGAIN_S - 2.0) == []
    again = rig.hears(1.0)
    assert {(name, round(value, 6)) for _, name, value in again} == {("noise", 0.7), ("also", 0.7), ("frozen", 0), ("beat", 3)}
    assert len(again) == 4
    assert len(rig.hears(3 * AGAIN_S)) == 3 * 4


def test_what_waits_for_the_beat_is_shown_and_then_no_more(rig: Rig) -> None:
    rig.hears(1.0)
    rig.companion.told_at_once("/sdv2/pending/preset", ("Ink",))
    assert [value for _, _, value in rig.hears(0.5)] == ["Ink"]
    rig.companion.told_at_once("/sdv2/pending/preset", ())
    assert [value for _, _, value in rig.hears(0.5)] == [""]
