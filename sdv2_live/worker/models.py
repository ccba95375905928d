"""Bringing the engine up, in whichever process: what is loaded, and what it says of itself."""

from __future__ import annotations

from collections.abc import Sequence

from sdv2_live.bringup import chosen_profile, load, new_prompts, new_stream, with_room
from sdv2_live.engine.prompt import PromptCache
from sdv2_live.model.load import Models
from sdv2_live.model.taehv import TAEHV
from sdv2_live.settings import Config
from sdv2_live.stats import StageTimer
from sdv2_live.stream import Stream
from sdv2_live.takes.fingerprint import header_of
from sdv2_live.worker.ladder import lowered
from sdv2_live.worker.messages import Hello


def bring_up(config: Config, timer: StageTimer, ladder: Sequence[str] = ()) -> tuple[Stream, PromptCache, Hello]:
    """A stream over the configured models, after these steps down the ladder; the prompts are to be closed.

    Raises WeightsError or EngineError where the models cannot be had.
    """
    if ladder:
        config = lowered(config, ladder, chosen_profile(config).max_pixels)
    config = with_room(config)
    models = load(config)
    prompts = new_prompts(config, models)
    return new_stream(config, models, prompts, timer), prompts, _hello(config, models)


def _hello(config: Config, models: Models) -> Hello:
    profile = models.profile
    suited = {"noise_scale": profile.noise_scale, "steps": profile.steps}
    return Hello(
        profile.name,
        models.dit.device.type,
        "taehv" if isinstance(models.vae, TAEHV) else "wan",
        {name: value for name, value in suited.items() if value is not None},
        header_of(models, lossless=config.takes.lossless),
    )
