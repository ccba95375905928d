"""Presets: the shipped ones, the library, and errors word for word."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdv2_live.config import Config
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
    with pytest.raises(ConfigError, match=r"none: not a folder of presets; create it, or set presets\.dir to another"):
        PresetLibrary(tmp_path / "none")
