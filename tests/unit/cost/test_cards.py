"""Cards by name, and others by what CUDA tells of them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from sdv2_live.cost.cards import by_properties, known


@pytest.mark.parametrize(
    ("device", "name"),
    [
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA H100 PCIe", "H100 PCIe"),
        ("NVIDIA A100-SXM4-80GB", "A100"),
        ("NVIDIA RTX A6000", "RTX A6000"),
        ("NVIDIA RTX 6000 Ada Generation", "RTX 6000 Ada"),
        ("NVIDIA L40S", "L40S"),
        ("NVIDIA L4", "L4"),
        ("4090", "RTX 4090"),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", None),
        ("NVIDIA GeForce RTX 4080 SUPER", None),
        ("NVIDIA GeForce RTX 3060 Ti", None),
        ("NVIDIA GeForce GTX 1080", None),
    ],
)
def test_a_devices_name(device: str, name: str | None) -> None:
    found = known(device)
    assert (found.name if found else None) == name


def properties(**more: object) -> SimpleNamespace:
    """Of a GeForce card of Ada's generation with 100 multiprocessors."""
    known = {"name": "RTX 4099", "major": 8, "minor": 9, "multi_processor_count": 100, "total_memory": 24 << 30}
    return SimpleNamespace(**known | more)


def test_an_unknown_card_is_estimated_from_its_properties() -> None:
    found = by_properties(properties(clock_rate=2_500_000, memory_clock_rate=10_000_000, memory_bus_width=256))
    assert found.tflops == pytest.approx(2 * 256 * 100 * 2.5e9 / 1e12)
    assert found.bandwidth == pytest.approx(2 * 10e9 * 256 / 8 / 1e12)
    assert found.gigabytes == 24


def test_a_card_that_says_less_or_is_newer_has_an_estimate_too() -> None:
    less = by_properties(properties(major=13))
    assert less.tflops == pytest.approx(2 * 256 * 100 * 1.7e9 / 1e12)
    assert less.bandwidth > 0


def test_a_known_cards_estimate_would_have_been_near() -> None:
    """A 4090 under another name: 128 multiprocessors, 2520 MHz, 384 bits at 10501 MHz."""
    told = {"multi_processor_count": 128, "clock_rate": 2_520_000, "memory_clock_rate": 10_501_000, "memory_bus_width": 384}
    found, right = by_properties(properties(**told)), known("4090")
    assert right is not None
    assert (found.tflops, found.bandwidth) == pytest.approx((right.tflops, right.bandwidth), rel=0.02)
