"""8-bit linear layers: where they can be had, and what rounding to 8 bits costs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from bench import fp8 as bench_fp8
from torch import nn

from sdv2_live.errors import EngineError
from sdv2_live.model.dit import fp8
from sdv2_live.model.dit.cache_spec import CacheSpec
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.dit.eight import LARGEST, Linear8, Rows8, rounded
from sdv2_live.model.dit.ops import TorchOps
from sdv2_live.model.dit.packed import joined, pack, packed_linear
from sdv2_live.model.lora.lora import LoraLinear
from sdv2_live.model.sizes import DitConfig
from sdv2_live.takes.fingerprint import fingerprint

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    fp8.why_not_fp8.cache_clear()
    yield
    fp8.why_not_fp8.cache_clear()


def lacks(*_: object) -> None:
    raise RuntimeError("Rowwise scaling is not currently supported on your device")


def wrong(*_: object) -> None:
    raise EngineError("the product in 8 bits on cuda is wrong by 0.3 of its results: report this")


@pytest.mark.parametrize(
    ("capability", "system", "tried", "said"),
    [
        ((8, 6), "linux", lambda device: None, "this GPU has 8.6"),
        ((9, 0), "linux", lambda device: None, None),
        ((12, 0), "linux", lacks, "does not work with PyTorch .* on this GPU .Rowwise scaling is not .*: set it to false"),
        ((8, 9), "linux", wrong, "wrong by 0.3 of its results"),
        ((8, 9), "win32", lacks, "PyTorch's builds for Windows do not hold: set it to false, or use Linux"),
        ((8, 9), "win32", lambda device: None, None),  # a build that has it
    ],
)
def test_what_it_needs(
    capability: tuple[int, int], system: str, tried: Any, said: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(fp8, "check_product", tried)
    if said is None:
        fp8.require_fp8(CUDA)
    else:
        with pytest.raises(EngineError, match=said):
            fp8.require_fp8(CUDA)


def test_a_cpu_has_none() -> None:
    with pytest.raises(EngineError, match="needs an NVIDIA GPU, not the cpu: set it to false"):
        fp8.to_fp8(CausalDiT(DitConfig(dim=96, heads=2, ffn=192, layers=1, text_dim=32)), CPU)


def test_rounding_keeps_three_bits_of_each_number() -> None:
    x = torch.randn(64, 256, generator=torch.Generator().manual_seed(1)) * torch.logspace(-3, 3, 64)[:, None]
    error = (rounded(x).wide() - x).abs()
    normal = x.abs() > x.abs().amax(-1, keepdim=True) * 2.0**-6 / LARGEST  # below it, e4m3 has fewer bits
    assert bool((error <= x.abs() * 2.0**-4 * 1.001)[normal].all())
    assert rounded(torch.zeros(2, 16)).wide().abs().max() == 0


def small() -> CausalDiT:
    torch.manual_seed(0)
    dit = CausalDiT(DitConfig(dim=64, heads=2, ffn=128, layers=2, text_dim=32))
    return dit.to(torch.bfloat16).eval().requires_grad_(False)


@torch.inference_mode()
def flow(dit: CausalDiT) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    cross = dit.condition(torch.randn(1, 9, 32, generator=generator))
    x = torch.randn(1, 1, 16, 8, 8, generator=generator)
    return dit(x, torch.full((1, 1), 700.0), [0], cross=cross, cache=dit.new_cache(CacheSpec(3, 1), (8, 8)), rope=dit.rope())


class Counting(TorchOps):
    """Counts rows that a norm or GELU rounds, and those that are rounded in passes of their own."""

    def __init__(self) -> None:
        self.alone = self.fused = 0

    def add_norm(self, *args: Any, eight: bool = False) -> Any:
        self.fused += eight
        return super().add_norm(*args, eight=eight)

    def linear_gelu(self, *args: Any, eight: bool = False) -> Any:
        self.fused += eight
        return super().linear_gelu(*args, eight=eight)

    def rows8(self, x: torch.Tensor) -> Rows8:
        self.alone += 1
        return super().rows8(x)


def test_rows_are_rounded_once_by_what_makes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, eight, ops = small(), small(), Counting()
    assert fp8.round_layers(eight, ops, CPU) == 2 * 10
    eight.pack()
    monkeypatch.setattr("sdv2_live.model.dit.dit.find_ops", lambda *_: ops)
    expected, found = flow(plain), flow(eight)
    # A layer has three norms and a GELU; what attention gives goes to `o`, twice. The text's keys and values: twice a prompt.
    assert (ops.fused, ops.alone) == (2 * 4, 2 * 2 + 2 * 2)
    assert 0.001 < (found - expected).norm() / expected.norm() < 0.1


def test_live_loras_add_to_a_product_in_8_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    eight, ops = small(), Counting()
    fp8.round_layers(eight, ops, CPU)
    eight.pack()
    monkeypatch.setattr("sdv2_live.model.dit.dit.find_ops", lambda *_: ops)
    expected = flow(eight)
    generator = torch.Generator().manual_seed(2)
    for name, module in list(eight.named_modules()):
        if isinstance(module, Linear8) and name.endswith((".self_attn.q", ".ffn.2")):
            down, up = (
                torch.randn(shape, generator=generator).bfloat16()
                for shape in ((4, module.in_features), (module.out_features, 4))
            )
            eight.set_submodule(name, LoraLinear(module, down, up, torch.zeros(4).bfloat16()))
    assert (flow(eight) - expected).norm() / expected.norm() < 0.02  # at scale 0: the rows are rounded from 16 bits, no more
    for module in eight.modules():
        if isinstance(module, LoraLinear):
            module.scale.fill_(0.1)
    assert (flow(eight) - expected).norm() / expected.norm() > 0.02


def test_joined_layers_are_one_product() -> None:
    layers = [Linear8(nn.Linear(32, 16).bfloat16().requires_grad_(False)) for _ in range(3)]
    x = torch.randn(1, 5, 32).bfloat16()
    apart = packed_linear(layers, x)
    pack(layers)
    assert joined(layers) is not None
    assert torch.equal(packed_linear(layers, x), apart)
    assert torch.equal(packed_linear(layers, rounded(x)), apart)


def test_the_checks_before_use_pass_here_and_find_what_is_wrong() -> None:
    fp8.check_product(CPU)
    config = DitConfig(dim=64, heads=2, ffn=128, layers=1)
    fp8.check_rows8(TorchOps(), config, CPU)

    class Wrong(TorchOps):
        name = "wrong"

        def rows8(self, x: torch.Tensor) -> Rows8:
            return rounded(x * 1.1)

    with pytest.raises(EngineError, match=r"the wrong operations that round to 8 bits on cpu are wrong by 0\.1"):
        fp8.check_rows8(Wrong(), config, CPU)


def test_the_comparison_runs_and_tells_a_small_error() -> None:
    options = argparse.Namespace(size="32x32", device="cpu", model="tiny", vae="auto", fp8_layers=2)
    told = bench_fp8.compare(options)
    assert told["linear layers in fp8"] == 2 * 10  # q, k, v, o twice and two of the feed-forward
    assert 0.001 < told["flow"]["relative RMS error"] < 0.1
    assert told["pixels"]["PSNR dB"] > 20


def test_rounded_weights_have_a_fingerprint() -> None:
    linear = nn.Linear(64, 64).bfloat16().requires_grad_(False)
    model, rounded_model = nn.Sequential(linear), nn.Sequential(Linear8(linear))
    assert fingerprint(rounded_model) == fingerprint(rounded_model) != fingerprint(model)


@pytest.mark.gpu
def test_on_a_gpu_the_layers_are_as_exact_as_reckoned() -> None:
    problem = fp8.why_not_fp8(CUDA)
    if problem:
        pytest.skip(problem)
    options = argparse.Namespace(size="64x64", device="cuda", model="tiny", vae="auto", fp8_layers=2)
    real = bench_fp8.compare(options)
    emulated = bench_fp8.compare(argparse.Namespace(**{**vars(options), "device": "cpu"}))
    assert real["arithmetic"] == "fp8"
    assert real["flow"]["relative RMS error"] == pytest.approx(emulated["flow"]["relative RMS error"], rel=0.5)
