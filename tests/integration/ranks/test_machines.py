"""Ranks of several machines, which are network namespaces: the manual's commands join them, and they paint as one process."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from safetensors.torch import load_file, save_file
from support.groups import opened, painted
from support.machines import Machine, machine
from support.places import ROOT
from support.waiting import eventually

from sdv2_live.errors import EngineError, GroupLostError
from sdv2_live.model.load_text import EMBEDDED
from sdv2_live.ranks import meeting

PORT = 29600
SOON_S = 30.0  # a sentence comes within this time
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

    def __init__(self, at: Machine, words: str, log: Path, **options: Any) -> None:
        words = re.sub(r"^torchrun", "python -m torch.distributed.run", words).replace("ADDRESS", at.here)
        words = re.sub(r"[\d.]+:29600", f"{at.here}:{PORT}", words)
        self._log = log
        with log.open("w", encoding="utf-8") as file:
            command = at.command(sys.executable, *shlex.split(words)[1:])
            self.process = subprocess.Popen(command, stderr=file, start_new_session=True, **options)

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def says(self, words: str) -> None:
        """Wait until it has said so."""
        eventually(words, lambda: words in self.log, SOON_S)

    def workers(self) -> list[psutil.Process]:
        """Processes that torchrun has started."""
        return psutil.Process(self.process.pid).children()

    def close(self, number: signal.Signals) -> int:
        """End it by a signal, and return its status."""
        self.process.send_signal(number)
        return self.process.wait(30)


@contextmanager
def rank(at: Machine, words: str, folder: Path, **options: Any) -> Iterator[Rank]:
    one = Rank(at, words, folder / "log", **options)
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


def test_where_no_show_is_a_rank_says_why(
    other: Machine, alone: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at, missing = (
        f"{other.here}:{PORT}",
        rf"rank 1 of 2 has not come within 2 s: .* ADDRESS:{PORT} --rank 1, .* no firewall is between",
    )
    with rank(other, BY_HAND, tmp_path) as one:
        one.says(f"nobody waits at {at}: start the show there with model.remote_ranks, or see what its model.rank_port is")
        with other.cut_off(), monkeypatch.context() as patch:
            one.says(f"{at} does not answer: see whether it is the show's machine, and that its firewall lets this port through")
            patch.setattr(meeting, "COME_S", 2.0)
            with pytest.raises(GroupLostError, match=missing):
                same([])
        with socket.create_server((other.here, PORT)) as web:
            peer, _ = web.accept()
            with peer:
                peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            one.says(f"what answers at {at} is no show that waits for ranks: see what its model.rank_port is")
        same(alone)


def test_another_file_on_the_other_machine(other: Machine, tmp_path: Path) -> None:
    """One value of one tensor differs, of a block that the leader does not have."""
    package = tmp_path / "sdv2_live"
    (package / "assets").mkdir(parents=True)
    for path in (ROOT / "sdv2_live").iterdir():
        if path.name != "assets":
            (package / path.name).symlink_to(path)
    weights = load_file(EMBEDDED)
    weights["dit.blocks.4.ffn.0.weight"][0, 0] += 0.5
    save_file(weights, package / "assets" / EMBEDDED.name)
    with rank(other, BY_HAND, tmp_path, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(tmp_path)}) as one:
        with pytest.raises(EngineError, match=r"rank 1 \(.*\) has other weights than the leader \(blocks\.4\.ffn\.0\.weight: "):
            same([])
        one.says("has other weights than the leader (blocks.4.ffn.0.weight: ")
