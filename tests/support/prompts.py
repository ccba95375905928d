"""A text encoder whose embeddings are known."""

from __future__ import annotations

import threading

import torch
from torch import Tensor

from support import tiny


class Dictionary:
    """An encoder whose embeddings are known, which can be held up, and which refuses the word `broken`."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.free.set()
        self.encoded: list[str] = []
        self.error = RuntimeError("no memory for this prompt")

    def encode(self, prompt: str) -> Tensor:
        assert self.free.wait(30)
        self.encoded.append(prompt)
        if prompt == "broken":
            raise self.error
        rows = 2 + len(prompt) % 5
        return torch.randn(1, rows, tiny.TEXT_DIM, generator=torch.Generator().manual_seed(sum(map(ord, prompt))))
