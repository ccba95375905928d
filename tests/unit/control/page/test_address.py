"""Where the page is."""

from __future__ import annotations

import pytest

from sdv2_live.control.access import own_addresses
from sdv2_live.control.page.address import QUIET, elsewhere, here, qr_code


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:9000/"),
        ("::1", "http://[::1]:9000/"),
        ("0.0.0.0", "http://127.0.0.1:9000/"),
        ("::", "http://[::1]:9000/"),
        ("192.168.1.5", "http://192.168.1.5:9000/?token=T"),  # not asked for on loopback, so the token is wanted
    ],
)
def test_the_address_on_this_machine(host: str, address: str) -> None:
    assert here(host, 9000, "T") == address


def test_addresses_for_other_machines_hold_the_token() -> None:
    assert elsewhere("127.0.0.1", 9000, "T") == {}
    others = elsewhere("0.0.0.0", 9000, "T")
    assert len(others) == sum(address.version == 4 and not address.is_loopback for address in own_addresses())
    assert all(url.startswith("http://") and url.endswith(":9000/?token=T") for url in others)
    assert all("?" not in url for url in elsewhere("0.0.0.0", 9000))


def test_the_qr_code_is_one_whatever_its_size() -> None:
    for text in ("http://192.168.1.20:9000/?token=abcdefghijklmnop", "http://[fe80::1]:9000/?token=" + "x" * 200):
        rows = qr_code(text).split("\n")
        (width,) = {len(row) for row in rows}
        modules = width - 2 * QUIET
        assert modules % 4 == 1  # of every version: 17 + 4 n
        lit = [[(char in "▀█") if half == 0 else (char in "▄█") for char in row] for row in rows for half in (0, 1)]
        code = [row[QUIET : QUIET + modules] for row in lit[QUIET : QUIET + modules]]
        finder = ["       ", " █████ ", " █   █ ", " █   █ ", " █   █ ", " █████ ", "       "]
        for rows_, columns in ((slice(7), slice(7)), (slice(7), slice(-7, None)), (slice(-7, None), slice(7))):
            assert [[char != " " for char in row] for row in finder] == [row[columns] for row in code[rows_]]
