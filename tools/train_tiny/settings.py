"""How long and how large to train: one set of numbers for a CPU, one for a CUDA GPU."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AutoencoderSettings:
    """Stage 1. size: pixels; frames: a multiple of 4; noise: standard deviation added to the latents of every second step."""

    steps: int = 20_000
    minutes: float = 20.0
    batch: int = 6
    size: int = 128
    frames: int = 12
    pool: int = 192
    rate: float = 3e-4
    noise: float = 0.08
    seed: int = 1


@dataclass(frozen=True, slots=True)
class TextSettings:
    """Stage 2. Each step takes 4 * batch prompts."""

    steps: int = 4000
    minutes: float = 5.0
    batch: int = 8
    rate: float = 2e-3
    seed: int = 2


@dataclass(frozen=True, slots=True)
class RestylerSettings:
    """Stage 3. sides: (latent crop, batch) choices; the first two open the training. looks: restyled versions of each clip.

    own_from: share of the training after which the last step starts from the model's own first step. long_prompts: share of
    batches that may have prompts of any length. prompts: how many are encoded for each look.
    """

    steps: int = 20_000
    minutes: float = 40.0
    sides: tuple[tuple[int, int], ...] = ((8, 8), (12, 4), (16, 2))
    size: int = 128
    frames: int = 8
    looks: int = 4
    first_pool: int = 24
    pool: int = 400
    refresh_every: int = 8
    rate: float = 2e-3
    own_from: float = 0.6
    long_prompts: float = 0.2
    prompts: int = 40
    save_every: int = 100
    seed: int = 3


@dataclass(frozen=True, slots=True)
class Settings:
    """A whole run."""

    autoencoder: AutoencoderSettings = AutoencoderSettings()
    text: TextSettings = TextSettings()
    restyler: RestylerSettings = RestylerSettings()


REDUCED = Settings()
FULL = Settings(
    AutoencoderSettings(minutes=7.0, batch=32, pool=512, steps=12_000),
    TextSettings(minutes=2.0, batch=64, steps=1500),
    RestylerSettings(
        minutes=13.0,
        sides=((8, 160), (12, 80), (16, 48), (20, 32), (32, 12)),
        size=256,
        looks=6,
        first_pool=64,
        pool=1200,
        prompts=300,
    ),
)
