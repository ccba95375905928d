"""A flood of messages: the last value counts, nothing overtakes, and it holds up nobody but its own sender."""

from __future__ import annotations

from collections import Counter

import pytest

from sdv2_live.control.names import TABLE, ParamNames
from sdv2_live.control.osc.fair_queue import FADERS, MAX_BYTES, Room, Turns, faders_of
from sdv2_live.control.osc.packet import encode
from sdv2_live.control.osc.subscriber import Peer

NOISE, MIX, PROMPT = "/sdv2/noise_scale", "/sdv2/mix/norm", "/sdv2/prompt"
BIG = b"#bundle\0" * 8000


def peer(port: int = 1, host: str = "127.0.0.1") -> Peer:
    return Peer(host, port, lambda data: None)


def sent(*messages: tuple[str, object]) -> list[bytes]:
    return [encode(address, value) for address, value in messages]


def read(turns: Turns) -> list[tuple[Peer, object]]:
    """Everything that waits, in the order in which it is read; each packet is as much work as it is long."""
    order: list[tuple[Peer, object]] = []
    while one := turns.next():
        order.append((one.peer, one.item))
        turns.did(one.peer, len(one.item))
    return order


def left_of(packets: list[bytes], faders: frozenset[bytes] = FADERS) -> list[object]:
    """What is read of one sender's packets."""
    turns = Turns(faders)
    assert all(turns.add(peer(), packet) for packet in packets)
    left = [item for _, item in read(turns)]
    assert turns.coalesced == len(packets) - len(left)
    assert turns.room.fill.length == 0
    return left


def test_faders_are_the_continuous_parameters() -> None:
    assert {b"/sdv2/noise_scale", b"/sdv2/noise_scale/midi", b"/sdv2/prompt/3/weight"} <= FADERS
    assert not {b"/sdv2/prompt", b"/sdv2/reset", b"/sdv2/seed", b"/sdv2/freeze"} & FADERS


def test_loras_of_the_show_are_faders_too() -> None:
    flood = sent(*(("/sdv2/lora/ink/scale", step / 100) for step in range(100)))
    assert left_of(flood, faders_of(ParamNames(("ink",)))) == flood[-1:]
    assert left_of(flood, faders_of(TABLE)) == flood


def test_a_flood_becomes_the_last_value_of_each_address() -> None:
    flood = [message for i in range(1000) for message in sent((NOISE, i / 1000), (MIX, 1 - i / 1000))]
    assert left_of(flood) == flood[-2:]


def test_order_is_that_of_the_last_arrival() -> None:
    assert left_of(sent((NOISE, 0.2), (MIX, 0.5), (NOISE, 0.3))) == sent((MIX, 0.5), (NOISE, 0.3))


def test_no_value_is_left_out_across_anything_else() -> None:
    mixed = sent((NOISE, 0.1), (PROMPT, "x"), (NOISE, 0.4), ("/sdv2/reset", 1), (NOISE, 0.5))
    assert left_of(mixed) == mixed


def test_triggers_are_never_merged() -> None:
    pressed = sent(("/sdv2/reset", 1), ("/sdv2/reset", 1))
    assert left_of(pressed) == pressed


def test_what_is_no_message_passes() -> None:
    strange = [b"", b"#bundle\0", b"/sdv2/mix", b"#bundle\0"]
    assert left_of(strange) == strange


def test_a_value_of_one_sender_replaces_none_of_another() -> None:
    turns = Turns()
    for port in (2, 3):
        turns.add(peer(port), encode(NOISE, 0.5))
    assert [one for one, _ in read(turns)] == [peer(2), peer(3)]


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.0.9"], ids=["another program", "another machine"])
def test_a_sender_of_large_packets_is_read_once_while_another_has_all_of_its_turns(host: str) -> None:
    turns, flood, hand = Turns(), peer(1), peer(2, host)
    for _ in range(10):
        turns.add(flood, BIG)
    moves = sent(*(("/sdv2/seed", step) for step in range(30)))
    for move in moves:
        turns.add(hand, move)
    order = read(turns)
    assert [item for one, item in order if one == hand] == moves
    assert [one for one, _ in order].index(hand) <= 1
    assert [one for one, _ in order[:32]].count(flood) <= 2


def test_packets_of_several_senders_are_read_as_they_came() -> None:
    turns = Turns()
    order = [1, 2, 1, 1, 3, 2, 1, 3]
    for port in order:
        turns.add(peer(port), b"x")
    assert [one.port for one, _ in read(turns)] == order


def test_a_machine_that_sends_from_many_ports_is_one_to_another_machine() -> None:
    turns, hand = Turns(), peer(2, "10.0.0.9")
    for port in range(100, 150):
        turns.add(peer(port), b"#bundle\0" * 100)
    turns.add(hand, encode(MIX, 0.5))
    turns.add(hand, encode(PROMPT, "x"))
    assert [one for one, _ in read(turns)].index(hand) <= 1


def test_a_sender_that_comes_back_has_no_claim_to_what_was_done_for_others_meanwhile() -> None:
    turns = Turns()
    for _ in range(3):
        turns.add(peer(1), BIG)
    for _ in range(2):
        one = turns.next()
        assert one is not None
        turns.did(one.peer, 100)
    turns.add(peer(2), BIG)
    turns.add(peer(2), BIG)
    assert [one for one, _ in read(turns)] == [peer(1), peer(2), peer(2)]


def test_a_sender_that_fills_its_share_is_refused_and_another_is_not() -> None:
    turns = Turns()
    assert Counter(turns.add(peer(1), BIG) for _ in range(50))[True] == MAX_BYTES // len(BIG)
    assert turns.add(peer(2), BIG)
    assert turns.add(peer(1, "10.0.0.9"), BIG)
    assert not turns.add(peer(1), b"x")
    assert turns.room.fill.length <= turns.room.fill.bound == MAX_BYTES
    read(turns)
    assert turns.room.fill.length == 0
    assert turns.add(peer(1), BIG)


def test_many_senders_hold_little_more_than_one() -> None:
    room, held = Room(1000), 0
    for port in range(500):
        while room.take(peer(port), 10):
            held += 10
    assert held < 5000
    assert room.take(peer(1, "10.0.0.9"), 400)  # of another machine: half of it
