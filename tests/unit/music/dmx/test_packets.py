"""Art-Net and sACN: what packets say, and that no packet at all can do harm."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.dmx import artnet as artnet_packet
from support.dmx import poll
from support.dmx import sacn as sacn_packet

from sdv2_live.errors import DmxError
from sdv2_live.music.dmx import artnet, sacn
from sdv2_live.music.dmx.packets import Levels, Protocol

levels = st.binary(min_size=2, max_size=512)


@given(levels, st.integers(0, 32767), st.integers(0, 255))
def test_artnet_levels(said: bytes, universe: int, sequence: int) -> None:
    packet = artnet_packet(said, universe, sequence)
    assert artnet.read(packet) == Levels(Protocol.ARTNET, universe, said, sequence or None)
    assert artnet.universe_of(packet) == universe


@given(st.binary(min_size=1, max_size=512), st.integers(1, 63999), st.integers(0, 255), st.integers(0, 200))
def test_sacn_levels(said: bytes, universe: int, sequence: int, priority: int) -> None:
    packet = sacn_packet(said, universe, sequence, priority=priority, cid=b"0123456789abcdef", name="Pult ä")
    expected = Levels(Protocol.SACN, universe, said, sequence, priority, b"0123456789abcdef", "Pult ä")
    assert sacn.read(packet) == expected
    assert sacn.universe_of(packet) == universe


def test_sacn_that_is_no_look() -> None:
    assert sacn.read(sacn_packet(b"\1\2", options=0x80)) is None, "a preview"
    assert sacn.read(sacn_packet(b"\1\2", start_code=0xDD)) is None, "priorities of slots"
    ended = sacn.read(sacn_packet(b"\1\2", options=0x40))
    assert ended is not None
    assert (ended.ended, ended.levels) == (True, b"")


@pytest.mark.parametrize("length", [0, 1, 513, 65535])
def test_lengths_that_artnet_does_not_have(length: int) -> None:
    packet = bytearray(artnet_packet(bytes(512)))
    struct.pack_into(">H", packet, 16, length)
    with pytest.raises(DmxError, match=f"{length} levels"):
        artnet.read(bytes(packet))


@pytest.mark.parametrize(
    ("packet", "read"),
    [
        (artnet_packet(bytes(100))[:-1], artnet.read),
        (artnet_packet(bytes(100), version=13), artnet.read),
        (b"Art-Nut\0" + bytes(40), artnet.read),
        (artnet_packet(bytes(2))[:17], artnet.read),
        (sacn_packet(bytes(100))[:-1], sacn.read),
        (sacn_packet(bytes(100), universe=0), sacn.read),
        (sacn_packet(bytes(100), universe=64000), sacn.read),
        (sacn_packet(bytes(100), priority=201), sacn.read),
        (sacn_packet(bytes(513)), sacn.read),
        (sacn_packet(b"")[:125], sacn.read),
    ],
)
def test_damaged_packets_are_refused(packet: bytes, read: Callable[[bytes], object]) -> None:
    with pytest.raises(DmxError):
        read(packet)


def test_other_opcodes_are_none_of_ours() -> None:
    assert artnet.read(artnet_packet(bytes(2), opcode=0x5200)) is None
    assert artnet.read(b"Art-Net\0\x00\x97") is None
    assert artnet.universe_of(artnet_packet(bytes(2), opcode=0x2100)) is None


def test_polls() -> None:
    assert artnet.read(poll()) == artnet.Poll()
    asked = artnet.read(poll(0x20, 16, 31))
    assert isinstance(asked, artnet.Poll)
    assert [asked.about(universe) for universe in (15, 16, 31, 32)] == [False, True, True, False]


def test_our_answer_to_a_poll() -> None:
    reply = artnet.poll_reply("10.77.0.1", 0x1A3, "a name that is too long for it", "2 desks")
    assert len(reply) == 239
    assert reply[:16] == b"Art-Net\0\x00\x21\x0a\x4d\x00\x01\x36\x19"
    assert (reply[18], reply[19], reply[190]) == (0x01, 0x0A, 0x03)
    assert reply[26:44] == b"a name that is to\0"
    assert reply[44:74] == b"a name that is too long for it"
    assert reply[108:].startswith(b"#0001 [0000] 2 desks\0")
    assert (reply[172], reply[173], reply[174], reply[182], reply[211], reply[212] & 8) == (0, 1, 0x80, 0x80, 1, 8)


READERS = [artnet.read, sacn.read, artnet.universe_of, sacn.universe_of]
BASES = [artnet_packet(bytes(range(64)), 3, 7), sacn_packet(bytes(range(64)), 3, 7), poll(0x20, 1, 2), sacn_packet(b"x")]


@given(
    st.binary(max_size=700),
    st.sampled_from([b"", b"Art-Net\0", b"Art-Net\0\x00\x50\x00\x0e", sacn.ROOT, sacn.ROOT + b"pq\0\0\0\4"]),
)
def test_noise_is_refused_and_does_no_harm(noise: bytes, lead: bytes) -> None:
    for read in READERS:
        with suppress(DmxError):
            read(lead + noise)


@given(st.sampled_from(BASES), st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=6), st.integers(0, 250))
def test_damage_is_refused_or_read_within_bounds(base: bytes, flips: list[tuple[int, int]], cut: int) -> None:
    packet = bytearray(base)
    for at, value in flips:
        packet[at % len(packet)] = value
    for read in (artnet.read, sacn.read):
        with suppress(DmxError):
            said = read(bytes(packet[: max(cut, 1)]))
            if isinstance(said, Levels):
                assert len(said.levels) <= 512
                assert 0 <= said.priority <= 200
                assert 0 <= said.universe <= 63999
                assert said.name.isprintable()
