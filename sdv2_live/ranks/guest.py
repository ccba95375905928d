"""A rank's way to the leader of its group: see `meeting` for where that waits."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

from pydantic import ValidationError
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from sdv2_live.errors import ConfigError, GroupLostError, Sdv2Error
from sdv2_live.ranks.meeting import GREETING, POLL_S, Greeting

CONNECT_S = 5.0
ANSWER_S = 20.0  # a leader that was just started imports torch before it greets
CHILD_S = 900.0  # whose leader is there, however long that takes
STORE_S = 15.0  # for a connection to torch's store, which looks up names meanwhile
BEAT_S = 1.0
LINE = 4096  # bytes of a greeting, at most


class Guest:
    """A rank's side: what the leader tells, and what this rank says.

    Attributes:
        rank: in the group.
        size: ranks of the group.
    """

    def __init__(self, host: str, port: int, number: int, *, child: bool) -> None:
        """Come to a leader.

        Args:
            host: its machine.
            port: where it waits.
            number: among the ranks of other machines, from 1; of a child, its rank.
            child: this process is the leader's own.

        Raises:
            GroupLostError: no leader is there, or another process has this number.
            ConfigError: the group has no such number, or another version.
        """
        found = greeting(host, port, CHILD_S if child else ANSWER_S)
        self.rank, self.size = number if child else found.here - 1 + number, found.size
        if self.rank >= self.size:
            raise ConfigError(
                f"there is no number {number}: the show waits for {found.size - found.here} ranks of other machines; start "
                "fewer, or set its model.remote_ranks to how many there are"
            )
        own = f"process {os.getpid()} of {socket.gethostname()}"
        with _gone():
            self.store: Any = TCPStore(
                host, found.store, is_master=False, wait_for_workers=False, timeout=timedelta(seconds=STORE_S)
            )
            owner = self.store.compare_set(f"taken/{self.rank}", "", own).decode()
            before = self.store.check([f"here/{self.rank}"])
        if owner != own:
            raise GroupLostError(f"{owner} has the number {number} already: give each process a --rank of its own")
        if before:
            raise GroupLostError("the group that it was in has not ended yet")
        self._over = threading.Event()
        self._here: dict[str, Any] = {"leader": socket.gethostbyname(host), "host": socket.gethostname(), "beat": 0}
        self.say("here", self._here)
        self._require_same(found)
        threading.Thread(target=self._beat, name="presence", daemon=True).start()

    def _require_same(self, leader: Greeting) -> None:
        mine = Greeting(leader.size, leader.here, leader.store)
        for name in ("sdv2_live", "torch"):
            if (own := getattr(mine, name)) != (other := getattr(leader, name)):
                error = ConfigError(f"it has {name} {own}, the leader {other}: install the same on all machines")
                self.fail(error)
                raise error

    def say(self, key: str, value: Any) -> None:
        """Say something to the leader. Raises GroupLostError when it is gone."""
        with _gone():
            self.store.set(f"{key}/{self.rank}", json.dumps(value))

    def fail(self, error: Sdv2Error) -> None:
        """Say that this rank cannot do its part."""
        self.say("failed", {"error": type(error).__name__, "text": str(error)})

    def told(self, key: str) -> Any:
        """What the leader tells under a key, as soon as it does. Raises GroupLostError when it is gone."""
        with _gone():
            while not self.store.check([key]):
                time.sleep(POLL_S)
            return json.loads(self.store.get(key))

    def close(self) -> None:
        """Say nothing more."""
        self._over.set()

    def _beat(self) -> None:
        with suppress(GroupLostError):  # which `told` finds out
            while not self._over.wait(BEAT_S):
                self.say("here", self._here)
                self._here["beat"] += 1


@contextmanager
def _gone() -> Iterator[None]:
    """What the store says of a connection that is lost, in words."""
    try:
        yield
    except RuntimeError as error:
        raise GroupLostError("the show's engine is gone") from error


def greeting(host: str, port: int, answer_s: float = ANSWER_S) -> Greeting:
    """What waits at a port, told within so many seconds. Raises GroupLostError, with the remedy, where that is no leader."""
    at = f"{host}:{port}"
    try:
        with socket.create_connection((host, port), CONNECT_S) as peer:
            peer.settimeout(answer_s)
            return _read(peer, at)
    except socket.gaierror as error:
        raise GroupLostError(f"the name {host} is not known here: give the address of the show's machine") from error
    except ConnectionRefusedError as error:
        raise GroupLostError(
            f"nobody waits at {at}: start the show there with model.remote_ranks, or see what its model.rank_port is"
        ) from error
    except TimeoutError as error:
        raise GroupLostError(
            f"{at} does not answer: see whether it is the show's machine, and that its firewall lets this port through"
        ) from error
    except OSError as error:
        raise GroupLostError(
            f"{at} cannot be reached ({error.strerror}): see whether it is the show's machine, and connected"
        ) from error


def _read(peer: socket.socket, at: str) -> Greeting:
    try:
        line = peer.makefile("rb").readline(LINE)
    except TimeoutError as error:
        raise GroupLostError(f"what takes connections at {at} says nothing: see what the show's model.rank_port is") from error
    try:
        return GREETING.validate_json(line)
    except ValidationError as error:
        raise GroupLostError(f"what answers at {at} is no show that waits for ranks: see what its model.rank_port is") from error
