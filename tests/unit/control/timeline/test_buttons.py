"""A timeline's buttons: at once, and on the beat, by a clock that the test moves."""

from __future__ import annotations

import pytest

from sdv2_live.control.launcher import Launcher
from sdv2_live.control.params import Params
from sdv2_live.control.store import Change, ParamStore
from sdv2_live.control.timeline.buttons import transport_actions
from sdv2_live.control.timeline.model import Event, Timeline
from sdv2_live.control.timeline.transport import Transport
from sdv2_live.errors import ParamError
from sdv2_live.music.clock import BeatClock
from sdv2_live.music.running import RunningBeats
from sdv2_live.music.tempo import Tempo

MS = 1_000_000
PERIOD = 133 * MS
DELAY = 170 * MS
EVENTS = (
    Event(0.0, {"seed": 1, "noise_scale": 0.1}, "intro"),
    Event(4.0, {"noise_scale": 0.4, "reset": True}),
    Event(8.0, {"seed": 8, "noise_scale": 0.8}, "drop"),
)


class Rig:
    """A show at 120 bpm, a beat at every half second from 0 on, with a timeline."""

    def __init__(self, quantise: str = "bar", bpm: float | None = 120) -> None:
        self.ns = 10 * MS
        self.store = ParamStore(Params(tempo_quantise=quantise))  # type: ignore[arg-type]
        clock = BeatClock(Tempo(0, 0.0, 120.0))
        self.launcher = Launcher(self.store, clock, lambda: self.ns)
        self.launcher.delay_ns = lambda: DELAY
        beats = RunningBeats(clock, lambda: self.ns)
        beats.ahead_ns = lambda: DELAY - PERIOD // 2
        self.transport = Transport(Timeline(EVENTS, 10.0, bpm=bpm), self.store, lambda: self.ns / 1e9, beats)
        self._actions = transport_actions(self.transport, self.launcher)
        self.changes: list[tuple[float, Change]] = []
        self.store.add_listener(lambda change: self.changes.append((self.ns / MS, change)))
        self._shown = 20 * MS + DELAY

    def press(self, name: str, *args: object) -> None:
        self._actions[f"timeline/{name}"](args)

    def run(self, until_ms: float) -> None:
        """Chunks are taken, the timeline looks at its time every 20 ms."""
        while self.ns < until_ms * MS:
            self.ns += 10 * MS
            self.launcher.look()
            while self._shown - DELAY <= self.ns:
                self.launcher.due(self._shown, PERIOD)
                self._shown += PERIOD
            if self.ns % (20 * MS) == 0:
                self.transport.tick()

    def seen_ms(self, place: int) -> float:
        """When a change of those so far is seen, at the soonest."""
        return self.changes[place][0] + DELAY / MS


def test_without_a_grid_they_act_at_once() -> None:
    rig = Rig("none")
    rig.press("play")
    rig.press("stop", 0)  # a button's release
    assert rig.transport.playing
    rig.press("stop", 1.0)
    assert not rig.transport.playing
    rig.press("seek", "drop")
    assert rig.transport.position == 8.0
    rig.press("loop", 1)
    assert rig.transport.looping
    rig.press("next")
    assert rig.transport.position == 0.0
    for name, args in (("seek", ()), ("loop", ("x",)), ("seek", (1, 2))):
        with pytest.raises(ParamError, match=f"^timeline/{name} takes "):
            rig.press(name, *args)


@pytest.mark.parametrize("bpm", [120, None])
def test_play_waits_for_the_bar_and_is_seen_on_it(bpm: float | None) -> None:
    rig = Rig(bpm=bpm)
    rig.press("play")
    assert not rig.transport.playing
    assert dict(rig.launcher.waiting) == {"timeline/play": True}
    rig.run(1910)
    assert rig.transport.playing
    assert not rig.launcher.waiting
    assert rig.launcher.counters.launched == 1
    assert abs(rig.seen_ms(0) - 2000) <= PERIOD / MS / 2 + 10


def test_a_timeline_in_beats_that_began_on_the_bar_stays_on_it() -> None:
    rig = Rig()
    rig.press("play")
    rig.run(11_000)
    times = [at + DELAY / MS - PERIOD / MS / 2 for at, change in rig.changes if change.origin == "timeline"]
    assert times[1:] == [pytest.approx(2000 + 4000, abs=30), pytest.approx(2000 + 8000, abs=30)]


@pytest.mark.parametrize(("press", "place"), [(("next",), 8.0), (("seek", 4), 4.0), (("seek", "drop"), 8.0)])
def test_next_and_seek_wait_and_play_on_from_there(press: tuple[str, object], place: float) -> None:
    rig = Rig("none")
    rig.press("play")
    rig.run(600)
    rig.store.set("tempo/quantise", "bar", "hand")
    rig.press(*press)
    assert rig.transport.position == pytest.approx(0.59, abs=0.05)
    rig.run(1910)
    assert rig.transport.position < place + 0.25
    assert rig.transport.position == pytest.approx(place + 1.91 - 2.0 + (DELAY - PERIOD / 2) / 1e9, abs=0.02)
    assert rig.store.latest().noise_scale == (0.4 if place == 4 else 0.8)


def test_go_launches_them_and_cancel_stop_and_a_mistake_do_not() -> None:
    rig = Rig("8bars")
    rig.press("play")
    rig.store.trigger("tempo/go", "hand")
    assert rig.transport.playing
    rig.press("seek", "drop")
    rig.press("stop")
    rig.store.trigger("tempo/cancel", "hand")
    assert not rig.launcher.waiting
    assert rig.transport.position == 0.0
    rig.press("play")
    rig.press("stop")
    assert not rig.launcher.waiting
    with pytest.raises(ParamError, match="no marker 'dorp'"):
        rig.press("seek", "dorp")
    assert not rig.launcher.waiting
    assert rig.launcher.counters.cancelled == 2


def test_what_the_hand_sets_for_the_same_bar_lies_on_top_of_the_timeline() -> None:
    rig = Rig()
    rig.launcher.set_many({"seed": 77}, "hand")
    rig.press("seek", 8)
    rig.run(1910)
    assert (rig.store.latest().seed, rig.store.latest().noise_scale) == (77, 0.8)


def test_a_next_that_nothing_follows_any_more_is_said_when_its_bar_comes(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig()
    rig.press("next")
    rig.transport.seek(9.0)
    rig.run(1910)
    assert "cannot be done any more: the timeline has nothing further" in caplog.text
    assert rig.launcher.counters.lost == 1
