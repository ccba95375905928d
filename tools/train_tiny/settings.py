"""How long (minutes as clock.py counts them) and how large to train: one set of numbers for a CPU, one for a CUDA GPU."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class AutoencoderSettings:
    """Stages 1 and 2. size: pixels; frames: a multiple of 4; noise: standard deviation added to the latents of every fourth step.

    average: decay of the running average of the weights. steadiness: see loss_of. texture, edges: weights of what Crispness
    compares. painted: share of the clips that are painted. decoder_only: latents stay as they are.
    """

    steps: int = 20_000
    minutes: float = 20.0
    batch: int = 8
    size: int = 128
    frames: int = 12
    pool: int = 192
    rate: float = 3e-4
    noise: float = 0.1
    average: float = 0.998
    steadiness: float = 0.002
    texture: float = 0.004
    edges: float = 0.04
    painted: float = 0.4
    decoder_only: bool = False
    seed: int = 1


@dataclass(frozen=True, slots=True)
class TextSettings:
    """Stage 3. batch: prompts a step."""

    steps: int = 5000
    minutes: float = 6.0
    batch: int = 64
    rate: float = 3e-3
    seed: int = 2


@dataclass(frozen=True, slots=True)
class RestylerSettings:
    """Stage 4. sides: (latent crop, batch) choices; the first two open the training. sizes: of the clips, in turn, in pixels.

    looks: restyled versions of each clip. often: looks that are hard to learn, and come up once more for every mention.

    own_from: share of the training after which the last step starts from the model's own first step. long_prompts: share of
    batches that may have prompts of any length. prompts: how many are encoded for each look. average: decay of the running
    average of the weights. decoded: clips of every second batch whose pixels are compared too, with pixel_weight, and within
    that how much they vary from pixel to pixel, with grain_weight, their edges, with edge_weight, and their texture, with
    texture_weight.
    """

    steps: int = 20_000
    minutes: float = 40.0
    sides: tuple[tuple[int, int], ...] = ((8, 16), (12, 6), (8, 16), (12, 6), (16, 3), (24, 1))
    sizes: tuple[int, ...] = (128, 128, 128, 192)
    frames: int = 8
    looks: int = 4
    often: tuple[str, ...] = ("neon", "comic", "electric_strokes", "stained_glass", "blue_swirls")
    first_pool: int = 48
    pool: int = 400
    refresh_every: int = 6
    rate: float = 2e-3
    own_from: float = 0.6
    long_prompts: float = 0.2
    prompts: int = 150
    average: float = 0.995
    decoded: int = 4
    pixel_weight: float = 2.0
    grain_weight: float = 1.0
    edge_weight: float = 2.0
    texture_weight: float = 0.1
    log_every: int = 25
    seed: int = 3


DECODER = AutoencoderSettings(minutes=10.0, rate=2e-4, steadiness=0.006, decoder_only=True, seed=11)


@dataclass(frozen=True, slots=True)
class Settings:
    """A whole run."""

    autoencoder: AutoencoderSettings = AutoencoderSettings()
    decoder: AutoencoderSettings = DECODER
    text: TextSettings = TextSettings()
    restyler: RestylerSettings = RestylerSettings()


REDUCED = Settings()
FULL = Settings(
    AutoencoderSettings(minutes=6.0, batch=32, pool=512, steps=12_000),
    replace(DECODER, minutes=2.0, batch=32, pool=512),
    TextSettings(minutes=2.0, batch=256, steps=3000),
    RestylerSettings(
        minutes=13.0,
        sides=((8, 160), (12, 80), (16, 48), (20, 32), (32, 12)),
        sizes=(256,),
        looks=6,
        first_pool=64,
        pool=1200,
        prompts=300,
    ),
)
