"""What a show lacks is told by its own process, in the words of the engine, and never where the show could start."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from sdv2_live.config.load import load_config
from sdv2_live.config.profiles import PROFILES
from sdv2_live.config.schema import Config
from sdv2_live.control.params import Params, updated
from sdv2_live.engine.prompt_disk import PromptDisk
from sdv2_live.errors import WeightsError
from sdv2_live.model.checkpoints.files import Files, text_identities
from sdv2_live.model.load_text import new_text
from sdv2_live.pipeline.build import load, new_prompts
from sdv2_live.show.preflight import require_weights


def files_of(name: str) -> Files:
    files = PROFILES[name].files
    assert files is not None
    return files


START = updated(Params(), {"prompt": "red", "prompt/2/text": "green", "prompt/2/weight": 0.5})


def configured(folder: Path, *options: str) -> Config:
    keys = ("model.profile=1.3b", "model.device=cpu", f"model.weights_dir={folder}", f"model.prompt_cache={folder / 'prompts'}")
    return load_config(None, [*keys, *options])


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def painter(folder: Path, vae: str = "wan") -> None:
    put(folder, files_of("1.3b").dit[0], files_of("1.3b").vae(vae)[0])


def said(run: Callable[[], Any]) -> str:
    with pytest.raises(WeightsError) as told:
        run()
    return str(told.value)


@pytest.mark.parametrize("options", [(), ("model.vae=taehv",), ("model.profile=14b",)])
@pytest.mark.parametrize("there", [None, 0, 1])
def test_the_sentence_is_the_engines(tmp_path: Path, options: tuple[str, ...], there: int | None) -> None:
    config = configured(tmp_path, *options)
    files = files_of(config.model.profile)
    if there is not None:
        put(tmp_path, (files.dit, files.vae(config.model.vae))[there][0])
    sentence = said(lambda: require_weights(config, START))
    assert sentence == said(lambda: load(config))
    assert f"sdv2-live weights download {config.model.profile}" in sentence


def engines_word(config: Config) -> str:
    """What the engine's process says of the prompts that the show begins with."""
    text = new_text(PROFILES["1.3b"], device=torch.device("cpu"), dtype=torch.float32, weights_dir=config.model.weights_dir)
    return said(lambda: new_prompts(config, SimpleNamespace(text=text), START))  # type: ignore[arg-type]


def test_without_a_text_encoder_every_prompt_of_the_start_must_be_known(tmp_path: Path) -> None:
    painter(tmp_path)
    config = configured(tmp_path)
    sentence = said(lambda: require_weights(config, START))
    assert "the prompt 'red' is not encoded yet" in sentence
    assert sentence == engines_word(config)
    disk = PromptDisk(tmp_path / "prompts", text_identities(files_of("1.3b")))
    disk.store("red", torch.ones(1, 2, 4096))
    assert "the prompt 'green'" in said(lambda: require_weights(config, START))
    assert "the prompt 'red'" in said(lambda: require_weights(configured(tmp_path, "model.prompt_cache=off"), START))
    disk.store("green", torch.ones(1, 2, 4096))
    require_weights(config, START)


def test_a_text_encoder_without_its_tokenizer(tmp_path: Path) -> None:
    painter(tmp_path)
    put(tmp_path, files_of("1.3b").text[1])
    sentence = said(lambda: require_weights(configured(tmp_path), START))
    assert "the tokenizer's folder is missing" in sentence
    assert sentence == engines_word(configured(tmp_path))
    (tmp_path / files_of("1.3b").tokenizer).mkdir(parents=True)
    require_weights(configured(tmp_path, "model.text_encoder=on-demand"), START)


def test_what_needs_no_files_or_takes_what_is_there(tmp_path: Path) -> None:
    require_weights(configured(tmp_path, "model.profile=tiny"), START)
    require_weights(configured(tmp_path, "model.profile=auto"), START)
    painter(tmp_path, "light")
    put(tmp_path, files_of("1.3b").text[0], f"{files_of('1.3b').tokenizer}/tokenizer.json")
    require_weights(configured(tmp_path), START)  # auto is what is there
    said(lambda: require_weights(configured(tmp_path, "model.vae=wan"), START))
