"""Convolutions by Winograd's way against PyTorch's own."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sdv2_live.model.vae.backend import convolve
from sdv2_live.model.vae.winograd import suits, winograd


def layer(c_in: int = 64, c_out: int = 72, *, bias: bool = True, stride: int = 1, padding: int = 1) -> nn.Conv2d:
    torch.manual_seed(c_in)
    return nn.Conv2d(c_in, c_out, 3, stride, padding, bias=bias).requires_grad_(False)


def picture(samples: int, channels: int, height: int, width: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(height * width)
    return torch.randn(samples, channels, height, width, generator=generator).contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("samples", "height", "width"), [(1, 8, 8), (3, 4, 12), (1, 26, 42), (2, 1, 3), (1, 6, 5)])
def test_the_result_is_the_convolution(samples: int, height: int, width: int, bias: bool) -> None:
    conv, x = layer(bias=bias), picture(samples, 64, height, width)
    right = nn.functional.conv2d(x.double(), conv.weight.double(), None if conv.bias is None else conv.bias.double(), padding=1)
    got = winograd(x, conv)
    assert got.shape == right.shape
    assert float((got - right).norm() / right.norm()) < 1e-5
    assert torch.equal(convolve(x, conv).x, got)  # which is taken


def test_weights_that_were_written_count() -> None:
    conv, x = layer(bias=False), picture(1, 64, 8, 8)
    once = winograd(x, conv)
    with torch.no_grad():
        conv.weight.mul_(2)
    assert torch.allclose(winograd(x, conv), 2 * once, rtol=1e-4, atol=1e-4)
    conv.weight.data = conv.weight.data * 0
    assert not winograd(x, conv).any()


def test_memory_in_any_order_will_do() -> None:
    conv, x = layer(), picture(2, 64, 8, 12)
    assert torch.allclose(winograd(x.contiguous(), conv), winograd(x, conv), atol=1e-5)
    wide = picture(2, 96, 8, 12)
    part = wide[:, 16:80]
    assert torch.allclose(winograd(part, conv), winograd(part.contiguous(), conv), atol=1e-5)


def test_other_layers_stay_as_they_are() -> None:
    x = picture(1, 64, 8, 8)
    assert suits(x, layer())
    others = layer(stride=2), layer(padding=0), layer(64, 3), nn.Conv2d(64, 64, 1), layer().bfloat16()
    assert not any(suits(x, conv) for conv in others)
    assert not suits(x.bfloat16(), layer().bfloat16())
    assert not suits(x.double(), layer().double())
    assert not suits(x, layer().requires_grad_())  # gradients flow through PyTorch's own
    assert not suits(x.clone().requires_grad_(), layer())
