"""Bringing the engine up, in either process: loading the models, and the description that the engine gives of itself."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import torch

from sdv2_live.config.measures import FEWER_CARDS, SMALL_VAE
from sdv2_live.config.schema import Config
from sdv2_live.control.params import Params
from sdv2_live.engine.prompt_cache import PromptCache
from sdv2_live.errors import MemoryShortageError
from sdv2_live.model.load import Models, dtype_name, has_weights
from sdv2_live.pipeline.build import chosen_profile, kernels, live_settings, new_prompts, new_stream
from sdv2_live.pipeline.group import Group
from sdv2_live.pipeline.shared import load_shared, on_own_gpus, ranks_here
from sdv2_live.pipeline.sized import chosen_size
from sdv2_live.pipeline.stream import Stream
from sdv2_live.ranks.processes import RankProcesses
from sdv2_live.stats import StageTimer
from sdv2_live.takes.fingerprint import header_of
from sdv2_live.worker.host import painted_size
from sdv2_live.worker.messages import Hello
from sdv2_live.worker.recovery import lowered

log = logging.getLogger("sdv2_live.worker")


def bring_up(
    config: Config, timer: StageTimer, start: Params, ladder: Sequence[str] = (), processes: RankProcesses | None = None
) -> tuple[Stream, PromptCache, Hello]:
    """A stream over the configured models, lowered by these rungs of the ladder. The caller closes the prompts.

    Args:
        start: the parameters that the picture begins with.
        processes: see `load_shared`.

    Raises:
        WeightsError: weights are missing or damaged.
        EngineError: the engine cannot run.
    """
    kept: dict[str, Any] = {}
    config = on_own_gpus(config)
    try:
        config, models, group = load_shared(_lowered(config, ladder), live_settings, processes)
    except MemoryShortageError:
        if FEWER_CARDS not in ladder:
            raise
        if processes is not None:  # of fewer cards; else they would wait for this one as long as it lives
            processes.close()
        log.warning("one card less does not hold it: the step %s is left out", FEWER_CARDS)
        config, models, group = load_shared(_lowered(config, [s for s in ladder if s != FEWER_CARDS]), live_settings)
    try:
        if models.dit.device.type == "cpu":
            kept = {"model.dtype": dtype_name(models.dit.dtype), "model.threads": torch.get_num_threads()}
        prompts = new_prompts(config, models, start)
        stream = new_stream(config, models, prompts, timer, group)
        if group is None:
            stream.chosen_size = chosen_size(config, stream.engine, models.profile)
    except Exception:
        if group is not None:
            group.close()
        raise
    most = None if stream.chosen_size is not None else config.video.max_pixels or models.profile.max_pixels
    return stream, prompts, _hello(config, models, most, kept, group)


def _lowered(config: Config, ladder: Sequence[str]) -> Config:
    """The configuration lowered by those of these rungs that its model and weights allow."""
    if not ladder:
        return config
    profile, weights_dir = chosen_profile(config), config.model.weights_dir
    small = has_weights(profile, SMALL_VAE, weights_dir, text=False)
    if SMALL_VAE in ladder and not small:
        log.warning("%s holds no small autoencoder: the step %s is left out", weights_dir, SMALL_VAE)
    possible = [step for step in ladder if step != SMALL_VAE or small]
    return lowered(config, possible, profile.max_pixels, ranks_here(config))


def _hello(config: Config, models: Models, most: int | None, kept: dict[str, Any], group: Group | None) -> Hello:
    profile, size = models.profile, config.video.size
    precision = str(models.dit.dtype).removeprefix("torch.")
    return Hello(
        profile.name,
        models.dit.device.type,
        models.kind,
        profile.suited,
        header_of(models, lossless=config.takes.lossless, others=() if group is None else group.others),
        kernels(config, models.dit) | {"precision": precision, "size": painted_size(size, most)},
        size,
        most,
        kept,
        1 if group is None else group.here,
    )
