"""The system's MIDI ports, and one device that may be unplugged and come back.

python-rtmidi lists and carries; mido opens the ports and makes message objects of the bytes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import mido

from sdv2_live.errors import MidiError

log = logging.getLogger("sdv2_live.midi")

INSTALL = "install the extra: pip install 'sdv2-live[midi]'"


class Port(Protocol):
    """An open port, as mido makes them."""

    def send(self, message: mido.Message) -> None:
        """Send to an output."""

    def close(self) -> None:
        """Close it."""


class Ports(Protocol):
    """The interface to a MIDI system."""

    def inputs(self) -> Sequence[str]:
        """Names of the controllers that can be heard."""

    def outputs(self) -> Sequence[str]:
        """Names of the controllers that can be sent to."""

    def open_input(self, name: str, heard: Callable[[mido.Message], None]) -> Port:
        """Hear a port; `heard` is called on a thread of the system's. Raises OSError when it is missing."""

    def open_output(self, name: str) -> Port:
        """Open for sending. Raises OSError when it is missing."""


class SystemPorts:
    """The ports of this machine, through one of RtMidi's interfaces: LINUX_ALSA, UNIX_JACK, MACOSX_CORE, WINDOWS_MM."""

    def __init__(self, api: str | None = None) -> None:
        """Use the interface `api`, or the first that works here. Raises MidiError when none does."""
        try:
            import rtmidi  # an optional extra, and a compiled one
        except ImportError as error:
            raise MidiError(f"MIDI ports need python-rtmidi; {INSTALL}") from error
        names = {number: name.removeprefix("API_") for name, number in vars(rtmidi).items() if name.startswith("API_")}
        compiled = {names[number]: number for number in rtmidi.get_compiled_api()}
        if api is not None and api not in compiled:
            raise MidiError(f"there is no MIDI interface {api} here; the interfaces are {', '.join(compiled)}")
        reasons = []
        for name in (api,) if api else tuple(compiled):
            try:  # one object for all listings: it costs JACK a second to make one
                self._in, self._out = rtmidi.MidiIn(compiled[name]), rtmidi.MidiOut(compiled[name])
            except rtmidi.RtMidiError as error:
                reasons.append(f"{name}: {error}")
            else:
                self.api = name
                self._backend = mido.Backend(f"mido.backends.rtmidi/{name}")
                return
        raise MidiError(f"no MIDI system answers on this machine ({'; '.join(reasons)}); on Linux load snd-seq or start JACK")

    def inputs(self) -> Sequence[str]:
        """Names of the controllers that can be heard, our own excluded."""
        return _others(self._in.get_ports())

    def outputs(self) -> Sequence[str]:
        """Names of the controllers that can be sent to."""
        return _others(self._out.get_ports())

    def open_input(self, name: str, heard: Callable[[mido.Message], None]) -> Port:
        """Hear a port. Raises OSError when it is missing."""
        port: Port = self._backend.open_input(name, callback=heard)
        return port

    def open_output(self, name: str) -> Port:
        """Open for sending. Raises OSError when it is missing."""
        port: Port = self._backend.open_output(name)
        return port


def _others(names: Sequence[str]) -> list[str]:
    return [name for name in names if not name.startswith(("RtMidi", "Midi Through"))]


def find_port(names: Sequence[str], part: str, *, any_case: bool = False) -> str | None:
    """The first of `names` that contains `part`."""
    wanted = part.lower() if any_case else part
    return next((name for name in names if wanted in (name.lower() if any_case else name)), None)


class Device:
    """A controller, named by a part of its port's name. `poll` finds it, notices that it went, and finds it again."""

    def __init__(self, ports: Ports, part: str, heard: Callable[[mido.Message], None], *, any_case: bool = False) -> None:
        self._ports = ports
        self._part = part
        self._heard = heard
        self._any_case = any_case
        self._input: Port | None = None
        self._output: Port | None = None
        self._names: tuple[str, str | None] = ("", None)
        self._said: Any = None

    @property
    def connected(self) -> bool:
        """True while the controller is there."""
        return self._input is not None

    @property
    def name(self) -> str:
        """The full name of the port that was found last."""
        return self._names[0]

    def poll(self) -> bool:
        """Check whether the controller came or went; True when that changed. Logs each change once."""
        try:
            inputs, outputs = self._ports.inputs(), self._ports.outputs()
        except OSError as error:  # the MIDI system itself went away
            log.debug("MIDI: the ports cannot be listed: %s", error)
            inputs, outputs = (), ()
        found = find_port(inputs, self._part, any_case=self._any_case)
        names = (found or "", find_port(outputs, self._part, any_case=self._any_case))
        if self._input is not None and (self._names[0] not in inputs or (self._names[1] or "") not in (*outputs, "")):
            self._close()
            self._say(logging.WARNING, f"MIDI: {self._names[0]} is gone; waiting for it to come back")
            return True
        if self._input is not None:
            return self._output is None and names[1] is not None and self._open_output(names[1])
        if found is None:
            self._say(logging.WARNING, f"MIDI: no port contains '{self._part}' yet; waiting for it")
            return False
        return self._open(found, names[1])

    def _open_output(self, output: str) -> bool:
        """Open the controller's output, which has appeared after its input."""
        try:
            self._output = self._ports.open_output(output)
        except OSError as error:
            log.debug("MIDI: %s cannot be opened yet: %s", output, error)
            return False
        self._names = self._names[0], output
        self._say(logging.INFO, f"MIDI: {output} takes feedback now")
        return True

    def _open(self, name: str, output: str | None) -> bool:
        try:
            self._output = self._ports.open_output(output) if output else None
            self._input = self._ports.open_input(name, self._heard)
        except OSError as error:
            self._close()
            self._say(logging.WARNING, f"MIDI: {name} cannot be opened ({error}); is another program using it? Trying again")
            return False
        self._names = name, output
        self._say(logging.INFO, f"MIDI: {name} is connected" + ("" if output else "; it takes no feedback"))
        return True

    def send(self, messages: Sequence[mido.Message]) -> None:
        """Send to the controller while it is connected."""
        for message in messages:
            if self._output is None:
                return
            try:
                self._output.send(message)
            except OSError as error:  # it went this moment; `poll` will see
                log.debug("MIDI: a message could not be sent: %s", error)
                return

    def close(self) -> None:
        """Close the ports. Idempotent."""
        self._close()

    def _close(self) -> None:
        for port in (self._input, self._output):
            if port is not None:
                port.close()
        self._input = self._output = None

    def _say(self, level: int, sentence: str) -> None:
        if sentence != self._said:
            log.log(level, "%s", sentence)
        self._said = sentence
