"""Terminals, pipes and files that take nothing hold up nobody who logs."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from support.waiting import DEADLINE_S, eventually

from sdv2_live.log_writer import MOST, Relay, Relayed


class Stuck(logging.Handler):
    """Takes nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.free = threading.Event(), threading.Event()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.asked.set()
        self.free.wait(DEADLINE_S)
        self.lines.append(record.getMessage())


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    handler = Stuck()
    yield handler
    handler.free.set()


def record(number: int) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": "line %d", "args": (number,), "levelno": logging.INFO})


def test_who_logs_never_waits_and_what_is_missing_is_told(stuck: Stuck) -> None:
    relay = Relay(stuck)
    relay.handle(record(0))
    assert stuck.asked.wait(DEADLINE_S)  # now one is being written, and the rest has to wait
    for number in range(1, MOST + 8):
        relay.handle(record(number))
    assert relay.writer.lost == 7
    stuck.free.set()
    relay.handle(record(-1)) if eventually("room", lambda: not relay.writer._waiting.full()) else None
    assert relay.writer.close()
    assert stuck.lines[:1] == ["line 0"]
    assert [line for line in stuck.lines if "line" in line][1] == "7 lines are missing here: nothing was taken for a while"
    assert stuck.lines[2:] == [*(f"line {number}" for number in range(1, MOST + 1)), "line -1"]


def test_a_record_says_what_was_so_when_it_was_made(stuck: Stuck) -> None:
    relay = Relay(stuck)
    names = ["camera"]
    relay.handle(logging.makeLogRecord({"msg": "inputs: %s", "args": (names,)}))
    names.clear()
    stuck.free.set()
    assert relay.writer.close()
    assert stuck.lines == ["inputs: ['camera']"]


def test_handlers_are_put_back(stuck: Stuck) -> None:
    root = logging.getLogger()
    before = list(root.handlers)
    root.addHandler(stuck)
    stuck.free.set()
    try:
        with Relayed():
            logging.getLogger("sdv2_live.test").warning("seen")
            assert stuck not in root.handlers
        assert stuck.lines == ["seen"]
        assert stuck in root.handlers
    finally:
        root.removeHandler(stuck)
    assert root.handlers == before


PROGRAM = """
import logging, sys
from sdv2_live import logs
from sdv2_live.errors import ConfigError
from sdv2_live.log_writer import Relayed
logs.to_console()
with Relayed() as relayed:
    for number in range(6000):  # more than a pipe holds, also those alone that find room
        logging.getLogger("sdv2_live.x").warning("line %d %s", number, "x" * 1000)
        relayed.say("status")
    if sys.argv[1:]:
        raise ConfigError("such as a port in use")
"""


@pytest.mark.parametrize(("words", "code"), [((), 0), (("fail",), 2)])
def test_a_pipe_that_nobody_reads_keeps_no_program_from_its_end(words: tuple[str, ...], code: int) -> None:
    ours, theirs = os.pipe()
    try:
        done = subprocess.run([sys.executable, "-c", PROGRAM, *words], stdout=theirs, stderr=theirs, timeout=DEADLINE_S)
        assert done.returncode == code
    finally:
        os.close(ours)
        os.close(theirs)
