"""Tensors from one rank to another, point to point: nothing else is synchronised by them, and nothing waits that need not."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from sdv2_live.errors import GroupLostError

Coming = Callable[[], Tensor]  # waits for a tensor that was asked for, and returns it


KEPT = 16  # messages under way at a time; an earlier one has arrived long ago


class _Work:
    """A tensor under way. It is waited for once, whoever does so first, and kept until then."""

    def __init__(self, work: Any, wire: Tensor) -> None:
        self.wire = wire
        self._work = work
        self._lock = threading.Lock()

    def wait(self) -> Tensor:
        with self._lock:
            if self._work is not None:
                try:
                    self._work.wait()
                except RuntimeError as error:  # as torch.distributed tells of all that can happen to a connection
                    raise GroupLostError(f"another rank is gone: {next(iter(str(error).splitlines()), '')}") from error
                self._work = None
        return self.wire


class Link:
    """One way between this rank and another. What is sent and what is received have the same order at both ends.

    On GPUs over NCCL both run on a stream of the group's own, and waiting only makes the present stream wait. Where only gloo is
    there, tensors of a GPU go through the host's memory.
    """

    def __init__(self, peer: int, tag: int, device: torch.device, group: dist.ProcessGroup | None = None) -> None:
        """group: one of its own, for NCCL, which knows no tags. None: all ranks'."""
        self.bytes = 0  # sent
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
        try:
            work = dist.isend(wire, self._peer, self._group, self._tag)
        except RuntimeError as error:
            raise GroupLostError(f"another rank is gone: {next(iter(str(error).splitlines()), '')}") from error
        self._out.append(_Work(work, wire))
        self.bytes += wire.nbytes

    def receive(self, shape: Sequence[int], dtype: torch.dtype) -> Coming:
        """Ask for the next tensor, of this shape and type. What is never waited for is kept until later ones come.

        Raises, where it is waited for, GroupLostError when the other rank is gone or says nothing for too long.
        """
        wire = torch.empty(tuple(shape), dtype=dtype, device="cpu" if self._staged else self._device)
        if len(self._in) >= KEPT:
            self._in.popleft().wait()
        work = _Work(dist.irecv(wire, self._peer, self._group, self._tag), wire)
        self._in.append(work)
        return lambda: work.wait().to(self._device)

    def drain(self) -> None:
        """Wait for all that was sent and asked for."""
        for under_way in (self._out, self._in):
            while under_way:
                under_way.popleft().wait()
