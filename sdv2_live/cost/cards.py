"""What graphics cards can do: by NVIDIA's figures for those that are known, by their properties for others."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import torch

Capability = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Card:
    """A graphics card.

    Attributes:
        name: as NVIDIA sells it.
        capability: compute capability.
        processors: multiprocessors.
        tflops: 10^12 operations a second of its matrix units, in bf16 without sparsity, summed in float32.
        bandwidth: of its memory, TB/s.
        gigabytes: of its memory.
    """

    name: str
    capability: Capability
    processors: int
    tflops: float
    bandwidth: float
    gigabytes: float


# NVIDIA's architecture papers (GA102, Ada, RTX Blackwell, A100, H100) and data sheets (L4, L40S, RTX 6000, H200, B200). Of names
# that hold one another the longer stands first.
CARDS = (
    Card("RTX 3060", (8, 6), 28, 25.3, 0.360, 12),
    Card("RTX 3080", (8, 6), 68, 59.5, 0.760, 10),
    Card("RTX 3090", (8, 6), 82, 71.2, 0.936, 24),
    Card("RTX 4070", (8, 9), 46, 58.3, 0.504, 12),
    Card("RTX 4080", (8, 9), 76, 97.5, 0.717, 16),
    Card("RTX 4090", (8, 9), 128, 165.2, 1.008, 24),
    Card("RTX 5070", (12, 0), 48, 61.7, 0.672, 12),
    Card("RTX 5080", (12, 0), 84, 112.6, 0.960, 16),
    Card("RTX 5090", (12, 0), 170, 209.5, 1.792, 32),
    Card("RTX A6000", (8, 6), 84, 154.8, 0.768, 48),
    Card("RTX 6000 Ada", (8, 9), 142, 364.2, 0.960, 48),
    Card("RTX PRO 6000", (12, 0), 188, 503.8, 1.792, 96),
    Card("L40S", (8, 9), 142, 362.0, 0.864, 48),
    Card("L4", (8, 9), 58, 121.0, 0.300, 24),
    Card("A100", (8, 0), 108, 312.0, 1.555, 40),
    Card("H100 PCIe", (9, 0), 114, 756.0, 2.000, 80),
    Card("H100", (9, 0), 132, 989.0, 3.350, 80),
    Card("H200", (9, 0), 132, 989.0, 4.800, 141),
    Card("B200", (10, 0), 148, 2250.0, 8.000, 180),
)

# Multiply-adds a clock and multiprocessor in bf16, summed in float32; of GeForce cards where the generation has others too.
RATES: dict[Capability, int] = {(8, 0): 1024, (8, 6): 256, (8, 9): 256, (9, 0): 2048, (10, 0): 4096, (12, 0): 256}
CLOCK, BANDWIDTH = 1.7e9, 0.4  # Hz and TB/s, where a card does not say


def known(name: str) -> Card | None:
    """The card of the table that a device's name means, such as "NVIDIA GeForce RTX 4090"; "4090" does as well.

    Cards whose name goes on with another version (Ti, SUPER, Laptop) are others.
    """
    for card in CARDS:
        for short in (card.name, card.name.split()[-1]):
            found = re.search(rf"(?<!\w){re.escape(short)}(?!\w)(?! *(ti|super|laptop|d\b|max-q|mobile))", name, re.IGNORECASE)
            if found and (short == card.name or name.strip().lower() == short.lower()):
                return card
    return None


def card_of(device: torch.device) -> Card:
    """The card of a CUDA device."""
    return by_properties(torch.cuda.get_device_properties(device))


def by_properties(found: Any) -> Card:
    """The card of the table, or an estimate by what CUDA tells (torch.cuda.get_device_properties)."""
    if card := known(found.name):
        return card
    capability = (found.major, found.minor)
    rate = next((RATES[each] for each in sorted(RATES, reverse=True) if each <= capability), 128)
    clock = 1e3 * getattr(found, "clock_rate", 0) or CLOCK  # kHz
    moved = 2 * 1e3 * getattr(found, "memory_clock_rate", 0) * getattr(found, "memory_bus_width", 0) / 8 / 1e12  # twice a clock
    tflops = 2 * rate * found.multi_processor_count * clock / 1e12
    return Card(found.name, capability, found.multi_processor_count, tflops, moved or BANDWIDTH, found.total_memory / 2**30)
