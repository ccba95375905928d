"""Launches on the beat, by a clock that the tests move: what waits, for which boundary, and which chunk takes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fakes import FakeClock

from sdv2_live.control.launcher import Launcher
from sdv2_live.control.macros import Macros
from sdv2_live.control.params import Params
from sdv2_live.control.presets.library import PresetLibrary
from sdv2_live.control.store import ParamStore
from sdv2_live.errors import ParamError
from sdv2_live.music.clock import BeatClock
from sdv2_live.music.tempo import Tempo

MS = 1_000_000
BEAT_MS = 500  # at 120 bpm
PERIOD = 133 * MS
DELAY = 170 * MS


class Rig:
    """A launcher at 120 bpm, a beat at every half second from 0 on."""

    def __init__(self, quantise: str = "beat", bpm: float = 120.0, **params: Any) -> None:
        self.ns = 10 * MS
        self.store = ParamStore(Params(tempo_quantise=quantise, tempo_bpm=bpm, **params))  # type: ignore[arg-type]
        self.clock = BeatClock(Tempo(0, 0.0, bpm))
        self.launcher = Launcher(self.store, self.clock, lambda: self.ns)
        self.launcher.delay_ns = lambda: DELAY
        self.told: list[tuple[str, Any]] = []
        self.launcher.on_waiting = lambda name, value: self.told.append((name, value))
        self.encoded: list[str] = []
        self.launcher.encode = self._encode

    def _encode(self, prompts: Sequence[str]) -> None:
        self.encoded += prompts

    def asks(self, **values: Any) -> None:
        self.launcher.set_many(values, "hand")

    def take(self, shown_ms: float) -> Params:
        """A chunk is taken whose first picture will be seen then."""
        self.ns = round(shown_ms * MS) - DELAY
        self.launcher.due(round(shown_ms * MS), PERIOD)
        return self.store.snapshot().params

    def chunks(self, first_ms: float, count: int = 60) -> dict[float, Params]:
        return {at: self.take(at) for at in (first_ms + i * PERIOD / MS for i in range(count))}


def test_without_a_grid_everything_goes_at_once() -> None:
    rig = Rig("none")
    rig.asks(seed=7, freeze=True)
    assert (rig.store.latest().seed, rig.store.latest().freeze) == (7, True)


def test_faders_go_at_once_and_the_rest_waits() -> None:
    rig = Rig()
    rig.asks(noise_scale=0.3, seed=7, cue_prompt="next", record=True, morph_seconds=2.0)
    now = rig.store.latest()
    assert (now.noise_scale, now.seed, now.cue_prompt, now.record, now.morph_seconds) == (0.3, 42, "next", True, 2.0)
    assert dict(rig.launcher.waiting) == {"seed": 7}
    assert rig.told == [("seed", 7)]


@given(
    quantise=st.sampled_from(["beat", "bar", "2bars", "4bars"]),
    bpm=st.floats(60, 200),
    first=st.floats(200, 900),
    asked=st.integers(1, 10),
)
def test_a_change_lands_within_half_a_chunk_of_the_grid_and_once(quantise: str, bpm: float, first: float, asked: int) -> None:
    rig = Rig(quantise, bpm)
    landed = []
    for number in range(200):
        if number == asked:
            rig.asks(seed=7)
        before = rig.store.latest().seed
        shown = first + number * PERIOD / MS
        after = rig.take(shown).seed
        if before != after:
            landed.append(shown)
            rig.store.set("seed", 42, "test")
    assert len(landed) == 1
    beats = {"beat": 1, "bar": 4, "2bars": 8, "4bars": 16}[quantise]
    grid_ms = beats * 60_000 / bpm
    off = (landed[0] + grid_ms / 2) % grid_ms - grid_ms / 2
    assert abs(off) <= PERIOD / MS / 2 + 0.01
    assert landed[0] - (first + asked * PERIOD / MS) <= grid_ms + PERIOD / MS  # the next line that could be had


def test_in_sound_the_boundary_is_as_late_as_what_is_heard() -> None:
    room, sound = Rig("bar"), Rig("bar", tempo_follow="sound")
    landed = []
    for rig in (room, sound):
        rig.take(300)
        rig.asks(seed=7)
        landed.append(min(at for at, params in rig.chunks(433).items() if params.seed == 7))
    assert abs(landed[0] - 2000) <= 67
    assert abs(landed[1] - 2170) <= 67


def test_the_last_request_for_a_parameter_counts_and_others_join_it() -> None:
    rig = Rig("bar")
    rig.asks(seed=7)
    rig.asks(steps=[400], seed=8)
    params = rig.chunks(300, 30)
    changed = {at: value for at, value in params.items() if value.seed != 42}
    assert {value.seed for value in changed.values()} == {8}
    assert min(changed) == min(at for at, value in params.items() if value.steps == (400,))


def test_a_key_acts_when_the_output_is_at_the_boundary() -> None:
    rig = Rig()
    rig.ns = 100 * MS
    rig.asks(freeze=True)
    rig.take(499)  # no chunk takes it
    for at, frozen in ((330, False), (499, False), (500, True)):
        rig.ns = at * MS
        rig.launcher.look()
        assert rig.store.latest().freeze is frozen, at


def test_the_input_is_chosen_a_delay_before_the_boundary_so_that_its_painting_is_on_it() -> None:
    rig = Rig()
    rig.ns = 100 * MS
    rig.asks(input_select="backup")
    for at, chosen in ((329, "auto"), (330, "backup")):
        rig.ns = at * MS
        rig.launcher.look()
        assert rig.store.latest().input_select == chosen, at


def test_a_show_that_takes_no_chunks_launches_by_the_clock() -> None:
    rig = Rig()
    rig.ns = 1_100 * MS
    rig.asks(seed=7)
    rig.ns = 1_499 * MS
    rig.launcher.look()
    assert rig.store.latest().seed == 42
    rig.ns = 1_500 * MS
    rig.launcher.look()
    assert rig.store.latest().seed == 7


def test_a_launch_that_fails_costs_the_output_nothing(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig()
    rig.asks(freeze=True)

    def broken(change: object) -> None:
        raise RuntimeError("a listener's bug")

    rig.store.add_listener(broken)
    rig.ns = 500 * MS
    rig.launcher.look()
    assert "a listener's bug" in caplog.text
    assert not rig.launcher.waiting
    rig.launcher.look()


def test_a_value_that_is_there_already_takes_back_what_waited() -> None:
    rig = Rig("8bars")
    rig.asks(freeze=True)
    rig.asks(freeze=False)
    assert not rig.launcher.waiting
    assert rig.told == [("freeze", True), ("freeze", None)]


def test_a_buttons_release_takes_nothing_back() -> None:
    rig = Rig("8bars")
    rig.asks(reset=1)
    rig.asks(reset=0)
    assert dict(rig.launcher.waiting) == {"reset": True}


def test_go_launches_now_and_cancel_never() -> None:
    rig = Rig("8bars")
    rig.asks(seed=7)
    rig.store.trigger("tempo/go", "hand")
    assert rig.store.latest().seed == 7
    rig.asks(seed=8)
    rig.store.trigger("tempo/cancel", "hand")
    rig.chunks(300, 200)
    assert rig.store.latest().seed == 7
    assert rig.told[-1] == ("seed", None)
    assert rig.launcher.beats_left is None


def test_the_grid_taken_away_launches_what_waits() -> None:
    rig = Rig("8bars")
    rig.asks(seed=7)
    rig.store.set("tempo/quantise", "none", "hand")
    assert rig.store.latest().seed == 7


def test_a_finer_grid_brings_it_forward() -> None:
    rig = Rig("8bars")
    rig.asks(seed=7)
    assert rig.launcher.beats_left == pytest.approx(32 - 0.02)
    rig.store.set("tempo/quantise", "beat", "hand")
    assert rig.launcher.beats_left == pytest.approx(1 - 0.02)


def test_a_beat_that_jumps_back_does_not_let_it_wait_for_ever() -> None:
    rig = Rig("bar")
    rig.ns = 600_100 * MS
    rig.asks(seed=7)
    rig.clock.resync(rig.ns)  # the count is at 0 again
    taken = rig.chunks(600_300, 30)
    assert min(at for at, params in taken.items() if params.seed == 7) == pytest.approx(602_100, abs=67)


def test_a_prompt_is_encoded_while_it_waits_and_waits_longer_if_it_is_not_ready() -> None:
    rig = Rig("beat")
    rig.take(100)
    rig.launcher.encoding = lambda: ("a storm",)
    rig.asks(prompt="a storm")
    assert rig.encoded == ["a storm"]
    assert all(params.prompt != "a storm" for params in rig.chunks(233, 20).values())
    assert rig.launcher.counters.postponed
    rig.launcher.encoding = tuple
    landed = min(at for at, params in rig.chunks(3_000, 10).items() if params.prompt == "a storm")
    assert abs((landed + 250) % 500 - 250) <= 67


def test_what_cannot_be_used_waits_for_nothing() -> None:
    rig = Rig()
    with pytest.raises(ParamError, match="steps cannot be"):
        rig.asks(seed=7, steps=[400, 700])
    with pytest.raises(ParamError, match="no prompt is cued"):
        rig.asks(take=True)
    assert not rig.launcher.waiting


def test_a_cue_taken_back_is_said_and_the_rest_is_launched_later(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig()
    rig.asks(cue_prompt="a storm")
    rig.asks(take=True)
    rig.store.set("cue_prompt", "", "hand")
    rig.chunks(300, 10)
    assert "no prompt is cued" in caplog.text
    assert rig.launcher.counters.lost == 1


def test_a_value_out_of_range_is_noted_when_it_is_asked_for() -> None:
    rig = Rig()
    change = rig.launcher.set_many({"transition_chunks": 99, "seed": -5}, "hand")
    assert change.notes.keys() == {"transition_chunks", "seed"}
    assert dict(rig.launcher.waiting) == {"seed": 0}


def test_what_comes_with_a_preset_stays_with_it(tmp_path: Any) -> None:
    (tmp_path / "01-storm.yaml").write_text("params:\n  noise_scale: 0.8\n  seed: 9\n", encoding="utf-8")
    rig = Rig("bar")
    rig.store = ParamStore(Params(tempo_quantise="bar"), Macros(PresetLibrary(tmp_path)))
    rig.launcher = Launcher(rig.store, rig.clock, lambda: rig.ns)
    rig.launcher.set_many({"preset": 1, "noise_scale": 0.2}, "hand")
    assert dict(rig.launcher.waiting) == {"preset": "01-storm", "noise_scale": 0.2}
    rig.launcher.go()
    assert (rig.store.latest().noise_scale, rig.store.latest().seed) == (0.2, 9)


def test_a_morph_in_beats_takes_as_long_as_they_do(tmp_path: Any) -> None:
    (tmp_path / "01-storm.yaml").write_text("params:\n  noise_scale: 1.0\n", encoding="utf-8")
    clock = FakeClock()
    store = ParamStore(Params(noise_scale=0.0, tempo_morph_beats=4.0), Macros(PresetLibrary(tmp_path)), clock.now)
    store.set("preset", 1, "hand")
    clock.advance(1.0)
    assert store.snapshot().params.noise_scale == pytest.approx(0.5)
    clock.advance(1.0)
    assert store.snapshot().params.noise_scale == pytest.approx(1.0)
