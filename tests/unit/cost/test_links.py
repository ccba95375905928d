"""What passes between cards, and how long that takes."""

from __future__ import annotations

import pytest
import torch

from sdv2_live.config.profiles import PROFILES
from sdv2_live.cost.cards import Card, known
from sdv2_live.cost.links import between, boundary_bytes, latent_bytes, link_of


def card(name: str) -> Card:
    found = known(name)
    assert found is not None
    return found


def test_what_passes_is_the_residual_stream() -> None:
    assert boundary_bytes(PROFILES["1.3b"].dit, (480, 832), torch.bfloat16) == 30 * 52 * 1536 * 2
    assert boundary_bytes(PROFILES["14b"].dit, (512, 512), torch.float32) == 32 * 32 * 5120 * 4
    assert latent_bytes(PROFILES["1.3b"].dit, (480, 832)) == 16 * 60 * 104 * 4


@pytest.mark.parametrize(
    ("name", "link", "rate"),
    [
        ("H100", "NVLink", 360e9),
        ("A100", "NVLink", 240e9),
        ("H100 PCIe", "PCIe 5", 50.4e9),
        ("4090", "PCIe 4 through the host", 12.6e9),
        ("5090", "PCIe 5 through the host", 25.2e9),
        ("RTX 6000 Ada", "PCIe 4", 25.2e9),
        ("RTX PRO 6000", "PCIe 5", 50.4e9),
        ("L40S", "PCIe 4", 25.2e9),
    ],
)
def test_links(name: str, link: str, rate: float) -> None:
    found = link_of(card(name))
    assert (found.name, found.rate) == (link, pytest.approx(rate))
    assert found.seconds(10**9) == pytest.approx(found.latency + 1e9 / rate)


def test_of_two_cards_the_slower_link_counts() -> None:
    assert between(card("H100"), card("4090")) == link_of(card("4090")) == between(card("4090"), card("H100"))
