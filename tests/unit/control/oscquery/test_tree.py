"""What OSCQuery clients read of each parameter."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sdv2_live.control.names import ParamNames
from sdv2_live.control.osc.addresses import ACTIONS, Call, Setting, resolve
from sdv2_live.control.oscquery.tree import ATTRIBUTES, READ, WRITE, Node, arguments, find, methods, tree
from sdv2_live.control.params import ALIASES, PARAMS, Kind, Params, updated
from sdv2_live.control.rows import Group

NAMES = ParamNames(("ink",))
EVERYTHING: dict[str, object] = {
    "status": {"fps": 24.0, "source": "CAM é"},
    "presets": ("Ink",),
    "actions": tuple(ACTIONS),
    "names": NAMES,
}


def leaves(node: Node) -> Iterator[Node]:
    """As a strict client reads a tree: values at its leaves, and nowhere else."""
    if "CONTENTS" in node:
        assert not {"TYPE", "VALUE"} & set(node), node["FULL_PATH"]
        assert node["ACCESS"] == 0
        for child in node["CONTENTS"].values():
            yield from leaves(child)
    else:
        assert len(node["VALUE"]) == len(node["TYPE"]) == 1
        yield node


def at(path: str, params: Params | None = None, **kinds: object) -> Node:
    return methods(params or Params(), **kinds)[path]  # type: ignore[arg-type]


def test_a_strict_client_reaches_everything() -> None:
    """Every parameter and action at its own address, or at an alias below it."""
    every = methods(Params(), **EVERYTHING)  # type: ignore[arg-type]
    reached = {node["FULL_PATH"].removeprefix("/sdv2/") for node in leaves(tree(every))}
    meant = {ALIASES.get(name, name) for name in reached}
    loras = {name for name in PARAMS if name.startswith("lora/") and name != "lora/1/scale"}
    assert meant >= PARAMS.keys() - loras | ACTIONS.keys() | {"lora/ink/scale", "status/fps", "info/source"}
    assert not meant & loras
    assert len(reached) == len(every) - 3  # /sdv2/prompt, /sdv2/preset and /sdv2/feedback, which lie above others


def test_every_address_answers_for_itself() -> None:
    every = methods(Params(), **EVERYTHING)  # type: ignore[arg-type]
    for name in (*ACTIONS, "prompt", "prompt/1/text", "preset", "preset/name", "preset/save", "preset/reload"):
        assert every[f"/sdv2/{name}"]["FULL_PATH"] == f"/sdv2/{name}"
        assert "CONTENTS" not in every[f"/sdv2/{name}"]
    root = tree(every)
    for path in ("/", "/sdv2", "/sdv2/prompt", "/sdv2/prompt/2", "/sdv2/preset"):
        node = find(root, path)
        assert node is not None
        assert node["CONTENTS"]


def test_what_a_client_sends_to_a_node_is_understood() -> None:
    """Of the node's own type and value, by a client that knows nothing but the tree."""
    examples = {"preset/save": "Ink", "preset": "Ink", "preset/name": "Ink", "take": True}
    for node in leaves(tree(methods(Params(), **EVERYTHING))):  # type: ignore[arg-type]
        name, value = node["FULL_PATH"].removeprefix("/sdv2/"), node["VALUE"][0]
        if node["ACCESS"] & WRITE:
            asked = resolve(node["FULL_PATH"], (examples.get(name, True if value is None else value),), names=NAMES)
            assert isinstance(asked, Call if name in ACTIONS else Setting)


def test_the_scaled_forms_are_told() -> None:
    for name in ("noise_scale", "seed", "freeze", "interpolation"):
        assert at(f"/sdv2/{name}")["DESCRIPTION"].endswith("Also at /norm as 0..1 and at /midi as 0..127, scaled to the range.")
    for name in ("prompt", "steps", "reset", "preset"):
        assert "/norm" not in at(f"/sdv2/{name}")["DESCRIPTION"]
    top = find(tree(methods(Params())), "/sdv2")
    assert top is not None
    assert "/norm" in top["DESCRIPTION"]


