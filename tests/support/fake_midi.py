"""A MIDI system without MIDI, and maps from text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sdv2_live.midi.mapfile import MidiMap, read_map
from sdv2_live.yamlfile import parse_yaml


class FakePort:
    """An open port of `FakePorts`."""

    def __init__(self, heard: Callable[[Any], None] | None = None) -> None:
        self.heard = heard
        self.sent: list[Any] = []
        self.closed = False

    def send(self, message: Any) -> None:
        if self.closed:
            raise OSError("closed")
        self.sent.append(message)

    def close(self) -> None:
        self.closed = True


class FakePorts:
    """A MIDI system whose devices come and go."""

    def __init__(self, *names: str) -> None:
        self.names = list(names)
        self.heard: list[FakePort] = []
        self.told: list[FakePort] = []
        self.busy = False
        self.deaf = False

    def inputs(self) -> list[str]:
        return list(self.names)

    def outputs(self) -> list[str]:
        return [] if self.deaf else list(self.names)

    def open_input(self, name: str, heard: Callable[[Any], None]) -> FakePort:
        return self._open(name, self.heard, heard)

    def open_output(self, name: str) -> FakePort:
        return self._open(name, self.told, None)

    def _open(self, name: str, ports: list[FakePort], heard: Callable[[Any], None] | None) -> FakePort:
        if self.busy or name not in self.names:
            raise OSError(f"unknown port {name!r}")
        ports.append(FakePort(heard))
        return ports[-1]

    def play(self, *messages: Any) -> None:
        """As the controller would."""
        port = self.heard[-1]
        assert port.heard is not None
        for message in messages:
            port.heard(message)


def read(text: str) -> MidiMap:
    """A map from YAML text; `port` and `controls:` are put in front of a list of entries."""
    if text.lstrip().startswith("- "):
        text = f"port: Pad\ncontrols:\n{text}"
    return read_map(parse_yaml(text, Path("pad.yaml")))
