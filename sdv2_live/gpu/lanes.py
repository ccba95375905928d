"""Lanes for the stages of a chunk: each kind of work runs on its own, so that neighbouring chunks overlap.

    input    preprocess k+1, encode k+1 .......
    denoise  ...... denoise k ......... denoise k+1
    output   decode k-1, postprocess, download ...

A stage waits for the stage before it of its chunk and for the same lane's work on the chunk before. A stream's memories belong
to one lane each (the encoder's memory, the caches, the decoder's memory), so there is no race.

On a GPU a lane is a CUDA stream, and stages wait on the device. On a CPU it is a thread; the input's lane is the caller's.
Threads that each compute a stage of their own wait for one another once a chunk. Threads that share each operation wait after
each, and all of them for the one whose core another program has.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor

from sdv2_live.stats import StageTimer
from sdv2_live.threads import OneThread

T = TypeVar("T")

# Priorities of their CUDA streams. Where the device must choose, what leads to pictures soonest goes first (the lowest number),
# and other work, such as prompts, last.
LANES = {"input": -1, "denoise": -1, "output": -2}


class Lanes:
    """Without a GPU: what `go` is given runs on a thread for each lane, everything else at once."""

    def __init__(self, timer: StageTimer) -> None:
        self.timer = timer
        self._threads: dict[str, OneThread] = {}  # made with the first chunk that uses them

    def go(self, lane: str, work: Callable[[], T]) -> Future[T]:
        """Do work in a lane, after all that the lane was given before. Its result may be waited for by later lanes alone."""
        if lane not in self._threads:
            self._threads[lane] = OneThread(lane)
            self._threads[lane](torch.get_num_threads)  # a thread whose first work is oneDNN's would not know of their number
        return self._threads[lane].submit(work)

    def begin(self) -> None:
        """A new chunk: its first stage waits for none of the others' stages but those of its lane."""

    @contextmanager
    def stage(self, name: str, lane: str, *inputs: Tensor | None) -> Iterator[None]:
        """One stage of the chunk; what is launched within runs in its lane. inputs: tensors that other lanes have made."""
        with self.timer(name):
            yield

    @contextmanager
    def prelude(self, lane: str, *, writes: bool = False) -> Iterator[None]:
        """Run a lane's work ahead of the chunk's first stage: it waits for nothing, and no later stage waits for it.

        Args:
            writes: it writes what earlier work of the lane reads, and comes after that.
        """
        if writes and lane in self._threads:
            self._threads[lane](lambda: None)
        yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Run work that touches several lanes' memory: after everything launched before, and before everything launched later."""
        for thread in self._threads.values():
            thread(lambda: None)
        yield

    def follow(self, lane: str, other: str) -> None:
        """What is launched in a lane from now on comes after all that was launched in the other. Threads wait by themselves."""

    def end(self) -> Callable[[], None]:
        """The chunk's last stage is launched. Returns what waits until it is done and notes, once, its stages' times."""
        return lambda: None

    def hand_over(self, tensor: Tensor) -> Tensor:
        """A stage's result, for another lane: one that this lane's next chunk does not overwrite."""
        return tensor

    def release(self) -> None:
        """Give back the memory that work outside the lanes has left, so that they can have it."""


class CudaLanes(Lanes):
    """CUDA streams. Stages are timed by events, from when the lane comes to them to when they are done."""

    def __init__(self, timer: StageTimer, device: torch.device, cuda: Any = torch.cuda) -> None:
        """cuda: torch.cuda, or what stands in for it in tests."""
        super().__init__(timer)
        self._cuda = cuda
        self._device = device
        self._streams = {name: cuda.Stream(device, priority=priority) for name, priority in LANES.items()}
        self._times: list[tuple[str, Any, Any]] = []
        self._last: Any = None  # the end of the chunk's stage before

    def go(self, lane: str, work: Callable[[], T]) -> Future[T]:
        launched: Future[T] = Future()
        launched.set_result(work())  # which launches, and does not wait
        return launched

    def begin(self) -> None:
        self._times, self._last = [], None

    @contextmanager
    def stage(self, name: str, lane: str, *inputs: Tensor | None) -> Iterator[None]:
        stream = self._streams[lane]
        if self._last is not None:
            stream.wait_event(self._last)
        for tensor in inputs:
            if tensor is not None and tensor.is_cuda:
                tensor.record_stream(stream)  # its memory is not given to others while this lane reads it
        start, end = self._cuda.Event(enable_timing=True), self._cuda.Event(enable_timing=True, blocking=True)
        with self._cuda.stream(stream):
            start.record(stream)
            yield
            end.record(stream)
        self._times.append((name, start, end))
        self._last = end

    @contextmanager
    def prelude(self, lane: str, *, writes: bool = False) -> Iterator[None]:
        with self._cuda.stream(self._streams[lane]):
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        current = self._cuda.current_stream(self._device)
        for stream in self._streams.values():
            current.wait_stream(stream)
        yield
        for stream in self._streams.values():
            stream.wait_stream(current)

    def follow(self, lane: str, other: str) -> None:
        self._streams[lane].wait_stream(self._streams[other])

    def end(self) -> Callable[[], None]:
        times, lock = self._times, threading.Lock()

        def wait() -> None:
            with lock:
                if times:
                    times[-1][2].synchronize()  # sleeps: a spinning wait would take a core from the video threads
                for name, start, end in times:
                    self.timer.add(name, start.elapsed_time(end))
                times.clear()

        return wait

    def hand_over(self, tensor: Tensor) -> Tensor:
        return tensor.clone()  # a graph's result lies where its next one will

    def release(self) -> None:
        self._cuda.empty_cache()


def new_lanes(timer: StageTimer, device: torch.device) -> Lanes:
    """The lanes of a device."""
    return CudaLanes(timer, device) if device.type == "cuda" else Lanes(timer)
