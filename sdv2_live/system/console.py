"""The terminal: what it can show, and how it asks a program to stop."""

from __future__ import annotations

import ctypes
import errno
import io
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

# Wishes to stop, of those that this system has: Ctrl-C, of whoever supervises a service, and Ctrl-Break.
STOPS = tuple(signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name))

# What writing to a pipe that nobody reads, and to a terminal that was closed, says. Of a pipe Windows says EINVAL as well: the
# C runtime knows no number for "the pipe is being closed" (CPython's issue 79935).
GONE = (errno.EPIPE, errno.EIO, errno.EINVAL) if sys.platform == "win32" else (errno.EPIPE, errno.EIO)

_STDOUT, _STDERR = -11, -12  # STD_OUTPUT_HANDLE, STD_ERROR_HANDLE
_VT = 0x4  # ENABLE_VIRTUAL_TERMINAL_PROCESSING
_LAST = (2, 5, 6)  # CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT
_LAST_S = 30.0  # longer than Windows waits
_kept: list[Any] = []  # what Windows calls, and Python must not collect


def prepare() -> None:
    """Have texts and colours arrive, as they do elsewhere.

    On Windows what is written to a pipe or a file is UTF-8 from now on, not in the code page of the machine, which lacks most
    letters; and the console obeys escape sequences (Microsoft: "Console Virtual Terminal Sequences").
    """
    if sys.platform != "win32":
        return
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # there is none without a console
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    kernel = ctypes.WinDLL("kernel32")
    kernel.GetStdHandle.restype = ctypes.c_void_p
    for name in (_STDOUT, _STDERR):
        handle, mode = ctypes.c_void_p(kernel.GetStdHandle(name)), ctypes.c_uint32()
        if kernel.GetConsoleMode(handle, ctypes.byref(mode)):  # it is a console
            kernel.SetConsoleMode(handle, mode.value | _VT)


def on_stop(tell: Callable[[], None]) -> None:
    """Call `tell`, on another thread, at Ctrl-C, Ctrl-Break, a closed window, log-off and shutdown.

    Call this after the last `signal.signal`. It does nothing on systems that have signals for all of that.

    Signals alone would not do on Windows: they wait until the main thread does not, and there is none for the window. From its
    closing a program has five seconds to end by itself; returning from here would end it at once (Microsoft: "HandlerRoutine
    callback function").
    """
    if sys.platform != "win32":
        return

    def told(event: int) -> bool:
        tell()
        if event in _LAST:
            time.sleep(_LAST_S)
        return False  # then it is Python's turn, which makes a signal of it

    handler = ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_uint32)(told)
    _kept.append(handler)
    ctypes.WinDLL("kernel32").SetConsoleCtrlHandler(handler, True)
