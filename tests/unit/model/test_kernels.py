"""Kernels that cannot be built, or are wrong, give way to PyTorch's operations, whatever they fail with."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from sdv2_live.errors import EngineError
from sdv2_live.model.kernels import working


class NewKindError(BaseException):
    """No failure of a kernel, but of the program."""


@pytest.mark.parametrize(
    ("failure", "help"),
    [
        (ModuleNotFoundError("No module named 'triton'"), "install Triton"),
        (EngineError("the triton operations are wrong by 0.3"), "report this"),
        (RuntimeError("PTXASError: Internal Triton PTX codegen error: no kernel image for sm_130"), "newer PyTorch and Triton"),
        (subprocess.CalledProcessError(1, ["gcc", "main.c", "-I/usr/include/python3.11", "Python.h"]), "a C compiler"),
        (FileNotFoundError("/sbin/ldconfig"), "NVIDIA driver"),
        (AssertionError("libcuda.so cannot found!"), "NVIDIA driver"),
        (PermissionError(13, "Permission denied", "/home/vj/.triton/cache"), "TRITON_CACHE_DIR"),
        (ZeroDivisionError("anything else"), "report this"),
    ],
)
@pytest.mark.parametrize("built", [False, True])
def test_whatever_fails_pytorch_goes_on(failure: Exception, help: str, built: bool, caplog: pytest.LogCaptureFixture) -> None:
    def fail(*_: object) -> Any:
        raise failure

    kernels = working(lambda: "fused" if built else fail(), fail, "torch", "the kernels")
    assert kernels == "torch"
    assert len(caplog.records) == 1
    assert f"{type(failure).__name__}: {failure}" in caplog.text
    assert help in caplog.text


def test_what_works_is_used(caplog: pytest.LogCaptureFixture) -> None:
    assert working(lambda: "fused", lambda kernels: None, "torch", "the kernels") == "fused"
    assert not caplog.records


def test_the_end_of_the_program_is_no_failure_of_a_kernel() -> None:
    def end(_: str) -> None:
        raise NewKindError

    with pytest.raises(NewKindError):
        working(lambda: "fused", end, "torch", "the kernels")
