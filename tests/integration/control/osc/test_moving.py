"""Effective values: told to those who ask, beside the values of the hand, and described as what can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from support.osc import Client, describing

from sdv2_live.control.osc.server import OscServer
from sdv2_live.control.oscquery.tree import READ
from sdv2_live.control.params import Value
from sdv2_live.control.store import ParamStore


@pytest.fixture
def moving() -> dict[str, Value]:
    return {}


@pytest.fixture
def server(store: ParamStore, moving: dict[str, Value]) -> Iterator[OscServer]:
    with OscServer(store, port=0, moving=lambda: dict(moving)) as server:
        yield server
    assert server.counters.failures == 0


def test_who_asks_hears_what_moves_and_where_it_ends(new_client: Callable[[], Client], moving: dict[str, Value]) -> None:
    asking, other = new_client(), new_client()
    for client in (asking, other):
        client.send("/sdv2/subscribe")
        client.dump()
    asking.send("/sdv2/mod/listen")
    moving |= {"noise_scale": 0.25, "steps": (700, 480)}
    told = {asking.answer(), asking.answer()}
    assert told == {("/sdv2/mod/value/noise_scale", 0.25), ("/sdv2/mod/value/steps", "700,480")}
    moving["noise_scale"] = 0.5
    assert asking.answer() == ("/sdv2/mod/value/noise_scale", 0.5)
    del moving["steps"]
    assert asking.answer() == ("/sdv2/mod/value/steps", "700,500")  # where the hand left it
    asking.send("/sdv2/mod/listen", 0)
    asking.send("/sdv2/sed", 1)
    assert asking.answer()[0] == "/sdv2/error"  # from here on it no longer listens
    moving["noise_scale"] = 0.75
    other.send("/sdv2/seed", 9)
    assert asking.answer() == ("/sdv2/seed", 9)  # and nothing before it
    other.send("/sdv2/sed", 1)
    assert other.answer()[0] == "/sdv2/error"  # who has not asked has heard of nothing


def test_who_is_not_subscribed_cannot_ask(client: Client) -> None:
    client.send("/sdv2/mod/listen", True)
    assert client.answer()[:2] == ("/sdv2/error", "/sdv2/mod/listen")


def test_oscquery_has_effective_values_as_nodes_to_read(store: ParamStore, server: OscServer, moving: dict[str, Value]) -> None:
    moving["noise_scale"] = 0.25
    with describing(store, server) as query:
        node, base = query.node("/sdv2/mod/value/noise_scale"), query.node("/sdv2/noise_scale")
        steps, weight = query.node("/sdv2/mod/value/steps"), query.node("/sdv2/mod/value/prompt/2/weight")
        assert query.node("/sdv2/mod/value/lora/1/scale") is None  # this show has no LoRA
    assert node is not None
    assert base is not None
    assert (node["VALUE"], node["ACCESS"], base["VALUE"]) == ([0.25], READ, [0.7])
    assert steps is not None
    assert weight is not None
    assert (steps["VALUE"], steps["TYPE"], weight["VALUE"]) == (["700,500"], "s", [0.0])
