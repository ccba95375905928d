"""The loop that joins a controller and the daemon."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

import mido

from sdv2_live.control.osc.client import DaemonClient
from sdv2_live.midi.clock_input import ClockInput
from sdv2_live.midi.mapfile import MidiMap
from sdv2_live.midi.ports import Device, Ports
from sdv2_live.midi.surface import OscOut, Surface
from sdv2_live.system.clock import monotonic

log = logging.getLogger("sdv2_live.midi")

LOOK_S = 0.25  # how often the ports are looked at: a hub that resets takes about as long


class Bridge:
    """Connects one controller and one daemon. `run` handles every message on its own thread, in order, until `stop`.

    A MIDI clock that comes from the same port leads the tempo of a show whose source is midi.

    Args:
        part: part of the MIDI port's name, in any case; by default the map's own, in its case.
    """

    def __init__(
        self,
        ports: Ports,
        midi_map: MidiMap,
        host: str = "127.0.0.1",
        port: int = 9000,
        *,
        part: str | None = None,
        preset_name: Callable[[Any], str | None] = lambda number: None,
    ) -> None:
        """Open the OSC sockets. Raises ConfigError when `host` is no address."""
        self._events: queue.SimpleQueue[mido.Message | OscOut | None] = queue.SimpleQueue()
        self.surface = Surface(midi_map, preset_name)
        self.link = DaemonClient(host, port, lambda address, args: self._events.put(OscOut(address, args)))
        self.clock = ClockInput()
        self.device = Device(ports, part or midi_map.port, self._heard, any_case=part is not None)
        self._stop = threading.Event()

    def stop(self) -> None:
        """Make `run` return. Safe from any thread or signal handler."""
        self._stop.set()
        self._events.put(None)

    def run(self) -> None:
        """Carry messages until `stop`. At the end no button stays held, the lights go out and the ports are closed."""
        looked = float("-inf")
        try:
            while not self._stop.is_set():
                now = monotonic()
                if now - looked >= LOOK_S:
                    looked = now
                    self._look(now)
                self._send(self.surface.tick(now))
                self._send(self.clock.tell(now))
                self.device.send(self.surface.lights())
                self._take(min(time for time in (looked + LOOK_S, self.surface.due, self.clock.due) if time is not None) - now)
        finally:
            self._send(self.surface.let_go(monotonic()))
            self.device.send(self.surface.dark())
            self.device.close()
            self.link.close()

    def _heard(self, message: mido.Message) -> None:
        if not self.clock.heard(message):
            self._events.put(message)

    def _look(self, now: float) -> None:
        self.link.tick(now)
        if self.device.poll():
            if self.device.connected:
                self.device.send(self.surface.redraw())
            else:
                self._drain()  # what was played before it went counts
                self._send(self.surface.let_go(now))

    def _take(self, wait: float) -> None:
        """Handle the next message, if one comes within `wait` seconds, and all that are queued."""
        try:
            self._handle(self._events.get(timeout=max(wait, 0.0)))
        except queue.Empty:
            return
        self._drain()

    def _drain(self) -> None:
        for _ in range(self._events.qsize()):
            self._handle(self._events.get())

    def _handle(self, event: mido.Message | OscOut | None) -> None:
        if isinstance(event, OscOut):
            self.surface.osc(event.address, event.args)
        elif event is not None:
            self._send(self.surface.midi(event, monotonic()))

    def _send(self, outs: list[OscOut]) -> None:
        for out in outs:
            self.link.send(out.address, out.args)
