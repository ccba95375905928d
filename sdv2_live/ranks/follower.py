"""Another rank than the leader: does, with its own blocks, what the leader tells, until the ring is over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import torch

from sdv2_live.engine.transfer import upload
from sdv2_live.errors import GroupLostError
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.dit.kv_cache import KVCache
from sdv2_live.model.dit.layers import PATCH, CrossKV, Times
from sdv2_live.model.lora.lora import LoraSet
from sdv2_live.ranks.group import Member
from sdv2_live.ranks.messages import Beat, CacheOp, Drop, End, NewCache, Pass, Prompt, Report, Scales, Step
from sdv2_live.ranks.stopwatch import Stopwatch
from sdv2_live.system.clock import monotonic

REPORT_S = 1.0


class Follower:
    """A rank with some of the model's blocks. It decides nothing: every choice comes with the leader's messages."""

    def __init__(self, member: Member, dit: CausalDiT, loras: LoraSet, held: Callable[[], int] = lambda: 0) -> None:
        """held: bytes of memory that this rank holds."""
        dit.pack()
        self._member = member
        self._dit = dit
        self._loras = loras
        self._rope = dit.rope()
        self._caches: dict[int, tuple[KVCache, tuple[int, int]]] = {}
        self._prompts: dict[int, CrossKV] = {}
        self._times: tuple[tuple[float, ...], Times] | None = None  # the last ones, and what they were made of
        self._reports = _Reports(member, dit.device, held)

    @torch.inference_mode()
    def run(self) -> None:
        """Follow until the leader ends the ring. Raises GroupLostError when the leader, or a neighbour, is gone."""
        try:
            with self._dit.attend.preferred():
                while not isinstance(message := self._member.hear(), End):
                    self._do(message)
            self._member.after.drain()
        finally:
            self._reports.close()

    def _do(self, message: object) -> None:
        match message:
            case Step():
                self._step(message)
            case Prompt(number, rows):
                shape = (1, rows, self._dit.config.text_dim)
                embedding = self._member.tensor(shape, self._dit.dtype).to(self._dit.device)
                self._prompts[number] = self._dit.condition(embedding)
            case NewCache(number, spec, latent_hw, levels, by_place):
                self._caches[number] = self._dit.new_cache(spec, latent_hw, levels, by_place=by_place), latent_hw
            case CacheOp(number, call, counts, source):
                cache = self._caches[number][0]
                cache.counts = counts
                getattr(cache, call)(*(() if source is None else (self._caches[source][0],)))
            case Drop(numbers):
                for number in numbers:
                    self._caches.pop(number, None)
                    self._prompts.pop(number, None)
            case Scales(scales):
                self._loras.apply(scales)
                self._times = None  # they may depend on them
            case Pass(shape):
                self._member.after.send(self._member.before.receive(shape, self._dit.dtype)())
            case Beat():
                pass
            case _:
                raise RuntimeError(f"a message that is not known here: {message}")

    def _step(self, step: Step) -> None:
        dit, plan = self._dit, step.plan
        cache, (height, width) = self._caches[step.cache]
        rows, columns = height // PATCH, width // PATCH
        levels, frames = len(plan.filled), plan.frames
        if dit.first == 0:
            coming = self._member.before.receive((levels, frames, dit.config.channels, height, width), torch.float32)
        else:
            coming = self._member.before.receive((levels, frames, rows * columns, dit.config.dim), dit.dtype)
        times = self._times_of(step.timesteps).rows(*step.rows, frames)
        if cache.by_place:
            rotations = self._rope.timeless(frames, rows, columns)
        else:
            starts = upload(torch.tensor(step.starts), dit.device)
            each = len(step.starts) // levels  # positions of a level
            rotations = self._rope.rotations(starts, frames // each, rows, columns).view(levels, frames * rows * columns, -1)
        memory = None if step.memory is None else upload(torch.tensor(step.memory, dtype=torch.float64), dit.device)
        call = replace(dit.call(rotations, cache, plan, self._prompts[step.prompt], memory), unread=step.unread)
        x = coming()
        with self._reports.watch():
            y = dit.part(x, times, call, (height, width))
        if not (step.unread and dit.last == dit.config.layers):
            self._member.after.send(y)

    def _times_of(self, timesteps: tuple[float, ...]) -> Times:
        if self._times is None or self._times[0] != timesteps:
            t = upload(torch.tensor(timesteps, dtype=torch.float64)[:, None], self._dit.device)
            self._times = timesteps, self._dit.times(t)
        return self._times[1]


class _Reports:
    """Tells the leader, on a thread of its own, how this rank is; also while it computes or waits."""

    def __init__(self, member: Member, device: torch.device, held: Callable[[], int]) -> None:
        self.watch = Stopwatch(device)
        self._member = member
        self._held = held
        self._over = threading.Event()
        threading.Thread(target=self._run, name="reports", daemon=True).start()

    def close(self) -> None:
        """Say no more."""
        self._over.set()

    def _run(self) -> None:
        before, calls_before, busy_before = monotonic(), 0, 0.0
        with suppress(GroupLostError):  # the leader is gone: `run` ends, too
            while not self._over.wait(REPORT_S):
                now, (calls, busy_s) = monotonic(), self.watch.total
                done, computed = calls - calls_before, busy_s - busy_before
                ms = 1e3 * computed / done if done else 0.0
                self._member.report(Report(self._member.rank, computed / (now - before), ms, self._held()))
                before, calls_before, busy_before = now, calls, busy_s
