"""Which requests are this machine's own, and which a web page's."""

from __future__ import annotations

import socket

import pytest

from sdv2_live.control.access import own_addresses
from sdv2_live.control.http.origin import OF_A_PAGE, OwnNames, refusal


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> OwnNames:
    monkeypatch.setattr(socket, "gethostname", lambda: "Rack.studio.lan")
    monkeypatch.setattr(socket, "getfqdn", lambda: "rack.example.com")
    names = OwnNames(("show", "Stage.Example.", "198.51.100.7", "[2001:db8::7]"))
    names.asking.join()
    return names


OWN = (
    "localhost", "127.0.0.1", "127.9.9.9", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0",
    "rack", "RACK.studio.LAN.", "rack.local", "Rack.Local.", "rack.example.com",
    "show", "stage.example", "198.51.100.7", "[2001:db8::7]", "10.1.2.3", "[::ffff:10.1.2.3]",
)  # fmt: skip
FOREIGN = (
    "evil.local", "EVIL.LOCAL.", "rack.local.evil.com", "xrack.local", "local", ".local", "rack.local.local", "sdv2-live.local",
    "rack.other.lan", "example.com", "localhost.evil.com", "127.0.0.1.evil.com", "0x7f.1", "127.1", "2130706433", "203.0.113.9",
    "[2001:db8::9]", "evil.com@127.0.0.1", "127.0.0.1/evil.com", "", "[", "a b", "127.0.0.1:port",
)  # fmt: skip


@pytest.mark.parametrize("host", OWN)
@pytest.mark.parametrize("port", ["", ":9000"])
def test_own_names_are_answered(host: str, port: str, own: OwnNames) -> None:
    assert refusal({"Host": host + port}, own, "10.1.2.3") == ""
    assert refusal({"Host": host + port, "Origin": f"http://{host.lower()}{port}"}, own, "10.1.2.3") == ""


@pytest.mark.parametrize("host", FOREIGN)
def test_other_names_are_not(host: str, own: OwnNames) -> None:
    assert "osc.hosts=" in refusal({"Host": host}, own, "10.1.2.3")
    assert refusal({"Host": host, "Origin": f"http://{host}"}, own, "10.1.2.3") == OF_A_PAGE


@pytest.mark.parametrize(
    "page",
    ["http://evil.com", "null", "http://127.0.0.1:9001", "http://127.0.0.1", "http://127.0.0.1:9000.evil.com", "http://[", ""],
)
def test_pages_of_other_origins_are_not(page: str, own: OwnNames) -> None:
    assert refusal({"Host": "127.0.0.1:9000", "Origin": page}, own, "127.0.0.1") == OF_A_PAGE


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_a_page_of_another_site_embeds_is_not(site: str, own: OwnNames) -> None:
    assert refusal({"Host": "127.0.0.1:9000", "Sec-Fetch-Site": site}, own, "127.0.0.1") == OF_A_PAGE


def test_what_is_typed_or_comes_from_a_program_is(own: OwnNames) -> None:
    assert refusal({"Host": "127.0.0.1:9000", "Sec-Fetch-Site": "none"}, own, "127.0.0.1") == ""
    assert refusal({}, own, "127.0.0.1") == ""


def test_it_says_what_to_set(own: OwnNames) -> None:
    assert refusal({"Host": "Front.house:9000"}, own, "127.0.0.1").endswith("--set osc.hosts=front.house")


def test_every_address_of_the_machine_is_its_own() -> None:
    assert all(OwnNames().include(str(address), "127.0.0.1") for address in own_addresses())
