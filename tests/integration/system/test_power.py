"""A machine that stays awake."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

import psutil
import pytest
from support.waiting import eventually

from sdv2_live.system.power import awake

INHIBIT = """#!/bin/sh
echo "$@" >{said}
while [ "${{1#--}}" != "$1" ]; do shift; done
exec "$@"
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a shell script stands for systemd's program")
def test_linux_asks_systemd_for_as_long_as_it_is_entered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = tmp_path / "said"
    stand_in = tmp_path / "systemd-inhibit"
    stand_in.write_text(INHIBIT.format(said=said), encoding="utf-8")
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    before = set(psutil.Process().children())
    with awake():
        eventually("it to be asked", lambda: said.exists() and said.read_text(encoding="utf-8").endswith("cat\n"))
        (keeper,) = set(psutil.Process().children()) - before
        assert keeper.is_running()
    assert not keeper.is_running()
    assert said.read_text(encoding="utf-8") == "--what=sleep:idle --who=sdv2-live --why=a show is running cat\n"


@pytest.mark.skipif(sys.platform != "linux", reason="Linux without systemd")
def test_a_show_runs_where_nobody_can_be_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    before = set(psutil.Process().children())
    with awake():
        assert set(psutil.Process().children()) == before


def test_windows_is_asked() -> None:
    if sys.platform != "win32":
        pytest.skip("Windows' own call")
    state = ctypes.WinDLL("kernel32").SetThreadExecutionState
    state.restype = ctypes.c_uint32
    with awake():
        assert state(0x80000001) & 0x1  # it answers what was asked for before
    assert not state(0x80000000) & 0x1
