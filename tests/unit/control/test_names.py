"""LoRAs by name: wherever a parameter is named, and nowhere that they are not loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sdv2_live.control.macros import Macros
from sdv2_live.control.names import TABLE, ParamNames
from sdv2_live.control.osc.addresses import expand
from sdv2_live.control.osc.server import OscServer
from sdv2_live.control.oscquery.tree import methods
from sdv2_live.control.params import Params
from sdv2_live.control.presets.file import load_preset, look
from sdv2_live.control.presets.library import PresetLibrary
from sdv2_live.control.store import ParamStore
from sdv2_live.control.timeline.files import load_timeline
from sdv2_live.errors import ConfigError, ParamError

NAMES = ParamNames(("ink", "gold", "grain"), merged=("grain",))


@pytest.fixture
def store() -> ParamStore:
    return ParamStore(names=NAMES)


@pytest.fixture
def server(store: ParamStore) -> Iterator[OscServer]:
    with OscServer(store, port=0) as server:
        yield server
    assert server.counters.failures == 0


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_name_is_the_number_of_its_place() -> None:
    assert NAMES.spec("lora/gold/scale").name == "lora/2/scale"
    assert NAMES.spec("lora/2/scale").name == "lora/2/scale"
    assert NAMES.spec("prompt/1/text").name == "prompt"
    assert NAMES.told("lora/2/scale") == ("lora/2/scale", "lora/gold/scale")
    assert NAMES.told("prompt") == ("prompt",)


@pytest.mark.parametrize(
    ("names", "name", "message"),
    [
        (NAMES, "lora/gild/scale", "here: model.loras of this show has no 'gild'; did you mean 'gold'?"),
        (NAMES, "lora/xyz/scale", "here: model.loras of this show has no 'xyz'; the LoRAs are ink, gold, grain"),
        (TABLE, "lora/ink/scale", "here: model.loras of this show has no 'ink'"),
        (NAMES, "lora/grain/scale", "here: the LoRA 'grain' is merged and its scale fixed; give it live: true in model.loras"),
        (NAMES, "lora/3/scale", "here: the LoRA 'grain' is merged and its scale fixed; give it live: true in model.loras"),
        (NAMES, "noise_scael", "here: there is no parameter 'noise_scael'; did you mean 'noise_scale'?"),
    ],
)
def test_a_name_that_cannot_be_set_says_why(names: ParamNames, name: str, message: str) -> None:
    with pytest.raises(ParamError) as caught:
        names.spec(name, "here")
    assert str(caught.value) == message


def test_osc_by_name_number_scaled_and_pattern(store: ParamStore, client: Any, wait: Callable[..., None]) -> None:
    client.send("/sdv2/lora/ink/scale", 0.5)
    client.send("/sdv2/lora/2/scale", -0.25)
    wait(lambda: store.latest().lora_scales[:2] == (0.5, -0.25))
    client.send("/sdv2/lora/gold/scale/norm", 0.75)
    wait(lambda: store.latest().lora_scales[1] == 2.0)
    client.send("/sdv2/lora/*/scale", 0.0)
    wait(lambda: store.latest().lora_scales == (0.0, 0.0, 1.0) + (0.0,) * 5)  # the merged one stays


def test_osc_refuses_by_name(client: Any) -> None:
    for address, reason in (
        ("/sdv2/lora/gild/scale", "model.loras of this show has no 'gild'; did you mean 'gold'?"),
        ("/sdv2/lora/gild/scale/norm", "model.loras of this show has no 'gild'; did you mean 'gold'?"),
        ("/sdv2/lora/grain/scale", "the LoRA 'grain' is merged and its scale fixed; give it live: true in model.loras"),
    ):
        client.send(address, 0.5)
        assert client.answer() == ("/sdv2/error", address, reason)


def test_both_addresses_hear_of_a_change(store: ParamStore, client: Any) -> None:
    client.send("/sdv2/subscribe")
    dump = dict(message[:2] for message in client.dump())
    assert dump["/sdv2/lora/1/scale"] == dump["/sdv2/lora/ink/scale"] == 1.0
    store.set("lora/ink/scale", 0.5, "midi")
    assert [client.answer(), client.answer()] == [("/sdv2/lora/1/scale", 0.5), ("/sdv2/lora/ink/scale", 0.5)]
    store.snapshot(7)
    assert [client.answer(), client.answer()] == [("/sdv2/applied/lora/1/scale", 7), ("/sdv2/applied/lora/ink/scale", 7)]


def test_patterns_match_names() -> None:
    assert expand("/sdv2/lora/{ink,gold}/scale", NAMES) == ("/sdv2/lora/ink/scale", "/sdv2/lora/gold/scale")


def test_oscquery_shows_the_names_of_loras_that_are_loaded() -> None:
    params = Params(lora_scales=(0.5,) * 8)
    shown = methods(params, names=NAMES)
    assert shown["/sdv2/lora/ink/scale"]["VALUE"] == [0.5]
    assert [address for address in shown if address.endswith("/scale")] == [
        "/sdv2/lora/1/scale",
        "/sdv2/lora/2/scale",
        "/sdv2/lora/ink/scale",
        "/sdv2/lora/gold/scale",
    ]
    assert not [address for address in methods(params) if "lora" in address]
    merged = methods(params, names=ParamNames(("ink", "gold"), merged=("ink",)))
    assert [address for address in merged if "lora" in address] == ["/sdv2/lora/2/scale", "/sdv2/lora/gold/scale"]


def test_presets_and_timelines_take_names(tmp_path: Path) -> None:
    preset = write(tmp_path / "a.yaml", "params:\n  lora/ink/scale: 0.5\n")
    assert load_preset(preset, names=NAMES).values == {"lora/1/scale": 0.5}
    with pytest.raises(ConfigError, match=r"a.yaml:2: model.loras of this show has no 'ink'"):
        load_preset(preset)
    timeline = write(tmp_path / "b.yaml", "events:\n  - {at: 1, set: {lora/gold/scale: 0.25}}\n")
    assert load_timeline(timeline, NAMES).events[0].values == {"lora/2/scale": 0.25}
    with pytest.raises(ConfigError, match=r"b.yaml:2: model.loras of this show has no 'gold'"):
        load_timeline(timeline)


def test_a_saved_preset_keeps_scales_by_name_and_glides_back(tmp_path: Path) -> None:
    params = Params(lora_scales=(0.5, 2.0) + (1.0,) * 6)
    kept = look(params, NAMES)
    assert {name: value for name, value in kept.items() if "lora" in name} == {"lora/ink/scale": 0.5, "lora/gold/scale": 2.0}
    assert not any("lora" in name for name in look(params))
    library = PresetLibrary(tmp_path, names=NAMES)
    library.save("Mine", params)
    now = [0.0]
    store = ParamStore(Params(), Macros(library), lambda: now[0], NAMES)
    store.set_many({"morph_seconds": 2, "preset": "Mine"}, "test")
    now[0] = 1.0
    assert store.snapshot().params.lora_scales[:3] == (0.75, 1.5, 1.0)
