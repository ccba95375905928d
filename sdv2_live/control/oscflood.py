"""Keeping a flood of fader messages cheap: between two looks at the store, only the last message of an address is read.

The first message of a pause is taken at once, so that a single touch is answered without delay; what follows within
`HOLD_S` waits, each message replacing the one before it from the same sender to the same address. Only the addresses of
continuous parameters are held, where the last value is what counts; anything else first lets go what is held, so that
nothing overtakes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sdv2_live.control.addresses import ROOT
from sdv2_live.control.oscinput import OscCounters
from sdv2_live.control.params import PARAMS

HOLD_S = 0.01  # a small part of a chunk, which is what a value waits for anyway

Peer = tuple[str, int]

FADERS = frozenset(
    f"{ROOT}{name}{form}".encode() for name, spec in PARAMS.items() if spec.continuous for form in ("", "/norm", "/midi")
)


class FloodGate:
    """Stands before `take(data, host, port)`, on the server's thread. Messages that are replaced count as `coalesced`."""

    def __init__(self, take: Callable[[bytes, str, int], None], counters: OscCounters) -> None:
        self._take = take
        self._counters = counters
        self._held: dict[tuple[bytes, Peer], bytes] = {}  # in order of the last arrival
        self._timer: asyncio.TimerHandle | None = None

    def received(self, data: bytes, host: str, port: int) -> None:
        """Take in one packet, now or within `HOLD_S`."""
        address = data[: data.find(b"\0")]
        if address not in FADERS:
            self._let_go()
            self._take(data, host, port)
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(HOLD_S, self._on_time)
            self._take(data, host, port)
        else:
            key = (address, (host, port))
            if self._held.pop(key, None) is not None:
                self._counters.coalesced += 1
            self._held[key] = data

    def close(self) -> None:
        """Take what is held and stop waiting."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._let_go()

    def _on_time(self) -> None:
        again = bool(self._held)
        self._timer = asyncio.get_running_loop().call_later(HOLD_S, self._on_time) if again else None
        self._let_go()

    def _let_go(self) -> None:
        held, self._held = self._held, {}
        for (_, (host, port)), data in held.items():
            self._take(data, host, port)
