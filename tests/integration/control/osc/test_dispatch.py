"""Scaled addresses, actions, and OSC over TCP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sdv2_live.control.osc.addresses import expand
from sdv2_live.control.osc.server import OscServer
from sdv2_live.control.params import PARAMS, value_of
from sdv2_live.control.store import ParamStore
from sdv2_live.errors import ParamError


@pytest.mark.parametrize(
    ("address", "given", "name", "value"),
    [
        ("/sdv2/noise_scale/norm", 0.25, "noise_scale", 0.25),
        ("/sdv2/adapt_sink_threshold/norm", 0.25, "adapt_sink_threshold", -0.5),
        ("/sdv2/adapt_sink_threshold/midi", 127, "adapt_sink_threshold", 1.0),
        ("/sdv2/transition_chunks/norm", 0.5, "transition_chunks", 32),
        ("/sdv2/transition_chunks/midi", 127.0, "transition_chunks", 64),
        ("/sdv2/freeze/midi", 64, "freeze", True),
        ("/sdv2/noise_controller/midi", 63, "noise_controller", False),
        ("/sdv2/prompt_change/norm", 1.0, "prompt_change", "recache"),
        ("/sdv2/kv_cache_attention_bias", 0.25, "memory", 0.25),
        ("/sdv2/kv_cache_attention_bias/norm", 1.0, "memory", 1.0),
        ("/sdv2/memory", 0.0, "memory", 0.01),
        ("/sdv2/interpolation/midi", 100, "interpolation", "slerp"),
        ("/sdv2/noise_scale/norm", "0.5", "noise_scale", 0.5),
        ("/sdv2/noise_scale/norm", 7.0, "noise_scale", 1.0),
        ("/sdv2/prompt/2/weight/norm", 0.5, "prompt/2/weight", 0.5),
        ("/sdv2/prompt/1/text", "ink", "prompt", "ink"),
        ("/sdv2/prompt/8/text", "ink", "prompt/8/text", "ink"),
    ],
)
def test_scaled_and_indexed_addresses(
    address: str, given: Any, name: str, value: Any, store: ParamStore, client: Any, wait: Any
) -> None:
    client.send(address, given)
    wait(lambda: value_of(store.latest(), PARAMS[name]) == value)


def test_scaled_trigger_ignores_the_release(store: ParamStore, client: Any, wait: Any) -> None:
    for position in (127, 0, 127):
        client.send("/sdv2/reset/midi", position)
    client.send("/sdv2/seed", 1)
    wait(lambda: store.latest().seed == 1)
    assert store.counters.fired == 2


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("/sdv2/prompt/*/weight", [f"prompt/{slot}/weight" for slot in range(1, 9)]),
        ("/sdv2/prompt/[2-3]/weight", ["prompt/2/weight", "prompt/3/weight"]),
        ("/sdv2/prompt/[!2-8]/weight", ["prompt/1/weight"]),
        ("/sdv2/{freeze,bypass}", ["freeze", "bypass"]),
        ("/sdv2/mi?", ["mix"]),
        ("/sdv2/noise_*", ["noise_scale", "noise_controller"]),
        ("/*/seed", ["seed"]),
        ("/sdv2/mi****", ["mix"]),
    ],
)
def test_address_patterns(pattern: str, names: list[str]) -> None:
    assert expand(pattern) == tuple(f"/sdv2/{name}" for name in names)


@pytest.mark.parametrize(
    "pattern", ["/sdv2/[z-a]", "/sdv2/[]", "/sdv2/[", "/sdv2/{", "/scope/*", "/*", "/sdv2/" + "{,,,}" * 18 + "!"]
)
def test_address_patterns_that_match_nothing(pattern: str) -> None:
    with pytest.raises(ParamError, match=r"^no parameter matches this address pattern$"):
        expand(pattern)


def test_a_pattern_longer_than_any_that_is_meant_well_is_refused() -> None:
    with pytest.raises(ParamError, match=r"^the address pattern is longer than 100 characters$"):
        expand("/sdv2/" + "?" * 200)


def test_pattern_is_one_change(store: ParamStore, client: Any, wait: Any) -> None:
    client.send("/sdv2/prompt/*/weight", 0.5)
    wait(lambda: store.latest().weights == (0.5,) * 8)
    assert store.snapshot().version == 1


@pytest.mark.parametrize(
    ("address", "args", "reason"),
    [
        (
            "/sdv2/prompt/norm",
            (0.5,),
            "prompt is no number to scale; send text of at most 4000 characters to /sdv2/prompt",
        ),
        ("/sdv2/noise_scale/midi", ("x",), "the position of noise_scale cannot be 'x'; give a number 0..127"),
        ("/sdv2/noise_scale/norm", (), "the position of noise_scale came without a value; give a number 0..1"),
        ("/sdv2/timeline/play", (), "timeline/play is not available in this show: it was started without what that needs"),
    ],
)
def test_refused_forms(address: str, args: tuple[Any, ...], reason: str, client: Any) -> None:
    client.send(address, *args)
    assert client.answer() == ("/sdv2/error", address, reason)


def test_actions_get_their_arguments_and_may_refuse(store: ParamStore, client_of: Callable[[int], Any]) -> None:
    saved: list[tuple[Any, ...]] = []

    def save(args: tuple[Any, ...]) -> None:
        if not args:
            raise ParamError("give a name")
        saved.append(args)

    with OscServer(store, port=0, actions={"preset/save": save}) as server:
        client = client_of(server.port)
        client.send("/sdv2/preset/save", "Mine")
        client.send("/sdv2/preset/save")
        assert client.answer() == ("/sdv2/error", "/sdv2/preset/save", "give a name")
    assert saved == [("Mine",)]
