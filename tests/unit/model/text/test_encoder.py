"""The text encoder that is there only while it is needed."""

from __future__ import annotations

import gc
import os
import shutil
import sys
import weakref
from pathlib import Path

import psutil
import pytest
import torch
from support.small_profile import SMALL, tokenizer_folder, wan_text_state

from sdv2_live.config.profiles import PROFILES, TINY
from sdv2_live.engine.prompt_cache import PromptCache
from sdv2_live.engine.prompt_disk import PromptDisk
from sdv2_live.errors import WeightsError
from sdv2_live.model.checkpoints.files import PRECISIONS, TextIdentity
from sdv2_live.model.cpu import multiplies_bf16
from sdv2_live.model.load import gpu_dtype
from sdv2_live.model.load_text import new_text, text_bytes
from sdv2_live.model.profiles import Profile
from sdv2_live.model.sizes import TextConfig
from sdv2_live.model.text.encoder import Placement, Text, fingerprint, text_dtype
from sdv2_live.model.text.umt5 import UMT5, TextEncoder
from sdv2_live.weights.catalog import SHARED

CPU = torch.device("cpu")
BF16_FILE = "models_t5_umt5-xxl-enc-bf16.pth"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    state = {key: value.bfloat16() for key, value in wan_text_state().items()}
    torch.save(state, tmp_path / BF16_FILE)
    tokenizer_folder(tmp_path / "google/umt5-xxl")
    return tmp_path


def text(folder: Path, placement: Placement = Placement.ON_DEMAND, profile: Profile = SMALL) -> Text:
    return new_text(profile, device=CPU, dtype=torch.float32, weights_dir=folder, placement=placement)


def test_precision_classes_are_the_catalogs() -> None:
    assert {file.name: file.kind for file in SHARED if file.part == "text"} == PRECISIONS
    assert text_bytes(PROFILES["1.3b"], "bf16") == pytest.approx(11_361_920_418, rel=0.001)  # the file's own size
    assert text_bytes(PROFILES["1.3b"], "fp8") == pytest.approx(text_bytes(PROFILES["1.3b"], "bf16") / 2)


@pytest.mark.parametrize("placement", Placement)
def test_nothing_is_loaded_before_a_prompt_needs_it_and_at_rest_it_is_as_placed(weights: Path, placement: Placement) -> None:
    encoder = text(weights, placement)
    assert not encoder.loaded
    first = encoder.encode("red green")
    assert encoder.loaded
    encoder.rest()
    assert encoder.loaded == (placement is not Placement.ON_DEMAND)
    assert torch.equal(encoder.encode("red green"), first)


def test_at_rest_a_resident_encoder_is_made_ready(weights: Path) -> None:
    encoder = text(weights, Placement.CPU)
    encoder.rest()
    assert encoder.loaded


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is counted otherwise elsewhere")
def test_its_memory_comes_back() -> None:
    config = TextConfig(vocab=64, dim=1024, dim_attn=1024, ffn=4096, heads=8, layers=2)
    models: list[weakref.ref[UMT5]] = []

    def load() -> TextEncoder:
        model = UMT5(config)
        models.append(weakref.ref(model))
        return TextEncoder(model, lambda prompt: [len(prompt)])

    encoder = Text(load, (TextIdentity("big", "fp32"),), Placement.ON_DEMAND)
    size = 4 * sum(p.numel() for p in UMT5(config).parameters())
    encoder.encode("warm")  # what torch and transformers keep for themselves
    encoder.rest()
    gc.collect()
    process = psutil.Process(os.getpid())
    at_rest = process.memory_info().rss
    encoder.encode("red")
    assert process.memory_info().rss - at_rest > 0.8 * size
    encoder.rest()
    assert process.memory_info().rss - at_rest < 0.2 * size
    assert [model() for model in models] == [None, None]


def test_a_show_of_known_prompts_needs_no_encoder_and_another_prompt_is_told_what_to_do(
    weights: Path, tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture
) -> None:
    store, stage = tmp_path_factory.mktemp("prompts"), tmp_path_factory.mktemp("stage")
    there = text(weights)
    PromptDisk(store, there.identities).store("red", there.encode("red"))
    copied = shutil.copytree(store, stage / "prompts")
    encoder = text(stage)
    assert "holds none of" in encoder.missing
    cache = PromptCache(encoder, PromptDisk(copied, encoder.identities), encoder.rest)
    assert torch.equal(cache.request("red").result(30), there.encode("red"))
    with pytest.raises(WeightsError, match=r"fetch it: sdv2-live weights download small; or encode .* prompt encode"):
        cache.request("green").result(30)
    cache.close()
    assert not encoder.loaded


def test_another_file_of_the_same_name_is_another_encoder(weights: Path) -> None:
    first = text(weights).identities[0]
    touched = weights / BF16_FILE
    os.utime(touched, (1, 1))
    assert text(weights).identities[0] == first  # its time says nothing, so that it may be copied
    state = {key: value + 1 for key, value in torch.load(touched, weights_only=True).items()}
    torch.save(state, touched)
    other = text(weights).identities[0]
    assert not other.made_by(first)
    assert TextIdentity(other.name, other.precision).made_by(first)


def test_a_missing_tokenizer_is_named(weights: Path) -> None:
    shutil.rmtree(weights / "google")
    with pytest.raises(WeightsError, match="the tokenizer's folder is missing"):
        text(weights).encode("red")


def test_the_embedded_one_needs_no_files(tmp_path: Path) -> None:
    encoder = text(tmp_path, profile=TINY)
    assert encoder.identities[0].fingerprint
    assert encoder.encode("golden hour").dtype == torch.float32


def test_fingerprints_of_short_and_of_long_files(tmp_path: Path) -> None:
    files = [tmp_path / name for name in "abc"]
    for file, content in zip(files, (b"", b"x", os.urandom(1 << 20)), strict=True):
        file.write_bytes(content)
    assert len({fingerprint(file) for file in files}) == 3


def test_computed_in() -> None:
    cuda = torch.device("cuda")
    assert text_dtype(cuda, torch.bfloat16) == torch.bfloat16
    assert text_dtype(cuda, torch.float16) == torch.float32  # fp16 overflows in T5
    assert text_dtype(CPU, torch.float32) == (torch.bfloat16 if multiplies_bf16() else torch.float32)
    assert gpu_dtype((7, 5)) == torch.float16
    assert gpu_dtype((8, 0)) == torch.bfloat16


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_widened_weights_compute_as_whole_ones(weights: Path, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sdv2_live.model.load_text.text_dtype", lambda *_: dtype)
    got = text(weights).encode("red green")
    monkeypatch.setattr("sdv2_live.model.load_text.text_dtype", lambda *_: torch.float32)
    exact = text(weights).encode("red green")
    assert got.dtype == dtype
    assert float((got.float() - exact).norm() / exact.norm()) < (0.03 if dtype == torch.bfloat16 else 1e-6)
