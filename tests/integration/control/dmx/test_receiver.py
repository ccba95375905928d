"""Light desks over real sockets: what they play, what is left at the door, what is said of them."""

from __future__ import annotations

import logging
import random
import socket
import sys
import time
from collections.abc import Iterator

import pytest
from support.dmx import artnet, poll, sacn
from support.light_desks import light_desks
from support.waiting import eventually

from sdv2_live.control.dmx.receiver import RATE, LightDesks
from sdv2_live.control.store import Change, ParamStore
from sdv2_live.errors import ConfigError
from sdv2_live.music.dmx.packets import Protocol
from sdv2_live.system.clock import monotonic_ns

ARTNET, SACN = ("127.0.0.1", 6454), ("127.0.0.1", 5568)


@pytest.fixture
def desks(store: ParamStore) -> Iterator[LightDesks]:
    with light_desks(store, artnet_universe=3, sacn_universe=7) as desks:
        yield desks


@pytest.fixture
def udp() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        udp.settimeout(5)
        yield udp


def test_both_protocols_play(desks: LightDesks, store: ParamStore, udp: socket.socket) -> None:
    changes: list[Change] = []
    store.add_listener(changes.append)
    for level in (0, 51):
        udp.sendto(artnet(bytes([level, 0]), 3), ARTNET)
    eventually("the noise", lambda: store.latest().noise_scale == 0.2)
    for number, level in enumerate((0, 102)):
        udp.sendto(sacn(bytes([level]), 7, number, name="Big desk"), SACN)
    eventually("the noise", lambda: store.latest().noise_scale == 0.4)
    assert [change.origin for change in changes] == ["127.0.0.1 (Art-Net 3)", "Big desk at 127.0.0.1 (sACN 7)"]
    now = desks.now()
    assert now.desks == 2
    assert now.words == (
        "Art-Net 3 and sACN 7 at 127.0.0.1: 127.0.0.1 (Art-Net 3); Big desk at 127.0.0.1 (sACN 7); the newest change counts"
    )


