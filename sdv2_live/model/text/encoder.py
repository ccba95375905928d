"""A text encoder that is in memory while it is needed: beside the DiT, in RAM, or only while prompts are encoded."""

from __future__ import annotations

import ctypes
import gc
import hashlib
import logging
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from sdv2_live.errors import WeightsError
from sdv2_live.model.checkpoints.files import TextIdentity
from sdv2_live.model.cpu import multiplies_bf16
from sdv2_live.model.text.low_priority import Aside, new_aside
from sdv2_live.system.clock import monotonic

if TYPE_CHECKING:
    from sdv2_live.model.text.umt5 import TextEncoder

log = logging.getLogger("sdv2_live.text")

SAMPLES, SAMPLE = 64, 4096  # blocks of a file that its fingerprint reads, and their bytes


class Placement(StrEnum):
    """The text encoder's place.

    gpu: beside the DiT, on its device. cpu: in RAM, and used there. on-demand: in RAM, from the first unknown prompt until no
    prompt waits.

    On-demand never takes the GPU: where there is room to load it during a show, it could as well stay there, and giving the
    memory back (torch.cuda.empty_cache) would hold up the picture.
    """

    GPU = "gpu"
    CPU = "cpu"
    ON_DEMAND = "on-demand"


def fingerprint(file: Path) -> str:
    """A fingerprint of a file's size and evenly spaced samples, 16 hexadecimal digits.

    It is the same on every machine, and does not read gigabytes.
    """
    size = file.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with file.open("rb") as data:
        for i in range(SAMPLES):
            data.seek(max(size - SAMPLE, 0) * i // (SAMPLES - 1))
            digest.update(data.read(SAMPLE))
    return digest.hexdigest()[:16]


class Text:
    """Encodes prompts with an encoder that it loads when the first one comes. For one thread, the text encoder's.

    Attributes:
        identities: encoders whose embeddings are accepted; the first is the encoder's own.
        missing: the reason why it cannot be loaded, if it cannot.
    """

    def __init__(
        self,
        load: Callable[[], TextEncoder],
        identities: tuple[TextIdentity, ...],
        placement: Placement = Placement.CPU,
        device: torch.device = torch.device("cpu"),  # noqa: B008 (immutable)
        missing: str = "",
    ) -> None:
        self.identities = identities
        self.placement = placement
        self.device = device
        self.missing = missing
        self._load = load
        self._encoder: TextEncoder | None = None
        self._aside: Aside | None = None

    @property
    def loaded(self) -> bool:
        """True while the encoder takes memory."""
        return self._encoder is not None

    def encode(self, prompt: str) -> Tensor:
        """Embedding (1, n, dim), n <= 512, in RAM: many are kept, and the GPU's memory is for the picture.

        Raises WeightsError when the encoder cannot be loaded.
        """
        aside = self._beside_the_picture()
        with aside.stream():
            embedding = self._get().encode(prompt)
        return aside.fetch(embedding)

    def rest(self) -> None:
        """No prompt waits: free an encoder that is on demand; get any other ready for the next prompt.

        On a GPU an empty prompt is encoded for it: then kernels are loaded and memory is taken before one is typed.
        """
        if self.placement is Placement.ON_DEMAND:
            self.free()
        elif not self.missing and not self.loaded:
            if self.device.type == "cuda":
                self.encode("")
            else:
                self._get()

    def free(self) -> None:
        """Give the encoder's memory back to the system."""
        if self._encoder is None:
            return
        self._encoder = None
        gc.collect()  # the model refers to itself
        _trim()
        log.info("text encoder freed")

    def _get(self) -> TextEncoder:
        if self.missing:
            raise WeightsError(self.missing)
        if self._encoder is None:
            begin = monotonic()
            self._encoder = self._load()
            log.info("text encoder %s on %s, loaded in %.1f s", self.identities[0], self.device, monotonic() - begin)
        return self._encoder

    def _beside_the_picture(self) -> Aside:
        self._aside = self._aside or new_aside(self.device)
        return self._aside


def text_dtype(device: torch.device, dtype: torch.dtype) -> torch.dtype:
    """The precision of the text encoder on `device`, beside models of `dtype`; its weights stay as their file has them.

    Never fp16: activations of T5 encoders leave its range. On a CPU bf16 where it has instructions for it, else fp32, with
    the weights widened layer by layer. Measured for a prompt of 77 tokens on one matrix of 10240 x 4096 (2 threads, Xeon):
    bf16 16 ms and widened 135 ms with AMX, 212 and 146 with AVX-512 alone, 439 and 136 with AVX2. bf16 weights kept in fp32
    would take half the time of widening them, and 23 GB in place of 11.
    """
    if device.type == "cpu":
        return torch.bfloat16 if multiplies_bf16() else torch.float32
    return torch.float32 if dtype == torch.float16 else dtype


def _trim() -> None:
    """Have glibc give back what was freed in small pieces (a tokenizer of 256,000 words); large ones went back by themselves."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # not in other C libraries
        if trim is not None:
            trim(0)
