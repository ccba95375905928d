"""Loading a model for one process, or for a group of them that the configuration wants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import torch

from sdv2_live.config.schema import Config
from sdv2_live.cost.group import learn, planned
from sdv2_live.errors import ConfigError, EngineError
from sdv2_live.memory.fit import with_request
from sdv2_live.model.load import Models, choose_device, choose_dtype
from sdv2_live.pipeline.build import chosen_profile, load, part_digests, set_threads
from sdv2_live.pipeline.group import Group
from sdv2_live.ranks.partition import Part
from sdv2_live.ranks.processes import RankProcesses, see_only

Learn = Callable[[Sequence[float], float, float], None]  # see `Group.learn`


def load_shared(
    config: Config, settle: Callable[[Config], Config], processes: RankProcesses | None = None
) -> tuple[Config, Models, Group | None]:
    """The models, of the transformer those blocks that this process has; and the group of those that have the rest.

    The group is None where one process is enough; `settle` then chooses the settings that fit. Else its ranks have joined, and
    the caller closes it. processes: ranks that were started ahead; they end where they are not wanted.

    Raises:
        ConfigError: there are more ranks than stages.
        EngineError: there is no such card, the cards do not go together, or a rank does not come or has other weights.
        MemoryShortageError: there is no room.
        WeightsError: weights are missing or damaged.
    """
    config = on_own_gpus(config)
    shared = _shared_out(config)
    if shared is None:
        if processes is not None:
            processes.close()
        config = settle(config)
        return config, load(config), None
    config, parts, cards, learn = shared
    device = choose_device(config.model.device)
    set_threads(config, device, chosen_profile(config))
    group = Group(config, choose_dtype(config.model.dtype, device), parts, cards, processes or RankProcesses(config.model))
    group.learn = learn
    try:
        group.assemble()
        models = load(config, group.own)
        group.gather(models, part_digests(config) if config.model.remote_ranks else {})
    except BaseException:
        group.close()
        raise
    return config, models, group


def on_own_gpus(config: Config) -> Config:
    """Have this process see those GPUs alone that model.gpus names, in that order, and count them from 0 from now on.

    To be called before CUDA is used. Raises EngineError where there is no such GPU.
    """
    gpus = config.model.gpus
    if not isinstance(gpus, tuple):
        return config
    see_only(gpus)
    if (there := torch.cuda.device_count()) < len(gpus):  # CUDA counts them up to the first that it does not know
        raise EngineError(
            f"model.gpus = {list(gpus)}, but torch finds no GPU {gpus[there]}; set it to what nvidia-smi -L lists, or to auto"
        )
    return config.replaced(model=config.model.model_copy(update={"gpus": len(gpus)}))


def ranks_here(config: Config) -> int:
    """The processes of this machine that may paint together."""
    gpus = config.model.gpus
    if isinstance(gpus, tuple):
        return len(gpus)
    return gpus or (torch.cuda.device_count() if choose_device(config.model.device).type == "cuda" else 1)


def _shared_out(config: Config) -> tuple[Config, list[Part], list[int], Learn] | None:
    """Settings that fit on several ranks, what each of them computes, this machine's cards, and what keeps measured times.

    None where one rank is enough.

    Raises:
        ConfigError: there are more ranks than stages.
        EngineError: there is no such card, or they do not go together.
        MemoryShortageError: there is no room.
    """
    gpus, remote = config.model.gpus, config.model.remote_ranks
    here = ranks_here(config)
    if here + remote == 1:
        return None
    profile = chosen_profile(config)
    if remote:  # of their cards nothing is known: alike
        layers, size = profile.dit.layers, here + remote
        if size > layers:
            raise ConfigError(f"{size} ranks, but the model has {layers} blocks: set model.gpus or model.remote_ranks to fewer")
        cuts = [layers * i // size for i in range(size + 1)]
        parts = [Part(begin, end, begin == 0, begin == 0) for begin, end in pairwise(cuts)]
        return config, parts, list(gpus) if isinstance(gpus, tuple) else list(range(here)), lambda calls, encode, decode: None
    settled, found = planned(config, profile)
    if len(found.ranks) == 1:
        return None
    parts, cards = [rank.part for rank in found.ranks], [rank.seat.card for rank in found.ranks]
    return with_request(config, settled), parts, cards, partial(learn, settled, found)
