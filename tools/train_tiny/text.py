"""Training of tiny's text encoder: it learns to tell the looks apart before the DiT learns to paint them.

Every row of a prompt's embedding is asked to name the look: the DiT then need not search for the words that do. To begin with,
heads of the first layer look at one neighbouring piece each, so that "golden hour" is more than its words.
"""

from __future__ import annotations

import logging

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor, nn

from sdv2_live.model.text.umt5 import UMT5

from .clock import worked
from .pieces import token_ids
from .prompts import prompt
from .settings import TextSettings
from .styles import NAMES

log = logging.getLogger("train_tiny.text")
OFFSETS = (-1, 1, -2, 2)  # piece that head 0, 1, ... of the first layer looks at to begin with
FOCUS = 4.0
GROUPS = 8  # a step's prompts are split by length, so that few are padded far


def pad(rows: list[list[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Token ids and mask (B, N)."""
    ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
    return ids.to(device), (ids > 0).long().to(device)


@torch.no_grad()
def start_local(model: UMT5) -> None:
    """Give some heads of the first layer their neighbour."""
    half = model.config.buckets // 2
    bias = model.encoder.encoder.block[0].layer[0].SelfAttention.relative_attention_bias.weight  # (buckets, heads)
    for head, offset in enumerate(OFFSETS[: bias.shape[1]]):
        bias[abs(offset) + half * (offset > 0), head] = FOCUS


class Probe(nn.Module):
    """Names the look by each row of an embedding."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.out = nn.Linear(dim, len(NAMES))

    def forward(self, rows_BND: Tensor, mask_BN: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of every row (B, N, looks), and those of the prompt, their mean (B, looks)."""
        each: Tensor = self.out(rows_BND) * mask_BN[..., None]
        return each, each.sum(1) / mask_BN.sum(1, keepdim=True)


def _batch(random: np.random.Generator, count: int) -> tuple[list[str], Tensor]:
    """Prompts with their looks."""
    labels = random.integers(0, len(NAMES), count)
    labels[random.random(count) < 0.1] = 0
    return [prompt(random, NAMES[label], long=0.1, medium=0.25) for label in labels], torch.from_numpy(labels)


def train_text(model: UMT5, tokenizer: Tokenizer, settings: TextSettings, device: torch.device) -> Probe:
    """Train in place; returns the probe, which export leaves out."""
    torch.manual_seed(settings.seed)
    random = np.random.default_rng(settings.seed)
    start_local(model)
    model.to(device).train()
    probe = Probe(model.config.dim).to(device)
    parameters = [*model.parameters(), *probe.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=settings.rate, weight_decay=1e-2, betas=(0.9, 0.98))
    minutes = worked(device)
    hits: list[float] = []
    for step in range(settings.steps):
        progress = max(step / settings.steps, minutes() / settings.minutes)
        if progress >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = settings.rate * min(1.0, (step + 1) / 50) * (1 - progress)
        texts, labels = _batch(random, settings.batch)
        rows = [token_ids(tokenizer, text) for text in texts]
        order = np.argsort([len(row) for row in rows])
        optimiser.zero_grad(set_to_none=True)
        for group in np.array_split(order, GROUPS):
            ids, mask = pad([rows[i] for i in group], device)
            with torch.autocast(device.type, torch.bfloat16):
                each, whole = probe(model(ids, mask), mask)
            target = labels[group].to(device)
            named = F.cross_entropy(each.float().transpose(1, 2), target[:, None].expand_as(mask), reduction="none")
            loss = F.cross_entropy(whole.float(), target, label_smoothing=0.02) + 0.5 * (named * mask).sum() / mask.sum()
            (loss / GROUPS).backward()
            hits.append(float((whole.argmax(-1) == target).float().mean()))
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        if step % 100 == 99:
            log.info("step %d, %.1f min: accuracy %.3f", step + 1, minutes(), float(np.mean(hits[-100 * GROUPS :])))
    model.eval()
    return probe


@torch.no_grad()
def embed(model: UMT5, tokenizer: Tokenizer, text: str) -> Tensor:
    """Rows (n, dim) of one prompt."""
    ids, mask = pad([token_ids(tokenizer, text)], next(model.parameters()).device)
    return model(ids, mask)[0]
