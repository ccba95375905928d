"""Faults of the machine and of those who receive: disks, descriptors, signals, processors, receivers."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from typing import Any

from support.daemon import Daemon
from support.waiting import eventually

from faults.bystanders import FAR_S, Recorder
from faults.faultrig import VALUES, Rig, send_signal
from faults.injection import Fault

BUSY = "import time\nend = time.monotonic() + 2\nwhile time.monotonic() < end: pass"
SHORT_S = 1.0
ASLEEP_S = 3.0  # twice faults.hang_s
FALLS_ASLEEP_S = 0.3  # the engine first, so that the show is waiting for it


class Piped(Daemon):
    """Its output and log go through processes that can be killed."""

    def open(self, command: list[str]) -> subprocess.Popen[str]:
        self.relays = [subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        out, log = self.relays
        process = subprocess.Popen(command, stdout=out.stdin, stderr=log.stdin, text=True)
        for relay in self.relays:
            assert relay.stdin is not None
            relay.stdin.close()
        process.stdout, process.stderr = out.stdout, log.stdout
        return process


def limited(name: str, which: int, value: int, *, record: bool = False) -> Fault:
    """The daemon's process gets too little of something for a second."""

    def inject(rig: Rig) -> None:
        if record:
            rig.desk.send("record", 1)
            eventually("a take", lambda: rig.metric("recording") == 1, FAR_S)
        before = resource.prlimit(rig.pid, which)
        resource.prlimit(rig.pid, which, (value, before[1]))
        try:
            rig.desk.send("cue_prompt", "written to the journal")
            time.sleep(SHORT_S)
            if which == resource.RLIMIT_NOFILE:
                _knock(rig)
            if record:
                eventually("the take to end", lambda: rig.metric("recording") == 0, FAR_S)
        finally:
            resource.prlimit(rig.pid, which, before)
        shutil.rmtree(rig.folder / "takes", ignore_errors=True)
        rig.set(VALUES)

    return Fault(f"system: {name}", inject)


def _knock(rig: Rig) -> None:
    """Connections for which the daemon has no descriptor."""
    for _ in range(10):
        with socket.socket() as client:
            client.settimeout(0.1)
            client.connect(rig.desk.server)


def _no_takes(rig: Rig) -> None:
    """The folder of takes goes while one is being recorded."""
    rig.desk.send("record", 1)
    eventually("a take", lambda: rig.metric("recording") == 1, FAR_S)
    shutil.rmtree(rig.folder / "takes", ignore_errors=True)
    time.sleep(SHORT_S)
    rig.set(VALUES | {"record": 0})
    shutil.rmtree(rig.folder / "takes", ignore_errors=True)


def _no_journal(rig: Rig) -> None:
    """The folder of the live state goes, and a file stands where it was."""
    state = rig.folder / "state"
    shutil.rmtree(state, ignore_errors=True)
    state.touch()
    rig.desk.send("cue_prompt", "written to the journal")
    time.sleep(SHORT_S)
    state.unlink()
    rig.set(VALUES)


def _starved(rig: Rig) -> None:
    """As many busy processes as twice the processors."""
    busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(2 * (os.cpu_count() or 1))]
    for one in busy:
        one.wait(FAR_S)


def _signals(rig: Rig) -> None:
    for number in (signal.SIGHUP, signal.SIGPIPE, signal.SIGWINCH, signal.SIGURG, signal.SIGCHLD, signal.SIGCONT):
        send_signal(rig.pid, number)
        time.sleep(0.05)


def _asleep(rig: Rig) -> None:
    """The whole machine stands still while its clock goes on: Ctrl-Z and fg, or a virtual machine that is paused."""
    engine = rig.engine_pid
    all_of_it = (engine, rig.pid, rig.camera.process.pid, rig.control.process.pid)
    for pid in all_of_it:
        send_signal(pid, signal.SIGSTOP)
        time.sleep(FALLS_ASLEEP_S)
    time.sleep(ASLEEP_S)
    for pid in reversed(all_of_it):
        send_signal(pid, signal.SIGCONT)
    rig.painting()
    assert rig.engine_pid == engine


def _closed_output(rig: Rig) -> None:
    """Nobody reads what the daemon prints, and it has much to say."""
    daemon: Any = rig.daemon
    for relay in daemon.relays:
        relay.kill()
        relay.wait()
    end = time.monotonic() + SHORT_S
    while time.monotonic() < end:
        rig.desk.send("no/such/address", 1)
        time.sleep(0.05)


def receivers(name: str, number: signal.Signals) -> Fault:
    """A second receiver comes and goes, and again."""

    def inject(rig: Rig) -> None:
        for _ in range(2):
            one = Recorder(rig.daemon.output).ready()
            one.process.send_signal(number)
            one.process.wait()

    return Fault(f"output: {name}", inject)


FAULTS = (
    limited("the disk is full while recording (RLIMIT_FSIZE)", resource.RLIMIT_FSIZE, 2048, record=True),
    limited("no more open files (RLIMIT_NOFILE)", resource.RLIMIT_NOFILE, 3),
    Fault("system: the folder of takes vanishes while recording", _no_takes),
    Fault("system: the live state cannot be written", _no_journal),
    Fault("system: busy processors for 2 s", _starved),
    Fault("system: SIGHUP, SIGPIPE, SIGWINCH and others", _signals),
    receivers("a receiver comes and goes", signal.SIGTERM),
    receivers("a receiver is killed", signal.SIGKILL),
    Fault(f"system: asleep for {ASLEEP_S:g} s (SIGSTOP and SIGCONT to all of it)", _asleep),
)
CLOSED = Fault("system: nobody reads what it prints (EPIPE)", _closed_output)
