"""Learning: which control was moved, and the map's text afterwards."""

from __future__ import annotations

import queue
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

mido = pytest.importorskip("mido", reason="mido is not installed (pip install 'sdv2-live[midi]')")

from sdv2_live.config.schema_files import config_dir  # noqa: E402
from sdv2_live.errors import ConfigError, MidiError, ParamError  # noqa: E402
from sdv2_live.midi.learn import SETTLE_S, ambiguous, check_address, learned, moved, taught, write  # noqa: E402
from sdv2_live.midi.mapfile import load_map, read_map  # noqa: E402
from sdv2_live.yamlfile import parse_yaml  # noqa: E402

MAP = """\
# my pad
port: Pad  # the small one
controls:
  # faders
  - {cc: 7, address: /sdv2/mix, pickup: true}  # the long one
  - cc: 8
    address: /sdv2/noise_scale/norm
    range: [0.2, 0.9]  # enough

  # buttons
  - {note: 1, address: /sdv2/preset, value: 1, led: {on: 1, off: 5}}
  - {note: 2, address: /sdv2/preset, value: 2}  # last
# the end
"""
PATH = Path("pad.yaml")


def cc(*pairs: tuple[int, int], channel: int = 0) -> list[Any]:
    return [mido.Message("control_change", control=number, value=value, channel=channel) for number, value in pairs]


def message(kind: str, **values: int) -> Any:
    return mido.Message(kind, **values)


def controls(text: str) -> list[dict[str, Any]]:
    read_map(parse_yaml(text, PATH))
    items: list[dict[str, Any]] = parse_yaml(text, PATH).data["controls"]
    return items


@pytest.mark.parametrize(
    ("messages", "address", "value", "item"),
    [
        (cc((7, 60), (7, 61)), "/sdv2/mix", None, {"cc": 7, "channel": 1}),
        (cc((7, 60), (39, 3), channel=4), "/sdv2/mix", None, {"cc14": 7, "channel": 5}),
        (cc((7, 127), (7, 0)), "/sdv2/freeze", None, {"cc": 7, "channel": 1, "action": "toggle"}),
        (cc((7, 127), (7, 0)), "/sdv2/tempo/pull", None, {"cc": 7, "channel": 1, "action": "hold"}),
        (cc((7, 60), (7, 61)), "/sdv2/freeze", None, {"cc": 7, "channel": 1}),
        (cc((39, 3), (7, 60), channel=4), "/sdv2/mix", None, {"cc14": 7, "channel": 5}),
        (cc((99, 1), (98, 5), (6, 40), (38, 2)), "/sdv2/mix", None, {"nrpn": 133, "channel": 1}),
        (cc((98, 5), (99, 1), (38, 2), (6, 40)), "/sdv2/mix", None, {"nrpn": 133, "channel": 1}),
        (cc((7, 1), (7, 1)), "/sdv2/mix", None, {"cc": 7, "channel": 1, "relative": "twos"}),
        (cc((7, 127), (7, 127), (7, 126)), "/sdv2/mix", None, {"cc": 7, "channel": 1, "relative": "twos"}),
        (cc((7, 1), (7, 127), (7, 2)), "/sdv2/mix", None, {"cc": 7, "channel": 1, "relative": "twos"}),
        (cc((7, 65), (7, 65)), "/sdv2/mix", None, {"cc": 7, "channel": 1, "relative": "offset"}),
        (cc((7, 63), (7, 63)), "/sdv2/mix", None, {"cc": 7, "channel": 1, "relative": "offset"}),
        (cc((7, 1), (7, 1), (7, 65)), "/sdv2/mix", None, {"cc": 7, "channel": 1, "relative": "sign"}),
        (cc((7, 65), (7, 65), (7, 1)), "/sdv2/mix", None, {"cc": 7, "channel": 1, "relative": "sign"}),
        (cc((7, 3), (7, 4), (7, 5)), "/sdv2/mix", None, {"cc": 7, "channel": 1}),
        (cc((7, 64), (7, 65), (7, 64)), "/sdv2/mix", None, {"cc": 7, "channel": 1}),
        (cc((7, 127)), "/sdv2/freeze", None, {"cc": 7, "channel": 1, "action": "toggle"}),
        ([message("pitchwheel", pitch=p, channel=3) for p in (0, 90)], "/sdv2/mix", None, {"pitchbend": 4}),
        ([message("note_on", note=104), message("pitchwheel", pitch=9)], "/sdv2/mix", None, {"pitchbend": 1}),
        ([message("note_on", note=104), *cc((7, 9), (7, 12))], "/sdv2/mix", None, {"cc": 7, "channel": 1}),
        ([message("aftertouch", value=9)], "/sdv2/mix", None, {"aftertouch": "all", "channel": 1}),
        ([message("polytouch", note=36, value=9)], "/sdv2/mix", None, {"aftertouch": 36, "channel": 1}),
        ([message("note_on", note=36), message("polytouch", note=36)], "/sdv2/mix", None, {"aftertouch": 36, "channel": 1}),
        ([message("note_on", note=36), message("polytouch", note=36)], "/sdv2/freeze", None, {"note": 36, "channel": 1}),
        ([message("note_on", note=36), message("aftertouch")], "/sdv2/preset", 3, {"note": 36, "channel": 1, "value": 3}),
        ([mido.Message("note_on", note=9)], "/sdv2/reset", None, {"note": 9, "channel": 1}),
        ([mido.Message("note_on", note=9)], "/sdv2/preset", 3, {"note": 9, "channel": 1, "value": 3}),
        ([mido.Message("program_change", program=9)], "/sdv2/preset", 3, {"program": 9, "channel": 1, "value": 3}),
    ],
)
def test_control_is_recognised_by_what_it_sends(messages: Any, address: str, value: Any, item: dict[str, Any]) -> None:
    assert learned(messages, address, value) == item | {"address": address}


