"""A flood of fader messages: the last value counts, and nothing overtakes."""

from __future__ import annotations

from sdv2_live.control.oscflood import FADERS, Datagram, last_of_each
from sdv2_live.control.oscpacket import encode

NOISE, MIX, PROMPT = "/sdv2/noise_scale", "/sdv2/mix/norm", "/sdv2/prompt"


def sent(*messages: tuple[str, object], port: int = 1) -> list[Datagram]:
    return [(encode(address, value), ("127.0.0.1", port)) for address, value in messages]


def test_faders_are_the_continuous_parameters() -> None:
    assert {b"/sdv2/noise_scale", b"/sdv2/noise_scale/midi", b"/sdv2/prompt/3/weight"} <= FADERS
    assert not {b"/sdv2/prompt", b"/sdv2/reset", b"/sdv2/seed", b"/sdv2/freeze"} & FADERS


def test_a_flood_becomes_the_last_value_of_each_address() -> None:
    flood = [message for i in range(1000) for message in sent((NOISE, i / 1000), (MIX, 1 - i / 1000))]
    assert last_of_each(flood) == flood[-2:]


def test_order_is_that_of_the_last_arrival() -> None:
    assert last_of_each(sent((NOISE, 0.2), (MIX, 0.5), (NOISE, 0.3))) == sent((MIX, 0.5), (NOISE, 0.3))


def test_no_value_is_left_out_across_anything_else() -> None:
    mixed = sent((NOISE, 0.1), (PROMPT, "x"), (NOISE, 0.4), ("/sdv2/reset", 1), (NOISE, 0.5))
    assert last_of_each(mixed) == mixed


def test_senders_are_kept_apart() -> None:
    both = sent((NOISE, 0.1), port=2) + sent((NOISE, 0.2), port=3)
    assert last_of_each(both) == both


def test_triggers_are_never_merged() -> None:
    pressed = sent(("/sdv2/reset", 1), ("/sdv2/reset", 1))
    assert last_of_each(pressed) == pressed


def test_what_is_no_message_passes() -> None:
    strange: list[Datagram] = [(data, ("127.0.0.1", 1)) for data in (b"", b"#bundle\0", b"/sdv2/mix", b"#bundle\0")]
    assert last_of_each(strange) == strange
