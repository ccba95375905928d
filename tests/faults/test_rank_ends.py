"""A show on two ranks that ends, however it ends, leaves nothing behind."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest
from support.daemon import Daemon
from support.waiting import eventually

from faults.bystanders import FAR_S
from faults.faultrig import metric
from faults.rank_faults import is_rank


@pytest.mark.faults
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the signals are POSIX'")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_nothing_is_left_of_a_show_on_two_ranks(name: str, tmp_path: Path) -> None:
    shared = set(os.listdir("/dev/shm"))
    folders = [part for key in ("takes", "state") for part in ("--set", f"{key}.dir={tmp_path / key}")]
    daemon = Daemon("--input", "test:64x64", "--gpus", "2", *folders)
    try:
        http = daemon.http()
        eventually("the show to paint", lambda: metric(http, "chunks_total") > 2, FAR_S)
        below = psutil.Process(daemon.process.pid).children(recursive=True)
        assert any(is_rank(one.pid) for one in below)
        daemon.process.send_signal(getattr(signal, name))
        code = daemon.process.wait(FAR_S)
        assert code == (-signal.SIGKILL if name == "SIGKILL" else 0)
        eventually(
            "the end of all of it",
            lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in below),
            FAR_S,
        )
        assert set(os.listdir("/dev/shm")) <= shared
    finally:
        daemon.process.kill()
