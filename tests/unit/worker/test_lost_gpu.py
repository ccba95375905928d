"""Errors that a GPU's context does not survive are told apart from those that cost a chunk, whoever raises them."""

from __future__ import annotations

import pytest

from sdv2_live.errors import EngineError, gpu_lost
from sdv2_live.worker.messages import Discard
from sdv2_live.worker.server import crashed, refused

LOST = (
    "CUDA error: an illegal memory access was encountered\nSearch for `cudaErrorIllegalAddress' in https://docs.nvidia.com",
    "CUDA error: unspecified launch failure",
    "CUDA error: the launch timed out and was terminated",
    "CUDA error: device-side assert triggered",
    "CUDA error: uncorrectable ECC error encountered",
    "CUDA error: misaligned address",
    "CUDA error: unknown error",
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    "CUBLAS_STATUS_EXECUTION_FAILED",
    "CUDNN_STATUS_EXECUTION_FAILED",
    "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR",
    "Triton Error [CUDA]: an illegal memory access was encountered",
    "Triton Error [CUDA]: context is destroyed",
    "cudaErrorIllegalAddress: an illegal memory access was encountered",  # CuPy's
    "CUDA_ERROR_LAUNCH_FAILED: unspecified launch failure",
    "CUDA driver error: an illegal instruction was encountered",
)
HARMLESS = (
    "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!",
    "shape '[1, 4]' is invalid for input of size 5",
    "the prompt 'CUDA and an error' is empty",
    "CUDA graphs are not used",
)


@pytest.mark.parametrize("text", LOST)
def test_an_error_of_the_driver_or_its_libraries_needs_a_new_process(text: str) -> None:
    assert gpu_lost(RuntimeError(text))
    assert crashed(Discard(), RuntimeError(text)).fatal


@pytest.mark.parametrize("text", HARMLESS)
def test_an_error_of_a_program_costs_a_chunk(text: str) -> None:
    assert not gpu_lost(RuntimeError(text))
    assert not crashed(Discard(), RuntimeError(text)).fatal


@pytest.mark.parametrize("text", ["CUDA out of memory. Tried to allocate 2 GiB", "CUDA error: out of memory"])
def test_exhausted_memory_needs_a_new_process_but_the_gpu_is_not_lost(text: str) -> None:
    """The text encoder may run out of it while the picture goes on."""
    assert not gpu_lost(RuntimeError(text))
    assert crashed(Discard(), RuntimeError(text)).fatal


def test_what_a_lost_gpu_caused_is_known_by_its_cause() -> None:
    error = EngineError("the picture cannot be painted")
    error.__cause__ = RuntimeError(LOST[0])
    assert refused(Discard(), error).fatal
    assert not refused(Discard(), EngineError("steps must be descending")).fatal
