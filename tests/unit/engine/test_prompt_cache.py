"""Which prompt is encoded next, which is dropped, and what happens when none is left."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError

import pytest
import torch
from support.waiting import DEADLINE_S, eventually
from torch import Tensor

from sdv2_live.engine.prompt_cache import AHEAD, REMEMBERED, TOLD, PromptCache
from sdv2_live.errors import WeightsError


class Slow:
    """An encoder that waits for `free` before each prompt, and says when it has begun one."""

    def __init__(self) -> None:
        self.free = threading.Semaphore(0)
        self.begun: list[str] = []

    def encode(self, prompt: str) -> Tensor:
        self.begun.append(prompt)
        assert self.free.acquire(timeout=30)
        if prompt.startswith("broken"):
            raise WeightsError("no text encoder: fetch it")
        return torch.full((1, 1, 1), float(len(prompt)))


@pytest.fixture
def encoder() -> Slow:
    return Slow()


@pytest.fixture
def cache(encoder: Slow) -> Iterator[PromptCache]:
    cache = PromptCache(encoder)
    cache.request("first")  # keeps the encoder busy, as loading does
    eventually("the first prompt", lambda: encoder.begun or None)
    yield cache
    for _ in range(1000):
        encoder.free.release()
    cache.close()


def released(encoder: Slow, count: int) -> None:
    for _ in range(count):
        encoder.free.release()


def test_while_the_encoder_is_busy_only_what_was_typed_last_stays(encoder: Slow, cache: PromptCache) -> None:
    typed = [cache.request("a dancer"[:n], "prompt") for n in range(1, 9)]
    cue = cache.request("later", "cue_prompt")
    assert all(future.cancelled() for future in typed[:-1])
    released(encoder, 3)
    assert typed[-1].result(30) == 8
    assert cue.result(30) == 5
    assert encoder.begun == ["first", "later", "a dancer"]  # the newest first


def test_what_the_picture_waits_for_comes_first(encoder: Slow, cache: PromptCache) -> None:
    ahead = [cache.request(f"preset {i}") for i in range(3)]
    cache.request("typed", "prompt")
    cache.want(["old"])
    (wanted,) = cache.want(["now"])
    released(encoder, 6)
    assert [future.result(30) for future in ahead] == [8, 8, 8]
    assert wanted.done()
    assert encoder.begun == ["first", "now", "typed", "preset 0", "preset 1", "preset 2"]


def test_what_somebody_else_asked_for_is_not_dropped_with_the_slot(encoder: Slow, cache: PromptCache) -> None:
    kept = cache.request("preset")
    cache.request("preset", "prompt")
    cache.want(["preset"])
    cache.request("other", "prompt")
    cache.want(["other"])
    released(encoder, 3)
    assert kept.result(30) == 6


def test_a_dropped_prompt_can_be_asked_for_again(encoder: Slow, cache: PromptCache) -> None:
    dropped = cache.request("a", "prompt")
    cache.request("b", "prompt")
    assert dropped.cancelled()
    again = cache.request("a", "prompt")
    released(encoder, 3)
    assert again.result(30) == 1
    assert encoder.begun == ["first", "a"]


def test_a_reason_that_holds_for_many_is_said_once_and_each_is_tried_again(
    encoder: Slow, cache: PromptCache, caplog: pytest.LogCaptureFixture
) -> None:
    broken = [cache.request(f"broken {i}") for i in range(3)]
    released(encoder, 5)
    for future in broken:
        with pytest.raises(WeightsError, match="fetch it"):
            future.result(30)
    with pytest.raises(WeightsError):
        cache.request("broken 0").result(30)
    assert cache.failures == 4
    assert caplog.text.count("no text encoder") == 1


def test_at_rest_it_is_told_once_each_time(encoder: Slow) -> None:
    rests: list[int] = []
    cache = PromptCache(encoder, on_idle=lambda: rests.append(len(encoder.begun)))
    eventually("the first rest", lambda: rests or None)
    released(encoder, 3)
    futures = [cache.request(text) for text in "abc"]
    assert [future.result(30) for future in futures] == [1, 1, 1]
    eventually("the second rest", lambda: rests[-1] == 3 or None)
    cache.close()
    assert rests[0] == 0


def test_what_fails_at_rest_does_not_end_the_thread(encoder: Slow, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise MemoryError("no room")

    cache = PromptCache(encoder, on_idle=fail)
    released(encoder, 1)
    assert cache.request("a").result(30) == 1
    cache.close()
    assert "no room" in caplog.text


def test_no_thread_that_encoded_stays() -> None:
    """OpenMP would keep its team, and let the frame path's threads sleep between two operations."""
    used: list[threading.Thread] = []

    class Noting:
        def encode(self, prompt: str) -> Tensor:
            used.append(threading.current_thread())
            return torch.ones(1, 1, 1)

    cache = PromptCache(Noting(), on_idle=lambda: used.append(threading.current_thread()))
    cache.request("a prompt").result(30)
    eventually("the rest after it", lambda: len(used) >= 2)
    for thread in used:
        thread.join(DEADLINE_S)
        assert not thread.is_alive()
    cache.close()


def test_closed_it_promises_nothing(encoder: Slow, cache: PromptCache) -> None:
    waiting = cache.request("a")
    released(encoder, 5)
    cache.close()
    assert waiting.cancelled() or waiting.result() == 1
    with pytest.raises(CancelledError):
        cache.request("b").result(1)


def test_no_more_than_so_many_wait_and_a_hand_is_never_refused(encoder: Slow, cache: PromptCache) -> None:
    ahead = [cache.request(f"preset {i}") for i in range(AHEAD + 20)]
    assert [future.cancelled() for future in ahead] == [False] * AHEAD + [True] * 20
    typed = [cache.request(f"typed {i}", "prompt") for i in range(20)][-1]
    (wanted,) = cache.want([f"preset {AHEAD}"])  # one that was refused
    waiting = cache.queues["prompts"]
    assert AHEAD < waiting.length <= waiting.bound
    released(encoder, 4)
    assert wanted.result(30) is not None
    assert typed.result(30) is not None


def test_it_forgets_the_oldest_and_never_one_that_waits(encoder: Slow, cache: PromptCache) -> None:
    futures = [cache.request(f"prompt {i}") for i in range(REMEMBERED + 20)]
    released(encoder, REMEMBERED + 22)
    for future in futures:
        assert future.result(30) is not None
    begun = len(encoder.begun)
    cache.request("first").result(30)  # long forgotten
    assert encoder.begun[begun:] == ["first"]


def test_it_names_what_is_not_encoded_yet(encoder: Slow, cache: PromptCache) -> None:
    for number in range(TOLD + 5):
        cache.request(f"later {number}")
    assert cache.encoding == ("first", *(f"later {number}" for number in range(TOLD - 1)))
    released(encoder, TOLD + 6)
    eventually("all of them", lambda: cache.encoding == ())
