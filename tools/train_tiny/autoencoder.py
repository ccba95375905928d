"""Training of tiny's autoencoder: from the linear block transform, on plain and restyled clips; then its decoder alone."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdv2_live.model.vae.taehv import TAEHV

from . import styles
from .average import Average
from .clips import ClipMaker
from .clock import worked
from .crispness import Crispness
from .linear import start_linear
from .paintings import Paintings
from .settings import AutoencoderSettings

log = logging.getLogger("train_tiny.autoencoder")
SAVE_S = 180.0


def reconstruct(model: TAEHV, frames_NTCHW: Tensor, noise: float = 0.0) -> tuple[Tensor, Tensor]:
    """Frames (T a multiple of 4) in [0, 1] to latents and back, from fresh memories."""
    memory = model.new_memory()
    latent = model.encode_frames(frames_NTCHW, memory)
    noisy = latent + noise * torch.randn_like(latent) if noise else latent
    return latent, model.decode_frames(noisy, memory)


def psnr(a: Tensor, b: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of frames in [0, 1]."""
    return float(-10 * torch.log10(F.mse_loss(a.float().clamp(0, 1), b.float().clamp(0, 1))))


def loss_of(
    model: TAEHV,
    frames: Tensor,
    noise: float,
    steadiness: float = 0.002,
    crispness: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> Tensor:
    """Squared error, squared error of the frame-to-frame change, and pushes on latents and on the amount of change.

    The first latent is left out: a stream trims its frames. Latents are kept where the decoder's soft clamp can still tell
    them apart. steadiness: weight of the ratio of change, out to in: squared error alone would rather smooth than flicker.
    crispness: a further loss of some frames made and wanted, (N, 3, H, W): squared error alone would rather blur than guess.
    """
    latent, out = reconstruct(model, frames, noise)
    out, frames = out[:, 4:].float(), frames[:, 4:]
    error = out - frames
    overshoot = F.relu(latent.float().abs() - 8.0).square().mean()
    made, wanted = (x.diff(dim=1).abs().mean((1, 2, 3, 4)) + 0.004 for x in (out, frames))
    ratio = (made / wanted).log().square().mean()
    loss = error.square().mean() + 0.3 * error.diff(dim=1).square().mean() + 0.003 * overshoot + steadiness * ratio
    if crispness is None:
        return loss
    shown = torch.randint(out.shape[1], (2,)).tolist()
    return loss + crispness(out[:, shown].flatten(0, 1), frames[:, shown].flatten(0, 1))


class ClipPool:
    """Clips kept and replaced a few at a time, so that drawing them does not hold up the training.

    painted: share of the clips that are painted.
    """

    def __init__(self, maker: ClipMaker, size: int, frames: int, count: int, painted: float) -> None:
        self._maker, self._size, self._frames, self._painted = maker, size, frames, painted
        self._random = np.random.default_rng(count)
        self._clips = [self._clip() for _ in range(count)]
        self._next = 0

    def _clip(self) -> Tensor:
        if self._random.random() >= self._painted:
            return self._maker.clip(self._size, self._frames)
        look = str(self._random.choice(list(styles.PAINTINGS)))
        return self._maker.painted(self._size, self._frames, [look])[1]

    def batch(
        self, random: np.random.Generator, count: int, fresh: int = 1, styled: float = 0.3, device: torch.device | str = "cpu"
    ) -> Tensor:
        """Clips (count, T, 3, H, W) on a device; a share of them goes through a random filter."""
        for _ in range(fresh):
            self._clips[self._next] = self._clip()
            self._next = (self._next + 1) % len(self._clips)
        chosen = [self._clips[i].to(device) for i in random.choice(len(self._clips), count, replace=False)]
        names = [str(random.choice(list(styles.FILTERS))) if random.random() < styled else styles.FAITHFUL for _ in chosen]
        return torch.stack([styles.apply(name, clip) for name, clip in zip(names, chosen, strict=True)])


def train_autoencoder(
    model: TAEHV,
    settings: AutoencoderSettings,
    device: torch.device,
    save: Callable[[nn.Module], None],
    paintings: Paintings,
    fresh: bool = True,
) -> None:
    """Train in place until the steps or the minutes are used up; the running average of the weights is the result.

    save: called with the average every SAVE_S seconds. fresh: start linear.
    """
    torch.manual_seed(settings.seed)
    random = np.random.default_rng(settings.seed)
    pool = ClipPool(
        ClipMaker(settings.seed, paintings=paintings), settings.size, settings.frames, settings.pool, settings.painted
    )
    test = ClipMaker(settings.seed + 1, held_out=True).batch(6, settings.size, settings.frames).to(device)
    if fresh:
        start_linear(model, pool.batch(random, min(96, settings.pool), fresh=0, styled=0.25))
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if settings.decoder_only:
        model.encoder.requires_grad_(False)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=settings.rate, weight_decay=1e-4, betas=(0.9, 0.98))
    average = Average(model, settings.average)
    crispness = Crispness(settings.texture, settings.edges).to(device)
    log.info("start: %.2f dB on held-out clips, crispness %.4f", *test_quality(model, test, crispness))
    minutes, saved = worked(device), time.monotonic()
    for step in range(settings.steps):
        progress = max(step / settings.steps, minutes() / settings.minutes)
        if progress >= 1:
            break
        rate = settings.rate * min(1.0, (step + 1) / 100) * 0.5 * (1 + np.cos(np.pi * progress))
        for group in optimiser.param_groups:
            group["lr"] = rate
        frames = pool.batch(random, settings.batch, fresh=step % 2, device=device)
        with torch.autocast(device.type, torch.bfloat16):
            loss = loss_of(model, frames, settings.noise if step % 4 == 0 else 0.0, settings.steadiness, crispness)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 0.1)
        optimiser.step()
        average.update()
        if time.monotonic() - saved > SAVE_S:
            saved = time.monotonic()
            save(average.model)
            done = (step + 1, minutes(), loss.item(), *test_quality(average.model, test, crispness))
            log.info("step %d, %.1f min: loss %.5f, held-out %.2f dB, crispness %.4f", *done)
    model.load_state_dict(average.model.state_dict())
    model.requires_grad_(True)


@torch.no_grad()
def test_quality(model: TAEHV, frames: Tensor, crispness: Crispness) -> tuple[float, float]:
    """PSNR of a batch of clips, past the first latent, and the loss of crispness."""
    with torch.autocast(frames.device.type, torch.bfloat16):
        out, wanted = reconstruct(model, frames)[1][:, 4:], frames[:, 4:]
        return psnr(out, wanted), float(crispness(out.flatten(0, 1), wanted.flatten(0, 1)))
