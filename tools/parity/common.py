"""What the kinds of reference cases share. Weights are synthetic, made from each key's name and shape."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sdv2_live.model.checkpoints.assign import load_strict, synthetic_state_dict
from sdv2_live.model.sizes import DitConfig, WanVaeConfig
from sdv2_live.model.vae.ops import channels_last

Case = dict[str, Any]
Data = dict[str, Tensor]
Comparison = tuple[str, Tensor, Tensor]  # what, ours, reference


def place(data: Data) -> torch.device:
    """Where the case's tensors are."""
    return next(iter(data.values())).device


def filled(model: nn.Module, case: Case, data: Data, manifest: str = "manifest") -> Any:
    """The model with synthetic weights in every key of the case's manifest, which must be exactly the model's keys."""
    shapes = {key: tuple(shape) for key, shape in case[manifest].items()}
    load_strict(model, synthetic_state_dict(shapes, case.get("gain", 1.0)), f"case.json {manifest}")
    channels_last(model)
    return model.to(place(data)).eval()


def dit_config(config: dict[str, int]) -> DitConfig:
    return DitConfig(**{name: config[name] for name in DitConfig.__slots__ if name in config})


def vae_config(case: Case) -> WanVaeConfig:
    as_tuples: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in case.items() if k in WanVaeConfig.__slots__
    }
    return WanVaeConfig(**as_tuples)


class InjectedNoise:
    """The case's own noise, in the order drawn."""

    def __init__(self, data: Data) -> None:
        names = sorted((k for k in data if k.startswith("noise.")), key=lambda k: int(k.split(".")[1]))
        self._queue = [data[name].cpu() for name in names]

    def begin(self, chunk: int, seed: int) -> None:
        """Draws simply go on."""

    def draw(self, shape: Sequence[int]) -> Tensor:
        if tuple(self._queue[0].shape) != tuple(shape):  # one draw for several levels: hand it out level by level
            self._queue[:1] = list(self._queue[0].split(shape[0]))
        return self._queue.pop(0)


def pairs(what: str, values: Sequence[tuple[float, float]]) -> Iterator[Comparison]:
    """Numbers that a case gives, ours first."""
    ours, wanted = (torch.tensor([float(pair[i]) for pair in values]) for i in (0, 1))
    yield what, ours, wanted
