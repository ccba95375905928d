"""8-bit linear layers: where they can be had, and what rounding to 8 bits costs."""

from __future__ import annotations

import argparse
import importlib.util

import pytest
import torch
from bench import fp8 as bench_fp8
from torch import nn

from sdv2_live.errors import EngineError
from sdv2_live.model.dit import fp8
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.dit.layers import DitConfig
from sdv2_live.model.lora.lora import LoraLinear
from sdv2_live.takes.fingerprint import fingerprint

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("capability", "installed", "said"),
    [((8, 6), True, "this GPU has 8.6"), ((8, 9), False, r"pip install 'sdv2-live\[fp8\]'"), ((9, 0), True, None)],
)
def test_what_it_needs(capability: tuple[int, int], installed: bool, said: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if installed else None)
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
    error = (bench_fp8.rounded_rows(x) - x).abs()
    normal = x.abs() > x.abs().amax(-1, keepdim=True) * 2.0**-6 / bench_fp8.LARGEST  # below it, e4m3 has fewer bits
    assert bool((error <= x.abs() * 2.0**-4 * 1.001)[normal].all())
    assert bench_fp8.rounded_rows(torch.zeros(2, 16)).abs().max() == 0


def test_the_comparison_runs_and_tells_a_small_error() -> None:
    options = argparse.Namespace(size="32x32", device="cpu", model="tiny", vae="auto", fp8_layers=2)
    told = bench_fp8.compare(options)
    assert told["linear layers in fp8"] == 2 * 10  # q, k, v, o twice and two of the feed-forward
    assert 0.001 < told["flow"]["relative RMS error"] < 0.1
    assert told["pixels"]["PSNR dB"] > 20


def test_quantised_weights_have_a_fingerprint_and_take_loras() -> None:
    quantization = pytest.importorskip("torchao.quantization")
    model = nn.Sequential(nn.Linear(64, 64)).bfloat16().requires_grad_(False)
    plain = fingerprint(model)
    quantization.quantize_(model, quantization.Float8WeightOnlyConfig())  # the same tensors; its products run on a CPU
    first = fingerprint(model)
    assert first == fingerprint(model) != plain
    low = torch.randn(4, 64).bfloat16()
    with torch.inference_mode():
        layer = LoraLinear(model[0], low, low.t().contiguous(), torch.ones(4).bfloat16())
        assert layer(torch.randn(1, 5, 64).bfloat16()).shape == (1, 5, 64)


@pytest.mark.gpu
def test_on_a_gpu_the_layers_are_as_exact_as_emulated_ones() -> None:
    problem = fp8.why_not_fp8(CUDA)
    if problem:
        pytest.skip(problem)
    options = argparse.Namespace(size="64x64", device="cuda", model="tiny", vae="auto", fp8_layers=2)
    real = bench_fp8.compare(options)
    emulated = bench_fp8.compare(argparse.Namespace(**{**vars(options), "device": "cpu"}))
    assert real["arithmetic"] == "torchao"
    assert real["flow"]["relative RMS error"] == pytest.approx(emulated["flow"]["relative RMS error"], rel=0.5)
