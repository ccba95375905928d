"""A machine that does not fall asleep during a show."""

from __future__ import annotations

import ctypes
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger("sdv2_live.system")

_CONTINUOUS, _SYSTEM_REQUIRED = 0x80000000, 0x1  # ES_CONTINUOUS, ES_SYSTEM_REQUIRED
_REASON = ("--who=sdv2-live", "--why=a show is running")


@contextmanager
def awake() -> Iterator[None]:
    """Keep the machine from going to sleep while entered, although nobody touches its keyboard. Enter and leave on one thread.

    Windows: "SetThreadExecutionState function" (Microsoft). macOS: caffeinate(8). Linux: systemd-inhibit(1), where there is a
    systemd that lets this user do so. These programs end with this process, however it ends.
    """
    if sys.platform == "win32":
        request = ctypes.WinDLL("kernel32").SetThreadExecutionState
        request(_CONTINUOUS | _SYSTEM_REQUIRED)
        try:
            yield
        finally:
            request(_CONTINUOUS)
        return
    command = _keeper()
    if command is None:
        yield
        return
    try:
        keeper = subprocess.Popen(  # in a session of its own: as the show, it outlives its terminal
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
    except OSError as error:
        log.info("this machine may go to sleep during the show: %s: %s", command[0], error.strerror)
        yield
        return
    try:
        yield
    finally:
        keeper.kill()
        keeper.communicate()  # which closes its input, too


def _keeper() -> list[str] | None:
    """The command that keeps this machine awake while its standard input stays open or while this process lives; None if none."""
    if sys.platform == "darwin":
        return ["caffeinate", "-i", "-w", str(os.getpid())]
    program = shutil.which("systemd-inhibit")
    return None if program is None else [program, "--what=sleep:idle", *_REASON, "cat"]
