"""This process and its child: who ends with whom, what Ctrl-C reaches, and who comes first."""

from __future__ import annotations

import ctypes
import logging
import multiprocessing
import os
import signal
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

if sys.platform == "win32":
    from multiprocessing.connection import PipeConnection

    Connection = PipeConnection
else:
    from multiprocessing.connection import Connection as Connection  # an end of a pipe between two processes

log = logging.getLogger("sdv2_live.system")

NICENESS = 10  # of what may wait, on Linux

_PR_SET_PDEATHSIG = 1
_EXTENDED_LIMITS = 9  # JOBOBJECTINFOCLASS.JobObjectExtendedLimitInformation
_KILL_ON_JOB_CLOSE = struct.pack("=16xI124x", 0x2000)  # that structure, of 64 bits: BasicLimitInformation.LimitFlags alone
_SET_QUOTA, _TERMINATE = 0x100, 0x1  # rights that AssignProcessToJobObject asks for
_BELOW_NORMAL = -1  # THREAD_PRIORITY_BELOW_NORMAL


def end_with_parent() -> None:
    """Have this child process end with its parent, however that ends, and even while it computes and looks at no pipe.

    Linux does it (prctl(2), PR_SET_PDEATHSIG). Windows does for what its parent gave to `ends_with_this`. Elsewhere a thread
    waits for it.
    """
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it went in between
            os._exit(0)
    elif sys.platform != "win32":
        threading.Thread(target=wait_for_parent, name="parent", daemon=True).start()


def wait_for_parent() -> None:
    """End this process, which multiprocessing has started, as soon as the one that did so has ended."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(0)


def ends_with_this(pid: int) -> None:
    """Have Windows end a child process with this one, however this one ends.

    Both belong to a job, which is closed with the last handle to it (Microsoft: "Job Objects",
    JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE). Elsewhere the child calls `end_with_parent`.
    """
    if sys.platform == "win32":
        kernel = _kernel()
        child = kernel.OpenProcess(_SET_QUOTA | _TERMINATE, False, pid)
        if not kernel.AssignProcessToJobObject(_job(), child):
            log.warning("process %d may outlive this one, should it be killed: %s", pid, ctypes.WinError(ctypes.get_last_error()))
        kernel.CloseHandle(child)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Start processes that never see Ctrl-C, which reaches all programs of a terminal, not even before their first line.

    On Windows a child process inherits that its parent ignores it (Microsoft: "SetConsoleCtrlHandler function").
    """
    if sys.platform == "win32":
        _kernel().SetConsoleCtrlHandler(None, True)
        try:
            yield
        finally:
            _kernel().SetConsoleCtrlHandler(None, False)
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def come_first() -> None:
    """Raise this process above normal priority, where that needs no rights: on Windows.

    Its children are of normal priority (Microsoft: "CreateProcessW function", dwCreationFlags).
    """
    if sys.platform == "win32":
        import psutil

        psutil.Process().nice(psutil.ABOVE_NORMAL_PRIORITY_CLASS)


def come_last() -> None:
    """Lower this process below normal priority, with every thread that it starts from now on."""
    if sys.platform == "win32":
        import psutil

        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        os.nice(2 * NICENESS - 1)


def may_wait() -> None:
    """Lower this thread's priority, where threads have one of their own: on Linux and on Windows.

    On Linux, what it starts inherits that. (Microsoft: "SetThreadPriority function".)
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
    elif sys.platform == "win32":
        kernel = _kernel()
        kernel.SetThreadPriority(ctypes.c_void_p(kernel.GetCurrentThread()), _BELOW_NORMAL)


def how_it_ended(exitcode: int | None) -> str:
    """An exit code of multiprocessing in words.

    Windows ends a program that has crashed with a status of its own, which its documents write in hexadecimal, such as
    0xc0000005 (Microsoft: "NTSTATUS Values").
    """
    if exitcode is None:
        return "does not end"
    if exitcode < 0:
        return f"was killed by {signal.Signals(-exitcode).name}"
    return f"ended with exit status {exitcode if exitcode < 256 else hex(exitcode)}"


if sys.platform == "win32":

    @cache
    def _kernel() -> ctypes.WinDLL:
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        for function in (kernel.OpenProcess, kernel.CreateJobObjectW, kernel.GetCurrentThread):
            function.restype = ctypes.c_void_p
        kernel.AssignProcessToJobObject.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
        kernel.SetInformationJobObject.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32)
        kernel.CloseHandle.argtypes = (ctypes.c_void_p,)
        return kernel

    @cache
    def _job() -> int:
        """A handle that is closed by the end of this process, and by nothing before it."""
        job: int = _kernel().CreateJobObjectW(None, None)
        _kernel().SetInformationJobObject(job, _EXTENDED_LIMITS, _KILL_ON_JOB_CLOSE, len(_KILL_ON_JOB_CLOSE))
        return job