def test_a_preset_number_is_recalled_when_it_stands_and_refused_when_it_is_not_there(
    desks: LightDesks, store: ParamStore, udp: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    for level in (0, 9):
        udp.sendto(artnet(bytes([0, 0, level]), 3), ARTNET)
    eventually("the refusal", lambda: "127.0.0.1 plays what cannot be had" in caplog.text)
    assert desks.counters.refused == 1
    udp.sendto(artnet(bytes([255, 0, 9]), 3), ARTNET)
    eventually("the noise", lambda: store.latest().noise_scale == 1.0)


def test_polls_about_our_universe_are_answered(desks: LightDesks) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as desk:
        desk.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        desk.bind(("127.0.0.2", 6454))
        desk.settimeout(5)
        desk.sendto(poll(0x20, 4, 9), ARTNET)
        desk.sendto(poll(), ARTNET)
        reply = desk.recv(2000)
        assert (len(reply), reply[8:14], reply[18:20], reply[190]) == (239, b"\0\x21\x7f\0\0\1", b"\0\0", 3)
        desk.settimeout(0.1)
        with pytest.raises(TimeoutError):
            desk.recv(2000)


def test_what_is_not_for_us_is_counted_and_said_once(
    desks: LightDesks, store: ParamStore, caplog: pytest.LogCaptureFixture
) -> None:
    before, rng = store.latest(), random.Random(21)
    other = [artnet(bytes(512), 4), artnet(bytes(512), 3, opcode=0x5200), artnet(b"\0\0", opcode=0x2100)]
    for packet in other * 100:
        desks.take(Protocol.ARTNET, packet, "10.0.0.9", 0)
    for packet in [sacn(bytes(512), 8), sacn(b"\1", 7, options=0x80), sacn(b"\1", 7, start_code=0xDD)] * 100:
        desks.take(Protocol.SACN, packet, "10.0.0.9", 0)
    assert desks.counters.other == 600
    for _ in range(500):
        desks.take(Protocol.ARTNET, rng.randbytes(rng.choice((5, 100, 1025))), "10.0.0.9", 0)
    assert desks.counters.malformed == 500
    for protocol in Protocol:
        desks.take(protocol, bytes(1025), "8.8.8.8", 0)
    assert desks.counters.barred == 2
    assert caplog.text.count("10.0.0.9 sends packets to the port of Art-Net that cannot be read") == 1
    assert caplog.text.count("8.8.8.8 is not in dmx.allow") == 1
    assert (desks.counters.packets, store.latest()) == (0, before)


def test_a_flood_of_one_desk_leaves_room_for_another(
    desks: LightDesks, store: ParamStore, caplog: pytest.LogCaptureFixture
) -> None:
    at_ns = monotonic_ns()
    for number in range(4 * RATE):
        desks.take(Protocol.ARTNET, artnet(bytes([number % 256, 0]), 3), "10.0.0.9", at_ns)
    assert desks.counters.flooded > 2 * RATE
    assert caplog.text.count(f"10.0.0.9 sends more than {RATE} packets a second") == 1
    for level in (0, 51):
        desks.take(Protocol.ARTNET, artnet(bytes([9, level]), 3), "10.0.0.8", at_ns)
    assert store.latest().mix == 0.2


def test_a_flood_at_the_sockets_does_not_hold_up_the_loop(desks: LightDesks, udp: socket.socket, store: ParamStore) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as quiet:
        quiet.bind(("127.0.0.3", 0))
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            udp.sendto(bytes(1400), ARTNET)
            udp.sendto(artnet(bytes(512), 3), ARTNET)
            udp.sendto(artnet(bytes(512), 77), ARTNET)
        eventually("it to be seen", lambda: desks.counters.malformed > 0 and desks.counters.other > 0)

        def plays() -> bool:
            for level in (0, 51):
                quiet.sendto(artnet(bytes([0, level]), 3), ARTNET)
            return store.latest().mix == 0.2

        eventually("another desk to be heard", plays)


def test_only_those_that_are_allowed_play(store: ParamStore, caplog: pytest.LogCaptureFixture) -> None:
    with light_desks(store, allow=("10.0.0.0/24",)) as desks:
        for level in (0, 255):
            desks.take(Protocol.ARTNET, artnet(bytes([level, 0])), "192.168.1.4", 0)
        assert desks.counters.barred == 2
        for level in (0, 255):
            desks.take(Protocol.ARTNET, artnet(bytes([level, 0])), "10.0.0.7", 0)
        assert store.latest().noise_scale == 1.0


def test_silence_is_said_once_and_so_is_the_return(
    desks: LightDesks, store: ParamStore, udp: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for number, level in enumerate((0, 51)):
        udp.sendto(sacn(bytes([level]), 7, number), SACN)
    eventually("the noise", lambda: store.latest().noise_scale == 0.2)
    udp.sendto(sacn(b"\0", 7, 2, options=0x40), SACN)
    eventually("the end", lambda: desks.counters.lost == 1)
    assert "no desk" not in desks.now().words
    assert desks.now().words.endswith("a desk at 127.0.0.1 (sACN 7) is silent, its last look is held")
    udp.sendto(sacn(b"\0", 7, 0), SACN)
    eventually("the return", lambda: "is back" in caplog.text)
    assert caplog.text.count("has ended its stream; its last look is held") == 1
    assert store.latest().noise_scale == 0.2
    assert "silent" not in desks.now().words


def test_a_still_desk_does_not_pull_against_the_hand(desks: LightDesks, store: ParamStore, udp: socket.socket) -> None:
    for level in (0, 51):
        udp.sendto(artnet(bytes([level, 0]), 3), ARTNET)
    eventually("the noise", lambda: store.latest().noise_scale == 0.2)
    store.set("noise_scale", 0.9, "hand")
    for _ in range(20):
        udp.sendto(artnet(bytes([51, 0]), 3), ARTNET)
    udp.sendto(artnet(bytes([51, 255]), 3), ARTNET)
    eventually("the mix, which was last", lambda: store.latest().mix == 1.0 and desks.counters.packets == 23)
    assert store.latest().noise_scale == 0.9


@pytest.mark.parametrize("where", ["10.99.99.99", "no-such-card", "::1"])
def test_an_interface_that_is_not_there(store: ParamStore, where: str) -> None:
    reason = r"dmx\.interface: .*'; give the address or the name of one: .*127\.0\.0\.1"
    with pytest.raises(ConfigError, match=reason), light_desks(store, where):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere loopback has another name")
def test_an_interface_goes_by_its_name(store: ParamStore) -> None:
    with light_desks(store, "lo", protocol="sacn") as desks:
        assert desks.where == "sACN 1 at 127.0.0.1"
