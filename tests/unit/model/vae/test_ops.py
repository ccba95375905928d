"""The autoencoders' fused operations: the kernel computes what PyTorch does, layouts never change, memory stays in place."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from sdv2_live.errors import EngineError
from sdv2_live.model.sizes import Stage, TaehvConfig, WanVaeConfig
from sdv2_live.model.vae.backend import check, find_vae_ops
from sdv2_live.model.vae.ops import Pending, TorchVaeOps, channels_last, interleaved, upsampled
from sdv2_live.model.vae.taehv import TAEHV
from sdv2_live.model.vae.wan import WanVAE

INTERPRETED = """
import torch
from sdv2_live.model.vae.backend import check, check_norm
from sdv2_live.model.vae.triton_ops import TritonVaeOps
check(TritonVaeOps(), torch.device("cpu"), torch.float32, 1e-6)
check(TritonVaeOps(), torch.device("cpu"), torch.bfloat16, 1e-2)
for channels in (64, 96, 160, 256, 384):  # of the real models
    check_norm(TritonVaeOps(), torch.device("cpu"), channels, torch.float32, 1e-6)
"""
WHOLE = """
import torch, torch.nn.functional as F
from sdv2_live.model.vae import backend
from sdv2_live.model.vae.ops import TorchVaeOps, channels_last
from sdv2_live.model.vae.taehv import TAEHV
from sdv2_live.model.sizes import Stage, TaehvConfig
from sdv2_live.model.vae.triton_ops import TritonVaeOps
from sdv2_live.model.vae.wan import WanVAE
from sdv2_live.model.sizes import WanVaeConfig

torch.manual_seed(0)
widths = []

def spied(convolution):
    def run(x, weight, *rest, **named):
        widths.extend(weight.shape[:2])
        return convolution(x, weight, *rest, **named)
    return run

F.conv2d, F.conv3d = spied(F.conv2d), spied(F.conv3d)
stages = (Stage(16, 1, 2, 2), Stage(16, 1, 2, 2)), (Stage(24, 1, 2, 2), Stage(16, 1, 2, 2))
video = torch.rand(1, 3, 9, 16, 16) * 2 - 1
for vae in (WanVAE(WanVaeConfig(dim=8)), TAEHV(TaehvConfig(encoder=stages[0], decoder=stages[1], final_width=16))):
    channels_last(vae.eval().requires_grad_(False))
    found = []
    for ops in (TritonVaeOps(), TorchVaeOps()):
        backend.find_vae_ops = lambda *_: ops
        widths.clear()
        memory = vae.new_memory()
        latents = [vae.encode(frames, memory) for frames in (video[:, :, :5], video[:, :, 5:])]
        found.append([*latents, *(vae.decode(latent, memory) for latent in latents)])
        if ops.multiple == 8:
            assert widths and not any(width % 8 for width in widths), widths
    for mine, theirs in zip(*found):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)
"""
COMPILED = """
import inspect, triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from sdv2_live.model.vae.triton_ops import _finish
flags = {"NORM": True, "SILU": True, "BIAS": True, "SKIP": True, "RELU": False, "PHASED": False, "TOTAL": True, "PAST": 2,
    "BESIDE": 0, "FOLD": 1}
tiny = {"NORM": False, "SILU": False, "RELU": True, "TOTAL": False, "PAST": 0, "BESIDE": 1, "PHASED": True}
for changed in ({}, tiny, {**tiny, "BESIDE": 0, "FOLD": 2, "PHASED": False}):
    constants = flags | changed | {"C": 96, "BLOCK_C": 128, "BLOCK_P": 16}
    names = list(inspect.signature(_finish.fn).parameters)
    types = {name: "constexpr" if name in constants else "i32" if i >= 7 else "*bf16" for i, name in enumerate(names)}
    source = ASTSource(_finish, types, constexprs=constants)
    for capability in (80, 89, 90, 120):
        triton.compile(source, target=GPUTarget("cuda", capability, 32), options={"num_warps": 4})
"""


def run(script: str, **environment: str) -> None:
    """In a process of its own: whether kernels are interpreted is settled when Triton is imported."""
    done = subprocess.run([sys.executable, "-c", script], env=os.environ | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_kernel_computes_what_pytorch_does() -> None:
    pytest.importorskip("triton")
    run(INTERPRETED, TRITON_INTERPRET="1")


def test_on_a_gpu_every_convolution_has_channels_in_eights_and_gives_the_same() -> None:
    pytest.importorskip("triton")
    run(WHOLE, TRITON_INTERPRET="1")


@pytest.mark.slow
def test_the_kernel_compiles_for_gpus() -> None:
    pytest.importorskip("triton")
    run(COMPILED, TRITON_INTERPRET="0")


def test_a_wrong_kernel_is_refused() -> None:
    class Wrong(TorchVaeOps):
        name = "wrong"

        def joined(self, pending: Pending, past: Tensor) -> Tensor:
            return super().joined(pending, past.clone())  # the memory is not replaced

    with pytest.raises(EngineError, match="wrong kernel on cpu is wrong by"):
        check(Wrong(), torch.device("cpu"))


@pytest.mark.gpu
def test_the_kernel_works_on_this_gpu() -> None:
    assert find_vae_ops(torch.device("cuda")).name == "triton"


def test_upsampling_within_the_convolution() -> None:
    torch.manual_seed(0)
    for bias in (True, False):
        conv, x = nn.Conv2d(6, 5, 3, padding=1, bias=bias), torch.randn(3, 6, 4, 7)
        expected = conv(F.interpolate(x, scale_factor=2.0, mode="nearest-exact"))
        y = upsampled(x, conv)
        assert y.phased
        torch.testing.assert_close(TorchVaeOps().value(y), expected)
        torch.testing.assert_close(interleaved(y.x.unsqueeze(2)), interleaved(y.x).unsqueeze(2))


class Layouts(TorchDispatchMode):
    """Every convolution's input must lie with channels innermost, and its weight too; nothing may be padded."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert func is not torch.ops.aten.constant_pad_nd.default
        if func is not torch.ops.aten.convolution.default:
            return func(*args, **(kwargs or {}))
        self.convolutions += 1
        layout = torch.channels_last_3d if args[0].ndim == 5 else torch.channels_last
        for tensor in args[:2]:
            assert tensor.is_contiguous(memory_format=layout), f"{tuple(tensor.shape)}, strides {tensor.stride()}"
        return func(*args, **(kwargs or {})).contiguous(memory_format=layout)  # as cuDNN leaves it, but not every CPU


