"""What the DiT is trained on: latents of clips and of their restyled versions, cut into batches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sdv2_live.engine.spec import CHUNK_FRAMES
from sdv2_live.model.vae.taehv import TAEHV

from . import styles
from .clips import ClipMaker
from .paintings import Paintings
from .settings import RestylerSettings

SINKS = 3  # frames of the clip that stand for the sinks: they may be of another scene or another look


@dataclass(slots=True)
class Entry:
    """A clip's normalised latents, and those of some of its restyled versions, (F, 16, h, w) half precision."""

    latent: Tensor
    targets: dict[str, Tensor]


class LatentPool:
    """Encoded clips, replaced one by one."""

    def __init__(self, vae: TAEHV, settings: RestylerSettings, device: torch.device, paintings: Paintings | None = None) -> None:
        self._vae, self._settings, self._device = vae, settings, device
        self._maker = ClipMaker(settings.seed, paintings=paintings)
        known = styles.STYLES if paintings else styles.FILTERS
        self._looks = [*known, *(name for name in settings.often if name in known)]
        self._random = np.random.default_rng(settings.seed)
        self._deck: list[str] = []
        self._made = 0
        self.entries: list[Entry] = [self._make() for _ in range(settings.first_pool)]
        self._next = 0

    def _make(self) -> Entry:
        settings = self._settings
        size = settings.sizes[self._made % len(settings.sizes)]
        self._made += 1
        length = 1 + CHUNK_FRAMES * (settings.frames - 1)
        if len(self._deck) < settings.looks:  # every look comes up equally often, those of `often` more so
            self._deck = [str(name) for name in self._random.permutation(self._looks)]
        names = list(dict.fromkeys(self._deck.pop() for _ in range(settings.looks)))
        names.sort(key=lambda name: name in styles.FILTERS)
        paintings = [name for name in names if name in styles.PAINTINGS]
        clips = self._maker.painted(size, length, paintings) if paintings else [self._maker.clip(size, length)]
        clips += [styles.apply(name, clips[0]) for name in names[len(paintings) :]]
        batch = torch.stack(clips).to(self._device)
        with torch.no_grad(), torch.autocast(self._device.type, torch.bfloat16):
            latent = self._vae.encode(batch.transpose(1, 2) * 2 - 1, self._vae.new_memory(), normalize=True).half()
        return Entry(latent[0], {styles.FAITHFUL: latent[0], **dict(zip(names, latent[1:], strict=True))})

    def refresh(self, count: int) -> None:
        """Grow the pool to its full size, then replace the oldest clips."""
        for _ in range(count):
            entry = self._make()
            if len(self.entries) < self._settings.pool:
                self.entries.append(entry)
            else:
                self.entries[self._next] = entry
                self._next = (self._next + 1) % len(self.entries)


@dataclass(slots=True)
class Batch:
    """x_in: un-normalised latents of the input, target: normalised ones wanted, (B, F, 16, h, w). names: looks before, after."""

    x_in: Tensor
    target: Tensor
    names: tuple[list[str], list[str]]


def draw_batch(pool: LatentPool, vae: TAEHV, random: np.random.Generator, count: int, side: int, switch: bool) -> Batch:
    """Crops of `side` latents. switch: the look changes after the frames that stand for the sinks."""
    inputs, targets, before, after = [], [], [], []
    large = [entry for entry in pool.entries if entry.latent.shape[-1] >= side]
    for _ in range(count):
        entry, other = (large[random.integers(len(large))] for _ in range(2))
        name = styles.FAITHFUL if random.random() < 0.07 else str(random.choice(list(entry.targets)[1:]))
        first = name
        early = entry
        if switch:
            first = str(random.choice(list(entry.targets)))
        elif random.random() < 0.4 and name in other.targets:
            early = other
        room = min(entry.latent.shape[-1], early.latent.shape[-1]) - side
        y, x = (2 * int(random.integers(0, room // 2 + 1)) for _ in range(2))  # whole DiT patches
        cut = np.s_[..., y : y + side, x : x + side]
        inputs.append(torch.cat((early.latent[:SINKS][cut], entry.latent[SINKS:][cut])))
        targets.append(torch.cat((early.targets[first][:SINKS][cut], entry.targets[name][SINKS:][cut])))
        before.append(first)
        after.append(name)
    latent = torch.stack(inputs).float()
    return Batch(latent * vae.std + vae.mean, torch.stack(targets).float(), (before, after))


@dataclass(slots=True)
class Steps:
    """Timesteps (B, F) of the first and the last denoising step; single (B,): both are the same step."""

    first: Tensor
    last: Tensor
    scale: Tensor
    single: Tensor


def draw_steps(random: np.random.Generator, count: int, frames: int, last_step: int) -> Steps:
    """Noise scales and the timesteps that the engine derives from them, for steps such as [700, 500] and [400]."""
    usual = random.random(count) < 0.8
    scale = np.where(usual, random.uniform(0.25, 0.75, count), random.uniform(0.75, 0.95, count))
    single = random.random(count) < 0.35  # as the profile starts: one step at low noise
    last = np.where(random.random(count) < 0.8, last_step, random.integers(250, last_step, count))
    opening = np.where(random.random(count) < 0.7, 700, random.integers(610, 950, count))
    following = np.maximum((1000 * scale).astype(int) - 100, np.where(single, 0, last + 1))
    opening = np.where(single, following + 100, opening)
    first = np.where(np.arange(frames)[None] < 2, opening[:, None], following[:, None])
    last = np.where(single[:, None], first, last[:, None])
    as_float = [torch.from_numpy(a.astype(np.float32)) for a in (first, last, scale)]
    return Steps(*as_float, torch.from_numpy(single))


def draw_positions(random: np.random.Generator, count: int, frames: int) -> Tensor:
    """Temporal positions (B, F): from the start of a stream, or long after it, across the refresh at 50 too."""
    positions = np.tile(np.arange(frames), (count, 1))
    for row in positions:
        if random.random() < 0.6:
            late = int(random.integers(SINKS, 50)) + np.arange(frames - SINKS)
            row[SINKS:] = np.where(late < 50, late, late - 45)
    return torch.from_numpy(positions)
