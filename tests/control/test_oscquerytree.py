"""What OSCQuery clients read of each parameter."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from sdv2_live.control.addresses import meaning
from sdv2_live.control.oscquerytree import ATTRIBUTES, READ, Node, arguments, find, tree
from sdv2_live.control.params import ALIASES, PARAMS, Kind, Params, updated


def methods(node: Node) -> Iterator[Node]:
    """Every node below that takes or gives a value."""
    if "TYPE" in node:
        yield node
    for child in node.get("CONTENTS", {}).values():
        yield from methods(child)


def at(path: str, params: Params | None = None, **kinds: object) -> Node:
    node = find(tree(params or Params(), **kinds), path)  # type: ignore[arg-type]
    assert node is not None
    return node


def test_every_parameter_is_a_method_and_nothing_else_is() -> None:
    paths = [node["FULL_PATH"] for node in methods(tree(Params()))]
    assert sorted(paths) == sorted(f"/sdv2/{name}" for name in (*PARAMS, *ALIASES))


def test_nodes_are_json_with_known_attributes_and_their_own_path() -> None:
    def check(node: Node, path: str) -> None:
        assert set(node) <= set(ATTRIBUTES)
        assert node["FULL_PATH"] == path
        for name, child in node.get("CONTENTS", {}).items():
            check(child, f"{path.rstrip('/')}/{name}")

    root = tree(Params(), status={"fps": 24.0, "source": "CAM é"}, presets=("Ink",), actions=("timeline/seek",))
    check(json.loads(json.dumps(root)), "/")


@pytest.mark.parametrize(
    "spec", [spec for spec in PARAMS.values() if spec.kind in (Kind.INT, Kind.FLOAT)], ids=lambda spec: spec.name
)
def test_ranges_are_those_of_the_table(spec: object) -> None:
    assert hasattr(spec, "name")
    node = at(f"/sdv2/{spec.name}")
    (limits,) = node["RANGE"]
    assert limits["MIN"] == spec.low  # type: ignore[attr-defined]
    assert limits.get("MAX", spec.high) == spec.high  # type: ignore[attr-defined]
    assert ("MAX" in limits) == (spec.name != "seed")  # the double of a JSON reader could not hold it
    assert node["CLIPMODE"] == ["both"]


def test_values_are_the_live_ones() -> None:
    params = updated(Params(), {"noise_scale": 0.25, "prompt": "ink é 墨", "freeze": True, "steps": (900, 300), "seed": 2**40})
    assert at("/sdv2/noise_scale", params)["VALUE"] == [0.25]
    assert at("/sdv2/prompt", params)["VALUE"] == at("/sdv2/prompt/1/text", params)["VALUE"] == ["ink é 墨"]
    assert (at("/sdv2/freeze", params)["TYPE"], at("/sdv2/freeze", params)["VALUE"]) == ("T", [True])
    assert (at("/sdv2/bypass", params)["TYPE"], at("/sdv2/bypass", params)["VALUE"]) == ("F", [False])
    assert (at("/sdv2/steps", params)["TYPE"], at("/sdv2/steps", params)["VALUE"]) == ("s", ["900,300"])
    assert (at("/sdv2/seed", params)["TYPE"], at("/sdv2/seed", params)["VALUE"]) == ("h", [2**40])


def test_choices_presets_status_and_triggers() -> None:
    assert at("/sdv2/interpolation")["RANGE"] == [{"VALS": ["linear", "slerp"]}]
    assert at("/sdv2/preset", presets=("Ink", "Neon"))["RANGE"] == [{"VALS": ["Ink", "Neon"]}]
    assert at("/sdv2/status/fps", status={"fps": 24})["VALUE"] == [24.0]
    assert at("/sdv2/info/source", status={"source": "CAM"})["ACCESS"] == READ
    assert (at("/sdv2/reset")["TYPE"], at("/sdv2/reset")["ACCESS"]) == ("I", 2)
    assert "VALUE" not in at("/sdv2/reset")
    assert at("/sdv2/timeline/seek", actions=("timeline/seek", "preset/save"))["TYPE"] == "f"


def test_text_without_choices_has_no_range() -> None:
    assert "RANGE" not in at("/sdv2/prompt")  # clients would show a menu


def test_what_is_streamed_is_understood_when_sent_back() -> None:
    params = updated(Params(), {"steps": (900, 300), "interpolation": "slerp", "freeze": True})
    for name, spec in PARAMS.items():
        if spec.kept:
            args = arguments(name, params)
            assert meaning(f"/sdv2/{name}", args) is not None
    assert arguments("freeze", params) == (1,)
    assert arguments("prompt/1/text", params) == (params.prompt,)


def test_no_node_at_other_addresses() -> None:
    root = tree(Params())
    for path in ("/nothing", "/sdv2/noise_scale/norm", "/sdv2/prompt/9/text", "/sdv2/subscribe"):
        assert find(root, path) is None
