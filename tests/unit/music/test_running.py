"""The beat as a clock: forwards only, on the beat after every jump, ahead by the output's delay."""

from __future__ import annotations

import random

import pytest

from sdv2_live.music.clock import BeatClock
from sdv2_live.music.running import RunningBeats
from sdv2_live.music.tempo import Tempo

MS = 1_000_000


class Rig:
    def __init__(self, bpm: float = 120) -> None:
        self.now = 0
        self.clock = BeatClock(Tempo(0, 0.0, bpm))
        self.beats = RunningBeats(self.clock, lambda: self.now)

    def run(self, ms: int) -> list[float]:
        """The counts of so long, asked for every 20 ms."""
        found = []
        for _ in range(ms // 20):
            self.now += 20 * MS
            found.append(self.beats.count())
        return found


def test_it_follows_the_tempo() -> None:
    rig = Rig()
    assert rig.run(1000)[-1] == pytest.approx(2)
    rig.clock.set_bpm(240, rig.now)
    before = rig.run(500)[-1]  # glides are over
    assert rig.run(1000)[-1] - before == pytest.approx(4)


def test_it_is_ahead_and_never_goes_back_when_the_delay_shrinks() -> None:
    rig = Rig()
    rig.beats.ahead_ns = lambda: 300 * MS
    assert rig.run(1000)[-1] == pytest.approx(2.6)
    rig.beats.ahead_ns = lambda: 100 * MS
    counts = rig.run(200)
    assert counts == [pytest.approx(2.6)] * 10  # until the beat has come there
    assert rig.run(1000)[-1] == pytest.approx(4.6)


@pytest.mark.parametrize("after_ms", [5100, 5400])
def test_a_jump_moves_it_to_the_nearest_place_on_the_beat(after_ms: int) -> None:
    rig = Rig()
    before = rig.run(after_ms)[-1]
    rig.clock.resync(rig.now)
    counts = rig.run(1000)
    assert counts == sorted(counts)
    assert counts[0] >= before
    assert counts[-1] - before == pytest.approx(2, abs=0.5)
    beside = counts[-1] - rig.clock.beat(rig.now)
    assert beside == pytest.approx(round(beside), abs=1e-6)


def test_whatever_happens_to_the_beat_it_goes_forwards_and_stays_on_it() -> None:
    rng = random.Random(5)
    rig = Rig()
    counts = []
    for _ in range(60):
        acts = (
            lambda: rig.clock.resync(rig.now),
            lambda: rig.clock.set_bpm(rng.uniform(40, 240), rig.now),
            lambda: rig.clock.nudge(rng.uniform(-200, 200), rig.now),
            lambda: rig.clock.scale(rng.choice((0.5, 2.0)), rig.now),
        )
        rng.choice(acts)()
        counts += rig.run(400)
    assert counts == sorted(counts)
    counts = rig.run(4000)
    beside = counts[-1] - rig.clock.beat(rig.now)
    assert beside == pytest.approx(round(beside), abs=1e-6)
