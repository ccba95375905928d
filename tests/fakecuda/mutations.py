"""Faults put into the program, each of which the simulated device must find."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any
from unittest import mock

from torch import Tensor

from fakecuda.api import Stream
from fakecuda.tensor import DeviceTensor
from sdv2_live.gpu.lanes import CudaLanes


@contextmanager
def _alone(_: CudaLanes) -> Iterator[None]:
    yield


def _kept(_: CudaLanes, tensor: Tensor) -> Tensor:
    return tensor


def _none(*_: Any) -> None:
    pass


MUTATIONS: dict[str, tuple[type, str, Callable[..., Any]]] = {
    "tensors are not recorded on the streams that read them": (DeviceTensor, "record_stream", _none),
    "stages do not wait for one another": (Stream, "wait_event", _none),
    "what touches several lanes does not wait for them": (CudaLanes, "alone", _alone),
    "a stage's result lies where its next one will": (CudaLanes, "hand_over", _kept),
}


def mutated(name: str) -> AbstractContextManager[Any]:
    """The program with a fault, while entered; without one for an empty name."""
    return mock.patch.object(*MUTATIONS[name]) if name else nullcontext()
