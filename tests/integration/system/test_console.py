"""The terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest
from support.places import ROOT
from support.systems import ENDS, INTERRUPTIBLE
from support.waiting import DEADLINE_S

from sdv2_live.system.console import STOPS

WAITS = """
import threading
from sdv2_live.commands.stopping import Stop
from sdv2_live.system import console
stop = Stop.on_signals()
print("waiting", flush=True)
{how}
print("stopped" if stop.wait(30) else "waited", flush=True)
"""


def program(script: str, **options: object) -> subprocess.Popen[bytes]:
    """A Python that runs the script, and is heard."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=environment, **options)  # type: ignore[call-overload]


def test_this_systems_wishes_to_stop() -> None:
    assert {signal.SIGINT, signal.SIGTERM} <= set(STOPS)
    assert (sys.platform == "win32") == (len(STOPS) == 3)


def test_all_letters_go_through_a_pipe() -> None:
    with program(r"from sdv2_live.system import console; console.prepare(); print('\u2026 \u6f22\u5b57 \U0001f39b')") as done:
        assert done.communicate()[0].decode("utf-8").strip() == "\u2026 \u6f22\u5b57 \U0001f39b"


@pytest.mark.skipif(sys.platform != "win32", reason="only Windows asks so")
@pytest.mark.parametrize("event", ["CTRL_CLOSE_EVENT 2", "CTRL_LOGOFF_EVENT 5", "CTRL_SHUTDOWN_EVENT 6"])
def test_a_window_that_is_closed_gives_time_to_end(event: str) -> None:
    call = f"threading.Thread(target=lambda: [console._kept[-1]({event.split()[1]}), print('returned')], daemon=True).start()"
    with program(WAITS.format(how=call)) as waiting:
        said = waiting.communicate(timeout=DEADLINE_S)[0].split()
    assert said == [b"waiting", b"stopped"]  # it has ended before the handler returned
    assert waiting.returncode == 0


@pytest.mark.parametrize("end", ENDS)
def test_it_is_asked_to_stop(end: Callable[[subprocess.Popen[bytes]], None]) -> None:
    with program(WAITS.format(how=""), **INTERRUPTIBLE) as waiting:
        assert waiting.stdout is not None
        assert waiting.stdout.readline().strip() == b"waiting"
        end(waiting)
        assert waiting.communicate(timeout=DEADLINE_S)[0].strip() == b"stopped"
