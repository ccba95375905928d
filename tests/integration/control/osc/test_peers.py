"""Shows that hear themselves or each other: they agree, and then fall silent."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import ifaddr
import pytest

from sdv2_live.control.osc.server import OscServer
from sdv2_live.control.osc.sockets import plain, reaches
from sdv2_live.control.osc.subscriber import wire
from sdv2_live.control.params import value_of
from sdv2_live.control.store import ParamStore
from sdv2_live.errors import ConfigError

OWN = "this is the server's own address; give the port on which you listen"


class Show:
    """A store and its server, with a status as shows have."""

    def __init__(self, opened: contextlib.ExitStack, port: int, start: Mapping[str, Any] | None = None, **settings: Any) -> None:
        self.store = ParamStore()
        self.store.set_many(start or {}, "start")
        self.fired: list[str] = []
        self.store.add_listener(lambda change: self.fired.extend(name for name in change.values if name in ("reset", "take")))
        self.said = 0
        self.osc = opened.enter_context(OscServer(self.store, port=port, status=self._status, **settings))

    def _status(self) -> dict[str, float | str]:
        self.said += 1
        return {"chunk": self.said}

    def value(self, name: str) -> Any:
        return value_of(self.store.latest(), self.store.names.spec(name))


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as opened:
        sockets = [opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


Shows = Callable[..., list[Show]]


@pytest.fixture
def linked() -> Iterator[Shows]:
    """So many shows, each of which has all the others as subscribers."""
    with contextlib.ExitStack() as opened:

        def make(count: int, starts: Sequence[Mapping[str, Any]] = ({}, {}, {}), **settings: Any) -> list[Show]:
            ports = free_ports(count)
            others = [[f"127.0.0.1:{port}" for port in ports if port != own] for own in ports]
            return [
                Show(opened, own, start, subscribers=them, **settings)
                for own, start, them in zip(ports, starts, others, strict=False)
            ]

        yield make


@pytest.fixture
def settle(wait: Any) -> Callable[[list[Show]], None]:
    """Waits until no show has taken anything for a second: what echoes does so thirty times a second."""

    def until(shows: list[Show]) -> None:
        counted: list[int] = []
        since = 0.0

        def rests() -> bool:
            nonlocal counted, since
            now = [show.store.counters.written + show.store.counters.fired for show in shows]
            if now != counted:
                counted, since = now, time.monotonic()
            return time.monotonic() - since > 1.0

        wait(rests)

    return until


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("echo", [False, True])
def test_linked_shows_agree_when_all_are_moved_at_once(count: int, echo: bool, linked: Shows, settle: Any) -> None:
    shows = linked(count, echo=echo)
    for moves in range(3):
        for number, show in enumerate(shows):
            show.store.set("mix", (number + 1) / 10 + moves / 100, f"hand {number}")
            show.store.set("prompt", f"look {number} {moves}", f"hand {number}")
            show.store.set("transition_chunks", 10 * number + moves, f"hand {number}")
    settle(shows)
    for name in ("mix", "prompt", "transition_chunks"):
        assert len({str(wire((show.value(name),))) for show in shows}) == 1, name
    assert all(show.osc.counters.refused == 0 for show in shows)


@pytest.mark.parametrize("count", [2, 3])
def test_one_reset_is_one_reset_on_each(count: int, linked: Shows, settle: Any, wait: Any) -> None:
    shows = linked(count)
    wait(lambda: all(show.said > 2 for show in shows))  # each has told what it is
    shows[0].store.trigger("reset", "hand")
    wait(lambda: all(show.fired for show in shows))
    settle(shows)
    assert [show.fired for show in shows] == [["reset"]] * count


def test_a_show_that_follows_a_source_takes_its_tempo_from_no_other_show(linked: Shows, settle: Any, wait: Any) -> None:
    one, other = shows = linked(2)
    wait(lambda: all(show.said > 2 for show in shows))
    one.store.set("tempo/bpm", 90.0, "hand")
    wait(lambda: other.value("tempo/bpm") == 90.0)
    other.store.set("tempo/source", "link", "hand")
    wait(lambda: one.value("tempo/source") == "link")
    one.store.set("tempo/bpm", 128.0, "tempo")  # as its row follows Link
    settle(shows)
    assert other.value("tempo/bpm") == 90.0
    assert one.osc.counters.refused == other.osc.counters.refused == 0


def test_what_a_show_says_of_itself_is_not_taken(store: ParamStore, server: OscServer, client: Any, wait: Any) -> None:
    for address in ("/sdv2/status/chunk", "/sdv2/info/source", "/sdv2/applied/mix", "/sdv2/error", "/sdv2/warning"):
        client.send(address, 1)
    for address in ("/sdv2/tempo/beat", "/sdv2/tempo/lead"):
        client.send(address, 1)
    client.send("/sdv2/seed", 7)
    wait(lambda: store.latest().seed == 7)
    assert server.counters.messages == 8
    assert server.counters.refused == 0
    client.send("/sdv2/errors", 1)
    assert client.answer()[:2] == ("/sdv2/error", "/sdv2/errors")


def test_shows_with_other_values_agree_when_they_start(linked: Shows, settle: Any) -> None:
    shows = linked(2, starts=[{"prompt": "ink", "mix": 0.25}, {"prompt": "oil", "seed": 7}])
    settle(shows)
    for name in ("prompt", "mix", "seed"):
        assert len({str(show.value(name)) for show in shows}) == 1, name


OWN_ADDRESSES = ["127.0.0.1", "localhost", "0.0.0.0"]


@pytest.mark.parametrize("host", OWN_ADDRESSES)
def test_a_show_does_not_subscribe_itself(host: str, server: OscServer, client: Any) -> None:
    client.send("/sdv2/subscribe", host, server.port)
    assert client.answer() == ("/sdv2/error", "/sdv2/subscribe", OWN)


@pytest.mark.parametrize(
    ("bound", "host", "own"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "0.0.0.0", True),
        ("0.0.0.0", "127.0.0.1", True),
        ("0.0.0.0", "127.0.0.7", True),
        ("0.0.0.0", "lan", True),
        ("::", "::1", True),
        ("::", "::ffff:127.0.0.1", True),
        ("::", "::", True),
        ("::", "lan", True),
        ("0.0.0.0", "203.0.113.9", False),
        ("0.0.0.0", "239.1.2.3", False),
        ("::", "2001:db8::9", False),
        ("192.0.2.1", "127.0.0.1", False),
    ],
)
def test_every_address_of_this_machine_is_known(bound: str, host: str, own: bool) -> None:
    if host == "lan":
        host = next((str(ip.ip) for one in ifaddr.get_adapters() for ip in one.ips if ip.is_IPv4), "127.0.0.1")
    if host == "::1" and not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    assert reaches(bound, 9000, plain(host), 9000) is own
    assert not reaches(bound, 9000, plain(host), 9001)


def test_a_show_leaves_itself_out_of_its_configured_subscribers(client_of: Any, caplog: Any) -> None:
    port = free_ports(1)[0]
    with contextlib.ExitStack() as opened:
        show = Show(opened, port=port, subscribers=[f"127.0.0.1:{port}", f"0.0.0.0:{port}"])
        client = client_of(port)
        client.send("/sdv2/dump")
        assert client.answer()[:2] == ("/sdv2/error", "/sdv2/dump")
        assert show.osc.counters.packets == 1
    assert f"osc.subscribers: 127.0.0.1:{port} is this show itself and is left out" in caplog.text


def test_a_subscriber_of_the_other_ip_version_is_a_mistake_of_the_configuration() -> None:
    with pytest.raises(ConfigError, match=r"^osc\.subscribers: ::1 cannot be reached from 127\.0\.0\.1; give it an address"):
        OscServer(ParamStore(), port=0, subscribers=["[::1]:9001"])


@pytest.mark.parametrize(
    ("text", "same"),
    [("::ffff:127.0.0.1", "127.0.0.1"), ("::FFFF:7f00:1", "127.0.0.1"), ("0:0::1", "::1"), ("FE80::1%eth0", "fe80::1%eth0")],
)
def test_an_address_has_one_form(text: str, same: str) -> None:
    assert plain(text) == same


def test_ipv4_is_served_by_a_server_of_both_versions(store: ParamStore, client_of: Any, wait: Any) -> None:
    try:
        server = OscServer(store, "::", port=0)
    except ConfigError:
        pytest.skip("no IPv6 here")
    with server:
        client = client_of(server.port)
        client.send("/sdv2/subscribe", server.port)
        if os.name == "posix":
            assert client.answer() == ("/sdv2/error", "/sdv2/subscribe", OWN)
            client.send("/sdv2/subscribe", "localhost", client.port)
            assert client.answer()[0] == "/sdv2/prompt"
