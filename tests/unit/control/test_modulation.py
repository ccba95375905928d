"""Effective values: the base of the hand, moved within the range, for a chunk and for each frame of the mix."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdv2_live.control.modulation import Modulation, slots_of, with_swing
from sdv2_live.control.params import PARAMS, Params, updated, value_of
from sdv2_live.control.params_mod import MOD_SLOTS, TARGETS
from sdv2_live.music.tempo import Tempo
from sdv2_live.music.waves import drawn

FRAME = 33_333_333
DELAY = 200_000_000


class Beats:
    """120 bpm from time 0."""

    beats_per_bar = 4

    def beat(self, at_ns: int) -> float:
        return Tempo(0, 0.0, 120.0).beat(at_ns)


def slot(number: int, **values: Any) -> dict[str, Any]:
    return {f"mod/{number}/{name}": value for name, value in ({"on": True, "depth": 1.0} | values).items()}


def chunk(start: int, count: int = 4) -> list[int]:
    return [start + i * FRAME for i in range(count)]


def test_what_is_seen_on_the_beat_is_at_the_top_of_a_cosine() -> None:
    params = updated(Params(), {"noise_scale": 0.2, **slot(1, shape="cosine", rate="bar", depth=0.5)})
    bar = 2_000_000_000
    seen = bar - DELAY - 2 * FRAME  # the middle of the chunk is seen at the bar's beginning
    modulation = Modulation(Beats())
    assert modulation(params, chunk(seen), DELAY).params.noise_scale == pytest.approx(0.7, abs=0.004)
    assert modulation(params, chunk(seen + bar // 2), DELAY).params.noise_scale == pytest.approx(0.2, abs=0.004)
    assert modulation.state.values.keys() == {"noise_scale"}
    assert modulation.state.words == "1 parameter moves"
    with_sound = updated(params, {"tempo/follow": "sound"})  # then the time of the capture counts
    assert modulation(with_sound, chunk(bar - 2 * FRAME), DELAY).params.noise_scale == pytest.approx(0.7, abs=0.004)


def test_the_base_moves_under_a_running_wave() -> None:
    modulation, moving = Modulation(Beats()), slot(1, shape="saw", rate="8bars", depth=0.25)
    bases = (0.1, 0.6, 0.3)
    moved = [
        modulation(updated(Params(), {"noise_scale": base, **moving}), chunk(10**9), 0).params.noise_scale - base
        for base in bases
    ]
    assert moved == pytest.approx([moved[0]] * 3)
    assert moved[0] > 0


def test_nothing_moves_where_no_slot_is_on() -> None:
    params, modulation = Params(), Modulation(Beats())
    assert modulation(params, chunk(0), DELAY).params is params
    assert modulation.state.words == "off"


@given(st.sampled_from(TARGETS), st.integers(0, 10**12), st.floats(0, 1), st.sampled_from(["lfo", "beat", "env", "kick"]))
def test_depth_0_changes_nothing_bit_for_bit(target: str, at: int, base: float, source: str) -> None:
    params = updated(Params(), {"noise_scale": base, "mix": base, **slot(1, target=target, source=source, depth=0.0)})
    assert Modulation(Beats())(params, chunk(at), DELAY) == (params, ())


values = st.fixed_dictionaries(
    {
        "target": st.sampled_from(TARGETS),
        "shape": st.sampled_from(PARAMS["mod/1/shape"].choices),
        "rate": st.sampled_from(PARAMS["mod/1/rate"].choices),
        "depth": st.floats(-1, 1),
        "min": st.floats(-4, 4),
        "max": st.floats(-4, 4),
        "phase": st.floats(0, 1),
        "polarity": st.sampled_from(["up", "both"]),
        "smooth_ms": st.floats(0, 500),
    }
)


@given(st.lists(values, min_size=1, max_size=MOD_SLOTS), st.floats(0, 1), st.integers(0, 10**12))
def test_effective_values_are_always_within_their_range(slots: list[dict[str, Any]], base: float, at: int) -> None:
    given = {name: value for i, one in enumerate(slots, start=1) for name, value in slot(i, **one).items()}
    params = updated(Params(), {"noise_scale": base, "mix": base, "prompt/2/weight": base, "steps": (1000, 700, 2), **given})
    modulation = Modulation(Beats())
    for i in range(3):
        moved, swing = modulation(params, chunk(at + 4 * i * FRAME), DELAY)
        for name in TARGETS:
            spec, value = PARAMS[name], value_of(moved, PARAMS[name])
            if isinstance(value, tuple):
                assert (len(value), value[0]) == (3, 1000)
                assert value[0] > value[1] > value[2] >= 1
            else:
                assert spec.low <= value <= spec.high  # type: ignore[operator]
        assert moved.mix == base
        assert all(0 <= share <= 1 for share in with_swing(moved.mix, swing))
        untouched = {name: value_of(params, spec) for name, spec in PARAMS.items() if name not in modulation.state.values}
        assert {name: value_of(moved, PARAMS[name]) for name in untouched} == untouched


def test_the_mix_moves_with_every_frame() -> None:
    params = updated(Params(), {"mix": 0.0, **slot(1, target="mix", shape="saw", rate="1/2beat")})
    modulation = Modulation(Beats())
    moved, swing = modulation(params, chunk(-DELAY), DELAY)
    assert moved == params
    assert swing == pytest.approx([(i + 0.5) * 4 * FRAME / 10**9 for i in range(4)])  # half a beat is 7.5 frames
    assert modulation.state.verdicts == {}
    assert len(modulation(params, chunk(0, 5), DELAY).swing) == 5
    by_chunk = Modulation(Beats())
    by_chunk(updated(params, {"mod/1/target": "noise_scale"}), chunk(-DELAY), DELAY)
    assert by_chunk.state.verdicts == {1: "held"}
    assert by_chunk.state.words == "1 parameter moves, mod/1 is held"


def test_random_goes_by_the_seed_that_the_performer_chose() -> None:
    params = updated(Params(), {"noise_scale": 0.0, "seed": 7, **slot(1, shape="random", rate="beat")})
    beat = 500_000_000
    found = [Modulation(Beats())(params, chunk(i * beat + beat // 4), 0).params.noise_scale for i in range(5)]
    assert found == [drawn(7, i) for i in range(5)]
    assert [Modulation(Beats())(params, chunk(i * beat), 0).params.noise_scale for i in (3, 1)] == [found[3], found[1]]


def test_a_row_of_the_table_is_a_slot() -> None:
    (found,) = slots_of(updated(Params(), slot(3, target="lora/2/scale", min=0.25, max=1.0, hz=2.0)))
    assert (found.number, found.target, found.swing, found.hz, found.depth) == (3, "lora/2/scale", 0.75, 2.0, 1.0)


def test_the_page_is_told_when_something_else_moves_and_not_of_every_chunk() -> None:
    told: list[object] = []
    modulation = Modulation(Beats(), changed=lambda: told.append(modulation.state.listed()))
    params = updated(Params(), slot(1))
    for i in range(5):
        modulation(params, chunk(4 * i * FRAME), DELAY)
    modulation(updated(params, slot(2, rate="1/4beat", target="steps")), chunk(20 * FRAME), DELAY)
    modulation(Params(), chunk(24 * FRAME), DELAY)
    assert told == [
        {"moving": ["noise_scale"], "verdicts": {}},
        {"moving": ["noise_scale", "steps"], "verdicts": {"2": "held"}},
        {"moving": [], "verdicts": {}},
    ]
