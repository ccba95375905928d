"""A CUDA device that does not exist.

Tensors on `cuda` have a shape, dtype, strides and an address, and no numbers (tensor.py). Tensors on the CPU are real. Streams,
events, graphs and page-locked memory are simulated; everything launched is recorded: which memory it reads and writes, on
which stream, knowing of what (clocks.py).

It finds: CPU tensors where CUDA's are needed and wrong dtypes (PyTorch's rules for shapes raise); waits of the host; what a
capture forbids; races; memory freed too early; memory that is never freed; kernels, products, convolutions and attention of
shapes that are met for the first time. It cannot find: wrong numbers, slowness, what libraries and drivers do by themselves.
"""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import sdv2_live
from fakecuda.clocks import Access, Memory, Timeline

CUDA = torch.device("cuda", 0)
GAP = 1 << 16  # between allocations: none are neighbours by chance
ALIGNED = 512  # bytes, as the allocator gives them
TOTAL = 80 << 30  # bytes of the device
PACKAGE = str(Path(sdv2_live.__file__).parent) + os.sep


@dataclass(eq=False)
class Pool:
    """The memory that graphs share: what one graph's work has freed is used by the others' too.

    Attributes:
        graphs: that use it; the allocator forgets it with the last one.
        size: bytes that it takes, the most that were in use at once.
    """

    memory: Memory
    graphs: int = 0
    size: int = 0
    _used: int = 0

    def change(self, size: int) -> None:
        """Take in an allocation, or the end (negative) of one."""
        self._used += size
        self.size = max(self.size, self._used)


@dataclass
class Recording:
    """What a graph does, as it was captured: memory to what happens to it, (write, what, where)."""

    pool: Pool
    uses: dict[Memory, tuple[bool, str, str]] = field(default_factory=dict)
    where: str = ""

    def add(self, memory: Memory, write: bool, what: str, at: str) -> None:
        """Take in one use."""
        written = memory in self.uses and self.uses[memory][0]
        if memory not in self.uses or (write and not written):
            self.uses[memory] = (write, what, at)


class _Thread(threading.local):
    """What each thread of the host has of its own."""

    def __init__(self) -> None:
        self.host = Timeline(f"thread {threading.current_thread().name}")
        self.stream: Any = None
        self.capture: Recording | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """Something that happened: its kind, what, where in the program, and in which phase of the play."""

    kind: str
    what: str
    where: str
    phase: str
    setting_up: bool


