"""Training of tiny's DiT: noisy latents of a clip to latents of the restyled clip, with the cache as it is used live.

Stage by stage: first the last denoising step starts from the target with errors added; in the second half from what the
model itself made in its first step, so that it learns on its own outputs (after Self-Forcing).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdv2_live.engine.plan import CHUNK_FRAMES
from sdv2_live.engine.scheduler import FlowSchedule
from sdv2_live.model.cachespec import CacheSpec
from sdv2_live.model.dit import CausalDiT
from sdv2_live.model.taehv import TAEHV
from tools.train_tiny import styles
from tools.train_tiny.clips import ClipMaker
from tools.train_tiny.parallel import Context, cache_calls, context, flow
from tools.train_tiny.settings import RestylerSettings

log = logging.getLogger("train_tiny.restyler")
LAST_STEP = 500  # timesteps above this are not the last one: their result is noised again before it is seen
DRIVEN = 1.5  # root mean square that channel_drive lifts a channel to
SHORT = 96  # bytes of a prompt that counts as short
SINKS = 3  # frames of the clip that stand for the sinks: they may be of another scene or another look


@torch.no_grad()
def start_small(dit: CausalDiT) -> None:
    """Open gates, small residual branches, no flow: the first output is the noisy input."""
    depth = len(dit.blocks)
    for block in dit.blocks:
        block.modulation[:, [2, 5]] = 1.0
        for layer in (block.self_attn.o, block.cross_attn.o, block.ffn[2]):
            layer.weight.mul_((2 * depth) ** -0.5)
            layer.bias.zero_()
    nn.init.zeros_(dit.time_projection[1].weight)
    nn.init.zeros_(dit.time_projection[1].bias)
    nn.init.zeros_(dit.head.head.weight)
    nn.init.zeros_(dit.head.head.bias)


@dataclass(slots=True)
class Entry:
    """A clip's normalised latents, and those of some of its restyled versions, (F, 16, h, w) half precision."""

    latent: Tensor
    targets: dict[str, Tensor]


