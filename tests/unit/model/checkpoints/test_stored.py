"""A text encoder whose matrices stay as its file has them computes what a widened one computes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from sdv2_live.model.checkpoints.assign import assign, on_meta, synthetic_tensor
from sdv2_live.model.checkpoints.stored import Stored, StoredEmbedding, StoredLinear
from sdv2_live.model.sizes import TextConfig
from sdv2_live.model.text.umt5 import UMT5

CONFIG = TextConfig(vocab=384, dim=256, dim_attn=256, ffn=512, heads=4, layers=2)
CPU = torch.device("cpu")


def fp8_file(path: Path) -> Path:
    """In the precisions of umt5-xxl-enc-fp8_e4m3fn.safetensors: linear layers in fp8, norms and embeddings in bf16."""
    tensors = {}
    for key, value in on_meta(lambda: UMT5(CONFIG)).encoder.state_dict().items():
        if key != "encoder.embed_tokens.weight":  # tied
            fp8 = value.ndim == 2 and "shared" not in key and "relative" not in key
            tensors[key] = synthetic_tensor(key, tuple(value.shape)).to(torch.float8_e4m3fn if fp8 else torch.bfloat16)
    save_file(tensors, path)
    return path


def loaded(path: Path, dtype: torch.dtype, keep: bool) -> UMT5:
    model = on_meta(lambda: UMT5(CONFIG))
    encoder: nn.Module = model.encoder
    tie = lambda state: state | {"encoder.embed_tokens.weight": state["shared.weight"]}  # noqa: E731
    assign(encoder, path, CPU, dtype, tie, keep=keep)
    return model.eval().requires_grad_(False)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_kept_in_fp8_or_widened_at_loading_is_the_same(tmp_path: Path, dtype: torch.dtype) -> None:
    path = fp8_file(tmp_path / "m.safetensors")
    kept, wide = loaded(path, dtype, True), loaded(path, dtype, False)
    ids = torch.randint(0, CONFIG.vocab, (1, 40), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = wide(ids, torch.ones_like(ids))
        found = kept(ids, torch.ones_like(ids))
    assert expected.dtype == found.dtype == dtype
    assert expected.std() > 0.1
    assert torch.equal(found, expected)
    layers = [layer for layer in kept.modules() if isinstance(layer, StoredLinear)]
    assert len(layers) == CONFIG.layers * 7
    assert {layer.stored.dtype for layer in layers} == {torch.float8_e4m3fn}
    assert not any(isinstance(layer, Stored) for layer in wide.modules())
    words = [layer for layer in kept.modules() if isinstance(layer, StoredEmbedding)]
    assert len({layer.stored.data_ptr() for layer in words}) == len(words[:1])
    assert bool(words) == (dtype == torch.float32)  # in bf16 the embedding is what it is in the file
