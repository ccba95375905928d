"""The processes of an engine's other ranks on this machine, and the port at which all ranks meet.

Free of torch: they are started before it is imported, and import it beside their leader.
"""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence

from sdv2_live.config.schema import ModelConfig
from sdv2_live.errors import EngineError
from sdv2_live.system.process import ends_with_this, how_it_ended, uninterrupted

log = logging.getLogger("sdv2_live.ranks")

LOCAL = "127.0.0.1"
END_S = 5.0
VISIBLE = "CUDA_VISIBLE_DEVICES"
_AT_START = os.environ.get(VISIBLE, "")


class RankProcesses:
    """Ranks 1, 2, ... of this machine. They end with this process, however it ends."""

    def __init__(self, config: ModelConfig, count: int = 0) -> None:
        """Start so many. Raises EngineError where the port that ranks of other machines know cannot be had."""
        self._listener: socket.socket | None = _listening(config.rank_port if config.remote_ranks else 0)
        self.port: int = self._listener.getsockname()[1]
        self._running: list[subprocess.Popen[bytes]] = []
        self.be(count)

    def be(self, count: int) -> None:
        """Start those that are missing, and end those that are too many."""
        self._end(self._running[count:])
        del self._running[count:]
        for rank in range(len(self._running) + 1, count + 1):
            self._running.append(self._started(rank))

    def listener(self) -> socket.socket:
        """What listens at the port, for whoever greets the ranks; those that have knocked wait for it."""
        assert self._listener is not None
        listener, self._listener = self._listener, None
        return listener

    def ended(self) -> str:
        """Which of them has ended, in words; empty where none has."""
        for rank, process in enumerate(self._running, 1):
            if process.poll() is not None:
                return f"rank {rank} (process {process.pid}) {how_it_ended(process.returncode)}"
        return ""

    def close(self) -> None:
        """End all. Idempotent."""
        self._end(self._running)
        if self._listener is not None:
            self._listener.close()

    def _started(self, rank: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "sdv2_live.worker.rank", f"{LOCAL}:{self.port}", "--rank", str(rank), "--child"]
        with uninterrupted():
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        ends_with_this(process.pid)
        threading.Thread(target=_relay, args=(rank, process), name="rank-log", daemon=True).start()
        return process

    @staticmethod
    def _end(processes: list[subprocess.Popen[bytes]]) -> None:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait(END_S)


def see_only(cards: Sequence[int]) -> None:
    """Have this process see these of its GPUs alone, in this order. Must be called before CUDA is used; the first computes."""
    os.environ[VISIBLE] = ",".join(_named(card, _AT_START) for card in cards)


def visible(card: int) -> str:
    """CUDA_VISIBLE_DEVICES of a process that is to have this process's GPU of that number, and no other."""
    return _named(card, os.environ.get(VISIBLE, ""))


def _named(card: int, seen: str) -> str:
    names = seen.split(",")
    return names[card] if len(names) > card and names[card] else str(card)


def _listening(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("0.0.0.0" if port else LOCAL, port))
        listener.listen(64)
    except OSError as error:
        raise EngineError(f"model.rank_port = {port} cannot be had ({error.strerror}); set it to a free one") from error
    return listener


def _relay(rank: int, process: subprocess.Popen[bytes]) -> None:
    """Log what a rank says; lines of libraries only for those who look closely."""
    assert process.stdout is not None
    for line in process.stdout:
        level, _, text = line.decode(errors="replace").rstrip().partition(" ")
        known = level.isdecimal() and int(level) % 10 == 0
        log.log(int(level) if known else logging.DEBUG, "rank %d: %s", rank, text if known else f"{level} {text}")
