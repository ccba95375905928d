"""A probe that hangs, crashes or raises costs its own lines, no others."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

from support.systems import KILLED, kill

from sdv2_live.config.schema import Config
from sdv2_live.doctor.probe import Check, Probe, Status, ok, run_all, run_probe

CONFIG = Config()


def well(config: Config) -> Iterator[Check]:
    print("what a library prints does not reach the report")
    yield ok("first", f"port {config.osc.port}")
    yield ok("second", "fine")


def hangs(_: Config) -> Iterator[Check]:
    yield ok("first", "fine")
    threading.Event().wait()


def crashes(_: Config) -> Iterator[Check]:
    yield ok("first", "fine")
    kill(os.getpid())


def raises(_: Config) -> Iterator[Check]:
    raise RuntimeError("no such device")
    yield


def test_checks_come_in_order_from_another_process(capfd: object) -> None:
    checks = list(run_all([Probe(("first", "second"), well, 60), Probe(("first", "second"), well, 60)], CONFIG))
    assert [(check.name, check.detail) for check in checks] == [("first", "port 9000"), ("second", "fine")] * 2
    assert capfd.readouterr() == ("", "")  # type: ignore[attr-defined]


def test_a_probe_that_hangs_is_given_up_and_what_it_said_stays() -> None:
    checks = run_probe(Probe(("first", "second"), hangs, 1, "pull the plug"), CONFIG)
    # On a slow machine the time may be up before the process has begun; then both lines say so.
    assert checks[-1] == Check("second", Status.FAIL, "no answer within 1 s", "pull the plug")
    assert [check.name for check in checks] == ["first", "second"]


def test_a_probe_that_crashes_is_told_with_its_status() -> None:
    first, second = run_probe(Probe(("first", "second"), crashes, 60, "ask its maker"), CONFIG)
    assert first.status is Status.OK
    assert second == Check(
        "second", Status.FAIL, f"broke off ({'exit code' if KILLED > 0 else 'signal'} {abs(KILLED)})", "ask its maker"
    )


def test_a_probe_that_raises_is_told_with_the_reason() -> None:
    (check,) = run_probe(Probe(("first",), raises, 60), CONFIG)
    assert check.status is Status.FAIL
    assert check.detail == "broke off (exit code 1) RuntimeError: no such device"
