"""Faults of an engine's other rank, in a show on two, and of the connection to it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

import psutil
from support.daemon import Daemon
from support.waiting import eventually

from faults import wires
from faults.bystanders import FAR_S
from faults.faultrig import Rig, command_of, send_signal
from faults.injection import Fault

WARM = 12  # chunks after which the watchdog of a hanging chunk has its usual patience
PROGRAM = b"sdv2_live.worker.rank"


def two_ranks() -> Rig:
    """A show on two ranks."""
    return Rig(lambda *options: Daemon(*options, "--gpus", "2"))


def three_ranks() -> Rig:
    """A show on three ranks, which does with fewer when one ends."""
    return Rig(lambda *options: Daemon(*options, "--gpus", "3", "--set", "faults.ladder=fewer-cards"))


def ranks() -> list[int]:
    """All processes of other ranks that these tests have started, whoever their parent is now: those on their network."""
    here, found = os.stat("/proc/self/ns/net").st_ino, []
    for pid in filter(is_rank, psutil.pids()):
        with suppress(FileNotFoundError):  # it has just ended
            found += [pid] * (os.stat(f"/proc/{pid}/ns/net").st_ino == here)
    return found


def is_rank(pid: int) -> bool:
    """True of the process of another rank than the leader."""
    return PROGRAM in command_of(pid)


def others(rig: Rig) -> list[int]:
    """The processes of the engine's other ranks."""
    return [child.pid for child in psutil.Process(rig.engine_pid).children() if is_rank(child.pid)]


def other(rig: Rig) -> int:
    """The one other rank's process."""
    (found,) = others(rig)
    return found


def fault(name: str, do: Callable[[int, int], None], warm: int = WARM) -> Fault:
    """The group goes down and comes up again: no process and no shared memory of the old one is left.

    do: with the leader's process, the engine's, and the other rank's.
    """

    def inject(rig: Rig) -> int:
        rig.painting(warm)
        rank, engine, shared = other(rig), rig.engine_pid, set(os.listdir("/dev/shm"))
        do(engine, rank)
        begin = time.monotonic_ns()
        eventually("another engine", lambda: rig.engine_pid not in (0, engine), FAR_S)
        eventually("the end of the old ones", lambda: not psutil.pid_exists(rank) and not psutil.pid_exists(engine), FAR_S)
        rig.painting(1)
        assert ranks() == [other(rig)] != [rank]
        assert set(os.listdir("/dev/shm")) <= shared
        return begin

    return Fault(f"rank: {name}", inject)


def by(number: signal.Signals) -> Callable[[int, int], None]:
    """The other rank gets a signal."""
    return lambda engine, rank: send_signal(rank, number)


FAULTS = (
    fault("SIGKILL while painting", by(signal.SIGKILL), warm=1),
    fault("SIGSTOP while painting", by(signal.SIGSTOP)),
    fault("its connections are reset while painting", wires.reset, warm=1),
    fault("its connections go silent while painting", wires.silence),
)


def _one_card_less_each_time(rig: Rig) -> int:
    for left in (1, 0):
        engine = rig.engine_pid
        send_signal(others(rig)[-1], signal.SIGKILL)
        killed = time.monotonic_ns()
        eventually("another engine", lambda engine=engine: rig.engine_pid not in (0, engine), FAR_S)
        rig.painting(1)
        assert len(others(rig)) == left
    return killed


FEWER = Fault("rank: one is killed, and again: each time one card less", _one_card_less_each_time)