class LatentPool:
    """Encoded clips, replaced one by one."""

    def __init__(self, vae: TAEHV, settings: RestylerSettings, device: torch.device) -> None:
        self._vae, self._settings, self._device = vae, settings, device
        self._maker = ClipMaker(settings.seed)
        self._random = np.random.default_rng(settings.seed)
        self._deck: list[str] = []
        self.entries: list[Entry] = [self._make() for _ in range(settings.first_pool)]
        self._next = 0

    def _make(self) -> Entry:
        settings = self._settings
        clip = self._maker.clip(settings.size, 1 + CHUNK_FRAMES * (settings.frames - 1)).to(self._device)
        if len(self._deck) < settings.looks:  # every look comes up equally often
            self._deck = [str(name) for name in self._random.permutation(list(styles.STYLES))]
        names = [self._deck.pop() for _ in range(settings.looks)]
        batch = torch.stack([clip, *(styles.apply(name, clip) for name in names)])
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
    for _ in range(count):
        entry, other = (pool.entries[random.integers(len(pool.entries))] for _ in range(2))
        name = styles.FAITHFUL if random.random() < 0.1 else str(random.choice(list(entry.targets)[1:]))
        first = name
        early = entry
        if switch:
            first = str(random.choice(list(entry.targets)))
        elif random.random() < 0.5 and name in other.targets:
            early = other
        y, x = (2 * int(random.integers(0, (n - side) // 2 + 1)) for n in entry.latent.shape[-2:])  # whole DiT patches
        cut = np.s_[..., y : y + side, x : x + side]
        inputs.append(torch.cat((early.latent[:SINKS], entry.latent[SINKS:]))[cut])
        targets.append(torch.cat((early.targets[first][:SINKS], entry.targets[name][SINKS:]))[cut])
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


def draw_steps(random: np.random.Generator, count: int, frames: int) -> Steps:
    """Noise scales and the timesteps that the engine derives from them, for steps such as [700, 500] and [700]."""
    scale = 0.2 + 0.75 * random.random(count) ** 1.3
    single = random.random(count) < 0.2
    last = np.where(random.random(count) < 0.8, LAST_STEP, random.integers(250, LAST_STEP, count))
    opening = np.where(random.random(count) < 0.7, 700, random.integers(610, 950, count))
    following = np.maximum((1000 * scale).astype(int) - 100, np.where(single, 0, last + 1))
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


class Restyler:
    """One training run: model, optimisers, data."""

    def __init__(
        self, dit: CausalDiT, vae: TAEHV, prompts: dict[str, list[Tensor]], settings: RestylerSettings, device: torch.device
    ) -> None:
        torch.manual_seed(settings.seed)
        self.random = np.random.default_rng(settings.seed)
        self.dit, self.vae, self.prompts, self.settings, self.device = dit.to(device), vae.to(device), prompts, settings, device
        self.rope = dit.rope()
        self.sigmas = FlowSchedule()
        matrices = [p for name, p in dit.blocks.named_parameters() if p.ndim == 2]
        chosen = {id(p) for p in matrices}
        rest = [p for p in dit.parameters() if id(p) not in chosen]
        self.optimisers: list[torch.optim.Optimizer] = [
            torch.optim.Muon(matrices, lr=settings.rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(rest, lr=settings.rate, weight_decay=0.0, betas=(0.9, 0.98)),
        ]
        self.pool = LatentPool(vae, settings, device)
        self.weights = channel_weights(vae, self.pool.entries[0].latent.float().to(device))
        self.drive = channel_drive([entry.latent for entry in self.pool.entries]).to(device)

    def contexts(self, batch: Batch, frames: int) -> list[tuple[Context, list[int]]]:
        """Prompt batches with the groups they condition: one, or one before and one after the switch."""

        # Long prompts keep to batches of their own: one alone would make the whole batch pay for its length.
        long = self.random.random() < self.settings.long_prompts

        def pick(name: str) -> Tensor:
            rows = self.prompts[name]
            fitting = rows if long else [r for r in rows if len(r) <= SHORT]
            return fitting[self.random.integers(len(fitting))]

        def prompts(names: list[str]) -> Context:
            return context([pick(name) for name in names], self.device)

        groups = list(range(2 * frames))
        if batch.names[0] == batch.names[1]:
            return [(prompts(batch.names[1]), groups)]
        early = [g for g in groups if g % frames < SINKS]
        return [(prompts(batch.names[0]), early), (prompts(batch.names[1]), [g for g in groups if g not in early])]

    def loss(self, batch: Batch, own: bool, pixels: bool) -> Tensor:
        """own: the last step starts from the model's first step. pixels: decode one clip and compare that too."""
        count, frames = batch.target.shape[:2]
        steps = draw_steps(self.random, count, frames)
        positions = draw_positions(self.random, count, frames).repeat(1, 2).to(self.device)
        calls = cache_calls(frames, CacheSpec(), own_level=bool(self.random.random() < 0.15))
        contexts = self.contexts(batch, frames)
        t = torch.cat((steps.last, steps.first), 1)
        sigma = torch.tensor([[self.sigmas.sigma(float(v)) for v in row] for row in t]).to(self.device)[..., None, None, None]
        t, target = t.to(self.device), batch.target.to(self.device)
        scale = steps.scale.to(self.device)[:, None, None, None, None]
        first = torch.randn_like(target) * scale + batch.x_in.to(self.device) * (1 - scale)
        error = torch.randn(count, 1, 1, 1, 1, device=self.device).abs() * 0.3
        wanted = torch.cat((target, target), 1)
        wanted = torch.where(t[..., None, None, None] > LAST_STEP, wanted * self.drive, wanted)
        guess, noise = wanted[:, frames:] + error * torch.randn_like(target), torch.randn_like(target)
        single = steps.single.to(self.device)[:, None, None, None, None]

        def clean(guess: Tensor) -> Tensor:
            last = torch.where(single, first, (1 - sigma[:, :frames]) * guess + sigma[:, :frames] * noise)
            x = torch.cat((last, first), 1)
            with torch.autocast(self.device.type, torch.bfloat16):
                return x - sigma * flow(self.dit, self.rope, x, t, positions, calls, contexts)

        if own:
            with torch.no_grad():
                guess = clean(guess)[:, frames:]
        out = clean(guess)
        error = (out - wanted) * self.weights
        loss = (error.square() + 0.01).sqrt().mean()
        if pixels:
            loss = loss + 1.5 * self.pixel_loss(out[:1, :frames], wanted[:1, :frames])
        return loss

    def pixel_loss(self, out: Tensor, target: Tensor) -> Tensor:
        """Mean absolute difference of the decoded frames."""
        with torch.autocast(self.device.type, torch.bfloat16):
            with torch.no_grad():
                wanted = self.vae.decode_frames(target, self.vae.new_memory())
            made = self.vae.decode_frames(out, self.vae.new_memory())
        return F.l1_loss(made[:, CHUNK_FRAMES:].float(), wanted[:, CHUNK_FRAMES:].float())

    def train(self, save: Callable[[], None]) -> None:
        """Until the steps or the minutes are used up. `save` is called every `save_every` steps."""
        settings, begun, recent = self.settings, time.monotonic(), []
        self.vae.requires_grad_(False)
        for step in range(settings.steps):
            progress = max(step / settings.steps, (time.monotonic() - begun) / 60 / settings.minutes)
            if progress >= 1:
                break
            for optimiser in self.optimisers:
                for group in optimiser.param_groups:
                    group["lr"] = settings.rate * min(1.0, (step + 1) / 40, (1 - progress) / 0.5)
            sides = settings.sides if progress > 0.25 else settings.sides[:2]
            side, count = sides[self.random.integers(len(sides))]
            batch = draw_batch(self.pool, self.vae, self.random, count, side, switch=self.random.random() < 0.3)
            loss = self.loss(batch, own=progress > settings.own_from, pixels=step % 3 == 0)
            for optimiser in self.optimisers:
                optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.dit.parameters(), 1.0)
            for optimiser in self.optimisers:
                optimiser.step()
            if step % settings.refresh_every == 0:
                self.pool.refresh(1)
            recent.append(loss.item())
            if step % 50 == 49:
                log.info(
                    "step %d, %.0f s: loss %.4f, %d clips",
                    step + 1,
                    time.monotonic() - begun,
                    float(np.mean(recent[-50:])),
                    len(self.pool.entries),
                )
            if step % settings.save_every == settings.save_every - 1:
                save()


def channel_drive(latents_FCHW: list[Tensor]) -> Tensor:
    """Gain (16, 1, 1) on what steps above LAST_STEP are asked for: faint channels are lifted clear of the noise that follows.

    The last step takes the gain back. Shown by itself, such a result is a sharpened picture.
    """
    spread = torch.stack([latent.float().square().mean((0, 2, 3)) for latent in latents_FCHW]).mean(0).sqrt()
    return (DRIVEN / spread).clamp(1.2, 3.5)[:, None, None]


@torch.no_grad()
def channel_weights(vae: TAEHV, latent_FCHW: Tensor) -> Tensor:
    """How much each latent channel moves the picture, (16, 1, 1), mean 1, tempered by a square root."""
    base = vae.decode_frames(latent_FCHW[None], vae.new_memory())
    moved = []
    for channel in range(latent_FCHW.shape[1]):
        shifted = latent_FCHW[None].clone()
        shifted[:, :, channel] += 0.1 * torch.randn_like(shifted[:, :, channel])
        moved.append((vae.decode_frames(shifted, vae.new_memory()) - base).square().mean().sqrt())
    weight = torch.stack(moved).sqrt()
    return (weight / weight.mean())[:, None, None]
