"""Subscriptions: full dump, echo to others, last value guaranteed, status, acknowledgement."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sdv2_live.control.osc.server import OscServer
from sdv2_live.control.params import PARAMS, Kind
from sdv2_live.control.store import ParamStore
from sdv2_live.errors import ConfigError

LAST_OF_DUMP = [name for name, spec in PARAMS.items() if spec.kind is not Kind.TRIGGER][-1]
LAST = (f"/sdv2/{LAST_OF_DUMP}", pytest.approx(PARAMS[LAST_OF_DUMP].default))


def subscribe(client: Any, *args: Any) -> list[tuple[Any, ...]]:
    """Subscribe and read the dump that follows."""
    client.send("/sdv2/subscribe", *args)
    return list(client.until(*LAST))


def test_subscribing_dumps_every_value(client: Any) -> None:
    dump = {address: args for address, *args in subscribe(client)}
    assert set(dump) == {f"/sdv2/{name}" for name, spec in PARAMS.items() if spec.kind is not Kind.TRIGGER}
    assert dump["/sdv2/steps"] == [700, 500]
    assert dump["/sdv2/noise_controller"] == [1]  # numbers only: an OSC In CHOP takes nothing else
    assert dump["/sdv2/seed"] == [42]


def test_applied_values_go_to_all_but_who_set_them(store: ParamStore, new_client: Callable[[], Any]) -> None:
    hand, screen = new_client(), new_client()
    for client in (hand, screen):
        subscribe(client)
    hand.send("/sdv2/noise_scale", 0.25)
    assert screen.answer() == ("/sdv2/noise_scale", 0.25)
    screen.send("/sdv2/seed", 7)
    assert hand.answer() == ("/sdv2/seed", 7)  # and nothing of noise_scale before it
    store.set("steps", [900, 300], "midi")
    for client in (hand, screen):
        assert client.answer() == ("/sdv2/steps", 900, 300)


def test_clamped_value_goes_back_to_who_set_it(client: Any) -> None:
    subscribe(client)
    client.send("/sdv2/noise_scale", 3)
    assert client.answer()[0] == "/sdv2/warning"
    assert client.answer() == ("/sdv2/noise_scale", 1.0)


def test_trigger_is_echoed(store: ParamStore, client: Any) -> None:
    subscribe(client)
    store.trigger("reset", "midi")
    assert client.answer() == ("/sdv2/reset", 1)


def test_storm_is_thinned_and_the_last_value_arrives(store: ParamStore, client: Any) -> None:
    subscribe(client)
    for step in range(5000):
        store.set("noise_scale", step / 4999, "midi")
    store.set("noise_scale", 0.5, "midi")
    answers = client.until("/sdv2/noise_scale", 0.5)
    assert len(answers) < 500


def test_chunk_is_acknowledged(store: ParamStore, client: Any) -> None:
    subscribe(client)
    client.send("/sdv2/noise_scale", 0.25)
    client.send("/sdv2/dump")
    client.until(*LAST)
    store.snapshot(17)
    assert client.answer() == ("/sdv2/applied/noise_scale", 17)


def test_port_and_host_forms(store: ParamStore, server: OscServer, new_client: Callable[[], Any], wait: Any) -> None:
    sender, by_port, by_host = new_client(), new_client(), new_client()
    sender.send("/sdv2/subscribe", by_port.port)
    sender.send("/sdv2/subscribe", "localhost", by_host.port)
    for client in (by_port, by_host):
        client.until(*LAST)
    sender.send("/sdv2/unsubscribe", by_port.port)
    sender.send("/sdv2/seed", 5)
    wait(lambda: store.latest().seed == 5)
    new_client().send("/sdv2/seed", 6)
    assert by_host.answer() == ("/sdv2/seed", 6)
    assert server.counters.refused == 0


def test_unsubscribed_hears_nothing_more(store: ParamStore, new_client: Callable[[], Any]) -> None:
    leaver, witness = new_client(), new_client()
    for client in (leaver, witness):
        subscribe(client)
    leaver.send("/sdv2/unsubscribe")
    leaver.send("/sdv2/unsubscribe")
    assert leaver.answer()[:2] == ("/sdv2/error", "/sdv2/unsubscribe")
    store.set("seed", 5, "midi")
    assert witness.answer() == ("/sdv2/seed", 5)
    leaver.send("/sdv2/nothing")
    assert leaver.answer()[:2] == ("/sdv2/error", "/sdv2/nothing")


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (("203.0.113.9", 9001), "203.0.113.9 is not the sender's own address; list it in osc.allow to permit it"),
        (
            ("stage.local", 9001),
            "cannot send to ('stage.local', 9001); give an IP address and a port 1..65535, only a port, or nothing",
        ),
        ((0,), "cannot send to (0,); give an IP address and a port 1..65535, only a port, or nothing"),
        ((1, 9001), "cannot send to (1, 9001); give an IP address and a port 1..65535, only a port, or nothing"),
        ((True, 9001), "cannot send to (True, 9001); give an IP address and a port 1..65535, only a port, or nothing"),
        (
            ("x" * 5000, 9001),
            "cannot send to ('" + "x" * 75 + "...; give an IP address and a port 1..65535, only a port, or nothing",
        ),
        ((1, 2, 3), "cannot send to (1, 2, 3); give an IP address and a port 1..65535, only a port, or nothing"),
        (("::1", 9001), "cannot send to ('::1', 9001); give an IP address and a port 1..65535, only a port, or nothing"),
    ],
)
def test_refused_subscriptions(args: tuple[Any, ...], reason: str, client: Any) -> None:
    client.send("/sdv2/subscribe", *args)
    assert client.answer() == ("/sdv2/error", "/sdv2/subscribe", reason)


def test_configured_subscribers_and_status(store: ParamStore, new_client: Callable[[], Any]) -> None:
    listener = new_client()
    numbers: dict[str, float | str] = {"fps": 24.5, "watched": True, "source": "CAM"}
    with OscServer(store, port=0, subscribers=[f"127.0.0.1:{listener.port}"], status=lambda: numbers):
        listener.until(*LAST)
        assert [listener.answer() for _ in range(3)] == [
            ("/sdv2/status/fps", 24.5),
            ("/sdv2/status/watched", 1),
            ("/sdv2/info/source", "CAM"),
        ]
        numbers["fps"] = 12.0
        assert listener.answer() == ("/sdv2/status/fps", 12.0)  # the others have not changed


@pytest.mark.parametrize("text", ["127.0.0.1", "host:9001", "127.0.0.1:99999", "127.0.0.1:x"])
def test_broken_subscriber_in_the_configuration(text: str) -> None:
    with pytest.raises(
        ConfigError, match=r"^osc\.subscribers: cannot be .*; give an IP address and a port, such as 127\.0\.0\.1:9001$"
    ):
        OscServer(ParamStore(), port=0, subscribers=[text])


def test_answers_also_go_where_the_sender_listens(new_client: Callable[[], Any]) -> None:
    hand, ear, stranger = new_client(), new_client(), new_client()
    hand.send("/sdv2/subscribe", ear.port)
    ear.until(*LAST)
    hand.send("/sdv2/sed", 1)
    for client in (hand, ear):
        assert client.answer()[:2] == ("/sdv2/error", "/sdv2/sed")
    stranger.send("/sdv2/sed", 1)
    hand.send("/sdv2/noise_scale", 3)
    assert stranger.answer()[0] == "/sdv2/error"
    assert ear.answer()[:2] == ("/sdv2/warning", "/sdv2/noise_scale")  # and nothing of the stranger's mistake before it
