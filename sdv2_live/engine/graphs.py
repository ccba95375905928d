"""Device work as CUDA graphs: launched as one, without the host's time for every kernel.

A graph is a recording of kernels with fixed addresses. So what is captured must depend on device memory alone, its inputs are
copied to where they were when it was captured, and state that it changes stays where it is.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor

from sdv2_live.model.dit.layers import CrossKV

log = logging.getLogger("sdv2_live.engine")


class Capture(Protocol):
    """Makes a graph of a function; None stands for a function that could not be captured."""

    def __call__(self, function: Callable[[], Tensor]) -> Callable[[], Tensor] | None:
        """Return a callable that replays the captured work. The next replay overwrites the tensor that it returns."""


class CudaCapture:
    """Captures on a CUDA device, with one memory pool for all its graphs.

    The result of one graph must be used, on the same stream, before another runs. After a failure, which is logged, nothing
    more is captured.
    """

    def __init__(self, device: torch.device, priority: int = 0) -> None:
        """priority: of the CUDA stream that runs the graphs. Kernels keep that which they are captured with.

        Versions of PyTorch that do not ask for that give them the priority of the stream they are replayed on: the same.
        """
        self._stream = torch.cuda.Stream(device, priority=priority)
        self._pool: Any = None
        self._live: weakref.WeakSet[Callable[[], Tensor]] = weakref.WeakSet()  # each holds its graph
        self._works = True

    def __call__(self, function: Callable[[], Tensor]) -> Callable[[], Tensor] | None:
        if not self._works:
            return None
        if not self._live:  # the allocator forgets a pool with its last graph
            self._pool = torch.cuda.graph_pool_handle()
        graph = torch.cuda.CUDAGraph()
        self._stream.wait_stream(torch.cuda.current_stream(self._stream.device))
        try:
            with torch.cuda.stream(self._stream):
                # Other threads, such as the text encoder's, may allocate and synchronise meanwhile.
                graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")
                try:
                    result = function()
                finally:
                    graph.capture_end()
        except RuntimeError as error:
            self._works = False
            log.warning("CUDA graphs are not used, the GPU gets its work kernel by kernel: %s", error)
            return None

        def replay() -> Tensor:
            graph.replay()
            return result

        self._live.add(replay)
        return replay


class Captured:
    """A function of tensors (always of the same shapes) that is captured at its second call.

    The first call runs as it is: in it kernels are compiled and libraries choose theirs, which a capture cannot do. The second
    is captured, which runs nothing, and replayed in the same call; later ones are replayed. Their result is overwritten by the
    next call. Where all that it does has been met elsewhere, `capture` needs no call before it.
    """

    def __init__(self, function: Callable[..., Tensor], capture: Capture) -> None:
        self._function = function
        self._capture = capture
        self._warm = False
        self._inputs: list[Tensor] = []
        self._replay: Callable[[], Tensor] | None = None

    @torch.inference_mode()
    def capture(self, *inputs: Tensor) -> None:
        """Capture the function for inputs like these, if it is not yet, and run nothing."""
        if self._replay is None:
            self._inputs = [tensor.clone() for tensor in inputs]
            self._replay = self._capture(lambda: self._function(*self._inputs))

    @torch.inference_mode()
    def __call__(self, *inputs: Tensor) -> Tensor:
        if self._warm:
            self.capture(*inputs)
        self._warm = True
        if self._replay is None:
            return self._function(*inputs)
        for mine, given in zip(self._inputs, inputs, strict=True):
            mine.copy_(given)
        return self._replay()


class Graphs:
    """The captured functions of one stream, and the fixed place where all of them find the prompt's keys and values."""

    def __init__(self, capture: Capture) -> None:
        self._capture = capture
        self._captured: dict[Hashable, Captured] = {}
        self._cross: CrossKV | None = None
        self._source: Callable[[], CrossKV | None] = lambda: None  # whose copy that is; its own memory is not kept
        self._ahead = False

    @contextmanager
    def ahead(self) -> Iterator[None]:
        """Capture, while entered, what is to be run, and run nothing: its result means nothing."""
        self._ahead = True
        try:
            yield
        finally:
            self._ahead = False

    def run(self, key: Hashable, function: Callable[..., Tensor], cross: CrossKV, *inputs: Tensor) -> Tensor:
        """Run function(cross, *inputs), captured by its key: functions with equal keys must do the same on the device."""
        mine = self._placed(cross)
        key = (key, mine.k.shape, tuple(tensor.shape for tensor in inputs))
        if key not in self._captured:
            self._captured[key] = Captured(lambda *tensors: function(mine, *tensors), self._capture)
        if self._ahead:
            self._captured[key].capture(*inputs)
            return inputs[0]
        return self._captured[key](*inputs)

    def _placed(self, cross: CrossKV) -> CrossKV:
        """The prompt's keys and values at their fixed place; copied when they differ from those of the last call."""
        if cross is not self._source():
            if self._cross is None or self._cross.k.shape != cross.k.shape:
                bias = None if cross.bias is None else cross.bias.clone()
                self._cross = CrossKV(cross.k.clone(), cross.v.clone(), bias)
                self._captured.clear()  # they know the place of the old ones
            else:
                self._cross.k.copy_(cross.k)
                self._cross.v.copy_(cross.v)
                if self._cross.bias is not None and cross.bias is not None:
                    self._cross.bias.copy_(cross.bias)
            self._source = weakref.ref(cross)
        assert self._cross is not None
        return self._cross
