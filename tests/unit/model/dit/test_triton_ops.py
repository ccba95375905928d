"""The Triton kernels against the operations' meaning in PyTorch: in Triton's interpreter, or on a GPU where there is one."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from support.places import SUPPORT
from torch import Tensor, nn

from sdv2_live.errors import EngineError
from sdv2_live.model.dit.backend import check, find_ops
from sdv2_live.model.dit.cache_spec import CacheSpec
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.dit.kv_cache import KVCache
from sdv2_live.model.dit.ops import TorchOps
from sdv2_live.model.dit.rope import RopeTable
from sdv2_live.model.lora.lora import LoraLinear
from sdv2_live.model.sizes import DitConfig

CUDA = torch.cuda.is_available()
if not CUDA:
    os.environ["TRITON_INTERPRET"] = "1"  # read when Triton is imported, and when kernels are defined
pytest.importorskip("triton")

import triton.language as tl  # noqa: E402
from triton.runtime import interpreter  # noqa: E402

from sdv2_live.model.dit.triton_ops import TritonOps  # noqa: E402

DEVICE = torch.device("cuda" if CUDA else "cpu")
TOLERANCE = {torch.float32: 2e-6, torch.bfloat16: 8e-3}  # of the norm; bfloat16 rounds to 1/256
DTYPES = pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda dtype: str(dtype)[6:])


def random(seed: int, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(DEVICE, dtype)


def assert_near(found: Any, expected: Any, dtype: torch.dtype) -> None:
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    error = (found.float() - expected.float()).norm() / expected.float().norm().clamp_min(1e-9)
    assert error < TOLERANCE[dtype]


@DTYPES
@pytest.mark.parametrize("width", [96, 256])
@pytest.mark.parametrize(("levels", "frames"), [(1, 1), (1, 2), (3, 1), (2, 2)])
@pytest.mark.parametrize("parts", ["norm alone", "branch", "branch and gate"])
def test_add_norm(parts: str, levels: int, frames: int, width: int, dtype: torch.dtype) -> None:
    x, branch = random(0, levels, frames, 2, width, dtype=dtype), random(1, levels, frames * 2, width, dtype=dtype)
    vectors = random(2, levels, frames, 6, width)  # as a block's modulation: its rows lie between those of the others
    given = (None if parts == "norm alone" else branch, vectors[:, :, 2] if parts == "branch and gate" else None)
    expected = TorchOps().add_norm(x.clone(), *given, vectors[:, :, 1], vectors[:, :, 0])
    for found, wanted in zip(TritonOps().add_norm(x, *given, vectors[:, :, 1], vectors[:, :, 0]), expected, strict=True):
        assert_near(found, wanted, dtype)


@DTYPES
def test_add_norm_with_one_weight_for_all_frames(dtype: torch.dtype) -> None:
    x, weight, bias = random(0, 2, 2, 5, 96, dtype=dtype), random(1, 96, dtype=dtype), random(2, 96, dtype=dtype)
    shared = [vector.expand(2, 2, 96) for vector in (weight, bias)]
    expected = TorchOps().add_norm(x.clone(), None, None, *shared)[1]
    assert_near(TritonOps().add_norm(x, None, None, *shared)[1], expected, dtype)


@DTYPES
def test_rms_norm(dtype: torch.dtype) -> None:
    x, weight = random(0, 2, 7, 96, dtype=dtype), random(1, 96, dtype=dtype)
    assert_near(TritonOps().rms_norm(x, weight), TorchOps().rms_norm(x, weight), dtype)


@pytest.mark.parametrize("with_lora", [False, True])
def test_gelu_in_the_product_is_gelu_after_it(with_lora: bool) -> None:
    x, weight, bias = random(0, 2, 7, 96), random(1, 160, 96), random(2, 160)
    layer: nn.Module = nn.Linear(96, 160, device=DEVICE)
    layer.load_state_dict({"weight": weight, "bias": bias})
    if with_lora:  # which adds to the output first
        layer = LoraLinear(layer, random(3, 4, 96), random(4, 160, 4), random(5, 4))
    found: Any
    expected: Any
    with torch.inference_mode():
        found, expected = (ops.linear_gelu(layer, x) for ops in (TritonOps(), TorchOps()))
    assert found.shape == expected.shape
    assert (found - expected).norm() / expected.norm() < 2e-3  # on a CPU the product gives the exact GELU, not the tanh form


@pytest.fixture
def right_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Triton's interpreter loses the carry where rounding to 8 bits reaches a power of two: PyTorch converts in its place."""
    if CUDA:
        return
    own = interpreter._convert_float

    def convert(x: np.ndarray, given: Any, wanted: Any, rounding: Any) -> np.ndarray:
        if wanted != tl.float8e4nv:
            return own(x, given, wanted, rounding)
        return torch.from_numpy(x.copy()).to(torch.float8_e4m3fn).view(torch.uint8).numpy()

    monkeypatch.setattr(interpreter, "_convert_float", convert)


