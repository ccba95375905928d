"""A process and its child."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading

import psutil
import pytest
from support.places import ROOT, SUPPORT
from support.waiting import eventually

from sdv2_live.system.process import NICENESS, come_first, how_it_ended, may_wait, uninterrupted

ORPHAN = SUPPORT / "orphan.py"
WINDOWS = sys.platform == "win32"


@pytest.mark.parametrize("way", ["system", pytest.param("thread", marks=pytest.mark.skipif(WINDOWS, reason="Windows has jobs"))])
def test_no_child_outlives_a_parent_that_is_killed(way: str) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, str(ORPHAN), way], stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout is not None
        said = {parent.stdout.readline().strip() for _ in range(2)}
        (pid,) = (int(word) for word in said - {b"computing"})
        child = psutil.Process(pid)
        parent.kill()
        eventually("the child to end", lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


@pytest.mark.skipif(WINDOWS, reason="Windows has no signal masks")
def test_what_is_started_uninterrupted_does_not_see_ctrl_c() -> None:
    script = "import signal; print(signal.pthread_sigmask(signal.SIG_BLOCK, []))"
    with uninterrupted():
        said = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout
    assert b"SIGINT" in said
    assert b"SIGTERM" in said
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_the_show_comes_before_its_children_where_that_needs_no_rights() -> None:
    script = "import psutil; print(int(psutil.Process().nice()))"
    before = psutil.Process().nice()
    try:
        come_first()
        own = psutil.Process().nice()
        childs = int(subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout)
    finally:
        psutil.Process().nice(before)
    assert own == (psutil.ABOVE_NORMAL_PRIORITY_CLASS if WINDOWS else before)
    assert childs == (psutil.NORMAL_PRIORITY_CLASS if WINDOWS else before)


@pytest.mark.skipif(sys.platform == "darwin", reason="its threads have no priority of their own")
def test_a_thread_that_may_wait() -> None:
    def own() -> int:
        if sys.platform == "win32":
            kernel = ctypes.WinDLL("kernel32")
            kernel.GetCurrentThread.restype = ctypes.c_void_p
            return kernel.GetThreadPriority(ctypes.c_void_p(kernel.GetCurrentThread()))
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    seen: list[int] = []

    def lower() -> None:
        may_wait()
        seen.append(own())

    before = own()
    thread = threading.Thread(target=lower)
    thread.start()
    thread.join()
    assert seen == [-1 if WINDOWS else max(NICENESS, before)]
    assert own() == before


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (None, "does not end"),
        (0, "ended with exit status 0"),
        (3, "ended with exit status 3"),
        (-signal.SIGTERM, "was killed by SIGTERM"),
        (0xC0000005, "ended with exit status 0xc0000005"),
    ],
)
def test_how_a_process_ended(code: int | None, words: str) -> None:
    assert how_it_ended(code) == words
