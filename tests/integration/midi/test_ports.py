"""The bridge with the system's own MIDI: virtual ports of ALSA's sequencer or CoreMIDI, or of a JACK server started here."""

from __future__ import annotations

import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

mido = pytest.importorskip("mido", reason="mido is not installed (pip install 'sdv2-live[midi]')")
pytest.importorskip("rtmidi", reason="python-rtmidi is not installed (pip install 'sdv2-live[midi]')")

from sdv2_live.commands import midi as command  # noqa: E402
from sdv2_live.control.store import ParamStore  # noqa: E402
from sdv2_live.errors import MidiError  # noqa: E402
from sdv2_live.midi.ports import SystemPorts  # noqa: E402
from sdv2_live.system.clock import monotonic_ns  # noqa: E402

Wait = Callable[[Callable[[], bool]], None]
START_S = 10.0


@pytest.fixture(scope="module")
def system() -> Iterator[SystemPorts]:
    """The machine's MIDI, or a JACK server of our own."""
    try:
        ports = SystemPorts()
        if ports.api == "WINDOWS_MM":
            pytest.skip("Windows has no virtual MIDI ports of its own")
        yield ports
        return
    except MidiError as error:
        reason = error
    if shutil.which("jackd") is None:
        pytest.skip(f"{reason}; nor is jackd installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JACK_DEFAULT_SERVER", name := f"sdv2-test-{uuid.uuid4().hex[:8]}")
        jack = subprocess.Popen(
            ["jackd", "-n", name, "--no-realtime", "-d", "dummy", "-r", "8000", "-p", "256"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield _answering(jack)
        finally:
            jack.terminate()
            jack.wait(START_S)


def _answering(jack: subprocess.Popen[bytes]) -> SystemPorts:
    deadline = time.monotonic() + START_S
    while True:
        try:
            return SystemPorts("UNIX_JACK")
        except MidiError as error:
            if jack.poll() is not None or time.monotonic() > deadline:
                pytest.skip(f"a JACK server does not start here: {error}")
            time.sleep(0.1)


class Pad:
    """A controller made of two virtual ports. `heard` is what it was sent."""

    def __init__(self, api: str, name: str) -> None:
        backend = mido.Backend(f"mido.backends.rtmidi/{api}")
        self.heard: list[Any] = []
        self.out = backend.open_output(name, virtual=True, client_name=name)
        self.back = backend.open_input(name, virtual=True, client_name=f"{name} in", callback=self.heard.append)

    def close(self) -> None:
        self.out.close()
        self.back.close()


@pytest.fixture
def pad_of(system: SystemPorts) -> Iterator[Callable[[str], Pad]]:
    pads: list[Pad] = []

    def make(name: str) -> Pad:
        pads.append(Pad(system.api, name))
        return pads[-1]

    yield make
    for pad in pads:
        pad.close()


def test_controller_plays_is_answered_vanishes_and_returns(
    system: SystemPorts, pad_of: Any, bridge_of: Any, store: ParamStore, wait: Wait
) -> None:
    name = f"Pad {uuid.uuid4().hex[:8]}"
    pad = pad_of(name)
    text = (
        f"port: {name}\nsetup: ['F0 01 02 F7']\ncontrols:\n  - {{note: 1, address: /sdv2/freeze, led: {{on: 3, off: 1}}}}\n"
        "  - {cc14: 7, address: /sdv2/mix, feedback: true}\n  - {program: all, address: /sdv2/preset}"
    )
    bridge = bridge_of(system, text)
    wait(lambda: mido.Message("note_on", note=1, velocity=1) in pad.heard)
    assert pad.heard[0] == mido.Message("sysex", data=(1, 2))

    pad.out.send(mido.Message("control_change", control=7, value=64))
    pad.out.send(mido.Message("control_change", control=39, value=5))
    pad.out.send(mido.Message("program_change", program=3))
    pad.out.send(mido.Message("note_on", note=1, velocity=100))
    wait(lambda: store.latest().freeze and store.latest().preset == "Comic")
    assert store.latest().mix == pytest.approx((64 * 128 + 5) / 16383)
    wait(lambda: mido.Message("note_on", note=1, velocity=3) in pad.heard)

    pad.close()
    wait(lambda: not bridge.device.connected)
    store.set("freeze", False, "another hand")
    pad = pad_of(name)
    wait(lambda: mido.Message("note_on", note=1, velocity=1) in pad.heard)
    pad.out.send(mido.Message("note_on", note=1, velocity=100))
    wait(lambda: store.latest().freeze)


def test_list_names_ports_and_their_maps(
    system: SystemPorts, pad_of: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    pad_of("APC MINI")
    assert command._list(system) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("APC MINI") and line.endswith("akai-apc-mini.yaml") for line in lines)


def test_a_clock_is_heard_with_its_place(system: SystemPorts, pad_of: Any, bridge_of: Any) -> None:
    name = f"Drums {uuid.uuid4().hex[:8]}"
    pad = pad_of(name)
    bridge = bridge_of(system, f"port: {name}\ncontrols: []")
    begun, step = time.monotonic(), 60 / 150 / 24
    pad.out.send(mido.Message("start"))
    for number in range(24 * 8):  # eight beats at 150 bpm, each clock at its time
        time.sleep(max(begun + number * step - time.monotonic(), 0))
        pad.out.send(mido.Message("clock"))
    tempo = bridge.clock.tempo(monotonic_ns())
    assert tempo is not None
    assert bridge.clock.placed
    assert tempo.bpm == pytest.approx(150, abs=1.5)
    assert tempo.beat(round((begun + 7 * 24 * step) * 1e9)) == pytest.approx(7, abs=0.2)
