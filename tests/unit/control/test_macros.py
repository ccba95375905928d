"""Requests that mean several parameters, and gliding values, through the store."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdv2_live.control.macros import Macros
from sdv2_live.control.params import Params
from sdv2_live.control.presets.library import PresetLibrary
from sdv2_live.control.store import Applied, Change, ParamStore
from sdv2_live.errors import ParamError


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> ParamStore:
    (tmp_path / "a.yaml").write_text("name: Ink\nparams: {prompt: ink, noise_scale: 0.2, mix: 0.0, steps: [800]}")
    (tmp_path / "b.yaml").write_text("name: Fire\nparams: {prompt: fire, noise_scale: 1.0}")
    seeds = iter(range(1000, 2000))
    return ParamStore(Params(noise_scale=0.6), Macros(PresetLibrary(tmp_path), lambda: next(seeds)), clock)


@pytest.mark.parametrize("key", ["ink", 1, 1.0, "1"])
def test_preset_sets_all_its_values_in_one_chunk(store: ParamStore, key: object) -> None:
    store.set("preset", key, "test")
    params = store.snapshot().params
    assert (params.preset, params.prompt, params.noise_scale, params.mix, params.steps) == ("Ink", "ink", 0.2, 0.0, (800,))


def test_a_preset_sets_the_values_for_the_model_that_paints(tmp_path: Path) -> None:
    text = "params: {prompt: long, noise_scale: 0.8}\nfor: {tiny: {prompt: short, prompt/2/text: b, prompt/2/weight: 0.5}}"
    (tmp_path / "a.yaml").write_text(text)
    store = ParamStore(macros=Macros(library := PresetLibrary(tmp_path, painter="tiny")))
    store.set("preset", 1, "test")
    assert (store.latest().noise_scale, store.latest().blend) == (0.8, (("short", 1.0), ("b", 0.5)))
    library.painter = "1.3b"
    store.set("preset", 1, "test")
    assert store.latest().blend == (("long", 1.0),)


def test_explicit_values_win_over_the_preset(store: ParamStore) -> None:
    store.set_many({"noise_scale": 0.5, "preset": "ink"}, "test")
    assert (store.latest().prompt, store.latest().noise_scale) == ("ink", 0.5)


def test_a_preset_with_a_prompt_ends_a_blend_unless_it_is_one(store: ParamStore, tmp_path: Path) -> None:
    store.set_many({"prompt/2/text": "fire", "prompt/2/weight": 0.5, "prompt/1/weight": 0.5}, "test")
    change = store.set_many({"preset": "ink"}, "test")
    assert store.latest().blend == (("ink", 1.0),)
    assert change.values.keys() & {"prompt/1/weight", "prompt/2/weight", "prompt/3/weight"} == {
        "prompt/1/weight",
        "prompt/2/weight",
    }
    (tmp_path / "blend.yaml").write_text("params: {prompt: a, prompt/2/text: b, prompt/2/weight: 0.5}")
    (tmp_path / "scale.yaml").write_text("params: {noise_scale: 0.1}")
    blending = ParamStore(macros=Macros(PresetLibrary(tmp_path)))
    blending.set("preset", "blend", "test")
    assert blending.latest().blend == (("a", 1.0), ("b", 0.5))
    blending.set("preset", "scale", "test")
    assert blending.latest().blend == (("a", 1.0), ("b", 0.5))


def test_unknown_preset_changes_nothing(store: ParamStore) -> None:
    with pytest.raises(ParamError, match=r"^test: there is no preset 'inc'; did you mean 'ink'\?$"):
        store.set_many({"preset": "inc", "noise_scale": 0.1}, "test")
    assert store.latest() == Params(noise_scale=0.6)
    assert store.counters.refused == 1


def test_without_presets_a_recall_says_so() -> None:
    with pytest.raises(ParamError, match=r"^test: preset: no presets are loaded$"):
        ParamStore().set("preset", 1, "test")


def test_preset_glides_over_morph_seconds(store: ParamStore, clock: Clock) -> None:
    store.set("morph_seconds", 4, "test")
    store.set("preset", "ink", "test")
    assert store.snapshot().params.noise_scale == 0.6
    assert store.latest().prompt == "ink"  # text cannot glide
    clock.now += 1
    assert store.snapshot().params.noise_scale == pytest.approx(0.5)
    clock.now += 1
    params = store.snapshot().params
    assert (params.noise_scale, params.mix) == (pytest.approx(0.4), pytest.approx(0.5))
    clock.now += 10
    params = store.snapshot().params
    assert (params.noise_scale, params.mix) == (0.2, 0.0)
    version = store.snapshot().version
    assert store.snapshot().version == version  # nothing moves any more


def test_a_hand_takes_its_parameter_out_of_the_glide(store: ParamStore, clock: Clock) -> None:
    store.set_many({"preset": "ink", "morph_seconds": 4}, "test")
    store.set("noise_scale", 0.9, "hand")
    clock.now += 2
    params = store.snapshot().params
    assert (params.noise_scale, params.mix) == (0.9, pytest.approx(0.5))


def test_a_second_preset_glides_from_where_the_first_was(store: ParamStore, clock: Clock) -> None:
    store.set_many({"preset": "ink", "morph_seconds": 4}, "test")
    clock.now += 2
    assert store.snapshot().params.noise_scale == pytest.approx(0.4)
    store.set("preset", "fire", "test")
    assert store.snapshot().params.noise_scale == pytest.approx(0.4)
    clock.now += 4
    params = store.snapshot().params
    assert (params.noise_scale, params.mix) == (1.0, 0.0)


def test_take_makes_the_cue_the_prompt(store: ParamStore) -> None:
    store.set("cue_prompt", "glass", "test")
    assert store.snapshot().params.prompt != "glass"
    store.trigger("take", "test")
    taken = store.snapshot()
    assert (taken.params.prompt, taken.fired) == ("glass", {"take"})
    store.set_many({"cue_prompt": "snow", "take": 1}, "test")
    assert store.latest().prompt == "snow"


def test_take_without_a_cue_is_refused(store: ParamStore) -> None:
    with pytest.raises(ParamError, match=r"^test: take: no prompt is cued; set cue_prompt first$"):
        store.trigger("take", "test")
    store.set("take", 0, "test")  # the button's release says nothing
    assert store.snapshot().fired == frozenset()


def test_seed_random_draws_at_once_and_at_every_reset_until_locked(store: ParamStore) -> None:
    store.set("seed", "random", "test")
    assert store.latest().seed == 1000
    store.trigger("reset", "test")
    assert store.latest().seed == 1001
    store.set_many({"reset": True, "seed": 5}, "test")
    assert store.latest().seed == 5
    store.set("seed", "lock", "test")
    store.trigger("reset", "test")
    assert (store.latest().seed, store.latest().seed_mode) == (5, "lock")


def test_glides_and_chunks_are_heard(store: ParamStore, clock: Clock) -> None:
    changes: list[Change] = []
    chunks: list[Applied] = []
    store.add_listener(changes.append)
    store.add_applied_listener(chunks.append)
    store.set_many({"preset": "fire", "morph_seconds": 2}, "osc")
    store.snapshot(7)
    clock.now += 1
    store.snapshot(8)
    clock.now += 1
    store.snapshot(9)
    store.snapshot(10)
    assert [change.origin for change in changes] == ["osc", "morph", "morph", "morph"]
    assert [(applied.chunk, sorted(applied.names)) for applied in chunks] == [
        (7, ["morph_seconds", "noise_scale", "preset", "prompt"]),
        (8, ["noise_scale"]),
        (9, ["noise_scale"]),
    ]
    assert changes[-1].values == {"noise_scale": 1.0}


def test_an_empty_request_is_no_change() -> None:
    store = ParamStore()
    assert store.set_many({}, "timeline").version == 0
    assert store.snapshot().version == 0
