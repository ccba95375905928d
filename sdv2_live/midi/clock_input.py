"""The MIDI clock of a port, as the OSC messages by which it leads the tempo of a show."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import mido

from sdv2_live.control.osc.addresses import ROOT
from sdv2_live.midi.ports import Port, Ports
from sdv2_live.midi.surface import OscOut
from sdv2_live.music.midi_clock import MidiClock
from sdv2_live.music.news import tell
from sdv2_live.music.tempo import Tempo
from sdv2_live.system.clock import monotonic_ns

SEND_S = 1 / 15  # between two messages
LISTEN_S = 1.5  # to find out whether a port sends clock: three beats at 120 bpm
_TAKES: Mapping[str, Callable[[MidiClock, Any], None]] = {
    "start": lambda clock, message: clock.start(),
    "continue": lambda clock, message: clock.go_on(),
    "stop": lambda clock, message: clock.stop(),
    "songpos": lambda clock, message: clock.position(message.pos),
}


class ClockInput:
    """Hears the clock of a port, on the port's own thread, and tells of it on another. `tell` is for one thread.

    It makes of any number of clocks SEND_S apart one message, so a flood costs nothing beyond this process.
    """

    def __init__(self) -> None:
        self._clock = MidiClock()
        self._lock = threading.Lock()
        self._heard = False
        self._told = float("-inf")

    def heard(self, message: mido.Message) -> bool:
        """Take a message in the moment in which it comes. Returns False for what has nothing to do with a clock."""
        at_ns = monotonic_ns()
        if message.type == "clock":
            with self._lock:
                self._clock.clock(at_ns)
                self._heard = True
            return True
        if message.type not in _TAKES:
            return False
        with self._lock:
            _TAKES[message.type](self._clock, message)
        return True

    def tempo(self, now_ns: int) -> Tempo | None:
        """The tempo; None while there is none."""
        with self._lock:
            return self._clock.tempo(now_ns)

    @property
    def placed(self) -> bool:
        """True once the sender has said which beat is which."""
        return self._clock.placed

    def tell(self, now: float) -> list[OscOut]:
        """The message that is due at `now`, in seconds, if there is one."""
        if not self._heard or now - self._told < SEND_S:
            return []
        self._told = now
        now_ns = monotonic_ns()
        tempo = self.tempo(now_ns)
        return [OscOut(ROOT + "tempo/clock", tell("midi", tempo, now_ns))] if tempo is not None else []

    @property
    def due(self) -> float | None:
        """Time of the next message in seconds; None while no clock was heard."""
        return self._told + SEND_S if self._heard else None


def listen(ports: Ports, wait: Callable[[float], object]) -> dict[str, float]:
    """The tempo in bpm of every port that sends clock; `wait` waits so many seconds meanwhile. Ports in use are left out."""
    clocks: dict[str, ClockInput] = {}
    opened: list[Port] = []
    for name in dict.fromkeys(ports.inputs()):
        clock = ClockInput()
        try:
            opened.append(ports.open_input(name, partial(_hear, clock)))
        except OSError:
            continue
        clocks[name] = clock
    try:
        wait(LISTEN_S)
    finally:
        for port in opened:
            port.close()
    tempos = {name: clock.tempo(monotonic_ns()) for name, clock in clocks.items()}
    return {name: tempo.bpm for name, tempo in tempos.items() if tempo is not None}


def _hear(clock: ClockInput, message: mido.Message) -> None:
    clock.heard(message)
