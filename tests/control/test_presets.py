"""Presets: the shipped ones, the library, and errors word for word."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sdv2_live.config import Config
from sdv2_live.control.params import Params, updated
from sdv2_live.control.presets import PresetLibrary, load_preset
from sdv2_live.control.store import ParamStore
from sdv2_live.errors import ConfigError, ParamError


@pytest.fixture
def shipped() -> PresetLibrary:
    return PresetLibrary(Config().presets.folder)


def folder(tmp_path: Path, **files: str) -> Path:
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    return tmp_path


def test_shipped_presets_are_sound(shipped: PresetLibrary) -> None:
    assert shipped.problems == ()
    assert [preset.number for preset in shipped.presets] == list(range(1, 9))
    for preset in shipped.presets:
        assert len(str(preset.values["prompt"]).split()) >= 60, preset.name
        assert preset.description
        ParamStore().set_many(preset.values, "test")


@pytest.mark.parametrize("key", ["Neon edges", " neon EDGES ", "01-neon-edges", 1, 1.0, "1"])
def test_get_by_name_file_or_number(shipped: PresetLibrary, key: object) -> None:
    assert shipped.get(key).name == "Neon edges"


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("neon edge", "there is no preset 'neon edge'; did you mean 'neon edges'?"),
        ("../../etc/passwd", "there is no preset '../../etc/passwd'; the presets are 1 Neon edges, 2 Pencil sketch, "),
        (0, "there is no preset 0; the presets are 1 Neon edges, "),
        (1.5, "there is no preset 1.5; the presets are 1 Neon edges, "),
        (float("nan"), "there is no preset nan; the presets are 1 Neon edges, "),
        (b"blob", "there is no preset b'blob'; the presets are 1 Neon edges, "),
    ],
)
def test_unknown_preset(shipped: PresetLibrary, key: object, message: str) -> None:
    with pytest.raises(ParamError) as caught:
        shipped.get(key)
    assert str(caught.value).startswith(message)


def test_broken_file_keeps_the_others_and_their_numbers(tmp_path: Path) -> None:
    library = PresetLibrary(folder(tmp_path, a="params: {seed: 1}", b="params: {sed: 1}", c="params: {seed: 3}"))
    assert [(preset.number, preset.name) for preset in library.presets] == [(1, "a"), (3, "c")]
    assert library.problems == (f"{tmp_path}/b.yaml:1: there is no parameter 'sed'; did you mean 'seed'?",)


def test_a_name_is_given_once(tmp_path: Path) -> None:
    library = PresetLibrary(folder(tmp_path, a="params: {seed: 1}", b="name: A\nparams: {seed: 2}"))
    assert library.problems == (f"{tmp_path}/b.yaml: the name 'A' is taken by a.yaml; choose another",)


def test_every_mistake_is_named(tmp_path: Path) -> None:
    text = "name: [x]\nauthor: me\nparam:\nparams:\n  noise_scale: 1.5\n  steps: 500,700\n  seed: 1\n  seed: 2\n  reset: 1\n"
    path = folder(tmp_path, a=text) / "a.yaml"
    with pytest.raises(ConfigError) as caught:
        load_preset(path)
    assert str(caught.value).replace(f"{tmp_path}/", "").splitlines() == [
        "a.yaml:8: params.seed: given twice, first in line 7; keep one",
        "a.yaml:2: author: there is no such key; the keys are name, description, params",
        "a.yaml:3: param: there is no such key; did you mean 'params'?",
        "a.yaml:1: name: cannot be ['x']; give text",
        "a.yaml:5: noise_scale cannot be 1.5; give a number 0..1",
        "a.yaml:6: steps cannot be '500,700' (not strictly descending); "
        "give 1 to 4 strictly descending integers 1..1000, such as 700,500",
        "a.yaml:9: reset happens once and has no value to keep here; leave it out",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- 1", "a.yaml:1: a preset is a mapping with params, not [1]"),
        ("", "a.yaml: params: cannot be None; give parameters and their values, such as noise_scale: 0.8"),
        ("params: 3", "a.yaml:1: params: cannot be 3; give parameters and their values, such as noise_scale: 0.8"),
        ('name: ""\nparams: {seed: 1}', "a.yaml:1: name: cannot be ''; give 1 to 80 printable characters"),
    ],
)
def test_unusable_file(tmp_path: Path, text: str, message: str) -> None:
    path = folder(tmp_path, a=text) / "a.yaml"
    with pytest.raises(ConfigError) as caught:
        load_preset(path)
    assert str(caught.value).replace(f"{tmp_path}/", "") == message


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"none: not a folder of presets \(No such file or directory\); create it, or set presets\.dir"
    ):
        PresetLibrary(tmp_path / "none")


def test_edits_are_noticed_and_a_broken_one_keeps_what_was(tmp_path: Path) -> None:
    library = PresetLibrary(folder(tmp_path, a="params: {seed: 1}", b="params: {seed: 2}"))
    assert not library.poll()
    folder(tmp_path, a="params: {seed: 10}", b="params: {seed: oh}", c="params: {seed: 3}")
    assert library.poll()
    assert [preset.values for preset in library.presets] == [{"seed": 10}, {"seed": 2}, {"seed": 3}]
    assert library.problems == (f"{tmp_path}/b.yaml:1: seed cannot be 'oh'; give an integer 0..9223372036854775807",)
    (tmp_path / "a.yaml").unlink()
    folder(tmp_path, b="params: {seed: 20}")
    assert library.poll()
    assert [(preset.number, preset.values) for preset in library.presets] == [(1, {"seed": 20}), (2, {"seed": 3})]
    assert library.problems == ()
    assert not library.poll()


def test_folder_that_vanishes_keeps_the_presets(tmp_path: Path) -> None:
    home = tmp_path / "presets"
    home.mkdir()
    library = PresetLibrary(folder(home, a="params: {seed: 1}"))
    (home / "a.yaml").unlink()
    home.rmdir()
    with pytest.raises(ConfigError, match="not a folder of presets"):
        library.poll()
    assert library.get("a").values == {"seed": 1}


def test_saved_preset_restores_the_look(tmp_path: Path) -> None:
    library = PresetLibrary(folder(tmp_path, **{"01-a": "params: {seed: 1}"}))
    params = Params(
        prompt="ink: \u2744 # 'quoted'\nsecond line", noise_scale=0.3, steps=(900, 100), freeze=True, mix=0.2, seed=2**40
    )
    saved = library.save("My Look 2", params, "a \u2744")
    assert (saved.number, saved.path.name, saved.description) == (2, "02-my-look-2.yaml", "a \u2744")
    assert updated(Params(), saved.values) == replace(params, freeze=False, mix=1.0)
    assert library.presets == PresetLibrary(tmp_path).presets


def test_saved_blend_restores_its_slots(tmp_path: Path) -> None:
    params = updated(Params(), {"prompt/3/text": "fire", "prompt/3/weight": 0.5, "prompt/1/weight": 0.25})
    saved = PresetLibrary(tmp_path).save("Blend", params)
    assert updated(updated(Params(), {"prompt/2/weight": 1.0}), saved.values) == params


def test_saving_never_replaces_without_force(tmp_path: Path) -> None:
    library = PresetLibrary(tmp_path)
    library.save("Mine", Params(seed=1))
    with pytest.raises(ParamError, match=r"^there is a preset 'Mine' already; choose another name$"):
        library.save("mine", Params(seed=2))
    assert library.get("mine").values["seed"] == 1
    assert library.save("mine", Params(seed=2), force=True).values["seed"] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["01-mine.yaml"]


@pytest.mark.parametrize("name", ["", "../up", "a/b", "a\\b", ".hidden", "a\0b", "x" * 81, "nul\n", 5, None])
def test_unsafe_names_are_refused(tmp_path: Path, name: Any) -> None:
    with pytest.raises(ParamError, match=r"^a preset cannot be named "):
        PresetLibrary(tmp_path).save(name, Params())
    assert list(tmp_path.iterdir()) == []


def test_shipped_presets_are_not_written_to(tmp_path: Path) -> None:
    with pytest.raises(ParamError, match=r"set presets\.dir to a folder of your own"):
        PresetLibrary(tmp_path, writable=False).save("Mine", Params())
