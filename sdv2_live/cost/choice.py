"""The best settings with which a card is reckoned to paint at a live rate, for what is left to choose (auto)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from sdv2_live.config.schema import Config
from sdv2_live.cost.cards import Card
from sdv2_live.cost.rate import Rate, chunk_rate, fill, filling_size
from sdv2_live.engine.spec import Mode, Schedule
from sdv2_live.gpu.geometry import Size
from sdv2_live.memory.budget import lighter_vaes, smaller_sizes
from sdv2_live.memory.fit import wish_of
from sdv2_live.memory.request import MemoryRequest
from sdv2_live.model.load import has_weights
from sdv2_live.model.profiles import Profile

log = logging.getLogger("sdv2_live.cost")

LIVE = 25.0  # frames a second: the slowest that video is shot at; fewer are seen as jerks


def fps_on(card: Card) -> Callable[[MemoryRequest], float]:
    """The reckoned frames a second of requests on a card."""
    return lambda wish: rate_of(card, wish).fps


def rate_of(card: Card, wish: MemoryRequest) -> Rate:
    """The reckoned rate of a show with these settings."""
    count, batch = len(wish.steps), wish.schedule is Schedule.STREAM_BATCH
    calls, levels = (1, count) if batch else (count, 1)
    dit, kept, kind = wish.profile.dit, wish.kv_frames, wish.profile.stream
    calls += not kind.own  # a context pass, or a refill, takes about as long
    return chunk_rate(
        card, dit, wish.vae, wish.size, steps=calls, kv_frames=kept, levels=levels, fp8=wish.fp8, latents=kind.block
    )


def live(
    fps: Callable[[MemoryRequest], float], wish: MemoryRequest, *, vaes: Sequence[str], sizes: Sequence[Size]
) -> MemoryRequest:
    """The request with the best of these autoencoders and sizes that reaches LIVE; the fastest where none does.

    The autoencoder is given up before the size.

    Args:
        fps: the frames a second of a request.
        wish: the request.
        vaes: autoencoders that may be taken, the best first.
        sizes: sizes that may be taken, the best first.
    """
    tried = [replace(wish, vae=vae, size=size) for size in sizes for vae in vaes]
    return next((each for each in tried if fps(each) >= LIVE), None) or max(tried, key=fps)


def told(card: Card, wish: MemoryRequest) -> str:
    """The reckoned rate in words, with the settings that it depends on."""
    height, width = wish.size
    rate, count = rate_of(card, wish).fps, len(wish.steps)
    return f"{wish.vae} at {height}x{width} with {count} steps on {card.name}: {rate:.0f} frames a second reckoned, not measured"


def fuller(card: Card, wish: MemoryRequest) -> str:
    """A sentence on a size near to the asked one that keeps the card busier; empty where there is none."""
    size = filling_size(card, wish.profile.dit, wish.size)
    if size is None or size == wish.size:
        return ""
    now, then = (fill(card, wish.profile.dit, each) for each in (wish.size, size))
    rate = rate_of(card, replace(wish, size=size)).fps
    return (
        f"video.size {size[0]}x{size[1]} fills {card.name}: attention keeps {then:.0%} of its multiprocessors busy, "
        f"{now:.0%} at {wish.size[0]}x{wish.size[1]}; {rate:.0f} frames a second reckoned"
    )


def choices(config: Config, room: Config, wish: MemoryRequest) -> tuple[tuple[str, ...], tuple[Size, ...]]:
    """The autoencoders and sizes that a configuration leaves open, the best first. room: with what memory has decided."""
    folder = config.model.weights_dir
    vaes: tuple[str, ...] = (wish.vae,)
    if config.model.vae == "auto":
        lighter = lighter_vaes(wish.profile, wish.vae)
        vaes = tuple(vae for vae in lighter if vae == wish.vae or has_weights(wish.profile, vae, folder, text=False))
    video = config.video
    follows = video.size is None and video.max_pixels is None and config.engine.mode is not Mode.TEXT
    return vaes, smaller_sizes(wish.size) if follows else (wish.size,)


def paced(config: Config, room: Config, profile: Profile, device: torch.device, card: Card) -> Config:
    """`room` with the settings that reach a live rate, where `config` says auto; a log line says what was chosen, and why.

    Args:
        config: the configuration as asked for.
        room: the same with what fits into memory.
        profile: the model.
        device: where it runs.
        card: what the device can do.
    """
    wish = wish_of(room, profile, device)
    vaes, sizes = choices(config, room, wish)
    got = live(fps_on(card), wish, vaes=vaes, sizes=sizes)
    log.info("%s", told(card, got))
    if got == wish:
        return room
    log.info("that is in place of %s; model.vae and video.size choose otherwise", told(card, wish))
    model, video = room.model.model_copy(update={"vae": got.vae}), room.video
    if got.size != wish.size:
        video = video.model_copy(update={"max_pixels": got.size[0] * got.size[1]})
    return room.replaced(model=model, video=video)
