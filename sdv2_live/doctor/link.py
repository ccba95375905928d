"""Probe of Ableton Link's library."""

from __future__ import annotations

from collections.abc import Iterator

from sdv2_live.config.schema import Config
from sdv2_live.doctor.probe import Check, fail, ok
from sdv2_live.link.session import PACKAGE, installed


def look_link(config: Config) -> Iterator[Check]:
    """link. The library is not loaded: that is for a process of its own."""
    version = installed()
    if version is not None:
        yield ok("link", f"Ableton Link by {PACKAGE} {version}; sdv2-live link shows who is in the session")
    elif config.tempo.source == "link":
        yield fail("link", f"tempo.source is link, and {PACKAGE} is not installed", "pip install 'sdv2-live[link]'")
    else:
        yield ok("link", "without Ableton Link: its extra is not installed")
