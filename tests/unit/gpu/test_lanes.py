"""Lanes: on a GPU, which stage waits for which; without one, everything in turn. A stand-in records what CUDA is asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from sdv2_live.gpu.lanes import CudaLanes, Lanes, new_lanes
from sdv2_live.stats import StageTimer


class FakeStream:
    def __init__(self, cuda: FakeCuda, name: str) -> None:
        self.cuda, self.name = cuda, name

    def wait_event(self, event: FakeEvent) -> None:
        self.cuda.log.append((self.name, "waits for", event.of))

    def wait_stream(self, stream: FakeStream) -> None:
        self.cuda.log.append((self.name, "waits for", stream.name))


class FakeEvent:
    def __init__(self, cuda: FakeCuda) -> None:
        self.cuda, self.of, self.at = cuda, "", 0.0

    def record(self, stream: FakeStream) -> None:
        assert stream.name == self.cuda.current, "an event belongs into the lane that is being filled"
        self.of, self.at = f"{stream.name} after {self.cuda.work}", time.perf_counter()

    def synchronize(self) -> None:
        self.cuda.log.append(("host", "waits for", self.of))

    def elapsed_time(self, end: FakeEvent) -> float:
        return (end.at - self.at) * 1e3


class FakeCuda:
    """What CudaLanes uses of torch.cuda."""

    def __init__(self) -> None:
        self.log: list[tuple[str, str, str]] = []
        self.priorities: dict[str, int] = {}
        self.current = "default"
        self.work = ""
        self._names = iter(("input", "denoise", "output"))

    def Stream(self, device: torch.device, priority: int) -> FakeStream:  # noqa: N802 (as torch names it)
        name = next(self._names)
        self.priorities[name] = priority
        return FakeStream(self, name)

    def Event(self, **options: Any) -> FakeEvent:  # noqa: N802
        return FakeEvent(self)

    def current_stream(self, device: torch.device) -> FakeStream:
        return FakeStream(self, self.current)

    def empty_cache(self) -> None:
        self.log.append(("host", "releases", ""))

    @contextmanager
    def stream(self, stream: FakeStream) -> Iterator[None]:
        before, self.current = self.current, stream.name
        try:
            yield
        finally:
            self.current = before

    def do(self, work: str) -> None:
        self.work = work
        self.log.append((self.current, "does", work))


def chunk(lanes: Lanes, cuda: FakeCuda, number: int) -> Any:
    lanes.begin()
    for stage, lane in (("encode", "input"), ("denoise", "denoise"), ("decode", "output")):
        with lanes.stage(stage, lane):
            cuda.do(f"{stage} {number}")
    return lanes.end()


def test_each_stage_waits_for_the_one_before_and_for_no_other_chunk() -> None:
    cuda, timer = FakeCuda(), StageTimer()
    lanes = CudaLanes(timer, torch.device("cuda"), cuda)
    first = chunk(lanes, cuda, 1)
    second = chunk(lanes, cuda, 2)
    assert cuda.log == [
        ("input", "does", "encode 1"),
        ("denoise", "waits for", "input after encode 1"),
        ("denoise", "does", "denoise 1"),
        ("output", "waits for", "denoise after denoise 1"),
        ("output", "does", "decode 1"),
        ("input", "does", "encode 2"),  # while chunk 1 is being denoised
        ("denoise", "waits for", "input after encode 2"),
        ("denoise", "does", "denoise 2"),
        ("output", "waits for", "denoise after denoise 2"),
        ("output", "does", "decode 2"),
    ]
    assert timer.summaries() == {}
    first()
    assert cuda.log[-1] == ("host", "waits for", "output after decode 1")
    assert {stage: summary.count for stage, summary in timer.summaries().items()} == {"encode": 1, "denoise": 1, "decode": 1}
    first()
    second()
    assert {summary.count for summary in timer.summaries().values()} == {2}
    assert cuda.priorities["output"] < cuda.priorities["input"] == cuda.priorities["denoise"] < 0


def test_what_touches_all_memory_is_alone() -> None:
    cuda = FakeCuda()
    lanes = CudaLanes(StageTimer(), torch.device("cuda"), cuda)
    with lanes.alone():
        cuda.do("reset")
    names = ("input", "denoise", "output")
    assert cuda.log == [
        *(("default", "waits for", name) for name in names),
        ("default", "does", "reset"),
        *((name, "waits for", "default") for name in names),
    ]


def test_a_stage_that_fails_leaves_the_lane() -> None:
    cuda = FakeCuda()
    lanes = CudaLanes(StageTimer(), torch.device("cuda"), cuda)
    lanes.begin()
    with pytest.raises(RuntimeError), lanes.stage("encode", "input"):
        raise RuntimeError
    assert chunk(lanes, cuda, 1) is not None


def test_without_a_gpu_stages_are_timed_in_turn() -> None:
    timer = StageTimer()
    lanes = new_lanes(timer, torch.device("cpu"))
    wait = chunk(lanes, FakeCuda(), 1)
    assert list(timer.summaries()) == ["encode", "denoise", "decode"]
    wait()
    assert {summary.count for summary in timer.summaries().values()} == {1}
    latent = torch.zeros(1)
    assert lanes.hand_over(latent) is latent


def test_without_a_gpu_a_lane_is_a_thread_that_takes_its_work_in_order() -> None:
    lanes, held, order = new_lanes(StageTimer(), torch.device("cpu")), threading.Event(), list[str]()

    def denoise(name: str) -> str:
        held.wait(30)
        order.append(name)
        return threading.current_thread().name

    first, second = lanes.go("denoise", lambda: denoise("first")), lanes.go("denoise", lambda: denoise("second"))
    assert lanes.go("output", lambda: "beside them").result(30) == "beside them"
    assert not first.done()
    with lanes.prelude("denoise"):
        order.append("prelude")  # it waits for nothing
    held.set()
    with lanes.alone():
        assert (first.done(), second.done()) == (True, True)
    assert order == ["prelude", "first", "second"]
    assert first.result() == second.result() == "denoise"


def test_a_prelude_that_writes_what_a_lane_reads_comes_after_its_work() -> None:
    lanes, read = new_lanes(StageTimer(), torch.device("cpu")), list[int]()
    scale = [1]
    going = threading.Event()

    def denoise() -> None:
        going.wait(30)
        read.append(scale[0])

    lanes.go("denoise", denoise)
    threading.Timer(0.02, going.set).start()
    with lanes.prelude("denoise", writes=True):
        scale[0] = 2
    assert read == [1]


def test_what_fails_in_a_lane_is_raised_where_it_is_waited_for() -> None:
    lanes = new_lanes(StageTimer(), torch.device("cpu"))
    with pytest.raises(ZeroDivisionError):
        lanes.go("denoise", lambda: 1 / 0).result(30)
    assert lanes.go("denoise", lambda: 1).result(30) == 1
