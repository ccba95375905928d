"""Faults of this machine's own inputs and outputs: a screen that vanishes, a window whose process hangs or ends.

The show reads a corner of a display of its own and shows the picture in a window beside that, and by NDI as ever.
"""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack
from pathlib import Path

from support.daemon import Daemon
from support.devices import ESCAPE, Display
from support.waiting import eventually

from faults.bystanders import FAR_S
from faults.faultrig import Rig, command_of, send_signal
from faults.injection import Fault

CORNER = "screen:0,0,96,64"
GREY = (150, 140, 160)
AWAY_S = 1.5  # longer than input.lost_s, its default


class DeviceRig(Rig):
    """A show with a screen as its input and a window as its second output."""

    def __init__(self) -> None:
        with ExitStack() as shown:
            self.display = Display()
            shown.push(lambda *_: self.display.__exit__(None))
            self.display.fill(GREY)
            super().__init__(lambda *options: Daemon(*options, "--output", "window:1", "--input", CORNER))
            shown.callback(super().close)
            self.settle()
            self._shown = shown.pop_all()

    def settle(self) -> None:
        """Wait for the window, and have it leave the corner."""
        eventually("the window", lambda: self.alive() and self.metric("outputs_failing") == 0, FAR_S)
        self.display.fill(GREY)
        self.display.press(ESCAPE)

    @property
    def window_pid(self) -> int:
        """The window's process; 0 while there is none."""
        engine = int(self.desk.told["status/engine_pid"][0])
        return next((pid for pid in children(self.pid) if pid != engine), 0)

    def close(self) -> None:
        self._shown.close()


def children(pid: int) -> list[int]:
    """The processes that multiprocessing has started for a process."""
    listed = [child.read_text().split() for child in Path(f"/proc/{pid}/task").glob("*/children")]
    return [int(one) for some in listed for one in some if b"spawn_main" in command_of(int(one))]


def _switched_off(rig: Rig) -> None:
    """The display goes: the input is lost, and the window's process ends. Then it is there again."""
    assert isinstance(rig, DeviceRig)
    failed, lost = rig.metric("outputs_failed_total"), rig.metric("inputs_lost_total")
    rig.display.stop()
    time.sleep(AWAY_S)
    eventually("the loss", lambda: rig.metric("inputs_lost_total") > lost and rig.metric("outputs_failed_total") > failed, FAR_S)
    rig.display.start()
    rig.display.fill(GREY)
    rig.settle()
    eventually("the input", lambda: rig.desk.told["status/input_shown"][0] == 0, FAR_S)


def window(name: str, number: signal.Signals) -> Fault:
    """The window's process gets a signal; another takes its place."""

    def inject(rig: Rig) -> None:
        assert isinstance(rig, DeviceRig)
        pid = eventually("the window's process", lambda: rig.window_pid, FAR_S)
        failed = rig.metric("outputs_failed_total")
        rig.set({"input_select": "backup"})  # a new window covers the corner, in black at first
        try:
            send_signal(pid, number)
            eventually("it to be noticed", lambda: rig.metric("outputs_failed_total") > failed, FAR_S)
            rig.settle()
            eventually("the window to leave the corner", lambda: rig.display.pixel(0, 0) == GREY, FAR_S)
        finally:
            rig.set({"input_select": "auto"})
        eventually("its end", lambda: pid not in children(rig.pid), FAR_S)

    return Fault(f"output: {name}", inject)


FAULTS = (
    Fault("input: the screen that is shown is switched off, and on again", _switched_off, dark=True),  # it is black as it comes
    window("a window's process hangs (SIGSTOP)", signal.SIGSTOP),
    window("a window's process is killed", signal.SIGKILL),
)