def test_next_control_is_waited_for() -> None:
    heard: queue.SimpleQueue[Any] = queue.SimpleQueue()
    for message in (
        mido.Message("clock"),
        mido.Message("note_off", note=3),
        mido.Message("note_on", note=3, velocity=0),
        *cc((7, 1)),
    ):
        heard.put(message)
    assert moved(heard, 10.0) == cc((7, 1))
    with pytest.raises(MidiError, match=r"no control was moved within 0\.01 s; nothing was changed"):
        moved(heard, 0.01)


def test_fader_that_is_touched_first_is_waited_for() -> None:
    heard: queue.SimpleQueue[Any] = queue.SimpleQueue()
    touch, move = message("note_on", note=104), message("pitchwheel", pitch=5)
    heard.put(touch)
    threading.Timer(SETTLE_S + 0.2, heard.put, [move]).start()
    assert moved(heard, 10.0) == [touch, move]


def test_encoder_turned_one_way_leaves_its_coding_open() -> None:
    assert ambiguous(cc((7, 1), (7, 1)))
    assert ambiguous(cc((7, 65), (7, 65)))
    assert not ambiguous(cc((7, 1), (7, 1), (7, 127)))
    assert not ambiguous(cc((7, 3), (7, 4)))
    assert not ambiguous([message("note_on", note=1)])


def test_encoder_in_place_of_a_fader_and_back() -> None:
    encoder = {"cc": 20, "channel": 1, "relative": "twos", "address": "/sdv2/noise_scale/norm"}
    text, _ = taught(MAP, PATH, encoder)
    assert encoder | {"range": [0.2, 0.9]} in controls(text)
    fader = {"cc": 8, "channel": 1, "address": "/sdv2/noise_scale/norm"}
    text, _ = taught(text.replace("relative: twos", "relative: twos, step: 0.05"), PATH, fader)
    assert fader | {"range": [0.2, 0.9]} in controls(text)


