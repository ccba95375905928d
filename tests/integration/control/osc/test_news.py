"""What a show says of its own accord reaches every listener on the loop, a storm of it in few large parts."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from support.waiting import DEADLINE_S, eventually

from sdv2_live.control.osc.news import Args, Asked, Outbox
from sdv2_live.control.osc.server import OscServer
from sdv2_live.control.store import ParamStore


@dataclass
class Ear:
    """Somebody who listens, and what was heard."""

    listening: bool = True
    changes: list[tuple[dict[str, Any], str]] = field(default_factory=list)
    messages: list[dict[str, Args]] = field(default_factory=list)

    def changed(self, values: Mapping[str, Any], origin: str) -> None:
        self.changes.append((dict(values), origin))

    def told(self, messages: Mapping[str, Args]) -> None:
        self.messages.append(dict(messages))

    def asked(self, what: Asked, messages: Mapping[str, Args]) -> None:
        self.messages.append(dict(messages))

    def told_at_once(self, address: str, args: Args) -> None:
        self.messages.append({address: args})


@pytest.fixture
def numbers() -> dict[str, float | str]:
    return {"fps": 24.5, "source": "CAM"}


@pytest.fixture
def server(store: ParamStore, numbers: dict[str, float | str]) -> Iterator[OscServer]:
    with OscServer(store, port=0, status=lambda: dict(numbers)) as server:
        yield server
    assert server.counters.failures == 0


@pytest.fixture
def ears(server: OscServer) -> list[Ear]:
    ears = [Ear(), Ear()]
    server.news.listeners.extend(ears)
    return ears


def test_changes_that_come_while_the_loop_is_busy_are_told_once_by_origin(
    store: ParamStore, server: OscServer, ears: list[Ear]
) -> None:
    busy, go_on = threading.Event(), threading.Event()
    server.loop.call(lambda: (busy.set(), go_on.wait(DEADLINE_S)))
    assert busy.wait(DEADLINE_S)
    for step in range(100):
        store.set("noise_scale", step / 100, "midi")
    store.set_many({"seed": 7, "reset": True}, "timeline")
    go_on.set()
    for ear in ears:
        eventually("the news", lambda ear=ear: len(ear.changes) == 2)
        assert ear.changes == [({"noise_scale": 0.99}, "midi"), ({"seed": 7, "reset": True}, "timeline")]


def test_which_chunk_has_applied_a_value_is_told(store: ParamStore, ears: list[Ear]) -> None:
    store.set("seed", 7, "midi")
    store.snapshot(41)
    for ear in ears:
        eventually("the chunk", lambda ear=ear: {"/sdv2/applied/seed": (41,)} in ear.messages)


def test_of_the_status_everybody_is_told_what_has_changed(
    server: OscServer, ears: list[Ear], numbers: dict[str, float | str]
) -> None:
    whole = {"/sdv2/status/fps": (24.5,), "/sdv2/info/source": ("CAM",)}
    eventually("all of it", lambda: all(whole in ear.messages for ear in ears))
    assert server.news.status == whole
    numbers["fps"] = 25.0
    eventually("the change", lambda: all(ear.messages[-1] == {"/sdv2/status/fps": (25.0,)} for ear in ears))


def test_nobody_is_told_where_nobody_listens(store: ParamStore, server: OscServer, ears: list[Ear]) -> None:
    for ear in ears:
        ear.listening = False
    eventually("the status to be forgotten", lambda: server.news.status == {})
    before = [len(ear.messages) for ear in ears]
    store.set("seed", 7, "midi")
    store.snapshot(41)
    done = threading.Event()
    server.loop.call(done.set)
    assert done.wait(DEADLINE_S)
    assert [(ear.changes, len(ear.messages)) for ear in ears] == [([], count) for count in before]


def test_an_address_waits_once_and_in_its_place() -> None:
    outbox = Outbox()
    outbox.put("/a", (1,))
    outbox.put("/b")
    outbox.put("/a", (2,))
    assert len(outbox) == 2
    assert "/b" in outbox
    assert [outbox.take(), outbox.take()] == [("/a", (2,)), ("/b", None)]
    assert "/b" not in outbox
