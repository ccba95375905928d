"""`sdv2-live midi`: the command's own part, with ports that a test plugs in."""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

mido = pytest.importorskip("mido", reason="mido is not installed (pip install 'sdv2-live[midi]')")

from support.fake_midi import FakePorts  # noqa: E402
from support.systems import signal_us  # noqa: E402
from support.waiting import eventually  # noqa: E402

from sdv2_live.commands import midi as command  # noqa: E402
from sdv2_live.control.osc.server import OscServer  # noqa: E402
from sdv2_live.control.store import ParamStore  # noqa: E402
from sdv2_live.errors import ConfigError, MidiError, ParamError  # noqa: E402
from sdv2_live.midi import ports as midi_ports  # noqa: E402
from sdv2_live.midi.mapfile import load_map  # noqa: E402

APC = "APC MINI:APC MINI MIDI 1 24:0"


@pytest.fixture(autouse=True)
def _performer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sdv2_live.commands.midi.config_folder", lambda: tmp_path)


def args(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    return parser.parse_args(["midi", *words])


def plugged(monkeypatch: pytest.MonkeyPatch, *names: str) -> FakePorts:
    ports = FakePorts(*names)
    monkeypatch.setattr(midi_ports, "SystemPorts", lambda api: ports)
    return ports


def once_open(ports: FakePorts, then: Callable[[], Any]) -> threading.Thread:
    """Does something as soon as a port was opened."""

    def run() -> None:
        eventually("an open port", lambda: ports.heard)
        then()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@contextmanager
def signals_put_back() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def test_map_is_found_and_a_signal_ends_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    ports = plugged(monkeypatch, "Keyboard", APC)
    with signals_put_back(), OscServer(ParamStore(), port=0) as server:
        thread = once_open(ports, lambda: signal_us(signal.SIGTERM))
        assert command.run(args("--osc", f"127.0.0.1:{server.port}")) == 0
        thread.join()
    assert "akai-apc-mini.yaml: 52 entries" in capsys.readouterr().out
    assert ports.heard[0].closed


@pytest.mark.parametrize(
    ("names", "words", "said"),
    [
        ((), (), "no controller is plugged in yet; waiting for it"),
        (("Keyboard",), (), "no map fits Keyboard; make one with --learn ADDRESS or give --map FILE. Waiting"),
        (("Keyboard",), ("--port", "apc"), "no MIDI port contains 'apc' yet; waiting for it"),
    ],
)
def test_controller_is_waited_for(
    names: tuple[str, ...], words: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ports = plugged(monkeypatch, *names)
    told: list[str] = []
    monkeypatch.setattr("sdv2_live.logs.say", lambda text: (told.append(text), said in text and ports.names.append(APC)))
    with signals_put_back(), OscServer(ParamStore(), port=0) as server:
        thread = once_open(ports, lambda: signal_us(signal.SIGTERM))
        assert command.run(args("--osc", f"127.0.0.1:{server.port}", *words)) == 0
        thread.join()
    assert said in told[0]
    assert "akai-apc-mini.yaml" in told[1]


def test_waiting_ends_by_a_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    plugged(monkeypatch)
    monkeypatch.setattr("sdv2_live.logs.say", lambda text: signal_us(signal.SIGINT))
    with signals_put_back():
        assert command.run(args()) == 0


def test_learn_writes_to_the_performers_own_copy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ports = plugged(monkeypatch, APC)
    for note, value in ((9, "7"), (10, "8")):
        press = [mido.Message(kind, note=note) for kind in ("note_on", "note_off")]
        thread = once_open(ports, lambda press=press: ports.play(*press))
        assert command.run(args("--learn", "/sdv2/preset", "--value", value)) == 0
        thread.join()
        ports.heard.clear()
    own = tmp_path / "midi" / "akai-apc-mini.yaml"
    notes = {entry.value: entry.control.number for entry in load_map(own).entries if entry.name == "preset"}
    assert (notes[6], notes[7], notes[8]) == (61, 9, 10)
    assert own.read_text().startswith("# Akai APC mini")
    assert command.find_map(APC) == own


def test_learn_begins_a_map_for_an_unknown_controller(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ports = plugged(monkeypatch, "My Pad: 4 20:0")
    thread = once_open(ports, lambda: ports.play(mido.Message("control_change", control=7, value=3)))
    assert command.run(args("--learn", "/sdv2/mix")) == 0
    thread.join()
    made = load_map(tmp_path / "midi" / "my-pad.yaml")
    assert made.port == "My Pad"
    assert made.entries[0].control.number == 7


@pytest.mark.parametrize(
    ("names", "words", "kind", "message"),
    [
        ((), ("--learn", "/sdv2/mix"), MidiError, r"--port; no controller is plugged in"),
        (("A", "B"), ("--learn", "/sdv2/mix"), MidiError, r"say which port to learn from with --port"),
        (("A",), ("--learn", "/sdv2/mixx"), ParamError, r"--learn: there is no address '/sdv2/mixx'; did you mean '/sdv2/mix'\?"),
        ((APC,), ("--osc", "nowhere"), ConfigError, r"--osc cannot be 'nowhere'; give HOST:PORT"),
        ((APC,), ("--map", "/nowhere.yaml"), ConfigError, r"[/\\]nowhere\.yaml: cannot be read"),
    ],
)
def test_what_cannot_be_done_is_said(
    names: tuple[str, ...], words: tuple[str, ...], kind: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugged(monkeypatch, *names)
    with pytest.raises(kind, match=message):
        command.run(args(*words))


def test_list(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    plugged(monkeypatch, "Keyboard", APC)
    assert command.run(args("--list")) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == "Keyboard\tno map; make one with --learn"
    assert second.endswith("akai-apc-mini.yaml")
