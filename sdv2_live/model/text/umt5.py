"""The UMT5 text encoder: transformers' model under Wan's key names, and the prompt clean-up it was trained with."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping

import ftfy
import torch
from torch import Tensor, nn
from transformers import UMT5Config, UMT5EncoderModel

from sdv2_live.model.dit.dit import TEXT_TOKENS
from sdv2_live.model.sizes import TextConfig


def clean_prompt(text: str) -> str:
    """Repair the text (ftfy), unescape HTML twice, collapse white space."""
    text = html.unescape(html.unescape(ftfy.fix_text(text)))
    return re.sub(r"\s+", " ", text).strip()


_KEYS = (
    (r"^token_embedding\.weight$", "shared.weight"),
    (r"^norm\.weight$", "encoder.final_layer_norm.weight"),
    (r"^blocks\.(\d+)\.norm1\.weight$", r"encoder.block.\1.layer.0.layer_norm.weight"),
    (r"^blocks\.(\d+)\.attn\.([qkvo])\.weight$", r"encoder.block.\1.layer.0.SelfAttention.\2.weight"),
    (
        r"^blocks\.(\d+)\.pos_embedding\.embedding\.weight$",
        r"encoder.block.\1.layer.0.SelfAttention.relative_attention_bias.weight",
    ),
    (r"^blocks\.(\d+)\.norm2\.weight$", r"encoder.block.\1.layer.1.layer_norm.weight"),
    (r"^blocks\.(\d+)\.ffn\.gate\.0\.weight$", r"encoder.block.\1.layer.1.DenseReluDense.wi_0.weight"),
    (r"^blocks\.(\d+)\.ffn\.fc1\.weight$", r"encoder.block.\1.layer.1.DenseReluDense.wi_1.weight"),
    (r"^blocks\.(\d+)\.ffn\.fc2\.weight$", r"encoder.block.\1.layer.1.DenseReluDense.wo.weight"),
)


def transformers_key(wan_key: str) -> str:
    """transformers' name of one of Wan's encoder keys; a key that is not one of Wan's comes back as it is."""
    for pattern, name in _KEYS:
        renamed, hits = re.subn(pattern, name, wan_key)
        if hits:
            return renamed
    return wan_key


def transformers_state(wan_state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Wan's encoder state dict under transformers' names, where the token embedding is listed twice (it is tied)."""
    state = {transformers_key(key): value for key, value in wan_state.items()}
    if "shared.weight" in state:
        state["encoder.embed_tokens.weight"] = state["shared.weight"]
    return state


class UMT5(nn.Module):
    """The encoder alone: token ids in, embeddings out, rows past a prompt's length zero."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.config = config
        settings = UMT5Config(
            vocab_size=config.vocab,
            d_model=config.dim,
            d_kv=config.dim_attn // config.heads,
            d_ff=config.ffn,
            num_layers=config.layers,
            num_heads=config.heads,
            relative_attention_num_buckets=config.buckets,
            relative_attention_max_distance=128,
            layer_norm_epsilon=1e-6,
            dropout_rate=0.0,
            feed_forward_proj="gated-gelu",
        )
        self.encoder = UMT5EncoderModel(settings)

    def forward(self, ids_BN: Tensor, mask_BN: Tensor) -> Tensor:
        """Embeddings (B, N, dim) of token ids (B, N) with mask 1 where there is text."""
        out: Tensor = self.encoder(input_ids=ids_BN, attention_mask=mask_BN).last_hidden_state
        return out * mask_BN[..., None].to(out.dtype)


Tokenize = Callable[[str], list[int]]  # a cleaned prompt to token ids, end-of-text included, not yet cut


class TextEncoder:
    """Prompt to embedding: clean, tokenize, cut at 512, encode."""

    def __init__(self, model: UMT5, tokenize: Tokenize) -> None:
        self.model = model
        self._tokenize = tokenize

    @torch.inference_mode()
    def encode(self, prompt: str) -> Tensor:
        """Embedding (1, n, dim) of one prompt, n <= 512: the rows that follow are zero by definition and left out.

        Padding to 512 would change nothing: padded positions are masked as keys.
        """
        ids = self._tokenize(clean_prompt(prompt))
        if len(ids) > TEXT_TOKENS:
            ids = [*ids[: TEXT_TOKENS - 1], ids[-1]]  # the end-of-text token stays
        device = next(self.model.parameters()).device
        tokens = torch.tensor([ids], device=device)
        embedding: Tensor = self.model(tokens, torch.ones_like(tokens))
        return embedding
