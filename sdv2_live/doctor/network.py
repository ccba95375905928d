"""Probes of the network: NDI's library, a picture sent to ourselves, the discovery of sources, the OSC port."""

from __future__ import annotations

import socket
import sys
import uuid
from collections.abc import Iterator

import numpy as np

from sdv2_live.config.schema import Config
from sdv2_live.control.osc.sockets import bind_listener, bind_osc, query_port
from sdv2_live.doctor.probe import Check, Status, fail, ok, warn
from sdv2_live.errors import ConfigError, VideoError
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.io.ndi.lib import destroy, initialise
from sdv2_live.io.ndi.settings import NdiSettings
from sdv2_live.io.ndi.sink import NdiSink
from sdv2_live.io.ndi.source import NdiSource
from sdv2_live.system.clock import monotonic

LOOPBACK_S = 15.0
SEEN_S = 3.0  # mDNS answers within one or two
SIZE = 180, 320
GREY = 126  # Y' of the picture below, BT.709 limited
AVAHI = "/run/avahi-daemon/socket"
DISCOVERY_PORT = 5959  # of an NDI discovery server (docs.ndi.video)
MESSAGING_PORT = 5960  # where a machine with NDI senders answers
CONNECT_S = 2.0


def look_ndi(config: Config) -> Iterator[Check]:
    """ndi_library, ndi_loopback."""
    settings = config.ndi.settings
    try:
        ndi = initialise(settings)
    except VideoError as error:
        what, _, remedy = str(error).partition("; ")
        yield fail("ndi_library", what, remedy)
        yield fail("ndi_loopback", "not tried", "see ndi_library")
        return
    yield ok("ndi_library", str(ndi.version()))
    yield loopback(settings)


def loopback(settings: NdiSettings, seconds: float = LOOPBACK_S) -> Check:
    """Publish a grey picture, find it, receive it, compare it."""
    height, width = SIZE
    grey = Frame(np.full((height, width * 4), 128, np.uint8), width, height, PixelFormat.BGRX)
    begin = monotonic()
    try:
        with NdiSink(f"sdv2-live doctor {uuid.uuid4().hex[:8]}", settings) as sink, NdiSource(sink.full_name, settings) as source:
            while monotonic() - begin < seconds:
                sink.send(grey)
                frame = source.read(1 / 30)
                if frame is not None:
                    return _compared(frame, monotonic() - begin)
    except VideoError as error:
        return fail("ndi_loopback", str(error), "see ndi_library")
    return fail(
        "ndi_loopback",
        f"our own source was not received within {seconds:g} s",
        "a firewall must let this program use TCP 5960 and up and UDP 5353 on this machine; check ndi.groups",
    )


def _compared(frame: Frame, seconds: float) -> Check:
    luma = frame.data[:, 1 : frame.width * 2 : 2] if frame.format is PixelFormat.UYVY else None
    mean = float(luma.mean()) if luma is not None else float(GREY)
    if frame.size != SIZE or abs(mean - GREY) > 6:
        return warn(
            "ndi_loopback",
            f"a grey {SIZE[1]}x{SIZE[0]} picture came back as {frame.width}x{frame.height}, luma {mean:.0f} in place of {GREY}",
            "another program may change NDI's settings on this machine (NDI Access Manager)",
        )
    return ok("ndi_loopback", f"sent, found and received in {seconds:.1f} s")


def look_discovery(config: Config) -> Iterator[Check]:
    """discovery: of sources by us, and of our output by other programs."""
    settings = config.ndi.settings
    check = discovery(settings)
    try:
        seen = seen_by_others(settings)
    except VideoError:  # ndi_library says it
        seen = True
    if check.status is Status.FAIL or seen:
        yield check
        return
    yield warn(
        check.name,
        f"{check.detail}; other NDI programs, such as OBS, do not find our output by its name, not even on this machine",
        check.remedy or "start mDNS (Linux: sudo apt install avahi-daemon), and let UDP 5353 pass the firewall",
    )


