"""Where the systems differ on which the tests run: how a process is ended and interrupted, and how paths are written."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from support.waiting import eventually

WINDOWS = sys.platform == "win32"
WINE = sys.platform == "win32" and hasattr(ctypes.WinDLL("ntdll"), "wine_get_version")

KILLED = int(signal.SIGTERM) if WINDOWS else -signal.SIGKILL  # the status of a process after `kill`: psutil's on Windows
ABORTED = 3 if WINDOWS else -signal.SIGABRT  # after `os.abort`: Microsoft, "abort"

# Keywords of `subprocess.Popen` for a child that `interrupt` reaches: on Windows one with a console of its own.
INTERRUPTIBLE: dict[str, Any] = {}
if sys.platform == "win32":
    INTERRUPTIBLE["creationflags"] = subprocess.CREATE_NO_WINDOW

# Windows sends Ctrl-C and Ctrl-Break to all processes of a console, and only from one of them: this one joins the child's for it.
_CTRL = """
import ctypes, os, sys, threading
kernel = ctypes.WinDLL("kernel32", use_last_error=True)
reached = threading.Event()
handler = ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_uint32)(lambda event: reached.set() or 1)
kernel.FreeConsole()
kernel.SetConsoleCtrlHandler(handler, True)
if not (kernel.AttachConsole(int(sys.argv[1])) and kernel.GenerateConsoleCtrlEvent(int(sys.argv[2]), 0)):
    raise ctypes.WinError(ctypes.get_last_error())
reached.wait(60)
os._exit(0)
"""
_CTRL_C, _CTRL_BREAK = "0", "1"

needs_full_disk = pytest.mark.skipif(  # Wine shows the device, and no links to it
    WINDOWS or not Path("/dev/full").exists(), reason="the system has no device that is always full (Linux)"
)
needs_colons = pytest.mark.skipif(WINDOWS, reason="Windows has no colons in the names of files")
needs_open_files_to_go = pytest.mark.skipif(WINDOWS, reason="Windows deletes and replaces no file that is open")
needs_bash = pytest.mark.skipif(WINDOWS, reason="Windows has no bash of its own")
needs_modes = pytest.mark.skipif(WINDOWS, reason="Windows has no modes of files")


def program(path: Path, does: str) -> Path:
    """An executable file that does what these lines of Python say; on Windows its name gets a suffix."""
    code = path.with_suffix(".py")
    code.write_text(does, encoding="utf-8")
    path = path.with_suffix(".cmd") if WINDOWS else path
    start = '@"{}" "{}" %*\n' if WINDOWS else '#!/bin/sh\nexec "{}" "{}" "$@"\n'
    path.write_text(start.format(sys.executable, code), encoding="utf-8")
    path.chmod(0o755)
    return path


def kill(pid: int) -> None:
    """End a process at once. It is given no time to put anything away."""
    psutil.Process(pid).kill()


def crash(pid: int) -> None:
    """End a process as its own access to memory that is not there would."""
    os.kill(pid, 0xC0000005 if WINDOWS else signal.SIGSEGV)  # STATUS_ACCESS_VIOLATION


def pause(pid: int) -> None:
    """Stop a process where it is: it lives, and does nothing more."""
    psutil.Process(pid).suspend()


def interrupt(process: subprocess.Popen[Any]) -> None:
    """Ctrl-C in the terminal of `process`, which was opened with `INTERRUPTIBLE`."""
    if WINDOWS:
        _press(_CTRL_C, process)
    else:
        process.send_signal(signal.SIGINT)


def terminate(process: subprocess.Popen[Any]) -> None:
    """SIGTERM; on Windows, which does not have it, Ctrl-Break in the console of `process`, opened with `INTERRUPTIBLE`."""
    if WINDOWS:
        _press(_CTRL_BREAK, process)
    else:
        process.send_signal(signal.SIGTERM)


def _press(keys: str, process: subprocess.Popen[Any]) -> None:
    subprocess.run([sys.executable, "-c", _CTRL, str(process.pid), keys], check=True)


# How a program is asked to end.
ENDS = [
    interrupt,
    pytest.param(terminate, marks=pytest.mark.skipif(WINE, reason="Wine ends a program at Ctrl-Break without asking it")),
]


def signal_us(number: int) -> None:
    """Signal this process from any of its threads."""
    if WINDOWS:
        signal.raise_signal(number)
    else:
        os.kill(os.getpid(), number)


# What Windows says by its own numbers, where it does not say it by C's: "System Error Codes (0-499)".
_CODES = {errno.ENOENT: (2, 3), errno.EISDIR: (5,)}


def words(number: int) -> str:
    """A pattern of what the system's errors of this errno say."""
    said = [os.strerror(number)]
    if sys.platform == "win32":
        said += [ctypes.FormatError(code).rstrip(" .") for code in _CODES[number]]
    return f"({'|'.join(map(re.escape, said))})"


def replace(new: Path, old: Path) -> None:
    """Put a file in another's place, as editors do: Windows refuses while somebody has it open, and they try again."""

    def done() -> bool:
        try:
            new.replace(old)
        except PermissionError:
            if not WINDOWS:
                raise
            return False
        return True

    eventually(f"nobody to have {old} open", done)


def without(folder: Path, text: str) -> str:
    """`text` with the paths of files in `folder` shortened to their names."""
    return text.replace(f"{folder}{os.sep}", "")
