"""A flood of fader messages: the last value counts, nothing overtakes, one touch is answered at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sdv2_live.control.oscflood import FADERS, FloodGate
from sdv2_live.control.oscinput import OscCounters
from sdv2_live.control.oscpacket import encode

NOISE, MIX, PROMPT = "/sdv2/noise_scale", "/sdv2/mix/norm", "/sdv2/prompt"


def through(act: Callable[[FloodGate], None]) -> tuple[list[bytes], OscCounters]:
    """What comes out of a gate in the end."""
    out: list[bytes] = []
    counters = OscCounters()

    async def main() -> None:
        gate = FloodGate(lambda data, host, port: out.append(data), counters)
        act(gate)
        while gate._timer is not None:
            await asyncio.sleep(0.001)

    asyncio.run(main())
    return out, counters


def send(gate: FloodGate, *messages: tuple[str, object], port: int = 1) -> None:
    for address, value in messages:
        gate.received(encode(address, value), "127.0.0.1", port)


def test_faders_are_the_continuous_parameters() -> None:
    assert {b"/sdv2/noise_scale", b"/sdv2/noise_scale/midi", b"/sdv2/prompt/3/weight"} <= FADERS
    assert not {b"/sdv2/prompt", b"/sdv2/reset", b"/sdv2/seed", b"/sdv2/freeze"} & FADERS


def test_the_first_is_taken_at_once() -> None:
    seen: list[int] = []
    out: list[bytes] = []

    async def main() -> None:
        gate = FloodGate(lambda data, host, port: out.append(data), OscCounters())
        send(gate, (NOISE, 0.1))
        seen.append(len(out))
        gate.close()

    asyncio.run(main())
    assert seen == [1]


def test_a_flood_becomes_its_first_and_last_value_per_address() -> None:
    out, counters = through(lambda gate: [send(gate, (NOISE, i / 1000), (MIX, 1 - i / 1000)) for i in range(1000)] and None)
    assert out == [encode(NOISE, 0.0), encode(NOISE, 0.999), encode(MIX, 1 - 0.999)]
    assert counters.coalesced == 2000 - 3


def test_nothing_overtakes() -> None:
    out, _ = through(lambda gate: send(gate, (NOISE, 0.1), (NOISE, 0.2), (MIX, 0.5), (NOISE, 0.3), (PROMPT, "x"), (NOISE, 0.4)))
    assert out == [encode(a, v) for a, v in [(NOISE, 0.1), (MIX, 0.5), (NOISE, 0.3), (PROMPT, "x"), (NOISE, 0.4)]]


def test_senders_are_kept_apart() -> None:
    def act(gate: FloodGate) -> None:
        send(gate, (NOISE, 0.0))
        send(gate, (NOISE, 0.1), port=2)
        send(gate, (NOISE, 0.2), port=3)

    out, counters = through(act)
    assert out == [encode(NOISE, value) for value in (0.0, 0.1, 0.2)]
    assert counters.coalesced == 0


def test_what_is_no_message_passes() -> None:
    out, _ = through(lambda gate: [gate.received(data, "127.0.0.1", 1) for data in (b"", b"#bundle\0", b"/sdv2/mix")] and None)
    assert out == [b"", b"#bundle\0", b"/sdv2/mix"]
