"""Runs probes, each in a process of its own, so that one that hangs or crashes costs only its own lines."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sdv2_live.config.schema import Config
from sdv2_live.system.clock import monotonic
from sdv2_live.system.process import Connection

HANGS, BREAKS = "hangs", "breaks"
ENDING_S = 10.0  # for a process to end that has said all
LANES = 2  # probes at a time: most wait for the network or for imports


class Status(StrEnum):
    """ok: ready. warn: a show is possible, with less. fail: a show is not possible as configured."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report. remedy: advice; empty when all is well."""

    name: str
    status: Status
    detail: str
    remedy: str = ""


def ok(name: str, detail: str) -> Check:
    """All is well."""
    return Check(name, Status.OK, detail)


def warn(name: str, detail: str, remedy: str) -> Check:
    """A show is possible, with less."""
    return Check(name, Status.WARN, detail, remedy)


def fail(name: str, detail: str, remedy: str) -> Check:
    """A show is not possible as configured."""
    return Check(name, Status.FAIL, detail, remedy)


@dataclass(frozen=True, slots=True)
class Probe:
    """A function that checks the machine; it is called in another process.

    Attributes:
        look: yields one Check for each of `names`, in that order. A module's function.
        timeout_s: for all of them, from the start of its process.
    """

    names: tuple[str, ...]
    look: Callable[[Config], Iterator[Check]]
    timeout_s: float
    hint: str = "run it again; if it stays so, restart the machine"


def run_all(probes: Sequence[Probe], config: Config) -> Iterator[Check]:
    """Every check of every probe, in order, as soon as its probe has ended."""
    with ThreadPoolExecutor(LANES) as lanes:
        for checks in lanes.map(lambda probe: run_probe(probe, config), probes):
            yield from checks


def run_probe(probe: Probe, config: Config) -> list[Check]:
    """The probe's checks; those that it did not reach are failures that say why."""
    context = multiprocessing.get_context("spawn")  # a fork would share the locks of whatever runs in this process
    receiver, sender = context.Pipe(duplex=False)
    with tempfile.TemporaryDirectory(prefix="sdv2-doctor-") as folder:
        log = Path(folder, "log")
        process = context.Process(target=_look, args=(probe.look, config, sender, str(log)), daemon=True)
        process.start()
        sender.close()
        checks, why = _gather(receiver, probe, monotonic() + probe.timeout_s)
        if why == HANGS or not why:
            process.join(0 if why else ENDING_S)  # what it was to say is said: a library that cannot shut down is no matter
            process.kill()
        process.join()
        if why == HANGS:
            why = f"no answer within {probe.timeout_s:g} s"
        elif why:
            last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:] if log.exists() else []
            code = process.exitcode or 0
            why = f"broke off ({'signal' if code < 0 else 'exit code'} {abs(code)}) {''.join(last)}".strip()
        process.close()
    return checks + [fail(name, why, probe.hint) for name in probe.names[len(checks) :]]


def _gather(receiver: Connection, probe: Probe, deadline: float) -> tuple[list[Check], str]:
    """The checks that came, and the reason why the others did not (empty: all came)."""
    checks: list[Check] = []
    while len(checks) < len(probe.names):
        if not receiver.poll(max(deadline - monotonic(), 0)):
            return checks, HANGS
        try:
            checks.append(receiver.recv())
        except EOFError:
            return checks, BREAKS
    return checks, ""


def _look(look: Callable[[Config], Iterator[Check]], config: Config, sender: Connection, log: str) -> None:
    """Run the probe in its process. What libraries print goes into the log: the report is the parent's."""
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(file, 1)
    os.dup2(file, 2)
    for check in look(config):
        sender.send(check)
    sender.close()
