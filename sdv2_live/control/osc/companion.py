"""News of a show as custom variables of Bitfocus Companion, for the keys of a Stream Deck.

    /custom-variable/<variable>/value value

Companion sets variables that it has, and answers nothing. Each is sent when it changes, at most RATE times a second, and all of
them again every AGAIN_S, for a Companion that was started later.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from sdv2_live.closing import Service
from sdv2_live.control.loop import ControlLoop
from sdv2_live.control.osc.addresses import ROOT
from sdv2_live.control.osc.news import PENDING, Args, Asked, News
from sdv2_live.control.osc.packet import encode
from sdv2_live.control.params import PARAMS, Value, value_of
from sdv2_live.control.store import ParamStore
from sdv2_live.errors import ConfigError
from sdv2_live.system.clock import monotonic

log = logging.getLogger("sdv2_live.companion")

RATE = 10.0  # times a second that a variable is sent
AGAIN_S = 30.0
ADDRESS = "/custom-variable/{}/value"


class Companion(Service):
    """Pushes news to Companion. A listener of `News`; all members but `start` and `close` belong to the loop.

    Args:
        host: Companion's machine.
        port: of its OSC listener.
        variables: what each variable shows: a parameter, or what is told at /sdv2/<that>.

    Raises:
        ConfigError: there is no such host.
    """

    def __init__(
        self, host: str, port: int, variables: Mapping[str, str], store: ParamStore, news: News, loop: ControlLoop
    ) -> None:
        self._store, self._news, self._loop = store, news, loop
        self._variables: dict[str, list[str]] = {}  # by address
        for variable, source in variables.items():
            spec = store.names.find(source)
            self._variables.setdefault(ROOT + (spec.name if spec else source), []).append(ADDRESS.format(variable))
        try:
            family, kind, _, _, to = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        except (socket.gaierror, UnicodeError) as error:
            raise ConfigError(f"companion.host: there is no host {host!r} ({error}); give Companion's address") from error
        self._to: tuple[Any, ...] = to
        self._udp = socket.socket(family, kind)
        self._udp.setblocking(False)
        self._waiting: dict[str, Any] = {}  # values by our address, the newest of each
        self._told: dict[str, Any] = {}  # as they were sent last
        self._sent_at: dict[str, float] = {}

    @property
    def listening(self) -> bool:
        """True: Companion cannot say whether it is there."""
        return True

    def start(self) -> None:
        """Begin to send."""
        if self._loop.join(self, "Companion", self._serving()):
            log.info("%d variables are sent to Companion at %s:%s", len(self._variables), *self._to[:2])

    def close(self) -> None:
        """Stop sending. Idempotent."""
        self._loop.leave(self)
        self._udp.close()

    def changed(self, values: Mapping[str, Value], origin: str) -> None:
        """Send new values of parameters."""
        for name, value in values.items():
            self._put(ROOT + name, value)

    def told(self, messages: Mapping[str, Args]) -> None:
        """Send what is told beside them."""
        for address, args in messages.items():
            self._put(address, args[0] if args else "" if address.startswith(PENDING) else 1)

    def told_at_once(self, address: str, args: Args) -> None:
        """Send a beat."""
        self.told({address: args})

    def asked(self, what: Asked, messages: Mapping[str, Args]) -> None:
        """Nothing: Companion asks for none of it."""

    @asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        self._events = asyncio.get_running_loop()
        self._due: asyncio.Handle | None = None
        self._news.listeners.append(self)
        self._again_due: asyncio.Handle = self._events.call_soon(self._again)
        try:
            yield
        finally:
            self._news.listeners.remove(self)
            self._again_due.cancel()
            if self._due is not None:
                self._due.cancel()

    def _again(self) -> None:
        self._again_due = self._events.call_later(AGAIN_S, self._again)
        params = self._store.latest()
        for address in self._variables:
            spec = PARAMS.get(address.removeprefix(ROOT))
            if spec is not None:
                self._put(address, value_of(params, spec), again=True)
            elif address in self._news.status:
                self._put(address, *self._news.status[address], again=True)
            elif address in self._told:
                self._put(address, self._told[address], again=True)

    def _put(self, address: str, value: Any, *, again: bool = False) -> None:
        if address not in self._variables:
            return
        sent = _sent(value)
        if again or address in self._waiting or self._told.get(address) != sent:
            self._waiting[address] = sent
            if self._due is not None:  # for another variable, which was sent a moment ago
                self._due.cancel()
            self._due = self._events.call_soon(self._flush)

    def _flush(self) -> None:
        self._due, at = None, monotonic()
        for address in [one for one in self._waiting if self._sent_at.get(one, 0.0) <= at - 1 / RATE]:
            self._told[address] = value = self._waiting.pop(address)
            self._sent_at[address] = at
            for variable in self._variables[address]:
                self._send(variable, value)
        if self._waiting:
            first = min(self._sent_at.get(address, 0.0) for address in self._waiting)
            self._due = self._events.call_later(max(0.0, first + 1 / RATE - at), self._flush)

    def _send(self, variable: str, value: Any) -> None:
        try:
            self._udp.sendto(encode(variable, value), self._to)
        except OSError as error:  # nobody is there, or no way to it; UDP may lose what it carries
            log.debug("Companion could not be told %s: %s", variable, error)


def _sent(value: Any) -> Any:
    """A value as Companion takes it."""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return int(value) if isinstance(value, bool) else value