def test_new_entry_goes_behind_the_last_and_comments_stay() -> None:
    text, replaced = taught(MAP, PATH, {"note": 9, "channel": 2, "address": "/sdv2/reset"})
    assert not replaced
    assert text == MAP.replace("# last\n", "# last\n  - {note: 9, channel: 2, address: /sdv2/reset}\n")


def test_entry_for_the_same_address_takes_the_new_control() -> None:
    text, replaced = taught(MAP, PATH, {"cc14": 3, "channel": 1, "address": "/sdv2/mix"})
    assert replaced
    old = "{cc: 7, address: /sdv2/mix, pickup: true}"
    assert text == MAP.replace(old, "{cc14: 3, channel: 1, address: /sdv2/mix, pickup: true}")


def test_entry_over_several_lines_becomes_one() -> None:
    text, _ = taught(MAP, PATH, {"cc": 3, "channel": 1, "address": "/sdv2/noise_scale/norm"})
    line = "  - {cc: 3, channel: 1, address: /sdv2/noise_scale/norm, range: [0.2, 0.9]}"
    assert line in text.splitlines() or f"{line}  # enough" in text.splitlines()
    assert "\n\n  # buttons\n" in text
    assert len(controls(text)) == 4


def test_value_tells_entries_of_one_address_apart() -> None:
    text, replaced = taught(MAP, PATH, {"note": 30, "channel": 1, "address": "/sdv2/preset", "value": 2})
    assert replaced
    assert [item.get("note") for item in controls(text)] == [None, None, 1, 30]
    text, replaced = taught(text, PATH, {"note": 31, "channel": 1, "address": "/sdv2/preset", "value": 3})
    assert not replaced
    assert len(controls(text)) == 5


def test_keys_that_no_longer_fit_are_left_out() -> None:
    text, replaced = taught(MAP, PATH, {"note": 5, "channel": 1, "address": "/sdv2/mix", "value": 0.0} | {"action": "hold"})
    assert not replaced  # the old one has no such value
    text = MAP.replace("value: 1, led", "value: 1, channel: 4, led")
    text, replaced = taught(text, PATH, {"program": 5, "channel": 1, "address": "/sdv2/preset", "value": 1})
    assert replaced
    assert {"program": 5, "channel": 1, "address": "/sdv2/preset", "value": 1} in controls(text)


@pytest.mark.parametrize(
    "text",
    [
        "port: Pad\ncontrols: []\n",
        "port: Pad\ncontrols: []",
        "controls: []  # none\nport: Pad\n",
        "{port: Pad, controls: [{cc: 1, address: /sdv2/mix}]}",
    ],
)
def test_maps_of_other_shapes(text: str) -> None:
    before = len(controls(text))
    new, _ = taught(text, PATH, {"note": 9, "channel": 1, "address": "/sdv2/prompt", "value": "on: 'ink', 100%"})
    assert len(controls(new)) == before + 1
    assert controls(new)[-1]["value"] == "on: 'ink', 100%"
    assert yaml.safe_load(new)["port"] == "Pad"


def test_shipped_maps_can_be_taught() -> None:
    for path in (config_dir() / "midi").glob("*.yaml"):
        text = path.read_text()
        new, replaced = taught(text, path, {"cc": 100, "channel": 1, "address": "/sdv2/mix/norm"})
        assert replaced
        assert sum(a != b for a, b in zip(text.splitlines(), new.splitlines(), strict=True)) == 1


def test_what_does_not_fit_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="say what a press does to mix"):
        taught("port: Pad\ncontrols: []\n", PATH, learned([mido.Message("note_on", note=1)], "/sdv2/mix"))
    with pytest.raises(ParamError, match=r"--learn: there is no address '/sdv2/mixx'; did you mean"):
        check_address("/sdv2/mixx")
    path = tmp_path / "new" / "pad.yaml"
    write(path, MAP)
    assert len(load_map(path).entries) == 4
    assert list(path.parent.iterdir()) == [path]
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        write(tmp_path / "file" / "pad.yaml", MAP)
