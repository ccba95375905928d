"""Where the leader of a group waits for its ranks: a port that is known, and behind it a store of torch.distributed.

Whoever comes to the port is told in a line of JSON what waits there. The store is asked only then: it has no deadline for a peer
that takes the connection and says nothing, as any other program at a mistaken port does.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import TypeAdapter
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from sdv2_live import __version__, errors
from sdv2_live.errors import EngineError, GroupLostError
from sdv2_live.ranks.processes import LOCAL
from sdv2_live.system.clock import monotonic
from sdv2_live.system.names import short_lookups

COME_S = 25.0  # a rank on another machine has come, or said something again, by then
HEAR_S = 5.0  # of a refusal: the store ends with the leader
POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Greeting:
    """What waits at a leader's port.

    Attributes:
        size: ranks of the group.
        here: those of the leader's machine, itself among them.
        store: port of the store.
        sdv2_live: version.
        torch: version.
    """

    size: int
    here: int
    store: int
    sdv2_live: str = __version__
    torch: str = str(torch.__version__)


GREETING = TypeAdapter(Greeting)


class Meeting:
    """The leader's side: the port, and what the ranks have said in the store."""

    def __init__(self, listener: socket.socket, size: int, here: int) -> None:
        """Greet those who come to `listener`. Other arguments as for Greeting."""
        if size > here:
            short_lookups()
        self._listener, self._size, self._here = listener, size, here
        inner = socket.create_server(("0.0.0.0" if size > here else LOCAL, 0))
        own = inner.getsockname()[1]
        self.store: Any = TCPStore(LOCAL, own, is_master=True, wait_for_workers=False, master_listen_fd=inner.detach())
        self._line = GREETING.dump_json(Greeting(size, here, own)) + b"\n"
        threading.Thread(target=self._greet, name="greeting", daemon=True).start()

    def _greet(self) -> None:
        with suppress(OSError):  # it is closed
            while True:
                peer, _ = self._listener.accept()
                with peer, suppress(OSError):  # who is gone already
                    peer.sendall(self._line)

    def close(self) -> None:
        """Greet nobody any more. Idempotent."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # Linux goes on to accept from a socket that is only closed
        self._listener.close()

    def tell(self, key: str, value: Any) -> None:
        """Tell all ranks."""
        self.store.set(key, json.dumps(value))

    def machine(self, rank: int) -> str:
        """The rank and its machine, in words."""
        return f"rank {rank}" if rank < self._here else f"rank {rank} ({self._presence(rank)['host']})"

    def address(self) -> str:
        """The address of this machine by which the ranks of others reach it; its own where there is none."""
        return LOCAL if self._size == self._here else str(self._presence(self._size - 1)["leader"])

    def assembled(self, ended: Callable[[], str]) -> None:
        """Wait until the ranks of other machines have come. ended: says which rank of this one has ended, else nothing.

        Raises:
            GroupLostError: one does not come, or has ended.
        """
        deadline = monotonic() + COME_S
        for rank in range(self._here, self._size):
            self._said(rank, "here", deadline, ended)

    def loaded(self, rank: int, ended: Callable[[], str]) -> Any:
        """What a rank says once it has loaded its part. ended: as for `assembled`.

        Raises:
            Sdv2Error: what the rank has failed with.
            GroupLostError: it has ended, or says nothing more.
        """
        return self._said(rank, "ready", monotonic() + COME_S, ended)

    def refuse(self, why: str) -> None:
        """Tell the ranks, when all have loaded, that nothing comes of it, and wait until they have heard it."""
        self.tell("go", {"refused": why})
        deadline = monotonic() + HEAR_S
        while monotonic() < deadline and not self.store.check([f"heard/{rank}" for rank in range(1, self._size)]):
            time.sleep(POLL_S)

    def _said(self, rank: int, key: str, deadline: float, ended: Callable[[], str]) -> Any:
        heard = b""
        while not self.store.check([f"{key}/{rank}"]):
            if self.store.check([f"failed/{rank}"]):
                failed = json.loads(self.store.get(f"failed/{rank}"))
                raise getattr(errors, failed["error"], EngineError)(f"{self.machine(rank)}: {failed['text']}")
            if why := ended():
                raise GroupLostError(why)
            if self.store.check([f"here/{rank}"]) and (now := self.store.get(f"here/{rank}")) != heard:
                heard, deadline = now, monotonic() + COME_S
            if rank >= self._here and monotonic() > deadline:
                raise GroupLostError(self._silent(rank, came=bool(heard)))
            time.sleep(POLL_S)
        return json.loads(self.store.get(f"{key}/{rank}"))

    def _silent(self, rank: int, *, came: bool) -> str:
        if came:
            return f"{self.machine(rank)} has said nothing for {COME_S:.0f} s: see whether it runs, and is connected"
        port, number = self._listener.getsockname()[1], rank - self._here + 1
        return (
            f"rank {rank} of {self._size} has not come within {COME_S:.0f} s: start it on its machine (python -m "
            f"sdv2_live.worker.rank ADDRESS:{port} --rank {number}, with this machine's address), see that no firewall is "
            "between, or set model.remote_ranks to how many there are"
        )

    def _presence(self, rank: int) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.store.get(f"here/{rank}"))
        return found