def test_nodes_are_json_with_known_attributes_and_their_own_path() -> None:
    def check(node: Node, path: str) -> None:
        assert set(node) <= set(ATTRIBUTES)
        assert node["FULL_PATH"] == path
        for name, child in node.get("CONTENTS", {}).items():
            check(child, f"{path.rstrip('/')}/{name}")

    check(json.loads(json.dumps(tree(methods(Params(), **EVERYTHING)))), "/")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "spec",
    [spec for spec in PARAMS.values() if spec.kind in (Kind.INT, Kind.FLOAT) and spec.field != "lora_scales"],
    ids=lambda spec: spec.name,
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
    assert at("/sdv2/reset")["VALUE"] == [None]
    assert at("/sdv2/timeline/seek", actions=("timeline/seek",))["TYPE"] == "f"
    assert at("/sdv2/preset/save", actions=("preset/save",))["TYPE"] == "s"


def test_text_without_choices_has_no_range() -> None:
    assert "RANGE" not in at("/sdv2/prompt")  # clients would show a menu


def test_what_is_streamed_is_understood_when_sent_back() -> None:
    params = updated(Params(), {"steps": (900, 300), "interpolation": "slerp", "freeze": True})
    for name, spec in PARAMS.items():
        if spec.kept:
            args = arguments(name, params)
            assert resolve(f"/sdv2/{name}", args) is not None
    assert arguments("freeze", params) == (1,)
    assert arguments("prompt/1/text", params) == (params.prompt,)


def test_no_node_at_other_addresses() -> None:
    root = tree(methods(Params()))
    for path in ("/nothing", "/sdv2/noise_scale/norm", "/sdv2/prompt/9/text", "/sdv2/subscribe", "/sdv2/lora/1/scale"):
        assert find(root, path) is None


def hinted(name: str) -> Any:
    return at(f"/sdv2/{name}", names=NAMES)["HINTS"]


def test_every_parameter_hints_how_it_may_be_shown() -> None:
    hints = {node["FULL_PATH"]: node["HINTS"] for node in leaves(tree(methods(Params(), names=NAMES)))}
    assert all(
        set(one) - {"length"} == {"default", "label", "group", "rank", "span", "widget", "applies"} for one in hints.values()
    )
    assert {one.get("length") for one in hints.values() if one["widget"] == "text"} == {64, 4000}
    assert {one["group"] for one in hints.values()} == {group.value for group in Group} - {"more"}
    assert {one["rank"] for one in hints.values()} == {1, 2, 3}
    assert all(one["label"] and "{" not in one["label"] and "_" not in one["label"] for one in hints.values())
    assert json.loads(json.dumps(hints)) == hints


def test_hints_say_what_the_kind_alone_does_not_tell() -> None:
    assert (hinted("noise_scale")["widget"], hinted("noise_scale")["default"], hinted("noise_scale")["span"]) == (
        "fader",
        0.7,
        None,
    )
    assert (hinted("transition_chunks")["widget"], hinted("seed")["widget"]) == ("value", "seed")
    assert (hinted("freeze")["widget"], hinted("noise_controller")["widget"]) == ("key", "switch")
    assert (hinted("steps")["default"], hinted("reset")["default"], hinted("normalize_latents")["default"]) == (
        "700,500",
        None,
        False,
    )
    assert (hinted("prompt/3/text")["label"], hinted("prompt/1/text")["label"], hinted("prompt")["label"]) == (
        "Prompt 3",
        "Prompt 1",
        "Prompt 1",
    )
    assert (hinted("lora/ink/scale")["label"], hinted("lora/1/scale")["label"]) == ("ink", "LoRA 1")
    assert hinted("lora/ink/scale")["span"] == [0.0, 1.5]
    assert (hinted("seed_mode")["label"], hinted("seed_mode")["applies"]) == ("Seed mode", "next reset")
