"""The other ranks' processes: started ahead, as many as are wanted, and gone with whom they belong to."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import closing

import psutil
import pytest
from support.waiting import eventually

from sdv2_live.config.schema import ModelConfig
from sdv2_live.errors import EngineError
from sdv2_live.ranks.processes import RankProcesses, visible

PROGRAM = "sdv2_live.worker.rank"


def running(parent: int | None = None) -> list[int]:
    """Ranks of their command lines, of the processes that a process has started."""
    commands = (child.cmdline() for child in psutil.Process(parent).children() if child.status() != psutil.STATUS_ZOMBIE)
    return sorted(int(command[command.index("--rank") + 1]) for command in commands if PROGRAM in command)


def test_as_many_as_are_wanted() -> None:
    with closing(RankProcesses(ModelConfig(), 3)) as processes:
        eventually("three ranks", lambda: running() == [1, 2, 3])
        processes.be(1)
        assert running() == [1]
        processes.be(2)
        eventually("two ranks", lambda: running() == [1, 2])
        assert processes.ended() == ""
        last = max(psutil.Process().children(), key=lambda child: child.create_time())
        last.kill()
        eventually("its end", lambda: processes.ended() == f"rank 2 (process {last.pid}) was killed by SIGKILL")
    assert running() == []


def test_they_end_with_a_parent_that_is_killed() -> None:
    program = "from sdv2_live.config.schema import ModelConfig as M; from sdv2_live.ranks.processes import RankProcesses as R"
    command = [sys.executable, "-c", f"{program}; kept = R(M(), 2); print(flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        eventually("two ranks", lambda: running(parent.pid) == [1, 2])
        children = [child.pid for child in psutil.Process(parent.pid).children()]
        parent.kill()
        eventually("their end", lambda: not any(map(psutil.pid_exists, children)))


def test_a_port_that_is_taken() -> None:
    with socket.socket() as other:
        other.bind(("0.0.0.0", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(EngineError, match=f"model.rank_port = {port} cannot be had"):
            RankProcesses(ModelConfig(remote_ranks=1, rank_port=port))


def test_a_rank_sees_its_own_card_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert [visible(card) for card in (0, 3)] == ["0", "3"]
    monkeypatch.setitem(os.environ, "CUDA_VISIBLE_DEVICES", "4,GPU-77")
    assert [visible(card) for card in (0, 1)] == ["4", "GPU-77"]


def test_what_a_rank_imports_before_its_leader_speaks_is_no_text_encoder() -> None:
    script = "import sys, sdv2_live.pipeline.build; sys.exit('transformers' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)
