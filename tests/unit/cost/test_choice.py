"""What is auto becomes what reaches a live rate; what is set stays."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from sdv2_live.config.load import load_config
from sdv2_live.config.profiles import PROFILES
from sdv2_live.config.schema import Config
from sdv2_live.cost.cards import Card, known
from sdv2_live.cost.choice import LIVE, fuller, paced, rate_of
from sdv2_live.memory.request import MemoryRequest
from sdv2_live.model.checkpoints.files import Files


def files_of(name: str) -> Files:
    files = PROFILES[name].files
    assert files is not None
    return files


PROFILE, CPU = PROFILES["1.3b"], torch.device("cpu")
ALL = ("wan", "light", "taehv", "lighttae")


def card(name: str) -> Card:
    found = known(name)
    assert found is not None
    return found


def chosen(folder: Path, name: str, *options: str, there: tuple[str, ...] = ALL) -> tuple[str, int | None]:
    for path in (files_of("1.3b").dit[0], *(files_of("1.3b").vae(kind)[0] for kind in there)):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    config = load_config(None, [f"model.weights_dir={folder}", "model.profile=1.3b", "params.steps=[700,500]", *options])
    got: Config = paced(config, config, PROFILE, CPU, card(name))
    return got.model.vae, got.video.max_pixels


def test_the_best_autoencoder_that_reaches_a_live_rate(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert chosen(tmp_path, "H100") == ("auto", None)  # wan
    assert chosen(tmp_path, "5090") == ("light", None)
    assert chosen(tmp_path, "4090") == ("taehv", None)
    assert "taehv at 480x832 with 2 steps on RTX 4090: 26 frames a second reckoned, not measured" in caplog.text
    assert "in place of wan at 480x832 with 2 steps on RTX 4090: 10 frames a second" in caplog.text


def test_of_the_autoencoders_that_are_there(tmp_path: Path) -> None:
    assert chosen(tmp_path / "a", "5090", there=("wan", "taehv")) == ("taehv", None)
    vae, pixels = chosen(tmp_path / "b", "4090", there=("wan",))  # then the picture is smaller
    assert vae == "wan"
    assert pixels is not None
    assert pixels < 480 * 832


def test_the_size_follows_after_the_autoencoder_and_what_is_set_stays(tmp_path: Path) -> None:
    vae, pixels = chosen(tmp_path, "3090")
    assert vae in ("taehv", "light")
    assert pixels is not None
    assert 128 * 128 < pixels < 480 * 832
    assert chosen(tmp_path, "3090", "model.vae=wan", "video.size=480x832") == ("wan", None)
    assert chosen(tmp_path, "3090", "video.max_pixels=399360") == ("taehv", 399360)


def test_fewer_steps_leave_room_for_a_better_picture(tmp_path: Path) -> None:
    assert chosen(tmp_path, "4090", "params.steps=[700]") == ("light", None)


def test_eight_bits_and_stream_batch_are_reckoned_with() -> None:
    wish = MemoryRequest(PROFILE, "taehv", (480, 832), torch.bfloat16)
    ada, ampere = card("4090"), card("3090")
    eight = MemoryRequest(PROFILE, "taehv", (480, 832), torch.bfloat16, fp8=True)
    assert rate_of(ada, eight).fps > LIVE > rate_of(ampere, wish).fps
    assert rate_of(ada, eight).fps > 1.1 * rate_of(ada, wish).fps


def test_a_size_that_fills_the_card_is_named() -> None:
    wish = MemoryRequest(PROFILE, "taehv", (480, 832), torch.bfloat16)
    said = fuller(card("H100"), wish)
    assert said.startswith("video.size 432x832 fills H100: attention keeps 100% of its multiprocessors busy, 59% at 480x832")
    assert fuller(card("4090"), wish) == ""
