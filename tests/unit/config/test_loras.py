"""`model.loras`: its forms, the names that follow from it, and its mistakes, word for word."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdv2_live.config.load import load_config
from sdv2_live.config.loras import LoraConfig, names_of, slug
from sdv2_live.errors import ConfigError
from sdv2_live.takes.format import plain, write_yaml


def of(*options: str) -> tuple[LoraConfig, ...]:
    return load_config(None, options).model.loras


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("~/x/ink.safetensors", LoraConfig(file=Path("~/x/ink.safetensors").expanduser())),
        ("gold=a b.safetensors@0.8", LoraConfig(file=Path("a b.safetensors"), name="gold", scale=0.8)),
        ("me@home.safetensors", LoraConfig(file=Path("me@home.safetensors"))),
        ("a@-1", LoraConfig(file=Path("a"), scale=-1.0)),
        ("a@1.2.3", LoraConfig(file=Path("a@1.2.3"))),
    ],
)
def test_one_text(text: str, wanted: LoraConfig) -> None:
    assert of(f"model.loras={text}") == of(f'model.loras=["{text}"]') == (wanted,)


@pytest.mark.parametrize("more", ["", ", two=x,y, z.SAFETENSORS@0.5", ",b.safetensors,c@-2.safetensors@-1,"])
def test_a_comma_in_a_file_name_is_its_own(more: str) -> None:
    first, *others = of(f"model.loras=ink=a, b,c.safetensors@2{more}")
    assert (first.file, first.name, first.scale) == (Path("a, b,c.safetensors"), "ink", 2.0)
    assert [(str(one.file), one.scale) for one in others] == {
        "": [],
        ", two=x,y, z.SAFETENSORS@0.5": [("x,y, z.SAFETENSORS", 0.5)],
        ",b.safetensors,c@-2.safetensors@-1,": [("b.safetensors", 1.0), ("c@-2.safetensors", -1.0)],
    }[more]


def test_several_by_option_and_by_file(tmp_path: Path) -> None:
    assert [lora.name for lora in of("model.loras=a=1.safetensors, b=2.safetensors")] == ["a", "b"]
    path = tmp_path / "show.yaml"
    path.write_text(
        "model:\n  loras:\n    - ink.safetensors@0.5\n    - {file: g.safetensors, name: gold, scale: 2, live: false}\n"
    )
    config = load_config(path)
    assert config.names.loras == ("ink", "gold")
    assert list(config.names.merged.values()) == ["gold"]
    assert config.params.lora_scales == (0.5, 2.0) + (1.0,) * 6
    assert load_config(path, ["params.lora/ink/scale=0.1"]).params.lora_scales[0] == 0.1


def test_names_come_from_files_and_are_unique() -> None:
    files = ("Ink Wash v2.safetensors", "b/ink-wash-v2.safetensors", "7.safetensors", "ünï.safetensors", "x" * 60)
    loras = [LoraConfig(file=Path(file)) for file in files] + [LoraConfig(file=Path("y"), name="Own")]
    assert names_of(loras) == ("ink-wash-v2", "ink-wash-v2-2", "lora-7", "n", "x" * 35, "Own")
    assert slug(Path("...")) == "lora"


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("- a@9", "3: model.loras[0].scale: cannot be 'a@9'; give a number -4..4"),
        ("- {file: a, scale: x}", "3: model.loras[0].scale: cannot be 'x'; give a number -4..4"),
        ("- a\n  - {fil: a}", "4: model.loras[1].file: is missing; give a .safetensors or .pt file"),
        ("- {file: a, nme: b}", "3: model.loras[0].nme: there is no such key; did you mean 'name'?"),
        (
            "- {file: a, name: a/b}",
            "3: model.loras[0].name: cannot be 'a/b'; give 1 to 40 letters, digits, - or _, not digits alone",
        ),
        (
            "- {file: a, name: '7'}",
            "3: model.loras[0].name: cannot be '7'; give 1 to 40 letters, digits, - or _, not digits alone",
        ),
        ("- {file: a, live: maybe}", "3: model.loras[0].live: cannot be 'maybe'; give true or false"),
        ("- 5", "3: model.loras[0]: cannot be 5; give a file, or the keys file, name, scale, live"),
        ("- ink=a\n  - ink=b", "4: model.loras[1]: the name 'ink' is taken by another LoRA; give each its own"),
    ],
)
def test_mistakes_name_their_line(tmp_path: Path, lines: str, problem: str) -> None:
    path = tmp_path / "show.yaml"
    path.write_text(f"model:\n  loras:\n  {lines}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert f"{path}:{problem}" in str(caught.value).splitlines()


def test_more_than_eight_are_too_many() -> None:
    with pytest.raises(ConfigError, match=r"model.loras: cannot be .*; give a list of at most 8 files"):
        of("model.loras=" + ",".join("abcdefghi"))


def test_a_start_value_of_a_lora_that_is_merged_or_not_there() -> None:
    merged = "model.loras=[{file: x.safetensors, live: false}]"
    with pytest.raises(ConfigError, match="the LoRA 'x' is merged and its scale fixed"):
        load_config(None, [merged, "params.lora/x/scale=0.5"])
    with pytest.raises(ConfigError, match=r"model.loras of this show has no 'y'"):
        load_config(None, [merged, "params.lora/y/scale=0.5"])


def test_a_takes_configuration_reads_back_the_same(tmp_path: Path) -> None:
    config = load_config(None, ['model.loras=["ink=a@0.5", {file: b, live: false, scale: 0.25}]', "params.lora/ink/scale=0.7"])
    write_yaml(tmp_path / "config.yaml", plain(config))
    again = load_config(tmp_path / "config.yaml")
    assert (again.model.loras, again.params) == (config.model.loras, config.params)
    assert again.params.lora_scales[:2] == (0.7, 0.25)
