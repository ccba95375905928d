"""Where the page is: the addresses to open on this machine and on others, and a QR code for a phone's camera."""

from __future__ import annotations

from itertools import zip_longest

import segno

from sdv2_live.control.access import plain_address, ways_in

_BLOCKS = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}  # by (upper, lower) half
QUIET = 2  # empty modules around the code


def here(host: str, port: int, token: str = "") -> str:
    """The page's address on this machine, for a server on the address `host`."""
    bound = plain_address(host)
    if bound.is_unspecified:
        return _url("127.0.0.1" if bound.version == 4 else "::1", port, "")
    return _url(host, port, "" if bound.is_loopback else token)


def elsewhere(host: str, port: int, token: str = "") -> dict[str, str]:
    """The page's addresses on other machines, with the interfaces by which they reach it; none on loopback."""
    return {_url(address, port, token): interface for address, interface in ways_in(host).items()}


def qr_code(text: str) -> str:
    """A QR code in half blocks, light upon dark as terminals mostly are."""
    rows = [[not dark for dark in row] for row in segno.make(text, error="l", micro=False).matrix_iter(border=QUIET)]
    halves = zip_longest(rows[::2], rows[1::2], fillvalue=[False] * len(rows[0]))
    return "\n".join("".join(_BLOCKS[upper, lower] for upper, lower in zip(*pair, strict=True)) for pair in halves)


def _url(address: str, port: int, token: str) -> str:
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}:{port}/" + (f"?token={token}" if token else "")
