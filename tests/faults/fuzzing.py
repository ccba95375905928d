"""Packets that are OSC, nearly OSC, or nothing at all."""

from __future__ import annotations

import random
import time

from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import build_msg

from sdv2_live.control.params import PARAMS

ROOT = "/sdv2/"
VALUES = (0, 1, -1, 0.5, 1e30, float("nan"), float("inf"), 2**31 - 1, "", "a face of ink", "x" * 3000, True, None, b"\0\xff" * 40)


def valid(rng: random.Random) -> bytes:
    """A message, or a bundle of some, that is OSC; its values may mean nothing."""
    if rng.random() < 0.2:
        bundle = OscBundleBuilder(IMMEDIATELY if rng.random() < 0.5 else time.time() + rng.uniform(-5, 100))  # type: ignore[arg-type]
        for _ in range(rng.randrange(5)):
            bundle.add_content(OscMessage(message(rng)))
        return bytes(bundle.build().dgram)
    return message(rng)


def message(rng: random.Random) -> bytes:
    name = rng.choice(
        [*PARAMS, "dump", "subscribe", "unsubscribe", "preset/save", "preset/reload", "timeline/seek", "x", "*", "{a,b}"]
    )
    if name == "record":
        name = "mix"  # takes are for the disk's tests
    suffix = rng.choice(["", "", "", "/norm", "/midi", "/", "//", "/1/2"])
    return bytes(build_msg(ROOT + name + suffix, [rng.choice(VALUES) for _ in range(rng.randrange(4))]).dgram)


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The packet with a few bytes changed, cut, doubled or taken away."""
    out = bytearray(data)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(out) + 1)
        match rng.randrange(4):
            case 0 if out:
                out[min(at, len(out) - 1)] = rng.randrange(256)
            case 1:
                out[at:at] = rng.randbytes(rng.randrange(1, 9))
            case 2:
                del out[at : at + rng.randrange(1, 9)]
            case _:
                out[at:at] = out[at : at + 16]
    return bytes(out[:60_000])


def fuzz(rng: random.Random) -> bytes:
    kind = rng.random()
    if kind < 0.3:
        return rng.randbytes(rng.randrange(0, 400))
    if kind < 0.35:
        return b"#bundle\0" + rng.randbytes(rng.randrange(0, 200))
    return mutated(valid(rng), rng) if kind < 0.9 else valid(rng)
