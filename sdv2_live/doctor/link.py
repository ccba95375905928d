"""Probe of Ableton Link: its library, and who is in the session."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event

from sdv2_live.config.schema import Config
from sdv2_live.doctor.probe import Check, fail, ok, warn
from sdv2_live.errors import LinkError
from sdv2_live.link.session import PACKAGE, Session, installed
from sdv2_live.music.tempo import Tempo
from sdv2_live.system.clock import monotonic, monotonic_ns

LISTEN_S = 2.0  # programs of one network find each other in half a second


def look_link(config: Config) -> Iterator[Check]:
    """link. The probe's process joins the session, whose tempo it takes on, and leaves it."""
    needed = config.tempo.source == "link"
    version = installed()
    if version is None and needed:
        yield fail("link", f"tempo.source is link, and {PACKAGE} is not installed", "pip install 'sdv2-live[link]'")
    elif version is None:
        yield ok("link", "without Ableton Link: its extra is not installed")
    else:
        try:
            session = Session(Tempo(monotonic_ns(), 0.0, config.params.tempo_bpm))
        except LinkError as error:
            what, _, remedy = str(error).partition("; ")
            yield fail("link", what, remedy) if needed else warn("link", what, remedy)
            return
        yield _met(session, f"{PACKAGE} {version}", needed)


def _met(session: Session, library: str, needed: bool) -> Check:
    until = monotonic() + LISTEN_S
    while not session.peers and monotonic() < until:
        Event().wait(0.05)
    peers, bpm = session.peers, session.tempo().bpm
    session.leave()
    if peers:
        return ok("link", f"{peers} other program{'' if peers == 1 else 's'} in the session, {bpm:.1f} bpm ({library})")
    said = f"no other program is in a session ({library})"
    if not needed:
        return ok("link", said)
    return warn("link", said, "turn Link on in the other program, on this network; a firewall must let UDP 20808 in")
