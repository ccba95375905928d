"""The TouchOSC layout, read as TouchOSC reads it: zlib, XML, nodes of known types with known properties in their places."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ElementTree
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import py2tosc
import pytest
from support.places import EXAMPLES

from sdv2_live.config.schema_files import config_dir
from sdv2_live.control.coerce import coerce
from sdv2_live.control.osc.addresses import ACTIONS, Call, Setting, resolve
from sdv2_live.control.params import PARAMS, Kind, ParamSpec
from sdv2_live.control.presets.library import PresetLibrary
from sdv2_live.control.surfaces import places, touchosc
from sdv2_live.control.surfaces.touchosc import layout, tosc
from sdv2_live.live.adaptation import AdaptationState
from sdv2_live.live.input_policy import InputState
from sdv2_live.show.status import Status
from sdv2_live.worker.host import EngineState

EXAMPLE = EXAMPLES / "touchosc" / "sdv2-live.tosc"

# The TouchOSC manual, "Script: Properties and Values", with the types that the editor writes.
COMMON = {
    **dict.fromkeys(("name", "tag", "script"), "s"),
    **dict.fromkeys(("visible", "interactive", "background", "outline", "grabFocus", "locked"), "b"),
    **dict.fromkeys(("outlineStyle", "pointerPriority", "orientation", "shape"), "i"),
    "frame": "r",
    "color": "c",
    "cornerRadius": "f",
}
LETTERS = {"font": "i", "textSize": "i", "textAlignH": "i", "textAlignV": "i", "textColor": "c", "textClip": "b"}
TAB = {"tabLabel": "s", "tabColorOn": "c", "tabColorOff": "c", "textColorOn": "c", "textColorOff": "c"}
PROPERTIES = {
    "GROUP": COMMON | TAB,
    "PAGER": COMMON
    | {"tabLabels": "b", "tabbar": "b", "tabbarDoubleTap": "b"}
    | dict.fromkeys(("tabbarSize", "textSizeOn", "textSizeOff"), "i"),
    "BUTTON": COMMON | {"buttonType": "i", "press": "b", "release": "b", "valuePosition": "b"},
    "LABEL": COMMON | LETTERS | {"textLength": "i"},
    "TEXT": COMMON | LETTERS | {"textWrap": "b"},
    "FADER": COMMON
    | dict.fromkeys(("response", "responseFactor", "barDisplay", "cursorDisplay", "gridSteps"), "i")
    | dict.fromkeys(("grid", "bar", "cursor"), "b")
    | {"gridColor": "c"},
}
VALUES = {"GROUP": {"touch"}, "PAGER": {"touch", "page"}, "LABEL": {"touch", "text"}, "TEXT": {"touch", "text"}}
SENT_BY_THE_SERVER = ("/sdv2/status/", "/sdv2/info/", "/sdv2/error")


class Osc(NamedTuple):
    """One OSC message of a control."""

    address: str
    send: bool
    receive: bool
    trigger: str
    partials: list[dict[str, str]]


class Node(NamedTuple):
    """One node with what it holds, its frame relative to its parent's."""

    id: str
    kind: str
    properties: dict[str, tuple[str, Any]]
    values: dict[str, str]
    messages: list[Osc]
    locals: list[dict[str, str]]
    children: list[Node]

    @property
    def name(self) -> str:
        return str(self.properties["name"][1])

    @property
    def frame(self) -> tuple[float, float, float, float]:
        frame = self.properties["frame"][1]
        return frame["x"], frame["y"], frame["w"], frame["h"]

    def walk(self) -> Iterator[Node]:
        yield self
        for child in self.children:
            yield from child.walk()


def text(element: ElementTree.Element, path: str) -> str:
    found = element.find(path)
    assert found is not None, f"{element.tag} has no {path}"
    return found.text or ""


