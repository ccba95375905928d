"""Playing a timeline live, on a clock that the test moves."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdv2_live.control.macros import Macros
from sdv2_live.control.params import Value
from sdv2_live.control.presets.library import PresetLibrary
from sdv2_live.control.store import Change, ParamStore
from sdv2_live.control.timeline.files import load_timeline
from sdv2_live.control.timeline.model import Event, Timeline
from sdv2_live.control.timeline.transport import Transport
from sdv2_live.errors import ParamError
from sdv2_live.music.clock import BeatClock
from sdv2_live.music.running import RunningBeats
from sdv2_live.music.tempo import Tempo


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


EVENTS = (
    Event(0.0, {"seed": 1, "noise_scale": 0.1}, "intro"),
    Event(4.0, {"noise_scale": 0.4, "reset": True}),
    Event(8.0, {"seed": 8, "noise_scale": 0.8}, "drop"),
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store() -> ParamStore:
    return ParamStore()


@pytest.fixture
def transport(store: ParamStore, clock: Clock) -> Transport:
    return Transport(Timeline(EVENTS, 10.0), store, clock)


def test_events_apply_when_due_and_once(transport: Transport, store: ParamStore, clock: Clock) -> None:
    transport.tick()
    assert store.latest().seed == 42  # nothing before play
    transport.play()
    assert (store.latest().seed, store.latest().noise_scale) == (1, 0.1)
    store.set("noise_scale", 0.7, "hand")
    clock.now += 3.9
    transport.tick()
    assert store.latest().noise_scale == 0.7  # the hand stays until the next event
    clock.now += 0.1
    transport.tick()
    transport.tick()
    assert store.latest().noise_scale == 0.4
    assert store.counters.fired == 1


def test_late_tick_applies_all_in_order(transport: Transport, store: ParamStore, clock: Clock) -> None:
    transport.play()
    clock.now += 9
    transport.tick()
    assert (store.latest().seed, store.latest().noise_scale, store.counters.fired) == (8, 0.8, 1)


def test_stop_holds_and_play_goes_on(transport: Transport, store: ParamStore, clock: Clock) -> None:
    transport.play()
    clock.now += 3
    transport.stop()
    clock.now += 100
    transport.tick()
    assert (transport.position, transport.playing, store.latest().noise_scale) == (3.0, False, 0.1)
    transport.play()
    clock.now += 1
    transport.tick()
    assert store.latest().noise_scale == 0.4


def test_it_stops_at_the_end_and_plays_again_from_the_start(transport: Transport, store: ParamStore, clock: Clock) -> None:
    transport.play()
    clock.now += 11
    transport.tick()
    assert (transport.playing, transport.position) == (False, 10.0)
    transport.play()
    assert (transport.position, store.latest().noise_scale) == (0.0, 0.1)


def test_loop_comes_round_without_losing_time(transport: Transport, store: ParamStore, clock: Clock) -> None:
    transport.looping = True
    transport.play()
    clock.now += 14.5
    transport.tick()
    assert transport.position == pytest.approx(4.5)
    assert (store.latest().seed, store.latest().noise_scale, store.counters.fired) == (1, 0.4, 2)
    clock.now += 30
    transport.tick()
    assert transport.position == pytest.approx(4.5)


@pytest.mark.parametrize("target", [8, 8.0, "8", "0:08", "drop"])
def test_seek_sets_what_holds_there(target: float | str, transport: Transport, store: ParamStore, clock: Clock) -> None:
    transport.seek(target)
    assert (store.latest().seed, store.latest().noise_scale, store.counters.fired) == (8, 0.8, 0)
    transport.seek("intro")
    assert (store.latest().seed, store.latest().noise_scale) == (1, 0.1)
    transport.play()
    transport.seek(3.5)
    clock.now += 0.5
    transport.tick()
    assert (store.latest().noise_scale, store.counters.fired) == (0.4, 1)


def test_seek_to_a_trigger_fires_it(transport: Transport, store: ParamStore) -> None:
    transport.seek(4)
    assert store.counters.fired == 1


def test_next_goes_to_markers_and_then_ends_or_comes_round(transport: Transport) -> None:
    transport.next()
    assert transport.position == 8.0
    with pytest.raises(ParamError, match="the timeline has nothing further"):
        transport.next()
    transport.looping = True
    transport.next()
    assert transport.position == 0.0


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("dorp", "the timeline has no marker 'dorp'; did you mean 'drop'?"),
        ("zzz", "the timeline has no marker 'zzz'; the markers are intro, drop"),
        (11, "11 s is outside the timeline; give 0..10 seconds or a marker"),
        (float("nan"), "nan s is outside the timeline; give 0..10 seconds or a marker"),
    ],
)
def test_seek_elsewhere_says_where_it_can_go(target: float | str, message: str, transport: Transport) -> None:
    with pytest.raises(ParamError) as caught:
        transport.seek(target)
    assert str(caught.value) == message


def test_presets_in_a_timeline_and_one_that_is_gone(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "a.yaml").write_text("params: {seed: 5, noise_scale: 0.5}")
    path = tmp_path / "t.yaml.txt"
    path = path.with_name("t.yml")
    path.write_text(
        "events:\n - {at: 0, set: {preset: a, noise_scale: 0.6}}\n - {at: 1, set: {preset: gone}}\n - {at: 2, set: {seed: 6}}"
    )
    store = ParamStore(macros=Macros(PresetLibrary(tmp_path)))
    transport = Transport(load_timeline(path), store, clock)
    transport.play()
    assert (store.latest().seed, store.latest().noise_scale) == (5, 0.6)
    clock.now += 2
    transport.tick()
    assert (store.latest().seed, transport.refused) == (6, 1)


def test_a_seek_past_a_take_leaves_what_was_taken(store: ParamStore, clock: Clock) -> None:
    events = (
        Event(0.0, {"prompt": "one"}),
        Event(4.0, {"cue_prompt": "two"}),
        Event(5.0, {"take": True, "reset": True}),
        Event(6.0, {"cue_prompt": "three"}),
    )
    played = ParamStore()
    transport = Transport(Timeline(events, 20.0), played, clock)
    transport.play()
    clock.now += 7
    transport.tick()
    Transport(Timeline(events, 20.0), store, clock).seek(7.0)
    assert store.latest() == played.latest()
    assert (store.latest().prompt, store.snapshot().fired) == ("two", {"take"})


def test_a_seek_is_few_changes_however_many_events_lie_before_it(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "a.yaml").write_text("params: {seed: 5, noise_scale: 0.5}")
    look: dict[str, Value] = {"preset": "a", "noise_scale": 0.3}
    events = [Event(n / 10, {"mix": n % 11 / 10, "cue_prompt": f"p{n}"}) for n in range(2000)]
    events[500:501] = [Event(50.0, look), Event(50.0, {"take": True})]
    played, sought = (ParamStore(macros=Macros(PresetLibrary(tmp_path))) for _ in range(2))
    timeline = Timeline(tuple(events), 300.0)
    transport = Transport(timeline, played, clock)
    transport.play()
    clock.now += 150.0
    transport.tick()
    changes: list[Change] = []
    sought.add_listener(changes.append)
    Transport(timeline, sought, clock).seek(150.0)
    assert sought.latest() == played.latest()
    assert len(changes) == 5  # up to the preset, the preset, the take, up to the seek, and at it


def test_a_timeline_in_beats_follows_the_tempo_and_its_keys_wait_until_its_paintings_are_seen(store: ParamStore) -> None:
    now = 0
    beat = BeatClock(Tempo(0, 0.0, 120))
    beats = RunningBeats(beat, lambda: now)
    beats.ahead_ns = lambda: 300_000_000
    events = (Event(0, {"seed": 1}), Event(4, {"seed": 2, "blackout": True}))  # beat 8 of 120 bpm
    transport = Transport(Timeline(events, 8.0, bpm=120), store, lambda: 1e6, beats)

    def seconds(until: float) -> tuple[object, object]:
        nonlocal now
        while now < until * 1e9:
            now += 10_000_000
            transport.tick()
        return store.latest().seed, store.latest().blackout

    transport.play()
    assert seconds(1) == (1, False)
    beat.set_bpm(240, now)
    assert seconds(2.3) == (1, False)
    assert seconds(2.4) == (2, False)  # 0.3 s before 2.65 s, when 8 beats have been seen
    assert seconds(2.6) == (2, False)
    assert seconds(2.7) == (2, True)  # as late as the painting is seen
    assert transport.playing
    seconds(5)
    assert not transport.playing
