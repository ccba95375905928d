"""Embeddings by prompt, encoded on a separate thread: first those that the picture waits for."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Protocol, TypeVar

from torch import Tensor

from sdv2_live.engine.prompt_disk import PromptDisk
from sdv2_live.stats import Fill
from sdv2_live.threads import ended, started

log = logging.getLogger("sdv2_live.prompt")

REMEMBERED = 128  # prompts whose embeddings are kept in memory (a long one of the 1.3B model takes 8 MB)
AHEAD = 256  # prompts that may wait to be ready for later; what is more is encoded when it is used
TOLD = 16  # prompts that `encoding` names at most
HANDS = 32  # beside them, most that the picture waits for and that are being written: a few slots have no more


T = TypeVar("T")


def briefly(work: Callable[[], T]) -> T:
    """Do the work on a thread that ends with it, and wait for the result.

    OpenMP keeps a team for every thread that has computed, for as long as that thread lives; once the teams together have more
    threads than there are processors, those that wait sleep at once, also between two operations of a chunk. On two cores an
    idle text encoder thread made the denoising of a chunk take 1.8 times as long.
    """
    return started("text-encoder-work", work)[1].result()


class Encoder(Protocol):
    """A text encoder: turns a prompt into an embedding. `model.text.encoder.Text` is one."""

    def encode(self, prompt: str) -> Tensor:
        """Embedding (1, n, text_dim), n <= 512."""


class PromptCache:
    """Embeddings by prompt text, encoded on a thread of its own. Forgets the least recently used first.

    Prompts come in three kinds: those that the picture waits for (`want`), those being written into a slot, the newest first
    (`request` with a slot), and those to be ready for later. A prompt of the first two kinds that is replaced before its turn
    is dropped: while an encoder loads, only the last typed text is left to encode.

    Args:
        disk: keeps embeddings from one show to the next; None keeps them in memory alone.
        on_idle: called on the thread when no prompt waits any more, and once at the start if none comes. It runs on a thread
            that ends with it, as `encode` does.
    """

    def __init__(self, encoder: Encoder, disk: PromptDisk | None = None, on_idle: Callable[[], None] = lambda: None) -> None:
        self.failures = 0  # prompts that could not be encoded
        self._encoder = encoder
        self._disk = disk
        self._on_idle = on_idle
        self._embeddings: OrderedDict[str, Future[Tensor]] = OrderedDict()
        self._waiting: dict[str, Future[Tensor]] = {}  # those whose turn has not come, in the order in which they came
        self._wanted: tuple[str, ...] = ()
        self._slots: dict[str, str] = {}  # slot to the prompt last written into it, the newest at the end
        self._at_hand: str | None = None  # the prompt that is being encoded
        self._kept: set[str] = set()  # waiting prompts that were requested without a slot
        self._told: set[str] = set()
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="text-encoder", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop the thread once it has finished its prompt; waiting prompts are dropped. Idempotent."""
        with self._changed:
            self._closed = True
            for future in self._waiting.values():
                future.cancel()
            self._waiting.clear()
            self._embeddings.clear()
            self._changed.notify()
        ended(self._thread)

    def request(self, prompt: str, slot: str | None = None) -> Future[Tensor]:
        """The prompt's embedding (1, n, dim), now or later; cancelled when too many wait. Never blocks.

        Args:
            prompt: the text.
            slot: where it was written, such as a parameter's name; it replaces what was written there before.
        """
        with self._changed:
            if slot is None and len(self._waiting) >= AHEAD and not self._known(prompt):
                later: Future[Tensor] = Future()
                later.cancel()
                return later
            future = self._future(prompt)
            if slot is None:
                self._kept.add(prompt)
            else:
                self._slots.pop(slot, None)
                self._slots[slot] = prompt
                self._drop_replaced()
            return future

    def want(self, prompts: Sequence[str]) -> list[Future[Tensor]]:
        """The embeddings that the picture waits for now, replacing those of the call before. Never blocks."""
        with self._changed:
            futures = [self._future(prompt) for prompt in prompts]
            self._wanted = tuple(prompts)
            self._drop_replaced()
            return futures

    @property
    def queues(self) -> dict[str, Fill]:
        """Fill of the queue of prompts that wait to be encoded."""
        return {"prompts": Fill(len(self._waiting), AHEAD + HANDS)}

    @property
    def encoding(self) -> tuple[str, ...]:
        """The prompts that are not encoded yet, in turn; the first TOLD of them."""
        with self._changed:
            at_hand = (self._at_hand,) if self._at_hand is not None else ()
            return (*at_hand, *self._waiting)[:TOLD]

    def _known(self, prompt: str) -> bool:
        """True when the prompt is encoded or on its way."""
        future = self._embeddings.get(prompt)
        return future is not None and not (future.done() and future.exception() is not None)

    def _future(self, prompt: str) -> Future[Tensor]:
        future = self._embeddings.get(prompt)
        if future is None or not self._known(prompt):
            future = self._embeddings[prompt] = Future()
            if self._closed:
                future.cancel()
                return future
            self._waiting[prompt] = future
            self._changed.notify()
        self._embeddings.move_to_end(prompt)
        for old in list(self._embeddings)[: max(len(self._embeddings) - REMEMBERED, 0)]:
            if old not in self._waiting:
                del self._embeddings[old]
        return future

    def _drop_replaced(self) -> None:
        for prompt in self._waiting.keys() - self._kept - {*self._wanted, *self._slots.values()}:
            self._waiting.pop(prompt).cancel()
            del self._embeddings[prompt]

    def _next(self) -> tuple[str, Future[Tensor]] | None:
        for prompt in (*self._wanted, *reversed(self._slots.values()), *self._waiting):
            if prompt in self._waiting:
                self._kept.discard(prompt)
                return prompt, self._waiting.pop(prompt)
        return None

    def _run(self) -> None:
        """The loop of the text encoder's thread."""
        rested = False
        while True:
            with self._changed:
                job = self._next()
                if job is None and rested:
                    self._changed.wait_for(lambda: self._waiting or self._closed)
                    job = self._next()
                self._at_hand = job[0] if job is not None else None
                if self._closed:
                    if job is not None:
                        job[1].cancel()
                    return
            rested = job is None
            try:
                if job is None:
                    briefly(self._on_idle)
                elif job[1].set_running_or_notify_cancel():
                    job[1].set_result(briefly(partial(self._embed, job[0])))
            except Exception as error:  # noqa: BLE001 (logged, counted, and raised where the prompt was asked for)
                if job is not None:
                    job[1].set_exception(error)
                self._tell(error)

    def _tell(self, error: Exception) -> None:
        """Log the error once: the same reason holds for many prompts."""
        self.failures += 1
        if str(error) not in self._told:
            self._told.add(str(error))
            log.warning("prompts cannot be encoded: %s", error, exc_info=not str(error))

    def _embed(self, prompt: str) -> Tensor:
        embedding = self._disk.load(prompt) if self._disk else None
        if embedding is None:
            embedding = self._encoder.encode(prompt)
            if self._disk:
                self._disk.store(prompt, embedding)
        return embedding
