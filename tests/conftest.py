"""What holds for the whole suite: NDI stays on loopback, away from the real network, and shared memory is the suite's own.

The tests publish NDI sources. On a machine in use these would be announced to everybody, and without an mDNS daemon only
one program on a machine can announce its sources at all (the one that holds TCP port 5960). So, where the system allows it
(Linux, root), the suite moves into a network namespace that has a loopback device and nothing else.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import shutil
import signal
import socket
import struct
import sys
import tempfile
from collections.abc import Iterator
from logging.handlers import RotatingFileHandler
from pathlib import Path

import hypothesis
import pytest

from sdv2_live import logs

pytest_plugins = ["support.osc"]

# The test models are far too small to share between threads, and a core taken by another program would stall the rest.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long an example takes says how busy the machine is, not whether the code is right.
hypothesis.settings.register_profile("suite", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("suite")

# A show under test shall not write where the performer's own keep their state.
_state = tempfile.TemporaryDirectory(prefix="sdv2-test-state-")
os.environ["XDG_STATE_HOME"] = _state.name

# Triton reads this when it is imported, which any test may do; test_triton_ops interprets the kernels where there is no GPU.
if shutil.which("nvidia-smi") is None:
    os.environ.setdefault("TRITON_INTERPRET", "1")

MOST_WORKERS = 4  # each takes a gigabyte
LONGEST_S = 300.0 if sys.platform != "win32" else 1800.0  # of a test; only a hang takes so long

CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
SIOCSIFFLAGS = 0x8914
IFF_UP = 0x1

# Senders of one machine share a port, and each connection reaches one of them: several addresses see them all (see io.ndi.lib).
_LOOPBACK = ",".join(f"127.0.0.{i}" for i in range(1, 33)) if sys.platform == "linux" else "127.0.0.1"

# The independent NDI client has no way to name addresses to ask, so the SDK's own configuration file tells it to ask
# the loopback. It must lie there before the library is loaded. Our own finder does not need it: test_ndi_lib shows that.
_config = tempfile.TemporaryDirectory(prefix="sdv2-test-ndi-")
Path(_config.name, "ndi-config.v1.json").write_text(json.dumps({"ndi": {"networks": {"ips": _LOOPBACK}}}), encoding="utf-8")
os.environ["NDI_CONFIG_DIR"] = _config.name


@pytest.fixture(autouse=True)
def _program_as_it_was() -> Iterator[None]:
    """A command sets up the logging of a whole program, and its end after a signal: the test that ran it leaves none of that to
    the next, which may signal itself."""
    root, project = logging.getLogger(), logging.getLogger("sdv2_live")
    levels = root.level, project.level
    yield
    signal.set_wakeup_fd(-1)
    root.setLevel(levels[0])
    project.setLevel(levels[1])
    for handler in [one for one in root.handlers if isinstance(one, logs.Console | RotatingFileHandler)]:
        root.removeHandler(handler)
        handler.close()


def _enter_private_network() -> bool:
    """Holds for this thread and for every thread and process started from it. False where the system does not allow it: the
    tests then run on the machine's own network."""
    if sys.platform != "linux" or ctypes.CDLL(None).unshare(CLONE_NEWNET) != 0:
        return False
    import fcntl  # not on every system

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))
    return True


def _enter_private_shared_memory() -> None:
    """As above, for /dev/shm: what killed programs leave there, such as JACK, which has eight places, goes with the suite."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    if libc.unshare(CLONE_NEWNS) == 0 and libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None) == 0:
        libc.mount(b"tmpfs", b"/dev/shm", b"tmpfs", 0, None)


_private = _enter_private_network()
_enter_private_shared_memory()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """What `-n auto` means: as many processes as cores, where each has a network of its own; else they would share real ports."""
    return min(os.cpu_count() or 1, MOST_WORKERS) if _private else 0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that waits for ever fails, and says where each of its threads waits. Who runs the long ones watches them."""
    watched = ("slow", "faults", "gpu")
    for item in items:
        if not any(item.get_closest_marker(name) for name in watched):
            item.add_marker(pytest.mark.timeout(LONGEST_S))
