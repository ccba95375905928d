"""The checks of what leads the beat and plays the show from outside: Ableton Link, MIDI clock, light desks."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from support.dmx import artnet
from support.link_session import Other

from sdv2_live.config.load import load_config
from sdv2_live.doctor import light_desks, link
from sdv2_live.doctor.light_desks import look_dmx
from sdv2_live.doctor.link import look_link
from sdv2_live.doctor.midi import look_midi, told
from sdv2_live.doctor.probe import Status
from sdv2_live.link.session import installed

DESKS = ["dmx.enabled=true"]


@pytest.fixture
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(light_desks, "LISTEN_S", 0.2)
    monkeypatch.setattr(link, "LISTEN_S", 0.2)


@contextmanager
def sending(packet: bytes) -> Iterator[None]:
    """A desk that repeats a packet of Art-Net."""
    end = threading.Event()

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            while not end.wait(0.02):
                udp.sendto(packet, ("127.0.0.1", 6454))

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def test_a_desk_that_is_heard_is_named() -> None:
    with sending(artnet(bytes(9))):
        (check,) = look_dmx(load_config(None, DESKS))
    assert check.status is Status.OK
    assert check.detail == "Art-Net 0 and sACN 1 at 127.0.0.1: 127.0.0.1 (Art-Net 0)"


@pytest.mark.usefixtures("_in_a_hurry")
def test_a_desk_on_another_universe_is_told() -> None:
    with sending(artnet(bytes(9), 4)):
        (check,) = look_dmx(load_config(None, DESKS))
    assert check.status is Status.WARN
    assert "no desk sends; desks of other universes are heard" in check.detail
    assert "6454" in check.remedy


@pytest.mark.usefixtures("_in_a_hurry")
def test_light_desks_off_nobody_there_and_no_such_interface() -> None:
    (off,) = look_dmx(load_config(None, []))
    assert (off.status, off.detail) == (Status.OK, "off (dmx.enabled)")
    (alone,) = look_dmx(load_config(None, DESKS))
    assert (alone.status, alone.detail) == (Status.WARN, "Art-Net 0 and sACN 1 at 127.0.0.1: no desk sends")
    (nowhere,) = look_dmx(load_config(None, [*DESKS, "dmx.interface=eth77"]))
    assert nowhere.status is Status.FAIL
    assert "127.0.0.1" in nowhere.remedy


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a port that is shared may be bound by anybody")
@pytest.mark.usefixtures("_in_a_hurry")
def test_a_port_that_another_program_holds_or_shares() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("0.0.0.0", 6454))
        with sending(artnet(bytes(9))):
            (shared,) = look_dmx(load_config(None, DESKS))
        assert shared.status is Status.WARN
        assert "another program listens at port 6454, too" in shared.detail
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 5568))
        (held,) = look_dmx(load_config(None, DESKS))
    assert held.status is Status.FAIL
    assert "127.0.0.1:5568 cannot be listened to" in held.detail


@pytest.mark.skipif(installed() is None, reason="the extra link is not installed: pip install 'sdv2-live[link]'")
def test_who_is_in_the_session_of_link() -> None:
    with closing(Other(125.0)) as other:
        (check,) = look_link(load_config(None, []))
        assert check.status is Status.OK
        assert check.detail.startswith("1 other program in the session, 125.0 bpm")
        assert other.ask()[0] == 125.0


@pytest.mark.skipif(installed() is None, reason="the extra link is not installed: pip install 'sdv2-live[link]'")
@pytest.mark.usefixtures("_in_a_hurry")
def test_nobody_in_the_session_matters_where_the_show_follows_it() -> None:
    (check,) = look_link(load_config(None, []))
    assert (check.status, check.remedy) == (Status.OK, "")
    (needed,) = look_link(load_config(None, ["tempo.source=link"]))
    assert needed.status is Status.WARN
    assert "20808" in needed.remedy


def test_the_port_that_sends_clock_is_named() -> None:
    assert told(["Pad", "Mixer"], {"Mixer": 124.04}, True).detail == "Pad, Mixer (clock, 124.0 bpm)"
    assert told([], {}, False).detail == "no MIDI port"
    silent = told(["Pad"], {}, True)
    assert (silent.status, silent.detail) == (Status.WARN, "tempo.source is midi, and no port sends clock: Pad")


def test_midi_of_this_machine() -> None:
    (check,) = look_midi(load_config(None, []))
    assert check.status is Status.OK
