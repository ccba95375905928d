"""A very small engine with synthetic weights: fast enough for every test, real in every part."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from sdv2_live.config.schema import Config
from sdv2_live.engine.engine import Engine
from sdv2_live.engine.prompt import PromptDirector
from sdv2_live.engine.prompt_cache import PromptCache
from sdv2_live.engine.spec import ChunkSettings, StreamSpec
from sdv2_live.engine.state import StreamState
from sdv2_live.frame import Frame
from sdv2_live.model.checkpoints.assign import synthetic_state_dict
from sdv2_live.model.dit.cache_spec import CacheSpec
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.dit.layers import CrossKV
from sdv2_live.model.profiles import StreamKind
from sdv2_live.model.sizes import DitConfig, Stage, TaehvConfig, WanVaeConfig
from sdv2_live.model.vae.taehv import TAEHV
from sdv2_live.model.vae.wan import WanVAE
from sdv2_live.pipeline.stream import Stream
from sdv2_live.stats import StageTimer

TEXT_DIM = 32
CACHE = CacheSpec(6, 3, -1)


def synthetic(model: nn.Module) -> nn.Module:
    """The model with synthetic weights."""
    model.load_state_dict(synthetic_state_dict({k: tuple(v.shape) for k, v in model.state_dict().items()}))
    return model.eval().requires_grad_(False)


def small_engine() -> Engine:
    """Two layers, 96 wide, and a Wan VAE of width 4 with one residual block where the real one has two."""
    dit = CausalDiT(DitConfig(dim=96, heads=2, ffn=192, layers=2, text_dim=TEXT_DIM))
    vae = WanVAE(WanVaeConfig(dim=4, num_res_blocks=1))
    synthetic(dit)
    synthetic(vae)
    return Engine(dit, vae)


def small_engines() -> dict[str, Engine]:
    """The same with each kind of autoencoder."""
    wan = small_engine()
    stages = (Stage(16, 1, 2, 2), Stage(16, 1, 2, 2)), (Stage(24, 1, 2, 2), Stage(16, 1, 2, 2))
    taehv = TAEHV(TaehvConfig(patch=2, encoder=stages[0], decoder=stages[1], final_width=16))
    synthetic(taehv)
    return {"wan": wan, "taehv": Engine(wan.dit, taehv)}


def stream(
    engine: Engine,
    prompts: PromptCache,
    config: Config | None = None,
    kind: StreamKind | None = None,
    image: Frame | None = None,
) -> Stream:
    """A stream over the engine, of 64 x 64 pixels at most."""
    director = PromptDirector(engine.dit, prompts)
    return Stream(engine, director, config or Config(), 64 * 64, StageTimer(), kind=kind, image=image)


def prompt(engine: Engine, seed: int = 1) -> CrossKV:
    """Some prompt."""
    with torch.inference_mode():
        return engine.dit.condition(torch.randn(1, 20, TEXT_DIM, generator=torch.Generator().manual_seed(seed)))


def clip(frames: int, seed: int = 0, size: tuple[int, int] = (32, 32)) -> Tensor:
    """A flickering picture in [-1, 1], (1, 3, T, H, W)."""
    generator = torch.Generator().manual_seed(seed)
    still, change = torch.rand(1, 3, 1, *size, generator=generator), torch.rand(1, 3, frames, *size, generator=generator)
    return (still + 0.1 * change).clamp(0, 1) * 2 - 1


def run(
    engine: Engine, state: StreamState, video: Tensor | None, cross: CrossKV, chunks: int, settings: ChunkSettings | None = None
) -> list[Tensor | None]:
    """Latents out of `chunks` chunks, from the frames of the video in order, again and again."""
    settings = settings or ChunkSettings()
    out: list[Tensor | None] = []
    at = 0
    for _ in range(chunks):
        needed = state.frames_needed
        if video is not None and at + needed > video.shape[2]:
            at = 0
        pixels = None if video is None else video[:, :, at : at + needed]
        at += needed
        latent = None if pixels is None else engine.encode(pixels, state)
        clean = engine.denoise(latent, cross, engine.plan(pixels, settings, state), settings.seed, state)
        out.append(clean)
        if state.anchor is not None and clean is not None:  # the next chunk looks back on these pictures
            engine.decode(clean, state)
    return out


def kin() -> dict[str, StreamSpec]:
    """Streams of the other students: of blocks, of single latents, by place, and refilled from a context."""
    blocks = StreamSpec(
        32, 32, cache=CacheSpec(6, 3, -1), block=3, first_frames=9, shift=5.0, warp=True, context_t=0.0, normalize_latents=True,
        rope_refresh_frame=36,
    )  # fmt: skip
    return {
        "blocks": blocks,
        "single latents": replace(blocks, cache=CacheSpec(5, 0, -1), block=1, first_frames=1, first_steps=(1000, 600)),
        "by place, four latents first": replace(blocks, cache=CacheSpec(7, 1, -1), first_frames=13, positions="relative"),
        "refilled": replace(blocks, cache=CacheSpec(6, 0, -1), context_t=None, recompute=3),
    }


def spec(height: int = 32, width: int = 32, **keys: object) -> StreamSpec:
    """A stream without adaptive sinks."""
    return StreamSpec(height, width, cache=CACHE, **keys)  # type: ignore[arg-type]
