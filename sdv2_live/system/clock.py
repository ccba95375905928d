"""The clock that everything is timed by, and waits that end when they should."""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

# On Windows, time.monotonic is GetTickCount64 before Python 3.13: it stands still for 15.6 ms, which is a frame. This is
# QueryPerformanceCounter there, and the very clock of time.monotonic on all other systems. It is the same in every process.
monotonic = time.perf_counter
monotonic_ns = time.perf_counter_ns

# There time.thread_time goes by such ticks, too.
COARSE_THREAD_TIME = sys.platform == "win32"

_TICK_MS = 1  # the shortest that timeBeginPeriod takes on any machine
_POWER_THROTTLING = 4  # PROCESS_INFORMATION_CLASS.ProcessPowerThrottling
_NO_THROTTLING = (ctypes.c_uint32 * 3)(1, 0x1 | 0x4, 0)  # version; which kinds: speed and timers; of these on: none


@contextmanager
def fine_timers() -> Iterator[None]:
    """Make waits of this process end within about a millisecond of their time while entered, as on Linux and macOS.

    Windows wakes waiting threads at ticks 15.6 ms apart, unless a program asks for closer ones; and it may slow down programs
    that have no visible window, as all headless ones (Microsoft: "timeBeginPeriod function", "SetProcessInformation function").
    """
    if sys.platform != "win32":
        yield
        return
    kernel, multimedia = ctypes.WinDLL("kernel32"), ctypes.WinDLL("winmm")
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    process = ctypes.c_void_p(kernel.GetCurrentProcess())
    kernel.SetProcessInformation(process, _POWER_THROTTLING, ctypes.byref(_NO_THROTTLING), ctypes.sizeof(_NO_THROTTLING))
    multimedia.timeBeginPeriod(_TICK_MS)
    try:
        yield
    finally:
        multimedia.timeEndPeriod(_TICK_MS)
