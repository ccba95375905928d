"""Training of tiny's text encoder: it learns to tell the looks apart before the DiT learns to paint them.

Each head begins by looking at one neighbouring byte (relative bias), so that layers see words from the first step on.
"""

from __future__ import annotations

import logging
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdv2_live.model.umt5 import UMT5
from tools.train_tiny.prompts import prompt, token_ids
from tools.train_tiny.settings import TextSettings
from tools.train_tiny.styles import NAMES

log = logging.getLogger("train_tiny.text")
OFFSETS = (-1, 1, -2, 2, -3, 3, -4, 4)  # byte that head 0, 1, ... looks at first
FOCUS = 7.0


def pad(prompts: list[str], device: torch.device) -> tuple[Tensor, Tensor]:
    """Token ids and mask (B, N)."""
    rows = [token_ids(text) for text in prompts]
    ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
    return ids.to(device), (ids > 0).long().to(device)


@torch.no_grad()
def start_local(model: UMT5) -> None:
    """Give every head its first neighbour."""
    half = model.config.buckets // 2
    for block in model.encoder.encoder.block:
        bias = block.layer[0].SelfAttention.relative_attention_bias.weight  # (buckets, heads)
        for head in range(bias.shape[1]):
            offset = OFFSETS[head % len(OFFSETS)]
            bias[abs(offset) + half * (offset > 0), head] = FOCUS


class Probe(nn.Module):
    """Reads the look out of the encoder's rows by one attention: what the DiT's cross-attention will do."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.score = nn.Linear(dim, 4)
        self.out = nn.Linear(dim, len(NAMES))

    def forward(self, rows_BND: Tensor, mask_BN: Tensor) -> Tensor:
        score = self.score(rows_BND).masked_fill(mask_BN[..., None] == 0, -1e4).softmax(1)
        return self.out(torch.einsum("bnh,bnd->bhd", score, rows_BND).mean(1))


def _batch(random: np.random.Generator, count: int) -> tuple[list[str], Tensor]:
    """Prompts with their looks. Few are long: attention over 512 bytes costs most of the time and teaches little more."""
    labels = random.integers(0, len(NAMES), count)
    labels[random.random(count) < 0.1] = 0
    return [prompt(random, NAMES[label], long=0.04, medium=0.26) for label in labels], torch.from_numpy(labels)


def train_text(model: UMT5, settings: TextSettings, device: torch.device) -> Probe:
    """Train in place; returns the probe, which export leaves out."""
    torch.manual_seed(settings.seed)
    random = np.random.default_rng(settings.seed)
    start_local(model)
    model.to(device).train()
    probe = Probe(model.config.dim).to(device)
    parameters = [*model.parameters(), *probe.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=settings.rate, weight_decay=1e-3, betas=(0.9, 0.98))
    begun = time.monotonic()
    hits: list[float] = []
    for step in range(settings.steps):
        progress = max(step / settings.steps, (time.monotonic() - begun) / 60 / settings.minutes)
        if progress >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = settings.rate * min(1.0, (step + 1) / 50) * (1 - progress)
        texts, labels = _batch(random, settings.batch * 4)
        order = np.argsort([len(text) for text in texts])  # prompts of like length share a batch
        optimiser.zero_grad(set_to_none=True)
        for group in np.array_split(order, 4):
            ids, mask = pad([texts[i] for i in group], device)
            with torch.autocast(device.type, torch.bfloat16):
                logits = probe(model(ids, mask).float(), mask)
            target = labels[group].to(device)
            (F.cross_entropy(logits.float(), target, label_smoothing=0.02) / 4).backward()
            hits.append(float((logits.argmax(-1) == target).float().mean()))
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        if step % 50 == 49:
            log.info("step %d, %.0f s: accuracy %.3f", step + 1, time.monotonic() - begun, float(np.mean(hits[-100:])))
    model.eval()
    return probe


@torch.no_grad()
def classify(model: UMT5, probe: Probe, prompts: list[str]) -> list[str]:
    """The look each prompt is taken for."""
    device = next(model.parameters()).device
    ids, mask = pad(prompts, device)
    return [NAMES[i] for i in probe(model(ids, mask), mask).argmax(-1).tolist()]


@torch.no_grad()
def embed(model: UMT5, text: str) -> Tensor:
    """Rows (n, dim) of one prompt."""
    ids, mask = pad([text], next(model.parameters()).device)
    return model(ids, mask)[0]
