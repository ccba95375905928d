"""The choice of threads and precision on a CPU."""

from __future__ import annotations

import time

import pytest
import torch

from sdv2_live.model import cpu
from sdv2_live.model.load import choose_dtype

CPU = torch.device("cpu")


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (4, 1), (5, 2), (8, 3), (16, 7)])
def test_two_stages_at_once_leave_a_core_to_others(cores: int, threads: int) -> None:
    assert cpu.threads_of(cores, lambda n: 1 / n) == threads


def test_threads_that_save_little_are_not_taken() -> None:
    assert cpu.threads_of(16, lambda n: 1 / n**0.1) == 1


def test_few_cores_are_not_measured() -> None:
    def never(threads: int) -> float:
        raise AssertionError

    assert cpu.threads_of(4, never) == 1


def test_measuring_leaves_the_number_of_threads_as_it_was() -> None:
    before = torch.get_num_threads()
    assert 1 <= cpu.lane_threads.__wrapped__() <= max(before, 1)
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(("bf16", "dtype"), [(0.5, torch.bfloat16), (0.9, torch.float32), (9.0, torch.float32)])
def test_a_cpu_computes_in_bfloat16_where_that_is_measured_to_be_faster(
    monkeypatch: pytest.MonkeyPatch, bf16: float, dtype: torch.dtype
) -> None:
    monkeypatch.setattr(cpu, "_seconds", lambda measured, clock: bf16 if measured is torch.bfloat16 else 1.0)
    cpu.faster_in_bf16.cache_clear()
    try:
        assert choose_dtype("auto", CPU) == dtype
        assert choose_dtype("fp32", CPU) == torch.float32
    finally:
        cpu.faster_in_bf16.cache_clear()


def test_operations_take_time_in_either_precision() -> None:
    for dtype in (torch.float32, torch.bfloat16):
        assert cpu._seconds(dtype, time.perf_counter) > 0
