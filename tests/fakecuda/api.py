"""torch.cuda over the simulated device, for the whole process: streams, events, graphs, and every thread's tensors."""

from __future__ import annotations

import concurrent.futures
import itertools
import threading
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from fakecuda import dispatch, guard
from fakecuda.clocks import Clock, Memory, Timeline
from fakecuda.device import CUDA, TOTAL, Pool, Recording, device, where
from fakecuda.tensor import DeviceTensor

NAME = "Simulated"
_handles = itertools.count()


class Stream(Timeline):
    """torch.cuda.Stream."""

    def __init__(self, device_: Any = None, priority: int = 0, **_: Any) -> None:
        self.cuda_stream = next(_handles)
        super().__init__(f"stream {self.cuda_stream} of priority {priority}" if self.cuda_stream else "the default stream")
        self.device, self.priority = CUDA, priority
        device.streams.add(self)

    def wait_event(self, event: Event) -> None:
        self.join(event.clock)

    def wait_stream(self, stream: Stream) -> None:
        self.join(stream.clock)

    def record_event(self, event: Event | None = None) -> Event:
        event = event or Event()
        event.record(self)
        return event

    def synchronize(self) -> None:
        device.wait("stream.synchronize", [self])

    def query(self) -> bool:
        return all(device.host.clock.get(timeline, 0) >= count for timeline, count in self.clock.items())


class Event:
    """torch.cuda.Event."""

    def __init__(self, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False) -> None:
        self.clock: Clock = {}
        self._timed, self._blocking = enable_timing, blocking

    def record(self, stream: Stream | None = None) -> None:
        if device.capture is not None:
            device.note("forbidden", "event.record")
        stream = stream or device.current
        stream.join(device.host.clock)
        self.clock = dict(stream.clock)

    def wait(self, stream: Stream | None = None) -> None:
        (stream or device.current).wait_event(self)

    def query(self) -> bool:
        return all(device.host.clock.get(timeline, 0) >= count for timeline, count in self.clock.items())

    def synchronize(self) -> None:
        device.wait(f"event.synchronize, {'asleep' if self._blocking else 'spinning'}", [])
        device.host.join(self.clock)

    def elapsed_time(self, end: Event) -> float:
        if not (self._timed and end._timed and self.query() and end.query()):
            device.blame(["event.elapsed_time of events that are not timed, or not done"])
        return 1.0


class Graph:
    """torch.cuda.CUDAGraph."""

    def __init__(self, keep_graph: bool = False) -> None:
        self._recording: Recording | None = None
        self._ran: Clock = {}

    def capture_begin(self, pool: Pool | None = None, capture_error_mode: str = "global") -> None:
        if device.current is device.default:
            raise RuntimeError("CUDA graphs must be captured on a non-default stream")
        pool = pool or graph_pool_handle()
        if pool.graphs == 0 and pool in device.pools:
            raise RuntimeError("the pool has been forgotten with the last graph in it: use_count > 0 INTERNAL ASSERT FAILED")
        device.pools.add(pool)
        pool.graphs += 1
        device.capture = self._recording = Recording(pool, where=where())

    def capture_end(self) -> None:
        device.capture = None
        assert self._recording is not None
        device.note("capture", f"{len(self._recording.uses)} memories on {device.current.name}")

    def replay(self) -> None:
        assert self._recording is not None
        device.replay(self._recording)
        self._ran = dict(device.current.clock)

    def __del__(self) -> None:
        if self._recording is not None:
            self._recording.pool.graphs -= 1
            host = device.host.clock
            if any(host.get(timeline, 0) < count for timeline, count in self._ran.items()):
                device.blame([f"a graph of {self._recording.where} is thrown away while it may still run"])


def graph_pool_handle() -> Pool:
    """torch.cuda.graph_pool_handle."""
    return Pool(Memory(0, 0, "what the graphs of a pool share", None, pooled=True))


class _On:
    """torch.cuda.device and device_of: there is one device."""

    def __init__(self, *_: Any) -> None:
        pass

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


