"""Light desks that others wrote, on a machine of their own at the end of a cable: libraries here, programs in `test_programs`."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator

import pytest
from support.dmx import artnet, sacn
from support.light_desks import light_desks, send, sender
from support.machines import Machine, machine
from support.waiting import eventually

from sdv2_live.control.store import ParamStore

ARTNET, SACN = "artnet", "sacn"
PORTS = {ARTNET: 6454, SACN: 5568}
numbers = itertools.count(100)


@pytest.fixture(scope="module")
def desk() -> Iterator[Machine]:
    with machine(0) as one:
        yield one


@pytest.fixture(scope="module")
def stranger() -> Iterator[Machine]:
    with machine(1) as one:
        yield one


def target(at: Machine, way: str) -> str:
    return {"to us": at.here, "to all": at.here.rpartition(".")[0] + ".255", "multicast": "multicast"}[way]


def packet(protocol: str, *levels: int) -> bytes:
    return artnet(bytes(levels)) if protocol == ARTNET else sacn(bytes(levels), 1, next(numbers))


@pytest.mark.parametrize(("protocol", "way"), [(ARTNET, "to us"), (ARTNET, "to all"), (SACN, "to us"), (SACN, "multicast")])
def test_a_library_plays_the_show(desk: Machine, store: ParamStore, protocol: str, way: str) -> None:
    universe = {ARTNET: 0x123, SACN: 7}[protocol]
    with (
        light_desks(store, desk.here, artnet_universe=0x123, sacn_universe=7, address=101, mode="16bit") as desks,
        sender(desk, protocol, target(desk, way), universe) as library,
    ):
        before = store.latest()
        library.send(*[255] * 100, 0, 0, 0, 0)
        eventually("the first levels", lambda: desks.counters.packets)
        assert store.latest() == before
        library.send(*[255] * 100, 128, 0, 255, 255)
        eventually("both faders", lambda: (store.latest().noise_scale, store.latest().mix) == (round(32768 / 65535, 6), 1.0))
        assert desks.now().desks == 1
        assert (desks.counters.malformed, desks.counters.out_of_order, desks.counters.barred) == (0, 0, 0)


def test_a_stream_that_is_ended_is_missed_at_once_and_its_look_is_held(desk: Machine, store: ParamStore) -> None:
    with light_desks(store, desk.here, protocol=SACN) as desks:
        with sender(desk, SACN, "multicast", 1) as library:
            library.send(0)
            eventually("the first level", lambda: desks.counters.packets)
            library.send(51)
            eventually("the second", lambda: store.latest().noise_scale == 0.2)
        eventually("the end", lambda: desks.counters.lost == 1)
        assert store.latest().noise_scale == 0.2
        assert desks.now().words.endswith(f"sacn of Python at {desk.there} (sACN 1) is silent, its last look is held")


@pytest.mark.parametrize(("protocol", "way"), [(ARTNET, "to us"), (ARTNET, "to all"), (SACN, "to us"), (SACN, "multicast")])
def test_another_interface_is_not_heard(desk: Machine, stranger: Machine, store: ParamStore, protocol: str, way: str) -> None:
    """Whatever address it is sent to, also to that of our own interface."""
    theirs = ParamStore()
    with light_desks(store, desk.here) as desks, light_desks(theirs, stranger.here) as other:
        for level in (0, 255):
            packets = [packet(protocol, level, 0) for _ in range(2)]
            send(stranger, packets[0], target(desk if way == "to us" else stranger, way), PORTS[protocol])
            send(stranger, packets[1], target(stranger, way), PORTS[protocol])
            send(desk, packet(protocol, 0, level // 5), target(desk, way), PORTS[protocol])
        eventually("the other interface's show", lambda: theirs.latest().noise_scale == 1.0)
        eventually("our show", lambda: store.latest().mix == 0.2)
        assert (desks.counters.packets, desks.now().desks, other.now().desks) == (2, 1, 1)


def test_a_second_address_of_an_interface_is_one_like_the_first(desk: Machine, store: ParamStore) -> None:
    desk.second("10.77.0.9")
    with light_desks(store, f"{desk.cable}:1") as desks:
        assert desks.where.endswith(" at 10.77.0.9")
        for level in (0, 51):
            send(desk, packet(ARTNET, level, 0), "10.77.0.9", PORTS[ARTNET])
        eventually("the noise", lambda: store.latest().noise_scale == 0.2)


@pytest.mark.parametrize("way", ["to us", "to all"])
def test_a_program_on_this_machine_is_heard_at_the_interface_too(desk: Machine, store: ParamStore, way: str) -> None:
    with light_desks(store, desk.here) as desks, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        for level in (0, 51):
            udp.sendto(artnet(bytes([level, 0])), (target(desk, way), 6454))
        eventually("the noise", lambda: store.latest().noise_scale == 0.2)
        assert desks.now().words.endswith(f": {desk.here} (Art-Net 0)")
        assert desks.counters.packets == 2
