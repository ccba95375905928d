"""Work beside the picture: on a stream of its own, waited for by its own thread alone. A stand-in records what CUDA is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor

from sdv2_live.model.checkpoints.files import TextIdentity
from sdv2_live.model.text.encoder import Placement, Text
from sdv2_live.model.text.low_priority import LOWEST, Aside, CudaAside, new_aside

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


class FakeStream:
    def __init__(self, priority: int) -> None:
        self.priority = priority


class FakeCuda:
    """What CudaAside uses of torch.cuda."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.streams: list[FakeStream] = []
        self.current: FakeStream | None = None

    def Stream(self, device: torch.device, priority: int) -> FakeStream:  # noqa: N802 (as torch names it)
        self.streams.append(FakeStream(priority))
        return self.streams[-1]

    @contextmanager
    def stream(self, stream: FakeStream) -> Iterator[None]:
        before, self.current = self.current, stream
        try:
            yield
        finally:
            self.current = before

    def Event(self, blocking: bool) -> FakeEvent:  # noqa: N802
        assert blocking, "a spinning wait takes a core"
        return FakeEvent(self)


class FakeEvent:
    def __init__(self, cuda: FakeCuda) -> None:
        self.cuda = cuda

    def record(self, stream: FakeStream) -> None:
        assert stream is self.cuda.current
        self.cuda.log.append("recorded")

    def synchronize(self) -> None:
        assert self.cuda.current is None, "nothing is waited for inside the stream"
        self.cuda.log.append("waited")


class Recorded(CudaAside):
    def _page_locked(self, like: Tensor) -> Tensor:
        assert self._cuda.current is self._cuda.streams[0], "copied in the stream that made it"
        self._cuda.log.append("copied")
        return torch.empty_like(like)


def test_a_result_is_copied_in_its_stream_and_waited_for_outside() -> None:
    cuda = FakeCuda()
    aside = Recorded(CUDA, cuda)
    (stream,) = cuda.streams
    assert stream.priority == LOWEST == 0  # those of the frame path are below 0: see unit/gpu/test_lanes.py
    with aside.stream():
        assert cuda.current is stream
        made = torch.arange(4.0)
    assert cuda.current is None
    got = aside.fetch(made)
    assert torch.equal(got, made)
    assert cuda.log == ["copied", "recorded", "waited"]
    made.zero_()
    assert got[3] == 3


def test_a_failure_leaves_the_stream() -> None:
    cuda = FakeCuda()
    aside = CudaAside(CUDA, cuda)
    with pytest.raises(RuntimeError), aside.stream():
        raise RuntimeError
    assert cuda.current is None


def test_without_a_gpu_nothing_is_set_aside() -> None:
    aside = new_aside(CPU)
    assert type(aside) is Aside
    tensor = torch.ones(2)
    with aside.stream():
        assert aside.fetch(tensor) is tensor


class Encoder:
    """Of prompts as long as asked for; says where it was called."""

    def __init__(self, cuda: FakeCuda) -> None:
        self.cuda = cuda
        self.prompts: list[str] = []

    def encode(self, prompt: str) -> Tensor:
        assert self.cuda.current is self.cuda.streams[0]
        self.prompts.append(prompt)
        return torch.full((1, 1, 2), float(len(prompt)))


def test_a_text_encoder_on_a_gpu_is_loaded_and_made_ready_and_used_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = FakeCuda()
    encoder = Encoder(cuda)
    monkeypatch.setattr("sdv2_live.model.text.encoder.new_aside", lambda device: Recorded(device, cuda))

    def load() -> Any:
        assert cuda.current is cuda.streams[0]
        return encoder

    text = Text(load, (TextIdentity("big", "bf16"),), Placement.GPU, CUDA)
    assert cuda.streams == []  # no CUDA before it is needed
    text.rest()
    assert encoder.prompts == [""]  # a first prompt, so that kernels are loaded and memory taken before one is typed
    text.rest()
    assert encoder.prompts == [""]
    assert text.encode("red")[0, 0, 0] == 3
    assert len(cuda.streams) == 1


@pytest.mark.gpu
def test_the_picture_does_not_wait_for_a_prompt() -> None:
    """While work of a second is under way aside, that of the frame path begins and ends."""
    aside = CudaAside(CUDA)
    frame_path = torch.cuda.Stream(CUDA, priority=-1)
    with aside.stream():
        torch.cuda._sleep(2_000_000_000)  # cycles
        slow = torch.full((1 << 20,), 3.0, device=CUDA)
    with torch.cuda.stream(frame_path):
        quick = torch.full((1 << 20,), 2.0, device=CUDA) * 2
    frame_path.synchronize()
    assert not aside._stream.query()
    assert aside.fetch(slow).eq(3).all()
    with torch.cuda.stream(frame_path):
        assert quick.eq(4).all()
