"""Training of tiny's DiT: noisy latents of a clip to latents of the restyled clip, with the cache as it is used live.

Stage by stage: first the last denoising step starts from the target with errors added; in the second half from what the
model itself made in its first step, so that it learns on its own outputs (after Self-Forcing).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdv2_live.engine.scheduler import FlowSchedule
from sdv2_live.engine.spec import CHUNK_FRAMES
from sdv2_live.model.dit.cache_spec import CacheSpec
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.vae.taehv import TAEHV

from .average import Average
from .clock import worked
from .crispness import Crispness
from .measures import edge_map
from .paintings import Paintings
from .parallel import Context, cache_calls, context, flow
from .pool import SINKS, Batch, Entry, LatentPool, draw_batch, draw_positions, draw_steps
from .settings import RestylerSettings

log = logging.getLogger("train_tiny.restyler")
SAVE_S = 180.0
LAST_STEP = 500  # timesteps above this are not the last one: their result is noised again before it is seen
DRIVEN = 2.0  # root mean square that such steps are asked for, so that it stands clear of that noise; the last step goes back
SHORT, MIDDLE = 16, 60  # tokens of a prompt up to which it counts as such


def squeeze(latent: Tensor) -> Tensor:
    """The decoder's soft clamp: what it sees of a latent."""
    return torch.tanh(latent / 3) * 3


def grain(frames_NCHW: Tensor) -> Tensor:
    """How much squares of 16 pixels, as wide as a token, vary from pixel to pixel, (N, 1, H/16, W/16)."""
    down, across = frames_NCHW.diff(dim=-2).abs(), frames_NCHW.diff(dim=-1).abs()
    change = F.pad(down, (0, 0, 0, 1)) + F.pad(across, (0, 1))
    return F.avg_pool2d(change.mean(1, keepdim=True), 16)


