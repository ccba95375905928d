"""From a configuration to a painter: the model it means, loaded, with its prompts and a stream over it.

All that needs torch is built here, for the live show, for offline rendering and for replays alike.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import Any

import torch

from sdv2_live.control.params import Params
from sdv2_live.engine.engine import Engine
from sdv2_live.engine.prompt import PromptCache, PromptDirector
from sdv2_live.engine.promptdisk import PromptDisk
from sdv2_live.model.load import Models, choose_device, choose_dtype, has_weights, load_models
from sdv2_live.model.lora import LoraSource, load_loras
from sdv2_live.model.profiles import Profile, profile
from sdv2_live.settings import Config
from sdv2_live.stats import StageTimer
from sdv2_live.stream import Stream

log = logging.getLogger("sdv2_live.bringup")


def chosen_profile(config: Config) -> Profile:
    """The profile the configuration means; auto is 1.3b where a GPU and its weights are, else the embedded tiny."""
    if config.model.profile != "auto":
        return profile(config.model.profile)
    if choose_device(config.model.device).type != "cuda":
        return profile("tiny")
    large = profile("1.3b")
    if has_weights(large, config.model.vae, config.model.weights_dir):
        return large
    log.warning("%s lacks weights of the 1.3b model: the embedded tiny runs in its place", config.model.weights_dir)
    return profile("tiny")


def start_params(config: Config) -> Params:
    """Where the parameters start: as configured, and as suits the model where nobody chose."""
    chosen = chosen_profile(config)
    suited = {"noise_scale": chosen.noise_scale, "steps": chosen.steps}
    changes: dict[str, Any] = {name: v for name, v in suited.items() if v is not None and name not in config.given}
    return replace(config.params, **changes)


def load(config: Config) -> Models:
    """The configured models on the configured device."""
    if config.model.threads:
        torch.set_num_threads(config.model.threads)
    device = choose_device(config.model.device)
    dtype = choose_dtype(config.model.dtype, device)
    chosen = chosen_profile(config)
    begin = time.monotonic()
    models = load_models(chosen, device=device, dtype=dtype, vae=config.model.vae, weights_dir=config.model.weights_dir)
    models = replace(models, loras=load_loras(models.dit, _lora_sources(config)))
    log.info("model %s on %s in %s, loaded in %.1f s", chosen.name, device, str(dtype)[6:], time.monotonic() - begin)
    return models


def _lora_sources(config: Config) -> list[LoraSource]:
    loras = config.model.loras
    return [LoraSource(name, one.file, one.scale, one.live) for name, one in zip(config.names.loras, loras, strict=True)]


def new_stream(config: Config, models: Models, prompts: PromptCache, timer: StageTimer) -> Stream:
    """A stream over loaded models."""
    max_pixels = config.video.max_pixels or models.profile.max_pixels
    director = PromptDirector(models.dit, prompts)
    return Stream(Engine(models.dit, models.vae), director, config, max_pixels, timer, loras=models.loras)


def new_prompts(config: Config, models: Models) -> PromptCache:
    """The text encoder's output, remembered in memory and on disk; to be closed."""
    folder = config.model.prompt_folder
    version = f"{models.profile.name} {models.text_version} {models.dit.dtype}"
    return PromptCache(models.text, PromptDisk(folder, version) if folder else None)