class Device:
    """The one device of the process."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._thread = _Thread()
        self.default: Any = None  # stream; api.py makes it
        self.streams: weakref.WeakSet[Timeline] = weakref.WeakSet()
        self._memories: dict[int, Memory] = {}  # by storage
        self._pinned: weakref.WeakKeyDictionary[Any, Memory] = weakref.WeakKeyDictionary()
        self._next_base = 1 << 20
        self.live = 0  # bytes of tensors outside graphs' pools
        self.pools: weakref.WeakSet[Pool] = weakref.WeakSet()
        self.forget()

    def forget(self) -> None:
        """Begin a new report. Memory, streams and what has been met before stay."""
        self.phase, self._setting_up = "start", 0
        self.notes: Counter[Note] = Counter()
        self.faults: Counter[tuple[str, str]] = Counter()  # races and memory freed too early, by phase
        self.met: dict[str, Note] = {}  # kernels and shapes, and where each was met first

    # --- who does it

    @property
    def host(self) -> Timeline:
        """The calling thread."""
        return self._thread.host

    @property
    def current(self) -> Any:
        """The calling thread's current stream."""
        return self._thread.stream or self.default

    @property
    def capture(self) -> Recording | None:
        """The graph that the calling thread captures."""
        return self._thread.capture

    @capture.setter
    def capture(self, recording: Recording | None) -> None:
        self._thread.capture = recording

    @contextmanager
    def on(self, stream: Any) -> Iterator[None]:
        """Make a stream the current one; None changes nothing."""
        before = self._thread.stream
        self._thread.stream = stream or before
        try:
            yield
        finally:
            self._thread.stream = before

    @contextmanager
    def setting_up(self) -> Iterator[None]:
        """What happens while entered belongs to a set-up, in which the host may wait and meet new shapes."""
        self._setting_up += 1
        try:
            yield
        finally:
            self._setting_up -= 1

    # --- what happened

    def note(self, kind: str, what: str) -> None:
        """Record that something happened here."""
        with self.lock:
            self.notes[self._note(kind, what)] += 1

    def wait(self, what: str, timelines: Iterable[Timeline] | None = None) -> None:
        """Have the calling thread wait for these timelines, by default all streams; in a capture that is forbidden."""
        self.note("forbidden" if self.capture is not None else "wait", what)
        for timeline in self.streams if timelines is None else timelines:
            self.host.join(timeline.clock)

    def meet(self, key: str) -> None:
        """Take in a kernel or shape that must be built or chosen when it is met first, which a capture forbids."""
        with self.lock:
            if key not in self.met:
                self.met[key] = self._note("new", key)
                if self.capture is not None:
                    self.note("forbidden", f"first use of {key}")

    def blame(self, faults: Iterable[str]) -> None:
        """Record races, and memory freed too early, in words."""
        for fault in faults:
            self.faults[self.phase, fault] += 1

    def _note(self, kind: str, what: str) -> Note:
        return Note(kind, what, where(), self.phase, self._setting_up > 0)

    # --- memory

    def memory(self, tensor: Tensor) -> Memory:
        """The memory of a tensor on the device."""
        storage = tensor.untyped_storage()
        with self.lock:
            found = self._memories.get(storage._cdata)
            return found if found is not None else self._allocated(storage)

    def _allocated(self, storage: torch.UntypedStorage) -> Memory:
        size = -(-max(storage.nbytes(), 1) // ALIGNED) * ALIGNED
        base, self._next_base = self._next_base, self._next_base + (size // GAP + 2) * GAP
        capture = self.capture
        memory = Memory(base, size, where(), self.current, pooled=capture is not None)
        pool = capture.pool if capture is not None else None
        self._count(pool, size)
        self._memories[storage._cdata] = memory
        weakref.finalize(storage, self._freed, storage._cdata, pool).atexit = False
        return memory

    def _count(self, pool: Pool | None, size: int) -> None:
        if pool is None:
            self.live += size
        else:
            pool.change(size)

    def _freed(self, key: int, pool: Pool | None) -> None:
        with self.lock:
            memory = self._memories.pop(key)
            self._count(pool, -memory.size)
            self.blame(memory.free(self.host.clock))

    def at(self, address: int) -> Memory:
        """The memory that an address lies in. Raises ValueError where there is none."""
        with self.lock:
            for memory in self._memories.values():
                if memory.base <= address < memory.base + memory.size:
                    return memory
        raise ValueError(f"a kernel was given the address {address:#x}, where there is no memory of the device")

    @property
    def reserved(self) -> int:
        """Bytes that tensors and graphs' pools take."""
        return self.live + sum(pool.size for pool in self.pools if pool.graphs)

    def pin(self, tensor: Tensor) -> Tensor:
        """Take a CPU tensor for page-locked memory."""
        if self.capture is not None:
            self.note("forbidden", "page-locked memory allocated")
        storage = tensor.untyped_storage()
        self._pinned[storage] = Memory(0, storage.nbytes(), where(), None)
        return tensor

    def pinned(self, tensor: Tensor) -> Memory | None:
        """The page-locked memory of a CPU tensor; None for ordinary memory."""
        return self._pinned.get(tensor.untyped_storage()) if self._pinned else None

    # --- work

    def launch(self, what: str, reads: Iterable[Memory], writes: Iterable[Memory]) -> None:
        """Do something on the current stream, or take it into the graph that is captured."""
        at, capture = where(), self.capture
        uses = [(memory, False) for memory in reads] + [(memory, True) for memory in writes]
        if capture is not None:
            for memory, write in uses:
                capture.add(memory, write, what, at)
            return
        with self.lock:
            stream: Timeline = self.current
            stream.join(self.host.clock)  # whoever launches it has waited for that
            self._use(stream, [(memory, write, what, at) for memory, write in uses])

    def replay(self, recording: Recording) -> None:
        """Do what a graph has recorded, on the current stream."""
        with self.lock:
            stream: Timeline = self.current
            stream.join(self.host.clock)
            for memory, (_, what, at) in recording.uses.items():
                if not memory.alive and not memory.pooled:
                    self.blame([f"a graph of {recording.where} uses freed memory of {memory.where}: {what} at {at}"])
            uses = ((memory, write, f"a graph's {what}", at) for memory, (write, what, at) in recording.uses.items())
            self._use(stream, [*uses, (recording.pool.memory, True, "a graph", recording.where)])

    def touch(self, memory: Memory, *, write: bool, what: str) -> None:
        """Read or write page-locked memory on the calling thread."""
        with self.lock:
            self._use(self.host, [(memory, write, what, where())])

    def _use(self, by: Timeline, uses: Iterable[tuple[Memory, bool, str, str]]) -> None:
        count = by.tick()
        for memory, write, what, at in uses:
            self.blame(memory.use(Access(by, count, what, at), write=write))


def where() -> str:
    """The innermost places of the package that lead here, the innermost first."""
    places: list[str] = []
    frame = sys._getframe(1)
    while frame is not None and len(places) < 3:
        file = frame.f_code.co_filename
        if file.startswith(PACKAGE):
            places.append(f"{file[len(PACKAGE) :]}:{frame.f_lineno}")
        frame = frame.f_back  # type: ignore[assignment]
    return " < ".join(places) or "outside"


device = Device()
