"""The loop that joins a controller and the daemon."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

import mido

from sdv2_live.midi.daemon_client import DaemonClient
from sdv2_live.midi.mapfile import MidiMap
from sdv2_live.midi.ports import Device, Ports
from sdv2_live.midi.surface import OscOut, Surface
from sdv2_live.system.clock import monotonic

log = logging.getLogger("sdv2_live.midi")

LOOK_S = 0.25  # how often the ports are looked at: a hub that resets takes about as long


class Bridge:
    """Connects one controller and one daemon. `run` handles every message on its own thread, in order, until `stop`.

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
        self.device = Device(ports, part or midi_map.port, self._events.put, any_case=part is not None)
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
                self.device.send(self.surface.lights())
                self._take(min(looked + LOOK_S, self.surface.due or float("inf")) - now)
        finally:
            self._send(self.surface.let_go(monotonic()))
            self.device.send(self.surface.dark())
            self.device.close()
            self.link.close()

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
