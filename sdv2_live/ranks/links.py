"""Tensors from one rank to another, point to point: nothing else is synchronised by them, and nothing waits that need not."""

from __future__ import annotations

import logging
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from sdv2_live.errors import GroupLostError

log = logging.getLogger("sdv2_live.ranks")

STEP_S = 3600.0  # the longest wait for a tensor: kernels may be compiled on the way; the show's own deadlines are shorter

Coming = Callable[[], Tensor]  # waits for a tensor that was asked for, and returns it


KEPT = 16  # messages under way at a time; an earlier one has arrived long ago


class _Work:
    """A tensor under way. It is waited for once, whoever does so first, and kept until then."""

    def __init__(self, work: Any, wire: Tensor, peer: int, within: tuple[timedelta, ...]) -> None:
        self.wire = wire
        self._work = work
        self._peer = peer
        self._within = within
        self._lock = threading.Lock()

    def wait(self) -> Tensor:
        with self._lock:
            if self._work is not None:
                with _lost(self._peer):
                    self._work.wait(*self._within)
                self._work = None
        return self.wire


@contextmanager
def _lost(peer: int) -> Iterator[None]:
    """Raise GroupLostError where torch.distributed tells, with a RuntimeError, of something that has happened to a connection."""
    try:
        yield
    except RuntimeError as error:
        log.debug("rank %d: %s", peer, error)
        why = "says nothing any more" if re.search("time(d )?out", str(error), re.IGNORECASE) else "has closed its connection"
        raise GroupLostError(f"{f'rank {peer}' if peer else 'the leader'} {why}") from error


class Link:
    """One way between this rank and another. What is sent and what is received have the same order at both ends.

    On GPUs over NCCL both run on a stream of the group's own, and waiting only makes the present stream wait. Where only gloo is
    there, tensors of a GPU go through the host's memory.
    """

    def __init__(
        self,
        peer: int,
        tag: int,
        device: torch.device,
        group: dist.ProcessGroup | None = None,
        silent_s: float = STEP_S,
    ) -> None:
        """One end of it.

        Args:
            peer: the rank at the other end.
            tag: tells this way from others between the two.
            device: where the tensors lie.
            group: one of its own, for NCCL, which knows no tags. None: all ranks'.
            silent_s: seconds without a tensor that is waited for, after which the other rank is taken for lost; gloo's alone.
        """
        self.bytes = 0  # sent
        self._within = (timedelta(seconds=silent_s),) if group is None else ()  # NCCL would wait here, and not on its stream
        self._peer = peer
        self._tag = tag if group is None else 0
        self._group = group
        self._device = device
        self._staged = device.type == "cuda" and group is None
        self._out: deque[_Work] = deque()
        self._in: deque[_Work] = deque()

    def send(self, tensor: Tensor) -> None:
        """Send a tensor, which must not be written from now on. Waits only for one that was sent long before.

        Raises GroupLostError when the other rank is gone.
        """
        wire = (tensor.cpu() if self._staged else tensor).contiguous()
        if len(self._out) >= KEPT:
            self._out.popleft().wait()
        with _lost(self._peer):
            work = dist.isend(wire, self._peer, self._group, self._tag)
        self._out.append(_Work(work, wire, self._peer, self._within))
        self.bytes += wire.nbytes

    def receive(self, shape: Sequence[int], dtype: torch.dtype) -> Coming:
        """Ask for the next tensor, of this shape and type. What is never waited for is kept until later ones come.

        Raises GroupLostError, also where it is waited for, when the other rank is gone or says nothing for too long.
        """
        wire = torch.empty(tuple(shape), dtype=dtype, device="cpu" if self._staged else self._device)
        if len(self._in) >= KEPT:
            self._in.popleft().wait()
        with _lost(self._peer):
            work = _Work(dist.irecv(wire, self._peer, self._group, self._tag), wire, self._peer, self._within)
        self._in.append(work)
        return lambda: work.wait().to(self._device)

    def drain(self) -> None:
        """Wait for all that was sent and asked for."""
        for under_way in (self._out, self._in):
            while under_way:
                under_way.popleft().wait()
