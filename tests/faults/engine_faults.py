"""Faults of the engine's process."""

from __future__ import annotations

import resource
import signal
import time

from support.waiting import eventually

from faults.bystanders import FAR_S
from faults.faultrig import BLACK, Rig, send_signal
from faults.injection import Fault

WARM = 12  # chunks after which the watchdog of a hanging chunk has its usual patience
PAUSE_S = 0.7  # shorter than faults.hang_s
CRASHES = 3  # in a row
TRIES = 3  # more, while nothing can come up


def by(number: signal.Signals) -> Fault:
    """The process is ended by a signal while it paints."""

    def inject(rig: Rig) -> int:
        send_signal(rig.engine_pid, number)
        return time.monotonic_ns()

    return Fault(f"engine: {number.name} while painting", inject, ends_engine=True)


def _asked_to_end(rig: Rig) -> None:
    """It goes on: SIGTERM and SIGINT reach the whole group, and the show decides what ends when."""
    pid = rig.engine_pid
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        send_signal(pid, number)
    rig.painting()
    assert rig.engine_pid == pid


def _killed_while_loading(rig: Rig) -> int:
    first = rig.engine_pid
    send_signal(first, signal.SIGKILL)
    eventually("another process", lambda: rig.engine_pid not in (0, first), FAR_S)
    send_signal(rig.engine_pid, signal.SIGKILL)
    return time.monotonic_ns()


def _crash_loop(rig: Rig) -> int:
    for left in range(CRASHES - 1, -1, -1):
        pid = rig.engine_pid
        send_signal(pid, signal.SIGKILL)
        killed = time.monotonic_ns()
        if left:
            eventually("another process", lambda pid=pid: rig.engine_pid not in (0, pid), FAR_S)
            rig.painting(1)
    return killed


def _hang(rig: Rig) -> int:
    rig.painting(WARM)
    send_signal(rig.engine_pid, signal.SIGSTOP)
    return time.monotonic_ns()


def _pause(rig: Rig) -> None:
    pid = rig.engine_pid
    send_signal(pid, signal.SIGSTOP)
    time.sleep(PAUSE_S)
    send_signal(pid, signal.SIGCONT)


def _no_memory(rig: Rig) -> int:
    """It may take no more memory than a little, and is asked for work that needs some: larger pictures, new prompts."""
    pid, before = rig.engine_pid, _troubles(rig)
    resource.prlimit(pid, resource.RLIMIT_AS, (1 << 20, resource.RLIM_INFINITY))
    begin = time.monotonic_ns()

    def failed() -> bool:
        rig.camera.tell(size=[64 + 64 * (time.monotonic_ns() // 300_000_000 % 4), 1280])
        rig.desk.send("reset")
        return _troubles(rig) > before

    eventually("the engine to run out of memory", failed, FAR_S)
    if rig.engine_pid == pid:
        resource.prlimit(pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    rig.camera.tell(size=[64, 96])
    return begin


def _toggled_while_away(rig: Rig) -> int:
    """Black is seen while the blackout lasts and no longer, whatever else was pressed, though nothing new is painted."""
    send_signal(rig.engine_pid, signal.SIGKILL)
    killed = time.monotonic_ns()
    for keys in ({"blackout": 1}, {"bypass": 1, "blackout": 0}, {"freeze": 1, "blackout": 1}, {"blackout": 0, "bypass": 0}):
        rig.set(keys)
        dark, since = keys["blackout"] == 1, len(rig.output.seen)
        eventually("black" if dark else "a picture", lambda: _dark(rig, since) is dark)  # noqa: B023
    rig.set({"freeze": 0})
    return killed


def _dark(rig: Rig, since: int) -> bool | None:
    """Whether the newest picture is black; None while none has come."""
    seen = rig.output.seen
    return seen[-1].mean < BLACK if len(seen) > since else None


def _damaged_file(rig: Rig) -> int:
    """A weights file is damaged, and then the process is killed: no other comes up. It is told once, and the file repaired."""
    part, told = rig.folder / "part", len(rig.daemon.log)
    part.write_bytes(b"cut off")
    part.replace(rig.lora)
    send_signal(rig.engine_pid, signal.SIGKILL)
    tries = rig.metric("engine_restarts_total") + TRIES
    eventually("tries in vain", lambda: rig.alive() and rig.metric("engine_restarts_total") >= tries, FAR_S)
    assert len([line for line in rig.daemon.log[told:] if "cannot be read as a LoRA" in line and "ERROR" in line]) == 1
    rig.write_lora(part)
    part.replace(rig.lora)
    return time.monotonic_ns()


def _troubles(rig: Rig) -> float:
    return rig.metric("engine_restarts_total") + rig.metric("engine_failures_total")


FAULTS = (
    by(signal.SIGKILL),
    by(signal.SIGSEGV),
    by(signal.SIGABRT),
    Fault("engine: asked to end (SIGTERM, SIGINT, SIGHUP)", _asked_to_end),
    Fault("engine: SIGKILL while loading", _killed_while_loading, ends_engine=True),
    Fault(f"engine: killed {CRASHES} times, each as soon as it paints", _crash_loop, ends_engine=True),
    Fault("engine: killed, and a weights file is damaged that it needs", _damaged_file, ends_engine=True),
    Fault("engine: hangs (SIGSTOP)", _hang, ends_engine=True),
    Fault(f"engine: stands still for {PAUSE_S} s", _pause),
    Fault("engine: out of memory (RLIMIT_AS)", _no_memory),
    Fault("engine: blackout, bypass and freeze while it is away", _toggled_while_away, ends_engine=True, dark=True),
)
