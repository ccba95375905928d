"""Probe of the light desks' side of the network."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from threading import Event

from sdv2_live.config.schema import Config
from sdv2_live.control.dmx.interface import interface
from sdv2_live.control.dmx.receiver import LightDesks
from sdv2_live.doctor.probe import Check, fail, ok, warn
from sdv2_live.errors import ConfigError
from sdv2_live.music.dmx import artnet, sacn
from sdv2_live.music.dmx.packets import Protocol
from sdv2_live.show.outside import open_desks
from sdv2_live.system import sockets
from sdv2_live.system.clock import monotonic

LISTEN_S = 3.0  # desks of sACN repeat themselves once a second, those of Art-Net look for receivers every three
PORTS = {Protocol.ARTNET: artnet.PORT, Protocol.SACN: sacn.PORT}


def look_dmx(config: Config) -> Iterator[Check]:
    """light_desks: the interface, the ports, and who sends."""
    if not config.dmx.enabled:
        yield ok("light_desks", "off (dmx.enabled)")
        return
    try:
        shared = _shared(interface(config.dmx.interface).address, config.dmx.universes)
        with open_desks(config.dmx, lambda values, origin, at_ns: None) as desks:
            until = monotonic() + LISTEN_S
            while not desks.now().desks and monotonic() < until:
                Event().wait(0.05)
            yield _said(desks, shared)
    except ConfigError as error:
        what, _, remedy = str(error).partition("; ")
        yield fail("light_desks", what, remedy)


def _said(desks: LightDesks, shared: list[int]) -> Check:
    now, counters = desks.now(), desks.counters
    if now.desks and shared:
        return warn(
            "light_desks",
            f"{now.words}; another program listens at port {' and '.join(map(str, shared))}, too",
            "what a desk sends to this machine's address reaches one of the two: end the other, or have the desk send to all",
        )
    if now.desks:
        return ok("light_desks", now.words)
    also = "; desks of other universes are heard" if counters.other else ""
    also += "; packets of machines that are not in dmx.allow come" if counters.barred else ""
    return warn(
        "light_desks",
        f"{now.words}{also}",
        "start the desk's output, on this network and universe; a firewall must let UDP 6454 (Art-Net) and 5568 (sACN) in",
    )


def _shared(address: str, protocols: Iterable[Protocol]) -> list[int]:
    """The ports at which another program listens."""
    taken = []
    for protocol in protocols:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            try:
                udp.bind((address, PORTS[protocol]))
            except OSError as error:
                if sockets.taken(error):
                    taken.append(PORTS[protocol])
    return taken
