"""The wish to stop, set from signal handlers."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from sdv2_live.commands.stopping import Stop


@pytest.fixture(autouse=True)
def _signal_handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


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


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="the system has no interval timers")
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