class Restyler:
    """One training run: model, optimisers, data."""

    def __init__(
        self,
        dit: CausalDiT,
        vae: TAEHV,
        prompts: dict[str, list[Tensor]],
        settings: RestylerSettings,
        device: torch.device,
        paintings: Paintings | None = None,
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
        self.pool = LatentPool(vae, settings, device, paintings)
        self.crispness = Crispness(texture=1.0, edges=0.0).to(device) if paintings else None
        self.weights = channel_weights(vae, self.pool.entries[0].latent.float().to(device))
        self.drive = channel_drive([entry.latent for entry in self.pool.entries]).to(device)
        self.balance = look_weights(self.pool.entries)
        self.average = Average(self.dit, settings.average)

    def contexts(self, batch: Batch, frames: int) -> list[tuple[Context, list[int]]]:
        """Prompt batches with the groups they condition: one, or one before and one after the switch."""

        # Long prompts keep to batches of their own: one alone would make the whole batch pay for its length.
        kind = self.random.random()
        limit = 512 if kind < self.settings.long_prompts else MIDDLE if kind < 0.5 else SHORT

        def pick(name: str) -> Tensor:
            rows = self.prompts[name]
            fitting = [r for r in rows if len(r) <= limit]
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
        steps = draw_steps(self.random, count, frames, LAST_STEP)
        positions = draw_positions(self.random, count, frames).repeat(1, 2).to(self.device)
        calls = cache_calls(frames, CacheSpec(), own_level=bool(self.random.random() < 0.15))
        contexts = self.contexts(batch, frames)
        t = torch.cat((steps.last, steps.first), 1)
        sigma = torch.tensor([[self.sigmas.sigma(float(v)) for v in row] for row in t]).to(self.device)[..., None, None, None]
        t, target = t.to(self.device), batch.target.to(self.device)
        scale = steps.scale.to(self.device)[:, None, None, None, None]
        first = torch.randn_like(target) * scale + batch.x_in.to(self.device) * (1 - scale)
        seen = squeeze(target)
        error = torch.randn(count, 1, 1, 1, 1, device=self.device).abs() * 0.5
        # Below LAST_STEP the step before may have been at or below it too, as in [700, 500, 250]: then nothing was driven.
        plain = torch.from_numpy((steps.last[:, -1].numpy() < LAST_STEP) & (self.random.random(count) < 0.5))
        gain = torch.where(plain.to(self.device)[:, None, None, None, None], 1.0, self.drive)
        guess, noise = gain * seen + error * torch.randn_like(target), torch.randn_like(target)
        single = steps.single.to(self.device)[:, None, None, None, None]

        def clean(guess: Tensor) -> Tensor:
            last = torch.where(single, first, (1 - sigma[:, :frames]) * guess + sigma[:, :frames] * noise)
            x = torch.cat((last, first), 1)
            with torch.autocast(self.device.type, torch.bfloat16):
                return x - sigma * flow(self.dit, self.rope, x, t, positions, calls, contexts)

        if own:
            with torch.no_grad():
                guess = clean(guess)[:, frames:] * (gain / self.drive)
        out = clean(guess)
        driven = (t > LAST_STEP)[..., None, None, None]
        error = torch.where(driven, out / self.drive, squeeze(out)) - torch.cat((seen, seen), 1)
        shares = [self.balance.get(name, 1.0) for name in batch.names[1]]
        share = torch.tensor(shares, device=self.device)[:, None, None, None, None]
        # Rounded at the bottom: of lines that may be here or there it wants the mean, not the blank paper that is their median.
        loss = (share * ((error * self.weights).square() + 0.05).sqrt()).mean()
        loss = loss + 0.03 * torch.where(driven, 0, out - torch.cat((target, target), 1)).abs().mean()
        if pixels:
            shown = torch.where(driven, out / self.drive, out)[:, :frames]
            clips = self.settings.decoded
            loss = loss + self.settings.pixel_weight * self.pixel_loss(shown[:clips], target[:clips])
        return loss

    def pixel_loss(self, out: Tensor, target: Tensor) -> Tensor:
        """Mean absolute difference of the decoded frames, rounded at the bottom, of their grain, edges and texture.

        Where a line cannot be placed for certain, the first alone is least for none at all; the others ask for one.
        """
        with torch.autocast(self.device.type, torch.bfloat16):
            with torch.no_grad():
                wanted = self.vae.decode_frames(target, self.vae.new_memory())
            made = self.vae.decode_frames(out, self.vae.new_memory())
        made, wanted = (frames[:, CHUNK_FRAMES:].float().flatten(0, 1) for frames in (made, wanted))
        plain = ((made - wanted).square() + 0.0025).sqrt().mean()
        edges = ((edge_map(made) - edge_map(wanted)).square() + 0.01).sqrt().mean()
        grains = (grain(made) - grain(wanted)).abs().mean()
        loss = plain + self.settings.grain_weight * grains + self.settings.edge_weight * edges
        if self.crispness is None:
            return loss
        shown = torch.randint(len(made), (8,)).tolist()
        return loss + self.settings.texture_weight * self.crispness.distance(made[shown], wanted[shown])

    def train(self, save: Callable[[nn.Module], None]) -> None:
        """Until the steps or the minutes are used up. `save` takes the average of the weights every SAVE_S seconds."""
        settings, recent = self.settings, []
        minutes, saved = worked(self.device), time.monotonic()
        self.vae.requires_grad_(False)
        for step in range(settings.steps):
            progress = max(step / settings.steps, minutes() / settings.minutes)
            if progress >= 1:
                break
            for optimiser in self.optimisers:
                for group in optimiser.param_groups:
                    group["lr"] = settings.rate * min(1.0, (step + 1) / 40, (1 - progress) / 0.5)
            sides = settings.sides if progress > 0.25 else settings.sides[:2]
            side, count = sides[self.random.integers(len(sides))]
            batch = draw_batch(self.pool, self.vae, self.random, count, side, switch=self.random.random() < 0.3)
            loss = self.loss(batch, own=progress > settings.own_from, pixels=step % 2 == 0)
            for optimiser in self.optimisers:
                optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.dit.parameters(), 1.0)
            for optimiser in self.optimisers:
                optimiser.step()
            self.average.update()
            if step % settings.refresh_every == 0:
                self.pool.refresh(1)
            recent.append(loss.item())
            if step % settings.log_every == settings.log_every - 1:
                log.info(
                    "step %d, %.1f min: loss %.4f, %d clips",
                    step + 1,
                    minutes(),
                    float(np.mean(recent[-settings.log_every :])),
                    len(self.pool.entries),
                )
            if time.monotonic() - saved > SAVE_S:
                saved = time.monotonic()
                save(self.average.model)


def channel_drive(latents_FCHW: list[Tensor]) -> Tensor:
    """Gain (16, 1, 1) on what steps above LAST_STEP are asked for: faint channels are lifted most.

    Shown by itself, such a result is a sharpened picture.
    """
    spread = torch.stack([squeeze(latent.float()).square().mean((0, 2, 3)) for latent in latents_FCHW]).mean(0).sqrt()
    return (DRIVEN / spread).clamp(1.3, 3.5)[:, None, None]


def look_weights(entries: list[Entry]) -> dict[str, float]:
    """More weight for looks of little contrast, such as pencil: their lines are as much a part of the picture."""
    spread: dict[str, list[float]] = {}
    for entry in entries:
        for name, latent in entry.targets.items():
            spread.setdefault(name, []).append(float(squeeze(latent.float()).std((0, 2, 3)).mean()))
    mean = {name: float(np.mean(values)) for name, values in spread.items()}
    middle = float(np.median(list(mean.values())))
    return {name: float(np.clip(middle / value, 0.6, 2.5)) for name, value in mean.items()}


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
