"""Fingerprints of weights, taken without reading gigabytes, and the header of a take."""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from sdv2_live import __version__
from sdv2_live.gpu.backend import frames_by
from sdv2_live.model.load import Models
from sdv2_live.takes.format import FORMAT, Header

SAMPLES = 64  # elements of each tensor that are read; training changes them all


@torch.no_grad()  # quantised tensors cannot be taken apart in inference mode
def fingerprint(*models: nn.Module) -> str:
    """A hash of every tensor's name, shape and type and of evenly spaced elements of it, 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for model in models:
        plain = ((f"{name}{part}", inner) for name, value in model.state_dict().items() for part, inner in _parts(value))
        for name, tensor in plain:
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
            flat = tensor.detach().flatten()
            sampled = flat[:: max(flat.numel() // SAMPLES, 1)]
            digest.update(sampled.contiguous().view(torch.uint8).cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def _parts(tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    """The tensor itself, or those that a quantised one is made of (its codes and their scales)."""
    if type(tensor) in (Tensor, nn.Parameter):
        yield "", tensor
        return
    for name in tensor.__tensor_flatten__()[0]:  # type: ignore[attr-defined]
        yield f".{name}", getattr(tensor, name)


def header_of(models: Models, *, lossless: bool) -> Header:
    """A take's header, here and now, with these models. Reads a little of every weight: do it once."""
    device = models.dit.device
    return Header(
        format=FORMAT,
        recorded=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        lossless=lossless,
        sdv2_live=__version__,
        torch=str(torch.__version__),
        profile=models.profile.name,
        loras=models.loras.digests,
        weights=f"{fingerprint(models.dit, models.vae)} text {_text(models)}",
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