@pytest.mark.usefixtures("right_rounding")
@pytest.mark.parametrize("width", [96, 256])
def test_rows_in_8_bits(width: int) -> None:
    x, branch = random(0, 2, 2, 3, width), random(1, 2, 6, width)
    vectors = random(2, 2, 2, 3, width)
    outputs = []
    for ops in (TritonOps(), TorchOps()):
        normed = ops.add_norm(x.clone(), branch, vectors[:, :, 0], vectors[:, :, 1], vectors[:, :, 2], eight=True)[1]
        outputs.append([ops.rows8(x), normed, ops.linear_gelu(nn.Identity(), x, eight=True), ops.rows8(x * 0)])
    for mine, theirs in zip(*outputs, strict=True):
        assert mine.codes.dtype == theirs.codes.dtype == torch.float8_e4m3fn
        assert mine.codes.shape == theirs.codes.shape
        torch.testing.assert_close(mine.scales, theirs.scales, rtol=1e-5, atol=0)
        # A sum in another order may round a number the other way: to the neighbour, an eighth of it away.
        far = (mine.wide() - theirs.wide()).abs() > theirs.wide().abs() / 7 + 2 * theirs.scales * 2.0**-9
        assert not far.any()
        assert (mine.wide() != theirs.wide()).float().mean() < 1e-2 or torch.allclose(mine.wide(), theirs.wide(), rtol=1e-5)


class Rig:
    """A cache of two layers that some operations write, call after call."""

    def __init__(self, ops: TritonOps | TorchOps, spec: CacheSpec, levels: int, dtype: torch.dtype) -> None:
        self.ops, self.levels, self.dtype = ops, levels, dtype
        self.kv = KVCache(spec, layers=2, levels=levels, tokens=2, heads=2, head_dim=24, dtype=dtype, device=DEVICE)
        self.norms = random(8, 48, dtype=dtype), random(9, 48, dtype=dtype)

    def call(self, starts: list[int], frames: int, seed: int, sign: float = 1.0) -> list[Tensor]:
        self.kv.begin(plan := self.kv.plan(starts, frames))
        rotations = RopeTable(24, DEVICE).rotations(torch.tensor(starts, device=DEVICE), frames, 1, 2)
        qkv = sign * random(seed, self.levels, frames * 2, 3 * 48, dtype=self.dtype)
        return [self.ops.remember(qkv.clone(), self.norms, rotations, self.kv, layer, plan) for layer in (0, 1)]


@pytest.mark.parametrize("spec", [CacheSpec(4, 1, -1), CacheSpec(4, 2, 0.2), CacheSpec(3, 1, 0.9), CacheSpec(3, 0, 0.2)])
@pytest.mark.parametrize(
    ("levels", "dtype"),
    [(1, torch.float32), (2, torch.float32), (2, torch.bfloat16)],
    ids=["1-float32", "2-float32", "2-bfloat16"],
)
def test_queries_slots_and_cache(levels: int, spec: CacheSpec, dtype: torch.dtype) -> None:
    rigs = [Rig(ops, spec, levels, dtype) for ops in (TritonOps(), TorchOps())]
    # The first call brings two frames; a level's start repeats; a strange frame (its sign) takes a sink.
    calls = [([0] * levels, 2, 1, 1.0)]
    calls += [([f, max(f - 1, 2)][:levels], 1, 1, 1.0 if f % 3 else -1.0) for f in range(2, 8) for _ in range(2)]
    for call in calls:
        for found, expected in zip(*(rig.call(*call) for rig in rigs), strict=True):
            assert_near(found, expected, dtype)
    mine, theirs = (rig.kv for rig in rigs)
    assert torch.equal(mine.slots, theirs.slots)
    assert torch.equal(mine.ring, theirs.ring)
    assert_near(mine.k, theirs.k, dtype)
    assert torch.equal(mine.v, theirs.v)


def test_the_check_at_start_passes_and_finds_what_is_wrong() -> None:
    check(TritonOps(), DEVICE)
    check(TritonOps(), DEVICE, heads=12, head_dim=128)  # as wide as 1.3b
    wrong = TritonOps()
    wrong.rms_norm = lambda x, weight: x * 1.1  # type: ignore[method-assign, assignment]
    with pytest.raises(EngineError, match=r"the triton operations on .* are wrong by"):
        check(wrong, DEVICE)


@pytest.mark.parametrize("capability", [90, *(pytest.param(card, marks=pytest.mark.slow) for card in (80, 89, 100, 120))])
def test_the_kernels_compile(capability: int) -> None:
    """With the compiler that Triton brings, for Hopper, and Ampere, Ada and Blackwell."""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    script = SUPPORT / "compile_kernels.py"
    done = subprocess.run(
        [sys.executable, str(script), str(capability)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.gpu
@torch.inference_mode()
def test_on_a_gpu_the_kernels_are_chosen_and_right_at_full_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two layers of the 1.3B model at 480x832, until sinks adapt."""
    device = torch.device("cuda")
    assert find_ops(device).name == "triton"
    torch.manual_seed(0)
    with device:
        dit = CausalDiT(DitConfig(dim=1536, heads=12, ffn=8960, layers=2)).to(torch.bfloat16)
    dit.pack()
    cross, rope = dit.condition(torch.randn(1, 60, 4096)), dit.rope()
    caches = [dit.new_cache(CacheSpec(4, 2, 0.9), (60, 104)) for _ in range(2)]
    for start in (0, 2, 3, 4, 5, 6):
        x, t = random(start, 1, 1, 16, 60, 104), torch.full((1, 1), 700.0, device=device)
        found = dit(x, t, [start], cross=cross, cache=caches[0], rope=rope)
        with monkeypatch.context() as patch:
            patch.setattr("sdv2_live.model.dit.dit.find_ops", lambda *_: TorchOps())
            expected = dit(x, t, [start], cross=cross, cache=caches[1], rope=rope)
        assert (found - expected).norm() / expected.norm() < 2e-2
