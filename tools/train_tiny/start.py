"""The transformer as its training starts: a straight way through, beside small branches; or trained, with new ears."""

from __future__ import annotations

import torch
from torch import nn

from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.dit.layers import PATCH


@torch.no_grad()
def start_small(dit: CausalDiT) -> None:
    """Open gates, small residual branches, and a way straight through: the first flow is the noisy input itself.

    The last dimensions of the residual stream hold a large constant. The norm of a token is then nearly the same for all
    tokens, and layer norms, which would throw away how strong the signal is, are nearly linear.
    """
    depth, patch, dim = len(dit.blocks), dit.head.head.weight.shape[0], dit.config.dim
    constants = dim // 12
    for block in dit.blocks:
        block.modulation[:, [2, 5]] = 1.0
        block.modulation[:, [1, 4]] = 1.0  # the signal is about half of a token's norm
        for layer in (block.self_attn.o, block.cross_attn.o, block.ffn[2]):
            layer.weight.mul_((2 * depth) ** -0.5)
            layer.bias.zero_()
    _hear_words(dit)
    nn.init.zeros_(dit.time_projection[1].weight)
    nn.init.zeros_(dit.time_projection[1].bias)
    nn.init.zeros_(dit.head.head.weight)
    nn.init.zeros_(dit.head.head.bias)
    if dim < patch + constants:
        return
    embed, size = dit.patch_embedding.weight, dit.config.channels
    bias = dit.patch_embedding.bias
    assert bias is not None
    embed.flatten(1)[:patch] = 0
    # Rows in the head's order: position in the patch, then channel. The convolution's is channel, then position.
    order = torch.arange(patch).view(size, PATCH * PATCH).T.flatten()
    embed.flatten(1)[torch.arange(patch), order] = 1.0
    bias[:patch] = 0
    bias[-constants:] = 4.0 * (-1.0) ** torch.arange(constants)
    spread = ((16.0 * constants + 1.5 * patch) / dim) ** 0.5
    dit.head.head.weight[torch.arange(patch), torch.arange(patch)] = spread


def _hear_words(dit: CausalDiT) -> None:
    """A short prompt is a few rows among hundreds of zero ones: turned away from those, attention begins with the words."""
    for block in dit.blocks:
        block.cross_attn.q.bias.fill_(1.5)
        block.cross_attn.k.bias.fill_(-0.08)
    for layer in (dit.text_embedding[0], dit.text_embedding[2]):
        nn.init.zeros_(layer.bias)


@torch.no_grad()
def forget_words(dit: CausalDiT) -> None:
    """Give a trained transformer the cross-attention of a fresh one: for a text encoder that was trained anew."""
    fresh = CausalDiT(dit.config)
    start_small(fresh)
    ears = {key: value for key, value in fresh.state_dict().items() if ".cross_attn." in key or key.startswith("text_embedding")}
    dit.load_state_dict(ears, strict=False)
