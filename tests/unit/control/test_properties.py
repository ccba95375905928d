"""Parsers against whatever there can be: no input raises anything but the project's own errors, and what is valid survives.

The quick run draws a few dozen examples of each; `pytest -m slow` draws 5,000.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder

from sdv2_live.control.coerce import coerce
from sdv2_live.control.osc.fair_queue import Turn
from sdv2_live.control.osc.message import Message
from sdv2_live.control.osc.packet import encode, read_packet
from sdv2_live.control.osc.server import OscServer
from sdv2_live.control.params import PARAMS, Kind, Params, ParamSpec, updated, value_of
from sdv2_live.control.presets.file import load_preset
from sdv2_live.control.store import ParamStore
from sdv2_live.control.timeline.files import load_timeline
from sdv2_live.control.timeline.scope_export import to_scope
from sdv2_live.control.timeline.transport import Transport
from sdv2_live.errors import Sdv2Error
from sdv2_live.yamlfile import parse_yaml

QUICK, FULL = 40, 5000

Test = Callable[..., None]


def quick_and_full(**strategies: st.SearchStrategy[Any]) -> Callable[[Test], Test]:
    """Hypothesis' `given`, as a quick test and, under the name with _full, as a slow one."""

    def decorate(test: Test) -> Test:
        def run(examples: int) -> Test:
            checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
            return settings(max_examples=examples, deadline=None, suppress_health_check=checks)(given(**strategies)(test))

        globals()[f"{test.__name__}_full"] = pytest.mark.slow(run(FULL))
        return run(QUICK)

    return decorate


def refusal(function: Callable[..., Any], *args: Any) -> str | None:
    """What the project's own error says, or None when there is none; any other exception fails the test."""
    try:
        function(*args)
    except Sdv2Error as error:
        return str(error)
    return None


numbers = st.integers(-(2**63), 2**63 - 1) | st.floats() | st.booleans()
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
scalars = numbers | texts | st.none() | st.binary(min_size=1, max_size=20)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5), max_leaves=15
)
specs = st.sampled_from(list(PARAMS.values()))
addresses = st.sampled_from([f"/sdv2/{name}{tail}" for name in PARAMS for tail in ("", "/norm", "/midi")]) | texts.map(
    "/{}".format
)


def values_of(spec: ParamSpec) -> st.SearchStrategy[Any]:
    """Values in a parameter's own range."""
    match spec.kind:
        case Kind.INT:
            return st.integers(int(spec.low or 0), int(spec.high or 0))
        case Kind.FLOAT:
            return st.floats(float(spec.low or 0), float(spec.high or 0))
        case Kind.BOOL:
            return st.booleans()
        case Kind.CHOICE:
            return st.sampled_from(spec.choices)
        case Kind.STEPS:
            return st.sets(st.integers(1, 1000), min_size=1, max_size=4).map(lambda steps: tuple(sorted(steps, reverse=True)))
        case _:
            return texts.filter(lambda text: text.isprintable())


@st.composite
def looks(draw: st.DrawFn) -> dict[str, Any]:
    """Some parameters with values in range."""
    names = draw(st.sets(st.sampled_from([name for name, spec in PARAMS.items() if spec.of_look]), min_size=1, max_size=6))
    return {name: draw(values_of(PARAMS[name])) for name in sorted(names)}


@quick_and_full(spec=specs, value=anything)
def test_any_value_is_read_or_refused(spec: ParamSpec, value: Any) -> None:
    refused = refusal(coerce, spec, value, "here")
    if refused is not None:
        assert refused.startswith("here: ")
        assert len(refused) < 420
        return
    read, _ = coerce(spec, value, "here")
    assert coerce(spec, read) == (read, "")
    if spec.kind in (Kind.INT, Kind.FLOAT):
        assert spec.low <= read <= spec.high  # type: ignore[operator]
        assert math.isfinite(read)  # type: ignore[arg-type]


@quick_and_full(data=st.binary(max_size=300) | st.binary(max_size=300).map(lambda tail: b"#bundle\0" + tail))
def test_any_bytes_are_a_packet_or_broken(data: bytes) -> None:
    packet = read_packet(data)
    assert packet.groups or packet.broken or data.startswith(b"#bundle\0")


@quick_and_full(address=addresses, args=st.lists(scalars, max_size=5))
def test_any_message_survives_the_wire(address: str, args: list[Any]) -> None:
    builder = OscMessageBuilder(address)
    for arg in args:
        builder.add_arg(arg, "d" if isinstance(arg, float) else None)
    packet = read_packet(builder.build().dgram)
    (messages,) = packet.groups.values()
    assert repr(messages) == repr([Message(address, tuple(args))])
    assert not packet.broken


