"""A client of the daemon, by OSC over UDP.

Two sockets: one sends, the other subscribes. The daemon echoes a value to all subscribers except its sender, so this way it
also reports, in its own order, the values that were sent from here.
"""

from __future__ import annotations

import logging
import selectors
import socket
import threading
from collections.abc import Callable
from typing import Any

from sdv2_live.control.osc.addresses import ROOT
from sdv2_live.control.osc.packet import encode, read_packet
from sdv2_live.control.throttle import Throttle
from sdv2_live.errors import ConfigError
from sdv2_live.threads import ended

log = logging.getLogger("sdv2_live.osc")

SUBSCRIBE_S = 3.0  # again and again: a daemon that was restarted knows nobody
SILENT_S = 10.0
_COMPLAINTS = (ROOT + "error", ROOT + "warning")
_PACKET = 65_536

ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # a server at all addresses, as this machine reaches it

Heard = Callable[[str, tuple[Any, ...]], None]


def reached(host: str) -> str:
    """The address at which this machine reaches a server that is bound to `host`."""
    return ANY.get(host, host)


class DaemonClient:
    """Sends to the daemon at `host`:`port` and calls `heard` with its messages, on a thread of its own, until `close`."""

    def __init__(self, host: str, port: int, heard: Heard) -> None:
        """Open the sockets. Raises ConfigError when `host` is no address."""
        self.where = f"{host}:{port}"
        self._heard = heard
        try:
            family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
            self._sending = socket.socket(family, socket.SOCK_DGRAM)
            self._hearing = socket.socket(family, socket.SOCK_DGRAM)
            for one in (self._sending, self._hearing):
                one.setblocking(False)
                one.connect(address)  # from now on it takes datagrams from there only
        except (OSError, UnicodeError) as error:
            raise ConfigError(f"--osc {self.where}: cannot be reached ({error}); give HOST:PORT of the daemon") from error
        self._throttle = Throttle(rate=2, burst=10)
        self._said = ""
        self._last: float | None = None
        self._asked: float | None = None
        self._since = 0.0
        self._news = threading.Event()
        self._stop_read, self._stop_write = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="osc client", daemon=True)
        self._thread.start()

    def send(self, address: str, args: tuple[Any, ...]) -> None:
        """Send one message. Never blocks and never raises; UDP may lose it."""
        self._transmit(self._sending, encode(address, *args))

    def tick(self, now: float) -> None:
        """Subscribe when due, and log when the daemon stops or begins to answer. Call several times a second."""
        if self._news.is_set():
            self._news.clear()
            self._last = now
            self._say(logging.INFO, f"OSC: {self.where} answers")
        if self._asked is None:
            self._since = now
        elif now - (self._last if self._last is not None else self._since) > SILENT_S:
            self._say(logging.WARNING, f"OSC: {self.where} does not answer; is sdv2-live running? Trying again")
        if self._asked is None or now - self._asked >= SUBSCRIBE_S:
            self._asked = now
            self._transmit(self._hearing, encode(ROOT + "subscribe"))

    def close(self) -> None:
        """Cancel the subscription and stop. Idempotent."""
        if self._thread.is_alive():
            self._transmit(self._hearing, encode(ROOT + "unsubscribe"))
            self._stop_write.send(b"x")
            ended(self._thread)
        for one in (self._sending, self._hearing, self._stop_read, self._stop_write):
            one.close()

    def _transmit(self, one: socket.socket, data: bytes) -> None:
        try:
            one.send(data)
        except OSError as error:
            log.debug("OSC: a message could not be sent: %s", error)

    def _run(self) -> None:
        try:
            with selectors.DefaultSelector() as selector:
                for one in (self._sending, self._hearing, self._stop_read):
                    selector.register(one, selectors.EVENT_READ)
                while all(self._read(key.fileobj) for key, _ in selector.select()):
                    pass
        except Exception:  # the thread's top
            log.exception("OSC: feedback has stopped; the controls go on working")

    def _read(self, one: Any) -> bool:
        if one is self._stop_read:
            return False
        try:
            data = one.recv(_PACKET)
        except OSError:  # a datagram that could not be delivered comes back this way
            return True
        self._news.set()
        for messages in read_packet(data).groups.values():
            for message in messages:
                if message.address in _COMPLAINTS:
                    self._complain(message.args)
                else:
                    self._heard(message.address, message.args)
        return True

    def _complain(self, args: tuple[Any, ...]) -> None:
        if self._throttle.allow():
            log.warning("OSC: %s: %s", self.where, ": ".join(str(arg) for arg in args))

    def _say(self, level: int, sentence: str) -> None:
        if sentence != self._said:
            log.log(level, "%s", sentence)
        self._said = sentence
