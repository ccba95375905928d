"""The store between control and engine: nothing lost, nothing torn, triggers delivered exactly once."""

from __future__ import annotations

import threading

import pytest

from sdv2_live.control.params import Params
from sdv2_live.control.store import MAX_QUEUED, Change, ParamStore
from sdv2_live.errors import ParamError


def test_last_value_wins_and_coalescing_is_counted() -> None:
    store = ParamStore()
    for value in (0.1, 0.2, 0.3):
        assert store.set("noise_scale", value, "test") == value
    taken = store.snapshot()
    assert taken.params.noise_scale == 0.3
    assert taken.version == 3
    assert (store.counters.written, store.counters.coalesced) == (3, 2)
    store.set("noise_scale", 0.4, "test")
    assert store.counters.coalesced == 2  # the chunk saw 0.3


def test_latest_sees_a_value_before_any_chunk() -> None:
    store = ParamStore()
    store.set("freeze", True, "test")
    assert store.latest().freeze


def test_refused_value_keeps_what_was_set() -> None:
    store = ParamStore(Params(seed=5))
    store.set("noise_scale", 0.25, "test")
    with pytest.raises(ParamError):
        store.set("noise_scale", "loud", "test")
    assert store.latest() == Params(seed=5, noise_scale=0.25)
    assert store.counters.refused == 1


def test_set_many_is_all_or_nothing() -> None:
    store = ParamStore()
    with pytest.raises(ParamError, match=r"^test: seed cannot be 'x'"):
        store.set_many({"noise_scale": 0.1, "reset": 1, "seed": "x"}, "test")
    assert store.snapshot() == (type(store.snapshot())(Params(), frozenset(), 0))


def test_set_many_with_a_trigger_reaches_one_chunk() -> None:
    store = ParamStore()
    store.set_many({"seed": 7, "reset": 1.0}, "test")
    taken = store.snapshot()
    assert (taken.params.seed, taken.fired) == (7, {"reset"})


def test_clamped_value_is_returned_noted_and_counted() -> None:
    store = ParamStore()
    change = store.set_many({"noise_scale": 7}, "test")
    assert change.values == {"noise_scale": 1.0}
    assert change.notes == {"noise_scale": "noise_scale 7 was clamped to 1.0 (a number 0..1)"}
    assert store.counters.clamped == 1


def test_triggers_are_never_merged_nor_repeated() -> None:
    store = ParamStore()
    store.trigger("reset", "a")
    store.trigger("reset", "b")
    store.set("reset", 0, "b")  # the button's release
    assert [store.snapshot().fired for _ in range(3)] == [{"reset"}, {"reset"}, frozenset()]
    assert store.counters.fired == 2


def test_a_stuck_button_is_bounded() -> None:
    store = ParamStore()
    for _ in range(100):
        store.trigger("reset", "stuck")
    assert sum("reset" in store.snapshot().fired for _ in range(100)) == MAX_QUEUED
    assert store.counters.overflowed == 100 - MAX_QUEUED


def test_listener_hears_applied_values_until_removed() -> None:
    store = ParamStore()
    heard: list[Change] = []
    remove = store.add_listener(heard.append)
    store.set_many({"noise_scale": 2, "reset": True}, "osc")
    remove()
    store.set("seed", 1, "osc")
    assert [(dict(change.values), change.origin) for change in heard] == [({"noise_scale": 1.0, "reset": True}, "osc")]


def test_many_writers_lose_no_trigger_and_tear_no_snapshot() -> None:
    store = ParamStore()
    done = threading.Event()

    def write(number: int) -> None:
        for _ in range(300):
            store.set_many({"noise_scale": number / 10, "seed": number}, f"writer {number}")

    def fire() -> None:
        for _ in range(200):
            store.trigger("reset", "button")

    writers = [threading.Thread(target=write, args=(n,)) for n in range(3)] + [threading.Thread(target=fire)]
    takes = []

    def take() -> None:
        while not done.is_set():
            takes.append(store.snapshot())

    reader = threading.Thread(target=take)
    for thread in (*writers, reader):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    takes += [store.snapshot() for _ in range(MAX_QUEUED + 1)]
    assert sum("reset" in taken.fired for taken in takes) == store.counters.fired == 200 - store.counters.overflowed
    assert all(taken.params.seed == round(taken.params.noise_scale * 10) for taken in takes if taken.params.seed != 42)
    assert takes[-1].version == 3 * 300 + 200
