"""From files to models that run: a complete small set, loaded as the real one is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from support.small_profile import SMALL, synthetic, tokenizer_folder, wan_text_state
from transformers import ByT5Tokenizer

from sdv2_live.config.profiles import PROFILES, TINY
from sdv2_live.errors import WeightsError
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.load import has_weights, load_models
from sdv2_live.model.load_text import new_text
from sdv2_live.model.text.umt5 import clean_prompt
from sdv2_live.model.vae.taehv import TAEHV
from sdv2_live.model.vae.wan import WanVAE
from sdv2_live.model.vae_choice import VAES, make_vae

CPU = torch.device("cpu")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    assert SMALL.files is not None
    assert SMALL.wan is not None
    (tmp_path / "dit").mkdir()
    dit = {f"model.{key}": value for key, value in synthetic(CausalDiT(SMALL.dit)).items()}
    torch.save({"generator_ema": dit}, tmp_path / "dit/model.pt")
    torch.save(synthetic(WanVAE(SMALL.wan)), tmp_path / "Wan2.1_VAE.pth", _use_new_zipfile_serialization=False)
    torch.save(synthetic(make_vae(SMALL, "light")), tmp_path / "lightvaew2_1.pth")
    save_file(synthetic(TAEHV(SMALL.taehv)), tmp_path / "taew2_1.safetensors")
    torch.save({key: 2 * value for key, value in synthetic(TAEHV(SMALL.taehv)).items()}, tmp_path / "lighttaew2_1.pth")
    torch.save(wan_text_state(), tmp_path / "models_t5_umt5-xxl-enc-bf16.pth")
    tokenizer_folder(tmp_path / "google/umt5-xxl")
    return tmp_path


@pytest.mark.parametrize("vae", ["auto", *VAES])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_complete_set_loads_and_is_what_the_files_hold(weights: Path, vae: str, dtype: torch.dtype) -> None:
    assert has_weights(SMALL, vae, weights)
    models = load_models(SMALL, device=CPU, dtype=dtype, vae=vae, weights_dir=weights)
    assert type(models.vae) is (TAEHV if vae in ("taehv", "lighttae") else WanVAE)
    made = synthetic(make_vae(SMALL, "wan" if vae == "auto" else vae))
    for key, value in models.vae.state_dict().items():
        assert torch.equal(value, ((2 if vae == "lighttae" else 1) * made[key]).to(dtype))
    for model in (models.dit, models.vae):
        assert {parameter.dtype for parameter in model.parameters()} == {dtype}
        assert not any(parameter.is_meta or parameter.requires_grad for parameter in model.parameters())
        assert not any(buffer.is_meta for buffer in model.buffers())
    expected = synthetic(CausalDiT(SMALL.dit))
    assert all(torch.equal(value, expected[key].to(dtype)) for key, value in models.dit.state_dict().items())
    embedding = models.text.encode("red green")
    assert embedding.shape[::2] == (1, 32)
    assert embedding.isfinite().all()


@pytest.mark.parametrize("vae", VAES)
def test_only_the_chosen_autoencoder_needs_to_be_there(weights: Path, vae: str) -> None:
    assert SMALL.files is not None
    for kind in VAES:
        for name in SMALL.files.vae(kind):
            if kind != vae:
                (weights / name).unlink(missing_ok=True)
    assert [kind for kind in VAES if has_weights(SMALL, kind, weights)] == [vae]
    models = load_models(SMALL, device=CPU, dtype=torch.float32, vae=vae, weights_dir=weights)
    pixels = torch.rand(1, 3, 5, 16, 16) * 2 - 1
    with torch.inference_mode():
        latent = models.vae.encode(pixels, models.vae.new_memory())  # type: ignore[arg-type]
        assert models.vae.decode(latent, models.vae.new_memory()).shape == pixels.shape  # type: ignore[arg-type]


def test_without_its_files_the_error_names_them(weights: Path) -> None:
    (weights / "dit/model.pt").unlink()
    assert not has_weights(SMALL, "auto", weights)
    with pytest.raises(WeightsError, match=r"holds none of dit/model\.pt, dit/model\.safetensors"):
        load_models(SMALL, device=CPU, dtype=torch.float32, vae="auto", weights_dir=weights)


def test_a_model_of_another_size_is_refused_by_file_and_key(weights: Path) -> None:
    other = replace(SMALL, dit=replace(SMALL.dit, ffn=80))
    with pytest.raises(
        WeightsError, match=r"model\.pt: does not fit CausalDiT: blocks\.0\.ffn\.0\.weight is \[64, 48\] in the file, \[80, 48\]"
    ):
        load_models(other, device=CPU, dtype=torch.float32, vae="auto", weights_dir=weights)


def test_the_embedded_model_needs_no_files(tmp_path: Path) -> None:
    models = load_models(TINY, device=CPU, dtype=torch.float32, vae="auto", weights_dir=tmp_path)
    assert has_weights(TINY, "auto", tmp_path)
    assert not has_weights(PROFILES["1.3b"], "auto", tmp_path)
    assert models.text.encode("Neon").shape[1] == 2  # a piece and the end: its tokenizer is in the file
    assert torch.equal(models.text.encode("a prompt"), models.text.encode("  a   prompt "))
    with pytest.raises(WeightsError, match="the tiny model has only taehv"):
        load_models(TINY, device=CPU, dtype=torch.float32, vae="wan", weights_dir=tmp_path)


def test_an_embedded_model_without_a_tokenizer_reads_bytes(tmp_path: Path) -> None:
    untrained = new_text(TINY, device=CPU, dtype=torch.float32, weights_dir=tmp_path, embedded=tmp_path / "absent.safetensors")
    assert untrained.encode("caf\u00e9").shape[1] == len(ByT5Tokenizer()("caf\u00e9").input_ids)


def test_a_long_prompt_is_cut_and_keeps_its_end(tmp_path: Path) -> None:
    models = load_models(TINY, device=CPU, dtype=torch.float32, vae="auto", weights_dir=tmp_path)
    assert models.text.encode("x" * 3000).shape[1] == 512


def test_prompts_are_cleaned() -> None:
    assert clean_prompt("  caf\u00c3\u00a9 &amp;amp; \n tea\t") == "caf\u00e9 & tea"
