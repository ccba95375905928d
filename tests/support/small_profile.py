"""A complete small model profile, and files for it as the real ones are."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from transformers import PreTrainedTokenizerFast

from sdv2_live.config.profiles import TINY
from sdv2_live.model.checkpoints.assign import synthetic_state_dict
from sdv2_live.model.checkpoints.files import Files
from sdv2_live.model.profiles import Profile
from sdv2_live.model.sizes import DitConfig, TextConfig, WanVaeConfig
from sdv2_live.model.text.umt5 import UMT5, transformers_key

SMALL = Profile(
    name="small",
    dit=DitConfig(dim=48, heads=2, ffn=64, layers=2, text_dim=32),
    text=TextConfig(vocab=384, dim=32, dim_attn=32, ffn=48, heads=2, layers=2),
    taehv=TINY.taehv,
    wan=WanVaeConfig(dim=8),
    max_pixels=64 * 64,
    vae="wan",
    files=Files(dit=("dit/model.pt", "dit/model.safetensors")),
)


def synthetic(model: nn.Module) -> dict[str, torch.Tensor]:
    return synthetic_state_dict({key: tuple(value.shape) for key, value in model.state_dict().items()})


def wan_text_state() -> dict[str, torch.Tensor]:
    """The small text encoder under Wan's names."""
    ours = {k: v for k, v in synthetic(UMT5(SMALL.text).encoder).items() if "embed_tokens" not in k}
    block = (
        "norm1.weight",
        "norm2.weight",
        "ffn.gate.0.weight",
        "ffn.fc1.weight",
        "ffn.fc2.weight",
        "pos_embedding.embedding.weight",
    )
    names = ["token_embedding.weight", "norm.weight"]
    names += [f"blocks.{i}.{name}" for i in range(2) for name in (*block, *(f"attn.{p}.weight" for p in "qkvo"))]
    return {name: ours[transformers_key(name)] for name in names}


def tokenizer_folder(folder: Path) -> None:
    """A tokenizer that transformers loads from files alone."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    words = Tokenizer(WordLevel({"<unk>": 0, "</s>": 1, "red": 2, "green": 3}, unk_token="<unk>"))
    words.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>", eos_token="</s>").save_pretrained(folder)
