"""The rows of modulation: what can be a target, and what presets, morphs and controllers do with slots."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdv2_live.control.macros import Macros
from sdv2_live.control.names import ParamNames
from sdv2_live.control.osc.addresses import Setting, resolve
from sdv2_live.control.params import PARAMS, Applies, Params, updated
from sdv2_live.control.params_mod import MOD_SLOTS, TARGETS
from sdv2_live.control.presets.library import PresetLibrary
from sdv2_live.control.store import ParamStore
from sdv2_live.errors import ParamError


def test_targets_are_what_can_be_in_between_from_chunk_to_chunk() -> None:
    assert TARGETS[:4] == ("noise_scale", "mix", "detail", "steps")
    assert {name.split("/")[0] for name in TARGETS[4:20]} == {"prompt", "lora"}
    assert {name.split("/")[0] for name in TARGETS[20:-1]} == {"feedback", "input", "output"}
    assert TARGETS[-1] == "memory"  # the others keep the numbers that they had without it
    assert len(TARGETS) == 4 + 8 + 8 + 6 + 4 + 4 + 1
    left_out = {
        name
        for name, spec in PARAMS.items()
        if spec.continuous and name not in TARGETS and not name.startswith(("mod/", "tempo/", "audio/"))
    }
    assert {PARAMS[name].applies for name in left_out} == {Applies.NEXT_RESET}


def test_an_unknown_target_is_refused_in_a_sentence_and_changes_nothing() -> None:
    store = ParamStore()
    with pytest.raises(
        ParamError,
        match=r"^test: mod/3/target cannot be 'seed'; give one of noise_scale, mix, detail, steps, prompt/1..8/weight, ",
    ):
        store.set("mod/3/target", "seed", "test")
    assert store.latest() == Params()


@pytest.mark.parametrize(
    ("address", "argument", "value"),
    [
        ("/sdv2/mod/2/target", 1, "mix"),
        ("/sdv2/mod/2/target", "LORA/1/scale", "lora/1/scale"),
        ("/sdv2/mod/2/target/norm", 1.0, TARGETS[-1]),
        ("/sdv2/mod/2/shape/midi", 127, "random"),
        ("/sdv2/mod/2/rate", "1/4beat", "1/4beat"),
        ("/sdv2/mod/2/depth/midi", 127, 1.0),
        ("/sdv2/mod/2/on", 1.0, True),
    ],
)
def test_controllers_of_every_kind_set_a_slot(address: str, argument: object, value: object) -> None:
    asked, store = resolve(address, (argument,)), ParamStore()
    assert isinstance(asked, Setting)
    assert store.set(asked.name, asked.value, "test") == value


def test_a_preset_holds_the_slots_that_are_on_and_turns_the_others_off(tmp_path: Path) -> None:
    library = PresetLibrary(tmp_path)
    playing = updated(Params(), {"mod/2/on": True, "mod/2/depth": 0.25, "mod/2/target": "lora/1/scale", "mod/3/depth": 0.5})
    saved = library.save("pulse", playing).values
    assert {name: saved[name] for name in saved if name.endswith("/on")} == {
        f"mod/{i}/on": i == 2 for i in range(1, MOD_SLOTS + 1)
    }
    assert len([name for name in saved if name.startswith("mod/2/")]) == 12
    assert "mod/3/depth" not in saved
    store = ParamStore(updated(Params(), {"mod/1/on": True}), Macros(library))
    store.set("preset", "pulse", "test")
    assert (store.latest().mod_on[:3], store.latest().mod_target[1]) == ((False, True, False), "lora/1/scale")


def test_a_target_is_named_by_its_lora_and_kept_by_that_name(tmp_path: Path) -> None:
    library = PresetLibrary(tmp_path, names=ParamNames(("gold", "ink")))
    store = ParamStore(macros=Macros(library), names=ParamNames(("gold", "ink")))
    store.set_many({"mod/1/target": "lora/ink/scale", "mod/1/on": True}, "test")
    assert store.latest().mod_target[0] == "lora/2/scale"
    assert "mod/1/target: lora/ink/scale" in library.save("ink moves", store.latest()).path.read_text()
    other = ParamNames(("ink", "gold"))  # a show that loads them in another order
    assert PresetLibrary(tmp_path, names=other).get("ink moves").values["mod/1/target"] == "lora/1/scale"
    with pytest.raises(ParamError, match="mod/1/target cannot be 'lora/silver/scale'"):
        store.set("mod/1/target", "lora/silver/scale", "test")


def test_a_morph_glides_depths_and_switches_the_rest(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("params: {mod/1/on: true, mod/1/depth: 0.8, mod/1/shape: saw, mod/1/max: 0.5}")
    now = 0.0
    store = ParamStore(updated(Params(), {"morph_seconds": 4.0}), Macros(PresetLibrary(tmp_path)), lambda: now)
    store.set("preset", "a", "test")
    now = 1.0
    store.snapshot()
    params = store.latest()
    assert (params.mod_on[0], params.mod_shape[0]) == (True, "saw")
    assert (params.mod_depth[0], params.mod_max[0]) == (pytest.approx(0.2), pytest.approx(0.875))