def read(element: ElementTree.Element) -> Node:
    properties = {}
    for item in element.findall("properties/property"):
        value = item.find("value")
        assert value is not None
        content = {part.tag: float(part.text or "") for part in value} if len(value) else value.text or ""
        properties[text(item, "key")] = (item.get("type", ""), content)
    messages = [
        Osc(
            "".join(text(part, "value") for part in osc.findall("path/partial")),
            text(osc, "send") == "1",
            text(osc, "receive") == "1",
            (osc.findtext("triggers/trigger/condition") or ""),
            [{part.tag: part.text or "" for part in partial} for partial in osc.findall("arguments/partial")],
        )
        for osc in element.findall("messages/osc")
    ]
    return Node(
        element.get("ID", ""),
        element.get("type", ""),
        properties,
        {text(value, "key"): text(value, "default") for value in element.findall("values/value")},
        messages,
        [{part.tag: part.text or "" for part in local} for local in element.findall("messages/local")],
        [read(child) for child in element.findall("children/node")],
    )


@pytest.fixture(scope="module")
def content() -> bytes:
    return tosc(layout(PresetLibrary(config_dir() / "presets").presets))


@pytest.fixture(scope="module")
def root(content: bytes) -> Node:
    document = ElementTree.fromstring(zlib.decompress(content))
    assert document.tag == "lexml"
    assert document.get("version") == "6"
    (node,) = document.findall("node")
    return read(node)


@pytest.fixture(scope="module")
def nodes(root: Node) -> list[Node]:
    return list(root.walk())


def test_the_committed_example_is_current(content: bytes) -> None:
    assert zlib.decompress(EXAMPLE.read_bytes()) == zlib.decompress(content), "run: sdv2-live osc --touchosc " + str(EXAMPLE)


