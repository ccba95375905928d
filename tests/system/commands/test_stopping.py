"""The wish to stop, set from signal handlers."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from support.systems import INTERRUPTIBLE, interrupt

from sdv2_live.commands.stopping import Stop


@pytest.fixture(autouse=True)
def _signal_handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def started(script: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **INTERRUPTIBLE)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_sets_it_and_it_stays_set(number: signal.Signals) -> None:
    stop = Stop.on_signals()
    assert not stop.is_set()
    assert not stop.wait(0)
    signal.raise_signal(number)
    assert stop.is_set()
    assert stop.wait(60)
    assert stop.wait(-1)
    assert stop.is_set()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="Windows has no interval timers")
def test_a_signal_in_the_midst_of_waiting_does_not_lock_up() -> None:
    """Two hundred signals fall somewhere into as many waits; `threading.Event` does not come through this."""
    script = (
        "import signal\n"
        "from sdv2_live.commands.stopping import Stop\n"
        "for _ in range(200):\n"
        "    stop = Stop()\n"
        "    signal.signal(signal.SIGALRM, lambda *_: stop.set())\n"
        "    signal.setitimer(signal.ITIMER_REAL, 0.0005)\n"
        "    while not stop.wait(0):\n"
        "        pass\n"
    )
    subprocess.run([sys.executable, "-c", script], timeout=60, check=True)


@pytest.mark.parametrize("log", ["sys.stderr", "open(os.pipe()[1], 'w')"], ids=["a log", "a log that nobody reads"])
def test_a_process_ends_whatever_waits(log: str) -> None:
    script = (
        "import logging, os, signal, sys, threading, time\n"
        "from sdv2_live.commands.stopping import Stop\n"
        f"logging.basicConfig(stream={log})\n"
        "Stop.on_signals(within=0.3)\n"
        "def fill():\n"
        "    while True: logging.error('x' * 4000)\n"
        "if logging.root.handlers[0].stream is not sys.stderr:\n"
        "    threading.Thread(target=fill, name='filling').start()\n"
        "    time.sleep(0.2)\n"
        "threading.Thread(target=threading.Event().wait, name='waiting').start()\n"
        "print('ready', flush=True)\n"
        "while True: time.sleep(60)\n"
    )
    with started(script) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        interrupt(process)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert log != "sys.stderr" or "waiting for: MainThread, waiting" in said


def test_a_process_ends_though_its_main_thread_never_comes_to_the_handler() -> None:
    script = (
        "import hashlib\n"
        "from sdv2_live.commands.stopping import Stop\n"
        "Stop.on_signals(within=0.3)\n"
        "print('ready', flush=True)\n"
        "hashlib.pbkdf2_hmac('sha256', b'', b'', 2**31 - 1)\n"  # an hour without looking for signals
    )
    with started(script) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        interrupt(process)
        try:
            assert process.wait(60) == 0
        finally:
            process.kill()
