"""The ranks of one stream as a group of torch.distributed: gloo between CPUs, NCCL between GPUs, gloo beside it for messages."""

from __future__ import annotations

import logging
import os
import socket
import threading
from datetime import timedelta
from typing import Any

import psutil
import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from sdv2_live.errors import ConfigError, GroupLostError
from sdv2_live.ranks.links import STEP_S, Link
from sdv2_live.ranks.messages import SIZE, End, Message, Pass, packed, unpacked

JOIN_S = 20.0  # all have connected to each other by then
SILENT_S = 20.0  # a rank that says nothing for so long is lost; each says something every second
MESSAGES, TENSORS, REPORTS, HOP = 1, 2, 3, 4  # tags


IFNAMES = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")
_CHOSEN = tuple(name for name in IFNAMES if os.environ.get(name))  # by whoever has started this process

log = logging.getLogger("sdv2_live.ranks")


def join(store: TCPStore, rank: int, size: int, device: torch.device, address: str) -> None:
    """Join the group, and wait until all others have.

    Args:
        store: where the ranks meet.
        rank: 0 is the leader.
        size: how many ranks there are.
        device: where tensors between ranks lie.
        address: of this machine, as the others reach it.

    Raises:
        ConfigError: the environment names an interface that is not here.
        GroupLostError: the others do not come.
    """
    for key in IFNAMES:
        if key not in _CHOSEN and (name := _interface(address)):
            os.environ[key] = name
    if (chosen := os.environ.get(IFNAMES[0], "")) and not (here := psutil.net_if_addrs().keys()) & set(chosen.split(",")):
        raise ConfigError(
            f"{IFNAMES[0]} = {chosen}, and this machine has {', '.join(here)}: set it to one of these, or not at all"
        )
    if not dist.is_initialized():  # torch names a group by how many came before, and counts one that nobody joined, too
        dist.distributed_c10d._world.group_count = 0
    backend = "cpu:gloo,cuda:nccl" if over_nccl(device) else "gloo"
    try:
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=timedelta(seconds=JOIN_S))
    except (RuntimeError, ValueError) as error:
        log.debug("%s", error)
        raise GroupLostError(
            f"rank {rank} at {address} cannot reach the others, or they cannot reach it: let all TCP ports through between the "
            "machines, for ranks choose theirs, or set GLOO_SOCKET_IFNAME on each to the name of the interface that they share"
        ) from error


def leave() -> None:
    """Leave the group, so that another can be joined, maybe over another interface."""
    for key in IFNAMES:
        if key not in _CHOSEN:
            os.environ.pop(key, None)
    if dist.is_initialized():
        dist.destroy_process_group()


def over_nccl(device: torch.device) -> bool:
    """True when tensors go from GPU to GPU."""
    return device.type == "cuda" and dist.is_nccl_available()


class Member:
    """This rank's ways to the others of a ring: rank i passes on to rank i + 1, the last one to the leader.

    Messages go from the leader to each, and reports back. Any thread of the leader may send; each is whole, with its tensor.
    """

    def __init__(self, rank: int, size: int, device: torch.device, silent_s: float = STEP_S) -> None:
        """silent_s: seconds without a message or a report, after which the other rank is lost, though its connection is not."""
        self.rank = rank
        self.size = size
        before, after = (rank - 1) % size, (rank + 1) % size
        cpu = torch.device("cpu")
        hops: list[Any] = [None] * size
        if over_nccl(device):  # each way a communicator of its own: one would have what is received wait for what is sent
            hops = [dist.new_group([i, (i + 1) % size], backend="nccl") for i in range(size)]
        self.before = Link(before, HOP, device, hops[before])
        self.after = Link(after, HOP, device, hops[rank])
        self._telling = threading.Lock()
        others = range(1, size) if rank == 0 else (0,)
        self._messages = {peer: Link(peer, MESSAGES, cpu, silent_s=silent_s) for peer in others}
        self._tensors = {peer: Link(peer, TENSORS, cpu) for peer in others}
        self._reports = {peer: Link(peer, REPORTS, cpu, silent_s=silent_s) for peer in others}

    def tell(self, message: Message, tensor: Tensor | None = None) -> None:
        """Tell all other ranks; of the leader. tensor: follows the message."""
        wire, following = packed(message), None if tensor is None else tensor.cpu()
        with self._telling:
            for peer, link in self._messages.items():
                link.send(wire)
                if following is not None:
                    self._tensors[peer].send(following)

    def hear(self) -> Any:
        """Wait for what the leader tells next. Raises GroupLostError when it is gone."""
        return unpacked(self._messages[0].receive((SIZE,), torch.uint8)())

    def tensor(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """The tensor that follows the last message."""
        return self._tensors[0].receive(shape, dtype)()

    def report(self, message: Message) -> None:
        """Tell the leader."""
        self._reports[0].send(packed(message))

    def reported(self, rank: int) -> Any:
        """Wait for the next report of a rank; of the leader. Raises GroupLostError when it is gone."""
        return unpacked(self._reports[rank].receive((SIZE,), torch.uint8)())

    def around(self, tensor: Tensor) -> Tensor:
        """Pass a tensor, in the model's precision, from rank to rank, and return what comes back; of the leader.

        The ring must have nothing else to do.
        """
        self.tell(Pass(tuple(tensor.shape)))
        self.after.send(tensor)
        return self.before.receive(tensor.shape, tensor.dtype)()

    def end(self) -> None:
        """End the ring; of the leader. Waits until the others have all that they were told."""
        self.tell(End())
        with self._telling:
            for link in (self.after, self.before, *self._messages.values(), *self._tensors.values()):
                link.drain()


def address_towards(host: str, port: int) -> str:
    """The address of this machine from which another is reached."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, port))
        return str(probe.getsockname()[0])


def _interface(address: str) -> str:
    """The name of the interface that has an address; empty where none has."""
    found = (name for name, all_of in psutil.net_if_addrs().items() if any(one.address == address for one in all_of))
    return next(found, "")
