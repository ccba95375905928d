"""The meters of the sound: told to those who ask, many times a second, and described as what can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from support.osc import Client, describing

from sdv2_live.control.osc.server import OscServer
from sdv2_live.control.oscquery.tree import READ
from sdv2_live.control.store import ParamStore


@pytest.fixture
def levels() -> list[float]:
    return [0.0] * 6


@pytest.fixture
def server(store: ParamStore, levels: list[float]) -> Iterator[OscServer]:
    with OscServer(store, port=0, levels=lambda: tuple(levels)) as server:
        yield server
    assert server.counters.failures == 0


def test_who_asks_hears_the_meters_as_they_change(new_client: Callable[[], Client], levels: list[float]) -> None:
    asking, other = new_client(), new_client()
    for client in (asking, other):
        client.send("/sdv2/subscribe")
        client.dump()
    asking.send("/sdv2/audio/listen", 1)
    for loud in (0.5, 0.25):
        levels[0] = loud
        assert asking.answer() == ("/sdv2/meters", loud, 0.0, 0.0, 0.0, 0.0, 0.0)
    asking.send("/sdv2/audio/listen", False)
    asking.send("/sdv2/sed", 1)
    assert asking.answer()[0] == "/sdv2/error"  # from here on it no longer listens
    levels[0] = 0.75
    other.send("/sdv2/seed", 9)
    assert asking.answer() == ("/sdv2/seed", 9)  # and nothing before it
    other.send("/sdv2/sed", 1)
    assert other.answer()[0] == "/sdv2/error"  # who has not asked has heard of nothing


def test_oscquery_has_them_as_a_node_to_read(store: ParamStore, server: OscServer, levels: list[float]) -> None:
    levels[5] = 1.0
    with describing(store, server) as query:
        node, asks = query.node("/sdv2/meters"), query.node("/sdv2/audio/listen")
    assert node is not None
    assert (node["TYPE"], node["VALUE"], node["ACCESS"]) == ("ffffff", [0.0, 0.0, 0.0, 0.0, 0.0, 1.0], READ)
    assert asks is not None


def test_a_show_without_sound_has_no_meters(store: ParamStore) -> None:
    with OscServer(store, port=0) as server, describing(store, server) as query:
        assert query.node("/sdv2/meters") is None
