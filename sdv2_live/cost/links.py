"""What passes from one card to the next, and how long that takes: by the figures of NVLink and PCI Express, nothing measured."""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch

from sdv2_live.cost.cards import Card
from sdv2_live.gpu.geometry import MULTIPLE, Size
from sdv2_live.model.sizes import DitConfig

REACHED = 0.8  # of a link's nominal rate, by published benchmarks of NCCL
STAGED = 0.5  # of that, where tensors go through the host's memory, down and up again
NVLINK: dict[tuple[int, int], float] = {(8, 0): 300.0, (9, 0): 450.0, (10, 0): 900.0}  # GB/s in one direction; of SXM modules
PCIE_4, PCIE_5 = 31.5, 63.0  # GB/s in one direction, 16 lanes


@dataclass(frozen=True, slots=True)
class Link:
    """A way between two cards.

    Attributes:
        name: as people call it.
        rate: bytes a second that are reached in one direction.
        latency: seconds until the first byte arrives, with what a send and a receive take to be launched.
    """

    name: str
    rate: float
    latency: float

    def seconds(self, size: int) -> float:
        """The time that so many bytes take."""
        return self.latency + size / self.rate


def link_of(card: Card) -> Link:
    """The link between two such cards of one machine. GeForce cards have no access to each other's memory."""
    if card.capability in NVLINK and "PCIe" not in card.name:
        return Link("NVLink", REACHED * NVLINK[card.capability] * 1e9, 20e-6)
    generation, nominal = (5, PCIE_5) if card.capability >= (9, 0) else (4, PCIE_4)
    geforce = re.match(r"RTX \d{4}\b", card.name) is not None and "Ada" not in card.name
    if geforce:
        return Link(f"PCIe {generation} through the host", STAGED * REACHED * nominal * 1e9, 50e-6)
    return Link(f"PCIe {generation}", REACHED * nominal * 1e9, 30e-6)


def between(a: Card, b: Card) -> Link:
    """The link between two cards: the slower of theirs."""
    return min(link_of(a), link_of(b), key=lambda link: link.rate)


def boundary_bytes(dit: DitConfig, size: Size, dtype: torch.dtype) -> int:
    """What one rank hands to the next in a call of one latent frame: the residual stream."""
    tokens = (size[0] // MULTIPLE) * (size[1] // MULTIPLE)
    return tokens * dit.dim * dtype.itemsize


def latent_bytes(dit: DitConfig, size: Size) -> int:
    """A latent frame in float32, as the last rank hands it back."""
    return 4 * dit.channels * (size[0] // 8) * (size[1] // 8)