class Inner(TorchVaeOps):
    """The operations with the layouts that the kernel writes."""

    name = "inner"

    def joined(self, pending: Pending, past: Tensor) -> Tensor:
        return super().joined(pending, past).contiguous(memory_format=torch.channels_last_3d)

    def normed(self, pending: Pending, gamma: Tensor, **options: Any) -> tuple[Tensor, Tensor | None]:
        joined, total = super().normed(pending, gamma, **options)
        assert pending.x.stride(1) == 1
        assert pending.skip is None or pending.skip.stride(1) == 1
        layout = torch.channels_last_3d
        return joined.contiguous(memory_format=layout), None if total is None else total.contiguous(memory_format=layout)

    def value(self, pending: Pending, fold: int = 1) -> Tensor:
        value = super().value(pending, fold)
        return value.contiguous(memory_format=torch.channels_last if value.ndim == 4 else torch.channels_last_3d)

    def beside(self, pending: Pending, past: Tensor) -> tuple[Tensor, Tensor]:
        value, pairs = super().beside(pending, past)
        return value, pairs.contiguous(memory_format=torch.channels_last)


def wan() -> WanVAE:
    return WanVAE(WanVaeConfig(dim=8))


def taehv() -> TAEHV:
    stages = (Stage(16, 1, 2, 2), Stage(16, 1, 2, 2)), (Stage(24, 1, 2, 2), Stage(16, 1, 2, 2))
    return TAEHV(TaehvConfig(patch=2, encoder=stages[0], decoder=stages[1], final_width=16))


@pytest.fixture(params=[wan, taehv])
def vae(request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(0)
    made: Any = request.param().eval().requires_grad_(False)
    channels_last(made)
    return made


def test_layouts_never_change(vae: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sdv2_live.model.vae.backend.find_vae_ops", lambda *_: Inner())
    memory = vae.new_memory()
    with Layouts() as layouts:
        for frames in (5, 4):
            vae.decode(vae.encode(torch.rand(1, 3, frames, 32, 32) * 2 - 1, memory), memory)
    assert layouts.convolutions > 20


def memory_of(vae: Any, memory: Any) -> Iterator[int]:
    for half in (memory.encoder, memory.decoder):
        yield from (tensor.data_ptr() for tensor in half.past if tensor is not None)


def test_memory_stays_where_it_is(vae: Any) -> None:
    memory = vae.new_memory()
    places = []
    for frames in (5, 4, 4, 0, 5):
        if frames == 0:
            memory.reset_()
            continue
        vae.decode(vae.encode(torch.rand(1, 3, frames, 32, 32) * 2 - 1, memory), memory)
        places.append(list(memory_of(vae, memory)))
    assert places[0]
    assert all(place == places[0] for place in places)


@pytest.mark.parametrize("pushed", [(), (1,), (3,), (1, 1, 1), (2, 1), (4,)])
def test_frames_pushed_as_they_come_give_the_same_latents(vae: Any, pushed: tuple[int, ...]) -> None:
    video = torch.rand(1, 3, 17, 16, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
    expected, memory = vae.encode(video, vae.new_memory()), vae.new_memory()
    found = []
    for chunk in (video[:, :, :5], *video[:, :, 5:].split(4, dim=2)):
        at = 0
        for count in pushed:
            vae.push(chunk[:, :, at : at + count], memory)
            at += count
        found.append(vae.encode(chunk[:, :, at:], memory))
    torch.testing.assert_close(torch.cat(found, dim=1), expected, rtol=1e-4, atol=1e-5)


def test_a_pushed_frame_counts_and_a_reset_forgets_it(vae: Any) -> None:
    memory, video = vae.new_memory(), torch.rand(1, 3, 5, 16, 32)
    vae.encode(video, memory)
    vae.push(video[:, :, :1], memory)
    with pytest.raises(ValueError, match="4 frames after 1 do not make whole chunks"):
        vae.encode(video[:, :, :4], memory)
    memory.reset_()
    torch.testing.assert_close(vae.encode(video, memory), vae.encode(video, vae.new_memory()), rtol=0, atol=0)


def test_gradients_pass(vae: Any) -> None:
    vae.requires_grad_(True)
    memory = vae.new_memory()
    vae.decode(vae.encode(torch.rand(1, 3, 5, 16, 16), memory), memory).square().mean().backward()
    assert [name for name, weight in vae.named_parameters() if weight.grad is None] == []
