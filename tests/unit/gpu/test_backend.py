from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from support.host_kernels import HostKernels
from support.reference import random_frame

from sdv2_live.errors import EngineError
from sdv2_live.frame import PixelFormat
from sdv2_live.gpu import backend
from sdv2_live.gpu.fused import FusedPostprocessor, FusedPreprocessor
from sdv2_live.gpu.geometry import Fit
from sdv2_live.gpu.kernels import DTYPES

CPU = torch.device("cpu")
CUDA = torch.device("cuda")


@pytest.fixture(autouse=True)
def _nothing_found_yet() -> Iterator[None]:
    backend.find_kernels.cache_clear()
    yield
    backend.find_kernels.cache_clear()


def test_the_cpu_takes_torch_and_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert backend.new_preprocessor((32, 48)).backend == "torch"
    assert backend.new_postprocessor(PixelFormat.UYVY).backend == "torch"
    assert not caplog.records


def test_without_cupy_there_is_one_warning(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)  # as if it were not installed
    with caplog.at_level(logging.WARNING):
        assert backend.find_kernels(CUDA) is None
        assert backend.new_postprocessor(device=CUDA).backend == "torch"
        assert backend.new_preprocessor((32, 48), device=CUDA).backend == "torch"
    (record,) = caplog.records
    assert "CuPy cannot be loaded" in record.message
    assert "slower" in record.message


def test_kernels_that_work_pass_the_check(kernels: Any) -> None:
    backend.check(kernels, CPU)


class Wrong(HostKernels):
    """Colours a twentieth too strong, as a compiler's fault might have it."""

    def launch(self, kernel: str, threads: tuple[int, int, int], args: np.ndarray) -> None:
        args["color"] *= np.float32(1.05)
        super().launch(kernel, threads, args)


class Refused(HostKernels):
    """A driver that cannot run the kernels."""

    def launch(self, kernel: str, threads: tuple[int, int, int], args: np.ndarray) -> None:
        raise RuntimeError("CUDA_ERROR_NO_BINARY_FOR_GPU")


@pytest.mark.parametrize(("kind", "words"), [(Wrong, "are wrong by"), (Refused, "NO_BINARY_FOR_GPU")])
def test_kernels_that_do_not_work_are_found_out(kind: Any, words: str, kernels: Any) -> None:
    with pytest.raises(EngineError, match=words):
        backend.check(kind(kernels.library), CPU)


@pytest.mark.gpu
def test_cuda_takes_cupy() -> None:
    pytest.importorskip("cupy", reason="CuPy is not installed")
    assert backend.new_preprocessor((32, 48), device=CUDA).backend == "cupy"
    assert backend.new_postprocessor(device=CUDA).backend == "cupy"


@pytest.mark.gpu
@pytest.mark.parametrize("format", PixelFormat)
@pytest.mark.parametrize("fit", Fit)
@pytest.mark.parametrize("dtype", DTYPES)
def test_cuda_computes_exactly_what_the_host_does(format: PixelFormat, fit: Fit, dtype: torch.dtype, kernels: Any) -> None:
    """The same source with the same roundings: bit by bit, or a build does something else."""
    cupy = pytest.importorskip("sdv2_live.gpu.cupy_kernels", reason="CuPy is not installed").CupyKernels(CUDA)
    frames = [random_frame(90, 160, format, padding=12, seed=seed) for seed in range(5)]
    made = [
        FusedPreprocessor((48, 64), which, fit=fit, dtype=dtype, device=device).chunk(frames)
        for which, device in ((kernels, CPU), (cupy, CUDA))
    ]
    assert torch.equal(made[0], made[1].cpu())
    for input_size in (False, True):
        on_host, on_device = (
            FusedPostprocessor(which, format, input_size=input_size, fit=fit, device=pixels.device)(pixels, frames)
            for which, pixels in zip((kernels, cupy), made, strict=True)
        )
        for one, other in zip(on_host, on_device, strict=True):
            assert np.array_equal(one.data, other.data)


@pytest.mark.gpu
def test_kernels_keep_to_the_stream_they_are_called_on() -> None:
    """A long wait before the work, on a stream of its own: who did not wait would read what is not there yet."""
    pytest.importorskip("cupy", reason="CuPy is not installed")
    pre, post = backend.new_preprocessor((480, 832), device=CUDA), backend.new_postprocessor(PixelFormat.UYVY, device=CUDA)
    frames = [random_frame(480, 832, PixelFormat.UYVY, seed=seed) for seed in range(4)]
    wanted = post(pre.chunk(frames), frames)
    for _ in range(5):
        with torch.cuda.stream(torch.cuda.Stream()):
            torch.cuda._sleep(50_000_000)
            pixels = pre.chunk(frames)
            late = torch.full_like(pixels, -1)
            torch.cuda._sleep(50_000_000)
            late.copy_(pixels)
            for made, expected in zip(post(late, frames), wanted, strict=True):
                assert np.array_equal(made.data, expected.data)