def install(capability: tuple[int, int] = (9, 0)) -> None:
    """Put the simulated device in the place of CUDA, for the rest of the process. capability: compute capability."""
    guard.load()
    _replace(torch.cuda, _lazy_init=lambda: None, _initialized=True)
    device.default = Stream()
    _patch_cuda(capability)
    _patch_tensors()
    _patch_threads()
    _patch_types()
    dispatch.Watch().__enter__()


def _replace(owner: Any, **members: Any) -> None:
    for name, value in members.items():
        setattr(owner, name, value)


def _patch_cuda(capability: tuple[int, int]) -> None:
    def properties(_: Any = None) -> Any:
        return SimpleNamespace(name="NVIDIA H100 80GB HBM3", multi_processor_count=132)  # by its name, what it can do is known

    members = {
        "Stream": Stream,
        "Event": Event,
        "CUDAGraph": Graph,
        "graph_pool_handle": graph_pool_handle,
        "device": _On,
        "device_of": _On,
        "stream": device.on,
        "is_available": lambda: True,
        "is_current_stream_capturing": lambda: device.capture is not None,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "current_stream": lambda _=None: device.current,
        "default_stream": lambda _=None: device.default,
        "get_device_capability": lambda _=None: capability,
        "get_device_name": lambda _=None: NAME,
        "get_device_properties": properties,
        "mem_get_info": lambda _=None: (TOTAL - device.reserved, TOTAL),
        "memory_reserved": lambda _=None: device.reserved,
        "memory_allocated": lambda _=None: device.reserved,
        "synchronize": lambda _=None: device.wait("torch.cuda.synchronize"),
        "empty_cache": lambda: device.wait("torch.cuda.empty_cache"),
    }
    _replace(torch.cuda, **members)


def _patch_tensors() -> None:
    """What does not pass through PyTorch's dispatcher, or not as an operation of its own."""
    numpy, tensor = Tensor.numpy, torch.tensor

    def watched_numpy(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        if (memory := device.pinned(self)) is not None:
            device.touch(memory, write=False, what="numpy")
        return numpy(self, *args, **kwargs)

    def new_tensor(data: Any, *, device: Any = None, **kwargs: Any) -> Tensor:
        made = tensor(data, **kwargs)
        return made if device is None else made.to(device)

    def pin_memory(self: Tensor, *_: Any) -> Tensor:
        return device.pin(self.clone())

    torch.__future__.set_overwrite_module_params_on_conversion(True)  # a tensor on the CPU cannot become one on the device
    _replace(Tensor, numpy=watched_numpy, pin_memory=pin_memory)
    _replace(torch, tensor=new_tensor)
    _replace(F, scaled_dot_product_attention=dispatch.attention(F.scaled_dot_product_attention))


def _patch_types() -> None:
    """The package tells quantised tensors by their exact type. Those of the simulated device have one of their own as well."""
    from sdv2_live.model import samples
    from sdv2_live.model.dit import packed
    from sdv2_live.model.lora import lora

    for module in (packed, lora, samples):
        vars(module)["type"] = lambda x: torch.nn.Parameter if isinstance(x, DeviceTensor) else type(x)


def _patch_threads() -> None:
    """Every thread has its tensors watched, and knows what the threads knew whose futures it has waited for."""
    run, set_result, result, wait = threading.Thread.run, Future.set_result, Future.result, concurrent.futures.wait
    starts, done = "_fakecuda_starts", "_fakecuda_done"
    start = threading.Thread.start

    def starting(self: threading.Thread) -> None:
        setattr(self, starts, dict(device.host.clock))
        start(self)

    def running(self: threading.Thread) -> None:
        device.host.join(getattr(self, starts))
        with dispatch.Watch():
            run(self)

    def setting(self: Future[Any], value: Any) -> None:
        setattr(self, done, dict(device.host.clock))
        set_result(self, value)

    def resulting(self: Future[Any], timeout: float | None = None) -> Any:
        value = result(self, timeout)
        device.host.join(getattr(self, done, {}))
        return value

    def waiting(futures: Any, *args: Any, **kwargs: Any) -> Any:
        futures = list(futures)
        found = wait(futures, *args, **kwargs)
        for future in futures:
            device.host.join(getattr(future, done, {}))
        return found

    _replace(threading.Thread, start=starting, run=running)
    _replace(Future, set_result=setting, result=resulting)
    _replace(concurrent.futures, wait=waiting)
