"""Faults of an engine's other rank, in a show on two."""

from __future__ import annotations

import signal
import time

import psutil
from support.daemon import Daemon
from support.waiting import eventually

from faults.bystanders import FAR_S
from faults.faultrig import Rig, send_signal
from faults.injection import Fault

WARM = 12  # chunks after which the watchdog of a hanging chunk has its usual patience
PROGRAM = "sdv2_live.worker.rank"


def two_ranks() -> Rig:
    """A show on two ranks."""
    return Rig(lambda *options: Daemon(*options, "--gpus", "2"))


def other(rig: Rig) -> int:
    """The one other rank's process."""
    found = [child.pid for child in psutil.Process(rig.engine_pid).children() if PROGRAM in child.cmdline()]
    assert len(found) == 1
    return found[0]


def no_orphan(rig: Rig, gone: int) -> None:
    """Wait until the process is gone, and its engine's successor has one of its own."""
    eventually("the end of the old rank", lambda: not psutil.pid_exists(gone), FAR_S)
    rig.painting()
    assert other(rig) != gone


def by(number: signal.Signals, warm: int) -> Fault:
    """The rank gets a signal while it paints."""

    def inject(rig: Rig) -> int:
        rig.painting(warm)
        pid, engine = other(rig), rig.engine_pid
        send_signal(pid, number)
        eventually("another engine", lambda: rig.engine_pid not in (0, engine), FAR_S)
        ended = time.monotonic_ns()
        no_orphan(rig, pid)
        return ended

    return Fault(f"rank: {number.name} while painting", inject)


FAULTS = (by(signal.SIGKILL, 1), by(signal.SIGSTOP, WARM))
