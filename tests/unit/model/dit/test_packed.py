"""One product for several linear layers: the same results, names and memory, whatever was done to the layers."""

from __future__ import annotations

import io
from typing import Any

import torch
from safetensors.torch import load, save
from support import tiny
from torch import Tensor, nn

from sdv2_live.model.checkpoints.assign import load_strict, synthetic_state_dict
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.dit.packed import joined, pack, packed_linear
from sdv2_live.model.lora.lora import LoraLinear
from sdv2_live.model.sizes import DitConfig

CONFIG = DitConfig(dim=96, heads=2, ffn=192, layers=2, text_dim=tiny.TEXT_DIM)
X = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))


def layers(bias: bool = True) -> list[nn.Module]:
    torch.manual_seed(1)
    return [nn.Linear(8, width, bias=bias) for width in (8, 8, 4)]


def apart(modules: list[nn.Module]) -> Tensor:
    return torch.cat([module(X) for module in modules], dim=-1)


@torch.no_grad()
def test_joined_layers_give_what_they_gave() -> None:
    modules = layers()
    expected, state = apart(modules), [module.state_dict() for module in modules]
    pack(modules)
    assert joined(modules) is not None  # type: ignore[arg-type]
    assert joined(modules)[0].data_ptr() == modules[0].weight.data_ptr()  # type: ignore[index, arg-type, operator]
    torch.testing.assert_close(packed_linear(modules, X), expected)
    for module, before in zip(modules, state, strict=True):
        assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


@torch.no_grad()
def test_writing_into_a_layer_is_seen_and_replacing_it_too() -> None:
    modules = layers()
    pack(modules)
    modules[1].weight.mul_(2.0)  # type: ignore[operator]
    assert joined(modules) is not None  # type: ignore[arg-type]
    torch.testing.assert_close(packed_linear(modules, X), apart(modules))
    modules[1].weight = nn.Parameter(torch.ones(8, 8))
    assert joined(modules) is None  # type: ignore[arg-type]
    torch.testing.assert_close(packed_linear(modules, X), apart(modules))


@torch.no_grad()
def test_layers_that_cannot_be_joined_run_one_by_one() -> None:
    for modules in (layers(bias=False), [*layers()[:2], nn.Sequential(nn.Linear(8, 3), nn.Tanh())]):
        pack(modules)
        torch.testing.assert_close(packed_linear(modules, X), apart(modules))


@torch.no_grad()
def test_a_live_lora_around_a_layer_stays_in_effect() -> None:
    modules = layers()
    down, up, scale = torch.randn(2, 8), torch.randn(8, 2), torch.ones(2)
    modules[1] = LoraLinear(modules[1], down, up, scale)
    for _ in range(2):  # wrapped first and packed then, and the other way round
        torch.testing.assert_close(packed_linear(modules, X), apart(modules))
        pack(modules)
    scale.fill_(0.5)
    torch.testing.assert_close(packed_linear(modules, X), apart(modules))
    pack([modules[0], modules[1].base, modules[2]])  # type: ignore[list-item]
    assert modules[0].weight.data_ptr() + modules[0].weight.nbytes == modules[1].base.weight.data_ptr()  # type: ignore[operator]


def test_a_packed_dit_loads_saves_and_moves_as_any_other() -> None:
    dit = CausalDiT(CONFIG)
    names = list(dit.state_dict())
    dit.pack()
    assert list(dit.state_dict()) == names
    load_strict(dit, synthetic_state_dict({k: tuple(v.shape) for k, v in dit.state_dict().items()}), "here")
    attention: Any = dit.blocks[0].self_attn
    assert joined((attention.q, attention.k, attention.v)) is not None
    saved = load(save(dict(dit.state_dict())))  # refuses tensors that share memory
    assert all(torch.equal(saved[name], value) for name, value in dit.state_dict().items())
    buffer = io.BytesIO()
    torch.save(dit.state_dict(), buffer)
    dit.to(torch.bfloat16)
    x = torch.randn(1, 3, 96, dtype=torch.bfloat16)
    qkv = (attention.q, attention.k, attention.v)
    torch.testing.assert_close(packed_linear(qkv, x), torch.cat([layer(x) for layer in qkv], dim=-1))
    storage = sum(parameter.untyped_storage().nbytes() for parameter in {p.data_ptr(): p for p in dit.parameters()}.values())
    dit.pack()  # with its weights moved, they are joined again, and nothing is held twice
    assert joined(qkv) is not None
    unique = {p.untyped_storage().data_ptr(): p.untyped_storage().nbytes() for p in dit.parameters()}
    assert sum(unique.values()) <= storage


def test_on_meta_nothing_is_joined() -> None:
    with torch.device("meta"):
        dit = CausalDiT(CONFIG)
    dit.pack()
    attention: Any = dit.blocks[0].self_attn
    assert packed_linear((attention.q,) * 3, torch.zeros(1, 2, 96, device="meta")).shape == (1, 2, 288)
