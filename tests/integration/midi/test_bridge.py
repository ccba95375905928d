"""The bridge between ports that a test plugs and pulls, and a real OSC server."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

mido = pytest.importorskip("mido", reason="mido is not installed (pip install 'sdv2-live[midi]')")

from support.fake_midi import FakePorts, read  # noqa: E402
from support.waiting import DEADLINE_S  # noqa: E402

from sdv2_live.control.osc.client import DaemonClient  # noqa: E402
from sdv2_live.control.osc.server import OscServer  # noqa: E402
from sdv2_live.control.store import ParamStore  # noqa: E402
from sdv2_live.errors import ConfigError  # noqa: E402
from sdv2_live.midi.bridge import Bridge  # noqa: E402
from sdv2_live.midi.ports import Device, find_port  # noqa: E402

Wait = Callable[[Callable[[], bool]], None]
PAD = "MIDI Pad 20:0"


def on(note: int) -> Any:
    return mido.Message("note_on", note=note, velocity=127)


def off(note: int) -> Any:
    return mido.Message("note_off", note=note)


def cc(number: int, value: int) -> Any:
    return mido.Message("control_change", control=number, value=value)


def test_hands_reach_the_store(bridge_of: Any, store: ParamStore, wait: Wait) -> None:
    ports = FakePorts(PAD)
    bridge_of(ports, "- {cc: 7, address: /sdv2/noise_scale/norm}\n- {note: 1, address: /sdv2/preset, value: 4}")
    ports.play(*(cc(7, value) for value in range(128)), on(1))
    wait(lambda: store.latest().preset == "Comic")
    assert store.latest().noise_scale == 0.75  # the preset's own, after the fader's 1.0


def test_lights_follow_the_daemon(bridge_of: Any, store: ParamStore, wait: Wait) -> None:
    ports = FakePorts(PAD)
    bridge_of(ports, "- {note: 1, address: /sdv2/freeze, led: {on: 3}}\n- {cc: 7, address: /sdv2/mix, feedback: true}")
    wait(lambda: sorted(ports.told[0].sent, key=str) == [cc(7, 127), mido.Message("note_on", note=1, velocity=0)])
    store.set_many({"freeze": True, "mix": 0.0}, "another hand")
    wait(lambda: all(one in ports.told[0].sent for one in (cc(7, 0), mido.Message("note_on", note=1, velocity=3))))


def test_own_moves_are_confirmed_by_the_daemon(bridge_of: Any, server: OscServer, store: ParamStore, wait: Wait) -> None:
    """A take without a cue is refused; a toggle is believed. The mirror ends with what the daemon holds."""
    ports = FakePorts(PAD)
    bridge = bridge_of(ports, "- {note: 1, address: /sdv2/freeze}\n- {note: 2, address: /sdv2/take}")
    ports.play(on(1), on(2))
    wait(lambda: server.counters.refused > 0 and store.latest().freeze)
    wait(lambda: bridge.surface.due is None)
    assert bridge.surface.mirror.value("freeze") is True


def test_controller_that_vanishes_and_returns(
    bridge_of: Any, store: ParamStore, wait: Wait, caplog: pytest.LogCaptureFixture
) -> None:
    ports = FakePorts(PAD)
    with caplog.at_level(logging.INFO, "sdv2_live.midi"):
        bridge = bridge_of(
            ports, "- {note: 1, address: /sdv2/blackout, action: hold, led: {on: 1}}\n- {cc: 7, address: /sdv2/mix}"
        )
        ports.play(on(1))
        wait(lambda: store.latest().blackout)
        ports.play(cc(7, 0))
        ports.names.clear()  # pulled while the button is down
        wait(lambda: not store.latest().blackout)
        assert store.latest().mix == 0.0  # what was played before it went counts
        wait(lambda: ports.heard[0].closed and ports.told[0].closed and not bridge.device.connected)
        ports.busy = True
        ports.names.append(PAD)  # back, but held by another program for a moment
        wait(lambda: "cannot be opened" in caplog.text)
        ports.busy = False
        wait(lambda: bridge.device.connected)
        ports.play(on(1))
        wait(lambda: store.latest().blackout)
        wait(lambda: mido.Message("note_on", note=1, velocity=1) in ports.told[-1].sent)
    said = [record.getMessage() for record in caplog.records if record.name == "sdv2_live.midi" and "MIDI" in record.getMessage()]
    assert [sentence.split(f"{PAD} ")[-1].split(";")[0].split(" (")[0] for sentence in said] == [
        "is connected",
        "is gone",
        "cannot be opened",
        "is connected",
    ]


def test_daemon_that_restarts_is_found_again(store: ParamStore, wait: Wait, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sdv2_live.control.osc.client.SUBSCRIBE_S", 0.05)
    ports = FakePorts(PAD)
    first = OscServer(store, port=0)
    first.start()
    bridge = Bridge(ports, read("- {note: 1, address: /sdv2/freeze, led: {on: 3}}"), port=first.port)
    thread = threading.Thread(target=bridge.run)
    thread.start()
    try:
        wait(lambda: bridge.surface.mirror.value("freeze") is False)
        first.close()
        ports.play(on(1))  # nobody hears it, nobody falls over
        store.set("freeze", True, "elsewhere")
        with OscServer(store, port=first.port):
            wait(lambda: mido.Message("note_on", note=1, velocity=3) in ports.told[0].sent)
            wait(lambda: bridge.surface.due is None)
            assert bridge.surface.mirror.value("freeze") is True
            ports.play(on(1))
            wait(lambda: not store.latest().freeze)
    finally:
        bridge.stop()
        thread.join(DEADLINE_S)


def test_end_leaves_nothing_held_and_the_lights_off(server: OscServer, store: ParamStore, wait: Wait) -> None:
    ports = FakePorts(PAD)
    text = "- {note: 1, address: /sdv2/mix, action: hold, value: 0.0, led: {on: 3, off: 1}}"
    bridge = Bridge(ports, read(text), port=server.port)
    thread = threading.Thread(target=bridge.run)
    thread.start()
    wait(lambda: bridge.surface.mirror.value("mix") == 1.0 and bridge.device.connected)
    ports.play(on(1))
    wait(lambda: store.latest().mix == 0.0)
    bridge.stop()
    thread.join(DEADLINE_S)
    assert not thread.is_alive()
    wait(lambda: store.latest().mix == 1.0)
    assert ports.told[0].sent[-1] == mido.Message("note_on", note=1, velocity=1)
    assert ports.heard[0].closed
    assert ports.told[0].closed
    bridge.device.close()
    bridge.link.close()


def test_storm_of_one_fader_ends_with_its_last_value(bridge_of: Any, store: ParamStore, wait: Wait) -> None:
    ports = FakePorts(PAD)
    bridge = bridge_of(ports, "- {cc: 7, address: /sdv2/mix, feedback: true}")
    for step in range(2000):
        ports.play(cc(7, step % 100))
    ports.play(cc(7, 120))
    wait(lambda: bridge.surface.due is None and store.latest().mix == pytest.approx(120 / 127))
    assert ports.told[0].sent[-1] == cc(7, 120)


def test_silent_daemon_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    link = DaemonClient("127.0.0.1", 9, lambda address, args: None)
    with caplog.at_level(logging.INFO, "sdv2_live.midi"):
        for now in range(0, 100, 2):
            link.tick(float(now))
    link.close()
    assert [record.getMessage().split(";")[0] for record in caplog.records] == ["OSC: 127.0.0.1:9 does not answer"]


def test_host_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--osc no\.such\.host\.invalid:9000: cannot be reached"):
        DaemonClient("no.such.host.invalid", 9000, lambda address, args: None)


def test_ports_are_found_by_a_part_of_their_name() -> None:
    names = ["APC mini mk2 Control", "APC MINI:APC MINI MIDI 1 24:0"]
    assert find_port(names, "APC MINI") == names[1]
    assert find_port(names, "apc mini", any_case=True) == names[0]
    assert find_port(names, "Launch") is None


def test_device_that_is_not_there_is_asked_for_once(caplog: pytest.LogCaptureFixture) -> None:
    device = Device(FakePorts(), "Pad", lambda message: None)
    assert [device.poll() for _ in range(3)] == [False] * 3
    assert caplog.messages == ["MIDI: no port contains 'Pad' yet; waiting for it"]
    device.send([on(1)])
    device.close()
    device.close()


def test_half_a_controller_is_completed_when_the_other_half_comes(bridge_of: Any, wait: Wait) -> None:
    ports = FakePorts(PAD)
    ports.deaf = True
    bridge_of(ports, "- {note: 1, address: /sdv2/freeze, led: {on: 3, off: 1}}")
    assert ports.told == []
    ports.deaf = False
    wait(lambda: bool(ports.told) and ports.told[0].sent == [mido.Message("note_on", note=1, velocity=1)])
    assert len(ports.heard) == 1


def test_midi_system_that_goes_away_counts_as_unplugged() -> None:
    ports = FakePorts(PAD)
    device = Device(ports, "Pad", lambda message: None)
    assert device.poll()

    def fail() -> list[str]:
        raise OSError("the server is gone")

    ports.inputs = fail  # type: ignore[method-assign]
    assert device.poll()
    assert not device.connected
    assert ports.heard[0].closed