def seen_by_others(settings: NdiSettings, seconds: float = SEEN_S) -> bool:
    """True when an ordinary finder, like other programs', sees a source of ours: our own finder also asks the loopback directly.

    Raises VideoError where NDI cannot run.
    """
    ndi = initialise(settings)
    create = ndi.FindCreate()
    if settings.groups:
        create.groups = ",".join(settings.groups)
    begin = monotonic()
    with NdiSink(f"sdv2-live doctor {uuid.uuid4().hex[:8]}", settings) as sink:
        finder = ndi.find_create_v2(create)
        seen = False
        while not seen and monotonic() - begin < seconds:
            ndi.find_wait_for_sources(finder, 200)
            seen = any(source.ndi_name == sink.full_name for source in ndi.find_get_current_sources(finder))
        destroy(ndi, "find_destroy", begin, finder)
    return seen


def discovery(settings: NdiSettings, avahi: str = AVAHI) -> Check:
    """The way in which sources of other machines are found: a discovery server, addresses, or mDNS."""
    if settings.discovery_server:
        servers = [server.strip() for server in settings.discovery_server.split(",")]
        silent = [server for server in servers if not _answers(*_host_port(server, DISCOVERY_PORT))]
        if silent:
            return fail(
                "discovery",
                f"no discovery server answers at {', '.join(silent)}",
                "start it, or correct ndi.discovery_server, or set it to '' to use mDNS",
            )
        return ok("discovery", f"discovery server {', '.join(servers)} answers")
    if settings.extra_ips:
        silent = [address for address in settings.extra_ips if not _answers(address, MESSAGING_PORT)]
        if silent:
            return warn(
                "discovery",
                f"no NDI sender answers at {', '.join(silent)}, port {MESSAGING_PORT}",
                "start the sender's NDI output; check ndi.extra_ips and the firewall of that machine",
            )
        return ok("discovery", f"senders answer at {', '.join(settings.extra_ips)}")
    if sys.platform != "linux":
        return ok("discovery", "mDNS of the system")
    if _unix_answers(avahi):
        return ok("discovery", "avahi-daemon runs (mDNS)")
    return warn(
        "discovery",
        "avahi-daemon does not run: only this machine's sources are found",
        "start it (sudo apt install avahi-daemon), or set ndi.extra_ips or ndi.discovery_server",
    )


def look_osc(config: Config) -> Iterator[Check]:
    """osc_port."""
    osc = config.osc
    if not osc.enabled:
        yield ok("osc_port", "off (osc.enabled)")
        return
    try:
        for sock in bind_osc(osc.host, osc.port, tcp=osc.tcp):
            if sock is not None:
                sock.close()
    except ConfigError as error:
        what, _, remedy = str(error).partition("; ")
        yield fail("osc_port", what, f"{remedy}; or end the sdv2-live that already runs")
        return
    yield ok("osc_port", f"{osc.host}:{osc.port} is free" if osc.port else f"{osc.host}, any free port")


def look_oscquery(config: Config) -> Iterator[Check]:
    """oscquery_port."""
    osc, query = config.osc, config.oscquery
    if not (osc.enabled and query.enabled):
        yield ok("oscquery_port", "off (osc.enabled, oscquery.enabled)")
        return
    port = query_port(query.port, osc.port, osc.tcp)
    try:
        bind_listener(osc.host, port, "oscquery.port").close()
    except ConfigError as error:
        what, _, remedy = str(error).partition("; ")
        yield fail("oscquery_port", what, f"{remedy}; or turn it off by oscquery.enabled=false")
        return
    yield ok("oscquery_port", f"{osc.host}:{port} is free" if port else f"{osc.host}, any free port")


def _host_port(text: str, default: int) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return (host, int(port)) if host and port.isdecimal() else (text, default)


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), CONNECT_S).close()
    except OSError:
        return False
    return True


def _unix_answers(path: str) -> bool:
    if sys.platform == "win32":
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(CONNECT_S)
        try:
            client.connect(path)
        except OSError:
            return False
    return True
