"""Waits that another thread can end, and that end on their own within a millisecond of their time."""

from __future__ import annotations

import ctypes
import sys
import threading
from typing import Protocol

_MANUAL_RESET = True
_HIGH_RESOLUTION = 0x2  # CREATE_WAITABLE_TIMER_HIGH_RESOLUTION, since Windows 10 version 1803
_ALL_ACCESS = 0x1F0003  # TIMER_ALL_ACCESS
_INFINITE = 0xFFFFFFFF
_WAIT_OBJECT_0 = 0
_UNITS_A_SECOND = 10_000_000  # of a timer's due time: 100 ns, negative for a time from now


class Waker(Protocol):
    """As `threading.Event`. One thread waits; any may set and clear."""

    def set(self) -> None:
        """End the wait, and every later one until `clear`."""

    def clear(self) -> None:
        """Let the next wait last."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, `timeout` seconds at most. True when it is set."""


def waker() -> Waker:
    """The waker with the finest waits that this system has.

    On Windows a thread that waits for an event wakes at ticks of the system, at best a millisecond apart, and late on a busy
    machine. A waitable timer of high resolution does not (Microsoft: "CreateWaitableTimerExW function").
    """
    if sys.platform == "win32":
        kernel = ctypes.WinDLL("kernel32")
        kernel.CreateWaitableTimerExW.restype = ctypes.c_void_p
        if timer := kernel.CreateWaitableTimerExW(None, None, _HIGH_RESOLUTION, _ALL_ACCESS):
            return _TimedEvent(kernel, timer)
    return threading.Event()


if sys.platform == "win32":

    class _TimedEvent:
        """An event and a timer of the system, whichever comes first. They are closed with it."""

        def __init__(self, kernel: ctypes.WinDLL, timer: int) -> None:
            kernel.CreateEventW.restype = ctypes.c_void_p
            self._kernel = kernel
            self._timer = ctypes.c_void_p(timer)
            self._event = ctypes.c_void_p(kernel.CreateEventW(None, _MANUAL_RESET, False, None))
            self._both = (ctypes.c_void_p * 2)(self._event, self._timer)

        def set(self) -> None:
            self._kernel.SetEvent(self._event)

        def clear(self) -> None:
            self._kernel.ResetEvent(self._event)

        def wait(self, timeout: float | None = None) -> bool:
            count = 1
            if timeout is not None:
                due = ctypes.c_int64(-max(int(timeout * _UNITS_A_SECOND), 1))  # 0 would be a date
                self._kernel.SetWaitableTimer(self._timer, ctypes.byref(due), 0, None, None, False)
                count = 2
            return bool(self._kernel.WaitForMultipleObjects(count, self._both, False, _INFINITE) == _WAIT_OBJECT_0)

        def __del__(self) -> None:
            for handle in self._both:
                self._kernel.CloseHandle(ctypes.c_void_p(handle))