@quick_and_full(
    sent=st.lists(st.tuples(addresses, st.lists(scalars, max_size=3)), max_size=6),
    cut=st.integers(0, 400),
    flip=st.integers(0, 400),
)
def test_any_bundle_leaves_a_working_store(sent: list[tuple[str, list[Any]]], cut: int, flip: int) -> None:
    builder = OscBundleBuilder(0)
    for address, args in sent:
        message = OscMessageBuilder(address)
        for arg in args:
            message.add_arg(arg, "d" if isinstance(arg, float) else None)
        builder.add_content(message.build())
    data = bytearray(builder.build().dgram)
    if flip < len(data):
        data[flip] ^= 0x55
    store = ParamStore()
    server = OscServer(store, port=0)
    try:
        peer = server.datagram_peer("127.0.0.1", 9)
        receive = server._input.read  # on this thread: no sockets, no timing
        server._input._schedule = lambda *_: None  # type: ignore[method-assign]
        receive(Turn(peer, bytes(data[: max(cut, 1)]) if cut < 200 else bytes(data), 0))
        receive(Turn(peer, encode("/sdv2/seed", 7), 0))
    finally:
        server.close()
    assert store.latest().seed == 7
    for name, spec in PARAMS.items():
        if spec.kept:
            value = value_of(store.latest(), spec)
            assert coerce(spec, value) == (value, ""), name


@quick_and_full(text=texts | anything.map(lambda data: yaml.safe_dump(data, allow_unicode=True)) | st.text(max_size=200))
def test_any_text_is_yaml_or_a_config_error(text: str) -> None:
    assert (refusal(parse_yaml, text, Path("x.yaml")) or "x.yaml").startswith("x.yaml")


@quick_and_full(values=looks())
def test_any_look_survives_a_preset_file(values: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "look.yaml"
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
    path.write_text(yaml.safe_dump({"params": plain}, allow_unicode=True), encoding="utf-8")
    assert load_preset(path).values == values


@quick_and_full(data=st.dictionaries(st.sampled_from(["name", "description", "params", "x"]), anything))
def test_any_mapping_is_a_preset_or_a_config_error(data: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "look.yaml"
    path.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    refused = refusal(load_preset, path)
    if refused is None:
        ParamStore().set_many(load_preset(path).values, "test")
    else:
        assert all(line.startswith(str(path)) for line in refused.splitlines())


times = st.floats(0, 1000).map(lambda seconds: round(seconds, 3))


@quick_and_full(events=st.lists(st.tuples(times, looks()), min_size=1, max_size=6), cuts=st.lists(times, max_size=5))
def test_any_timeline_applies_alike_however_it_is_cut(
    events: list[tuple[float, dict[str, Any]]], cuts: list[float], tmp_path: Path
) -> None:
    path = tmp_path / "t.yaml"
    plain = [{"at": at, "set": {k: list(v) if isinstance(v, tuple) else v for k, v in look.items()}} for at, look in events]
    path.write_text(yaml.safe_dump({"events": plain}, allow_unicode=True), encoding="utf-8")
    timeline = load_timeline(path)
    store, now = ParamStore(), 0.0
    transport = Transport(timeline, store, lambda: now)
    transport.play()
    for now in [*sorted(cuts), 2000.0]:  # noqa: B007  # read by the clock
        transport.tick()
    assert store.latest() == updated(Params(), timeline.params_at(2000.0))


scope_prompts = st.lists(
    st.fixed_dictionaries({"text": texts.filter(bool), "weight": st.integers(1, 100)}), min_size=1, max_size=8
)


@quick_and_full(
    lengths=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9), scope_prompts), min_size=1, max_size=5),
    seed=st.integers(0, 2**63 - 1),
    noise=st.floats(0, 1),
    extra=st.dictionaries(st.sampled_from(["transitionSteps", "note"]), st.integers(0, 9)),
)
def test_any_scope_timeline_round_trips(
    lengths: list[Any], seed: int, noise: float, extra: dict[str, int], tmp_path: Path
) -> None:
    time, ranges = 0, []
    for gap, length, prompts in lengths:
        ranges.append({"startTime": time + gap, "endTime": time + gap + length, "prompts": prompts, **extra})
        time += gap + length
    data = {
        "prompts": ranges,
        "settings": {
            "pipelineId": "streamdiffusionv2",
            "resolution": {"height": 512, "width": 512},
            "seed": seed,
            "denoisingSteps": [700, 500],
            "noiseScale": noise,
            "noiseController": False,
            "manageCache": True,
        },
        "version": "2.0",
        "exportedAt": "2025-10-27T19:25:32.028Z",
    }
    path = tmp_path / "scope.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    assert to_scope(load_timeline(path)) == (data, [])


@quick_and_full(data=anything | st.fixed_dictionaries({"prompts": anything, "settings": anything, "version": st.just("2.0")}))
def test_any_json_is_a_timeline_or_a_config_error(data: Any, tmp_path: Path) -> None:
    path = tmp_path / "scope.json"
    path.write_text(json.dumps(data, default=str), encoding="utf-8")
    refused = refusal(load_timeline, path) or str(path)
    assert all(line.startswith(str(path)) for line in refused.splitlines())