def test_another_reader_of_the_format_finds_nothing_wrong(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "layout.tosc"
    path.write_bytes(content)
    document = py2tosc.load(path)
    assert document.validate() == []
    assert document.dumps().encode() == zlib.decompress(content)


def test_types_and_properties_are_those_of_the_manual(nodes: list[Node]) -> None:
    for node in nodes:
        known = PROPERTIES[node.kind]
        assert {key: kind for key, (kind, _) in node.properties.items()}.items() <= known.items(), node.name
        assert set(node.values) == VALUES.get(node.kind, {"touch", "x"}), node.name


def test_ids_and_names_are_unique(nodes: list[Node]) -> None:
    assert max(Counter(node.id for node in nodes).values()) == 1
    assert max(Counter(node.name for node in nodes).values()) == 1


def test_children_are_inside_their_parents_and_siblings_apart(nodes: list[Node]) -> None:
    for node in nodes:
        _, _, width, height = node.frame
        for child in node.children:
            x, y, w, h = child.frame
            assert w >= 20
            assert h >= 18
            assert x >= 0
            assert y >= 0
            assert x + w <= width + 0.5, child.name
            assert y + h <= height + 0.5, child.name
        if node.kind != "PAGER":  # whose pages lie on one another
            for one, other in itertools.combinations(node.children, 2):
                assert not overlap(one.frame, other.frame) or is_face(one, other), (one.name, other.name)


def overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    apart = [one[i] + one[i + 2] <= other[i] + 0.5 or other[i] + other[i + 2] <= one[i] + 0.5 for i in (0, 1)]
    return not any(apart)


def is_face(button: Node, label: Node) -> bool:
    """A label lies on its own button, and lets the finger through."""
    return (
        button.kind == "BUTTON"
        and label.kind == "LABEL"
        and label.name == f"{button.name} face"
        and label.properties["interactive"][1] == "0"
    )


def test_every_kept_parameter_has_one_control_and_every_trigger_a_button(nodes: list[Node]) -> None:
    tags = Counter(str(node.properties["tag"][1]) for node in nodes if "tag" in node.properties)
    assert tags == {name: 1 for name, spec in PARAMS.items() if spec.kind is not Kind.TRIGGER}
    pressed = {message.address for node in nodes for message in node.messages if message.send}
    assert {f"/sdv2/{name}" for name, spec in PARAMS.items() if spec.kind is Kind.TRIGGER} <= pressed


CONVERSIONS: dict[str, Callable[[Any], Any]] = {"FLOAT": float, "INTEGER": lambda value: int(float(value)), "STRING": str}


def sent(message: Osc, x: float) -> tuple[Any, ...]:
    """The arguments that TouchOSC sends with a control at `x`."""
    args: list[Any] = []
    for partial in message.partials:
        raw: Any = partial["value"]
        if partial["type"] == "VALUE":
            assert raw == "x"
            low, high = float(partial["scaleMin"]), float(partial["scaleMax"])
            raw = low + x * (high - low)
        args.append(CONVERSIONS[partial["conversion"]](raw))
    return tuple(args)


def spec_at(message: Osc, x: float) -> ParamSpec | None:
    asked = resolve(message.address, sent(message, x))
    assert asked is not None
    return PARAMS[asked.name] if isinstance(asked, Setting) else None


def test_every_message_sent_is_understood_and_in_range(nodes: list[Node]) -> None:
    for node in nodes:
        for message in node.messages:
            if not message.send:
                continue
            for x in (0.0, 0.5, 1.0):
                asked = resolve(message.address, sent(message, x))
                if isinstance(asked, Call):
                    assert asked.action.name in ACTIONS
                    continue
                assert asked is not None
                if asked.name == "seed" and isinstance(asked.value, str):
                    assert asked.value in ("random", "lock")
                    continue
                assert coerce(PARAMS[asked.name], asked.value).note == "", (node.name, asked)


def test_faders_span_their_ranges_and_start_at_the_default(nodes: list[Node]) -> None:
    faders = [node for node in nodes if node.kind == "FADER"]
    assert len(faders) >= 12
    for node in faders:
        (message,) = node.messages
        spec = spec_at(message, 0.0)
        assert spec is not None
        assert sent(message, 0.0) == (spec.low,)
        assert sent(message, 1.0) == (spec.high,)
        assert sent(message, float(node.values["x"])) == (pytest.approx(spec.default),)
        assert message.receive
        assert all(local["scaleMin"] == message.partials[0]["scaleMin"] for local in node.locals)


def test_toggles_start_at_the_default_and_follow(nodes: list[Node]) -> None:
    for node in nodes:
        if node.properties.get("buttonType", ("", ""))[1] == "2":
            (message,) = node.messages
            spec = spec_at(message, 1.0)
            assert spec is not None
            assert spec.kind is Kind.BOOL
            assert message.receive
            assert float(node.values["x"]) == float(bool(spec.default))


def test_momentary_buttons_send_once_a_press_and_do_not_stay_lit(nodes: list[Node]) -> None:
    momentary = [node for node in nodes if node.kind == "BUTTON" and node.properties["buttonType"][1] == "0"]
    held = [node for node in momentary if node.name in PARAMS and PARAMS[node.name].kind is Kind.BOOL]
    assert {node.name for node in held} == {"tempo/push", "tempo/pull"}
    for node in held:
        assert {(message.trigger, sent(message, 0.0), sent(message, 1.0)) for message in node.messages} == {("ANY", (0,), (1,))}
    assert len(momentary) > 30
    for node in (node for node in momentary if node not in held):
        (message,) = node.messages
        assert message.trigger == "RISE"
        assert not message.receive  # a trigger is echoed as 1, and nothing would switch the button off again
        assert all(partial["type"] == "CONSTANT" for partial in message.partials)


def test_what_is_received_is_what_the_server_sends(nodes: list[Node]) -> None:
    for node in nodes:
        for message in node.messages:
            if message.receive and not message.address.startswith(SENT_BY_THE_SERVER):
                assert PARAMS[message.address.removeprefix("/sdv2/")].kind is not Kind.TRIGGER


def test_the_status_shown_is_one_that_the_show_sends(nodes: list[Node]) -> None:
    status = Status("", True, 0.0, 0.0, 0.0, 0.0, 0.0, {}, EngineState("running"), InputState(), AdaptationState())
    sent_names = set(status.numbers())
    shown = [
        message.address
        for node in nodes
        for message in node.messages
        if message.address.startswith(("/sdv2/status/", "/sdv2/info/"))
    ]
    assert len(shown) > 10
    assert {address.split("/")[-1] for address in shown} <= sent_names


def test_local_messages_reach_labels(nodes: list[Node]) -> None:
    by_id = {node.id: node for node in nodes}
    targets = [by_id[local["dstID"]] for node in nodes for local in node.locals]
    assert targets
    assert all(target.kind == "LABEL" for target in targets)


def test_feedback_is_asked_for(root: Node, nodes: list[Node]) -> None:
    connect = next(node for node in nodes if node.name == "connect")
    assert resolve("/sdv2/subscribe", sent(connect.messages[0], 1.0)) == Call(ACTIONS["subscribe"], (touchosc.FEEDBACK_PORT,))
    assert f"sendOSC('/sdv2/subscribe', {touchosc.FEEDBACK_PORT})" in root.properties["script"][1]


def test_presets_and_cues_are_named(nodes: list[Node]) -> None:
    labels = {node.name: node.values["text"] for node in nodes if node.kind == "LABEL"}
    presets = PresetLibrary(config_dir() / "presets").presets
    for preset in presets:
        assert labels[f"preset {preset.number} face"] == preset.name
    cue = next(node for node in nodes if node.name == f"cue {presets[0].number}")
    assert resolve(cue.messages[0].address, sent(cue.messages[0], 1.0)) == Setting("cue_prompt", presets[0].values["prompt"])


def test_unicode_names_survive(tmp_path: Path) -> None:
    (tmp_path / "01-x.yaml").write_text('name: "Fête ]]> & <墨>"\nparams: {prompt: "encre é \\u0001墨"}', encoding="utf-8")
    document = ElementTree.fromstring(zlib.decompress(tosc(layout(PresetLibrary(tmp_path).presets))))
    (node,) = document.findall("node")
    controls = {control.name: control for control in read(node).walk()}
    assert controls["preset 1 face"].values["text"] == "Fête ]] > & <墨>"
    assert sent(controls["cue 1"].messages[0], 1.0) == ("encre é 墨",)


@pytest.mark.parametrize("count", [1, 5, 20])
def test_new_parameters_find_a_place(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    new = [
        spec
        for i in range(count)
        for spec in (
            ParamSpec(f"glow_{i}", Kind.FLOAT, 0.5, "", field=f"glow_{i}", low=0.0, high=2.0),
            ParamSpec(f"mirror_{i}", Kind.BOOL, True, "", field=f"mirror_{i}"),
            ParamSpec(f"look_{i}", Kind.CHOICE, "a", "", field=f"look_{i}", choices=("a", "b", "c")),
        )
    ]
    family = [
        ParamSpec(f"tone/{i}/gain", Kind.FLOAT, 0.5, "", field="gains", index=i - 1, low=0.0, high=2.0) for i in range(1, 7)
    ]
    monkeypatch.setattr(places, "PARAMS", {**PARAMS, **{spec.name: spec for spec in (*new, *family)}})
    if count == 20:
        with pytest.raises(ValueError, match=r"^no room for \d+ rows of controls on one page; claim some of"):
            layout()
        return
    document = layout()
    assert document.validate() == []
    tags = [control.get("tag") for control in document.walk()]
    assert all(tags.count(spec.name) == 1 for spec in (*new, *family))
    for control in document.walk():
        assert all(frame_within(child.frame, control.frame) for child in control.children)


def frame_within(child: py2tosc.Frame, parent: py2tosc.Frame) -> bool:
    return child.x >= 0 and child.y >= 0 and child.x + child.w <= parent.w + 0.5 and child.y + child.h <= parent.h + 0.5
