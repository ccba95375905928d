"""What `sdv2-live run` prints at its start: where the show is played from, on this machine and on others."""

from __future__ import annotations

import logging
import os
import sys
import webbrowser
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from sdv2_live.control.access import ways_in
from sdv2_live.control.page.address import elsewhere, here, qr_code
from sdv2_live.threads import started

if TYPE_CHECKING:
    from sdv2_live.control.osc.server import OscServer
    from sdv2_live.show.page import ShowPage

log = logging.getLogger("sdv2_live.run")


def osc_lines(osc: OscServer | None) -> Iterator[str]:
    """The addresses that a tablet can send to, one line an interface."""
    if osc is None:
        return
    for address, interface in ways_in(osc.host).items():
        yield f"from other machines, by {interface}: osc://{f'[{address}]' if ':' in address else address}:{osc.port}/sdv2"


def page_lines(page: ShowPage | None) -> Iterator[str]:
    """The page's address, those for other machines, and a QR code of the first of these."""
    if page is None:
        return
    token = page.ticket.token
    yield f"the page: {here(page.host, page.port, token)}"
    others = elsewhere(page.host, page.port, token)
    for url, interface in others.items():
        yield f"the page from other machines, by {interface}: {url}"
    if others and not token:
        log.warning("ui.token is none: whoever reaches this machine sees the page and plays; ui.token auto asks them for a token")
    if others and _prints_blocks():
        yield qr_code(next(iter(others)))


def open_page(page: ShowPage | None) -> None:
    """Open the page in this machine's browser, or say where it is."""
    if page is None:
        log.warning("there is no page to open: oscquery.enabled, osc.enabled or ui.enabled is false")
        return
    open_address(here(page.host, page.port, page.ticket.token))


def open_address(url: str) -> None:
    """Open an address in this machine's browser. Never waits; says so if there is no browser."""
    desktop = sys.platform in ("win32", "darwin") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if desktop:  # else a browser for terminals could be found, which would take this one
        started("browser", partial(_open, url))  # some browsers keep whoever starts them waiting
    else:
        log.warning("there is no desktop here to open a browser on; open %s", url)


def _open(url: str) -> None:
    if not webbrowser.open(url):
        log.warning("no browser could be started; open %s", url)


def _prints_blocks() -> bool:
    try:
        "█▀▄".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
