"""Ranks of several machines, which are network namespaces: the manual's commands join them, and they paint as one process."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest
from support.groups import opened, painted
from support.machines import Machine, machine
from support.places import ROOT
from support.waiting import eventually

PORT = 29600
BY_HAND = f"python -m sdv2_live.worker.rank ADDRESS:{PORT}"


@pytest.fixture(scope="module")
def other() -> Iterator[Machine]:
    with machine() as one:
        yield one


@pytest.fixture(scope="module")
def alone() -> list[np.ndarray]:
    with opened() as (stream, _, _):
        return painted(stream)


def manual(program: str) -> str:
    """The command line of the manual that runs a program."""
    text = (ROOT / "sdv2_live" / "manual" / "machines.md").read_text(encoding="utf-8")
    return re.findall(rf"^    ({program} .*)", text, re.MULTILINE)[0]


class Rank:
    """A rank, or torchrun with those that it starts, on another machine."""

    def __init__(self, at: Machine, words: str, log: Path) -> None:
        words = re.sub(r"^torchrun", "python -m torch.distributed.run", words).replace("ADDRESS", at.here)
        words = re.sub(r"[\d.]+:29600", f"{at.here}:{PORT}", words)
        self._log = log
        with log.open("w", encoding="utf-8") as file:
            command = at.command(sys.executable, *shlex.split(words)[1:])
            self.process = subprocess.Popen(command, stderr=file, start_new_session=True)

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def workers(self) -> list[psutil.Process]:
        """Processes that torchrun has started."""
        return psutil.Process(self.process.pid).children()

    def close(self, number: signal.Signals) -> int:
        """End it by a signal, and return its status."""
        self.process.send_signal(number)
        return self.process.wait(30)


@contextmanager
def rank(at: Machine, words: str, folder: Path) -> Iterator[Rank]:
    one = Rank(at, words, folder / "log")
    try:
        yield one
    finally:
        if one.process.poll() is None:
            one.close(signal.SIGTERM)


def same(alone: list[np.ndarray]) -> None:
    """Assert that a group with one rank on another machine paints what one process does."""
    with opened("model.gpus=1", "model.remote_ranks=1") as (stream, _, group):
        assert group is not None
        assert all(map(np.array_equal, alone, painted(stream)))


def test_a_rank_that_was_started_by_hand_paints_with_each_new_engine_until_ctrl_c(
    other: Machine, alone: list[np.ndarray], tmp_path: Path
) -> None:
    with rank(other, BY_HAND, tmp_path) as one:
        same(alone)
        same(alone)
        with opened("model.remote_ranks=1"):
            assert one.close(signal.SIGINT) == -signal.SIGINT
        assert "Traceback" not in one.log


@pytest.mark.slow
def test_torchrun_as_in_the_manual(other: Machine, alone: list[np.ndarray], tmp_path: Path) -> None:
    with rank(other, manual("torchrun"), tmp_path) as one:
        same(alone)
        (worker,) = one.workers()
        worker.kill()
        eventually("another worker", lambda: [each.pid for each in one.workers()] not in ([], [worker.pid]))
        same(alone)
        workers = one.workers()
        one.close(signal.SIGINT)
        eventually("the end of its workers", lambda: not any(each.is_running() for each in workers))
