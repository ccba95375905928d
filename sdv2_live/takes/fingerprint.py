"""Fingerprints of weights, taken without reading gigabytes, and the header of a take."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterable

import torch
from torch import nn

from sdv2_live import __version__
from sdv2_live.gpu.backend import frames_by
from sdv2_live.model.load import Models
from sdv2_live.model.samples import hashed, samples
from sdv2_live.takes.format import FORMAT, Header


def fingerprint(*models: nn.Module) -> str:
    """A hash of the samples of all tensors of these models."""
    return hashed(each for model in models for each in samples(model).values())


def whole(own: dict[str, bytes], others: Iterable[dict[str, bytes]]) -> dict[str, bytes]:
    """The samples of a whole transformer, of the parts that its ranks have, in the order of the whole."""
    blocks = [{name: each for name, each in part.items() if name.startswith("blocks.")} for part in (own, *others)]
    after = {name: each for name, each in own.items() if name.startswith("head.")}
    before = {name: each for name, each in own.items() if name not in blocks[0] and name not in after}
    return {name: each for part in (before, *blocks, after) for name, each in part.items()}


def header_of(models: Models, *, lossless: bool, others: Iterable[dict[str, bytes]] = ()) -> Header:
    """A take's header, here and now, with these models. Reads a little of every weight: do it once.

    Args:
        models: the models.
        lossless: how pictures are kept.
        others: samples of the transformer's blocks that other ranks have, in their order.
    """
    device = models.dit.device
    weights = hashed([*whole(samples(models.dit), others).values(), *samples(models.vae).values()])
    return Header(
        format=FORMAT,
        recorded=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        lossless=lossless,
        sdv2_live=__version__,
        torch=str(torch.__version__),
        profile=models.profile.name,
        loras=models.loras.digests,
        weights=f"{weights} text {_text(models)}",
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        cpu=f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
        dtype=str(models.dit.dtype).removeprefix("torch."),
        threads=torch.get_num_threads(),
        frame_kernels=frames_by(device),
        vae=models.kind,
    )


def _text(models: Models) -> str:
    """The text encoder, which may not be there: a show of known prompts needs none."""
    identity = models.text.identities[0]
    return f"{identity} {identity.fingerprint or 'not here'}"
