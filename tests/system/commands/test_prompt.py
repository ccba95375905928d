"""`sdv2-live prompt`; `expand` with what a server would answer put in its place (test_expand.py has real ones)."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest
import torch

from sdv2_live.cli import main
from sdv2_live.commands import prompt
from sdv2_live.config.profiles import TINY
from sdv2_live.config.schema_files import config_dir
from sdv2_live.control.presets.file import load_preset
from sdv2_live.control.presets.library import PresetLibrary
from sdv2_live.engine.prompt_disk import PromptDisk
from sdv2_live.errors import ExpandError
from sdv2_live.model.checkpoints.files import TextIdentity
from sdv2_live.model.load_text import new_text

CPU = torch.device("cpu")
LONG = "A dancer painted in thick oil, " + ", ".join(f"detail number {n} in amber light" for n in range(12))


class Writer:
    def __init__(self, answer: str | ExpandError) -> None:
        self.answer = answer

    def write(self, instruction: str, text: str) -> str:
        if isinstance(self.answer, ExpandError):
            raise self.answer
        return self.answer


def command(monkeypatch: pytest.MonkeyPatch, answer: str | ExpandError, *words: str) -> int:
    monkeypatch.setattr(prompt, "_writer", lambda args: Writer(answer))
    return main(["prompt", "expand", "a dancer", "--endpoint", "http://127.0.0.1:9", *words])


def test_result_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(monkeypatch, LONG) == 0
    assert capsys.readouterr().out == LONG + "\n"


def test_failure_leaves_the_prompt_as_it_was(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    failure = ExpandError("the server is asleep; wake it")
    assert command(monkeypatch, failure, "--save", "Dancer", "--set", f"presets.dir={tmp_path}") == 7
    out, err = capsys.readouterr()
    assert out == "a dancer\n"
    assert err == "sdv2-live: the prompt stays as it was: the server is asleep; wake it\n"
    assert list(tmp_path.iterdir()) == []


def test_saved_as_a_preset_and_never_over_another(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = f"presets.dir={tmp_path}"
    assert command(monkeypatch, LONG, "--save", "Oil Dancer", "--set", folder, "--set", "params.noise_scale=0.4") == 0
    (path,) = tmp_path.iterdir()
    preset = load_preset(path)
    assert (preset.name, preset.values["prompt"], preset.values["noise_scale"]) == ("Oil Dancer", LONG, 0.4)
    before = path.read_text()
    capsys.readouterr()
    assert command(monkeypatch, LONG.replace("oil", "ink"), "--save", "oil dancer", "--set", folder) == 2
    out, err = capsys.readouterr()
    assert out == LONG.replace("oil", "ink") + "\n"  # what was paid for is not lost
    assert "there is a preset 'Oil Dancer' already" in err
    assert path.read_text() == before
    assert command(monkeypatch, LONG.replace("oil", "ink"), "--save", "oil dancer", "--set", folder, "--force") == 0
    assert "thick ink" in str(load_preset(path).values["prompt"])


@pytest.mark.parametrize("name", ["a\nb", "x" * 81, ""])
def test_name_that_cannot_be_shown(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert command(monkeypatch, LONG, "--save", name, "--set", f"presets.dir={tmp_path}") == 2
    assert "a preset cannot be named" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_one_writer_must_be_given(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    prompt.add_parser(parser.add_subparsers())
    wrong: list[list[Any]] = [[], ["--model", "x", "--endpoint", "http://127.0.0.1"], ["--model", "x", "--timeout", "nan"]]
    for words in wrong:
        with pytest.raises(SystemExit):
            parser.parse_args(["prompt", "expand", "a dancer", *words])


def encode(folder: Path, *words: str) -> int:
    return main(["prompt", "encode", "--model", "tiny", "--device", "cpu", "--set", f"model.prompt_cache={folder}", *words])


def test_prompts_are_encoded_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    timeline = tmp_path / "show.yaml"
    timeline.write_text("events:\n- {at: 0, set: {prompt: from a timeline}}\n- {at: 4, set: {prompt/2/text: a second slot}}\n")
    words = ("1", "--text", "by hand", "--text", "by hand", "--timeline", str(timeline))
    assert encode(tmp_path / "cache", *words) == 0
    out = capsys.readouterr().out
    for text in ("by hand", "from a timeline", "a second slot"):
        assert out.count(f"encoded  {text}") == 1
    assert "4 encoded, 0 there already" in out
    assert encode(tmp_path / "cache", *words, "--text", "one more") == 0
    out = capsys.readouterr().out
    assert out.count("cached ") == 4
    assert "1 encoded, 4 there already" in out
    assert len(list((tmp_path / "cache").rglob("*.safetensors"))) == 5


def test_all_presets_are_encoded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert encode(tmp_path, "--all") == 0
    library = PresetLibrary(config_dir() / "presets", painter="tiny")
    disk = PromptDisk(tmp_path, new_text(TINY, device=CPU, dtype=torch.float32, weights_dir=tmp_path).identities)
    assert all(disk.has(str(preset.values["prompt"])) for preset in library.presets if "prompt" in preset.values)


def test_without_an_encoder_what_is_cached_is_enough(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = f"model.prompt_cache={tmp_path}"
    words = ["prompt", "encode", "--model", "1.3b", "--device", "cpu", "--set", folder, "--set", "model.weights_dir=/nowhere"]
    PromptDisk(tmp_path, [TextIdentity("umt5-xxl", "bf16")]).store("known", torch.ones(1, 2, 4096))
    assert main([*words, "--text", "known"]) == 0
    assert "0 encoded, 1 there already" in capsys.readouterr().out
    assert main([*words, "--text", "unknown"]) == 4
    assert "fetch it: sdv2-live weights download 1.3b" in capsys.readouterr().err


def test_nothing_to_encode_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert encode(tmp_path) == 2
    assert "name presets, or give --all" in capsys.readouterr().err
    assert encode(tmp_path, "--text", "a", "--set", "model.prompt_cache=off") == 2
    assert "model.prompt_cache is off" in capsys.readouterr().err
