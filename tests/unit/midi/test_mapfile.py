"""Maps: what ships is right, and every mistake is named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

mido = pytest.importorskip("mido", reason="mido is not installed (pip install 'sdv2-live[midi]')")

from sdv2_live.config.schema_files import config_dir  # noqa: E402
from sdv2_live.control.osc.addresses import Call, Setting, resolve  # noqa: E402
from sdv2_live.errors import ConfigError  # noqa: E402
from sdv2_live.midi.mapfile import load_map, read_map  # noqa: E402
from sdv2_live.midi.mapping import Act, Entry  # noqa: E402
from sdv2_live.yamlfile import parse_yaml  # noqa: E402

SHIPPED = sorted((config_dir() / "midi").glob("*.yaml"))


def entry(text: str) -> Entry:
    return read_map(parse_yaml(f"port: Pad\ncontrols:\n  - {text}", Path("pad.yaml"))).entries[0]


def mistakes(text: str) -> str:
    with pytest.raises(ConfigError) as refused:
        read_map(parse_yaml(text, Path("pad.yaml")))
    return str(refused.value)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_maps_mean_something_to_the_daemon(path: Path) -> None:
    for one in load_map(path).entries:
        argument = one.argument(0.5) if one.act is Act.VALUE else one.value
        args = () if argument is None else tuple(argument) if isinstance(argument, list) else (argument,)
        assert isinstance(resolve(one.target.address, args), Setting | Call)
        assert one.control.channel is not None


def test_shipped_maps_fit_their_controllers() -> None:
    apc, launch = (load_map(path) for path in SHIPPED)
    assert (apc.port, launch.port) == ("APC MINI", "Launch Control XL")
    assert apc.port not in "APC mini mk2 Control"
    assert {one.control.number for one in apc.entries if one.control.kind == "cc"} == set(range(48, 57))
    assert {one.control.channel for one in launch.entries} == {8}
    assert launch.setup[0].bytes() == [0xF0, 0x00, 0x20, 0x29, 0x02, 0x11, 0x77, 0x08, 0xF7]


@pytest.mark.parametrize(
    ("text", "act"),
    [
        ("{note: 1, address: /sdv2/reset}", Act.TRIGGER),
        ("{note: 1, address: /sdv2/timeline/play}", Act.TRIGGER),
        ("{cc: 1, address: /sdv2/reset}", Act.TRIGGER),
        ("{note: 1, address: /sdv2/freeze}", Act.TOGGLE),
        ("{note: 1, address: /sdv2/tempo/push}", Act.HOLD),
        ("{note: 1, address: /sdv2/tempo/tap}", Act.TRIGGER),
        ("{cc: 1, address: /sdv2/freeze}", Act.VALUE),
        ("{note: 1, address: /sdv2/preset, value: 3}", Act.SET),
        ("{note: 1, address: /sdv2/prompt, value: ink}", Act.SET),
        ("{note: 1, address: /sdv2/steps, value: [900, 300]}", Act.SET),
        ("{note: 1, address: /sdv2/prompt/1/weight/norm, value: 0.5}", Act.SET),
        ("{cc14: 1, address: /sdv2/mix}", Act.VALUE),
        ("{cc: 1, relative: true, address: /sdv2/freeze}", Act.VALUE),
        ("{nrpn: 16383, address: /sdv2/mix}", Act.VALUE),
        ("{pitchbend: any, address: /sdv2/freeze}", Act.VALUE),
        ("{aftertouch: all, address: /sdv2/mix}", Act.VALUE),
        ("{program: all, address: /sdv2/preset}", Act.VALUE),
        ("{program: 7, address: /sdv2/seed, value: random}", Act.SET),
        ("{note: 1, address: /sdv2/mix, action: hold, value: 0.0}", Act.HOLD),
    ],
)
def test_what_an_entry_does_follows_from_its_address(text: str, act: Act) -> None:
    assert entry(text).act is act


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "{note: 1, address: /sdv2/freez}",
            "controls[0].address: there is no address '/sdv2/freez'; did you mean '/sdv2/freeze'?",
        ),
        ("{cc: 1, address: /sdv2/noise_scale/nrm}", "did you mean '/sdv2/noise_scale/norm'?"),
        ("{cc: 1, address: /sdv2/prompt/norm}", "controls[0].address: prompt is no number to scale; use /sdv2/prompt"),
        ("{cc: 1, address: /sdv2/prompt}", "a fader cannot send /sdv2/prompt a value"),
        ("{cc: 1, address: /sdv2/seed}", "controls[0].range: is missing; give what the two ends of the fader send"),
        ("{cc: 1, address: /sdv2/mix, range: [0, 2]}", "controls[0].range: 2 is outside what /sdv2/mix takes, 0..1"),
        ("{cc: 1, address: /sdv2/mix, range: [1, 1]}", "give two different numbers"),
        ("{cc: 1, address: /sdv2/mix, range: [0, .nan]}", "give two different numbers"),
        ("{cc: 1, address: /sdv2/mix, curve: 0}", "controls[0].curve: cannot be 0; give 0.1..10"),
        ("{cc: 128, address: /sdv2/mix}", "controls[0].cc: cannot be 128; give 0..127"),
        ("{cc: true, address: /sdv2/mix}", "controls[0].cc: cannot be true; give 0..127"),
        ("{cc14: 32, address: /sdv2/mix}", "controls[0].cc14: cannot be 32; give 0..31"),
        (
            "{cc: 1, note: 1, address: /sdv2/mix}",
            "needs exactly one of note, cc, cc14, nrpn, pitchbend, aftertouch, program",
        ),
        (
            "{address: /sdv2/mix}",
            "controls[0]: an entry needs exactly one of note, cc, cc14",
        ),
        ("{cc: 1, address: /sdv2/mix, pickp: true}", "controls[0].pickp: there is no such key; did you mean 'pickup'?"),
        ("{cc: 1, address: /sdv2/mix, pickup: 1}", "controls[0].pickup: cannot be 1; give true or false"),
        ("{cc: 1, channel: 17, address: /sdv2/mix}", "controls[0].channel: cannot be 17; give 1..16, or any"),
        ("{note: 1, address: /sdv2/mix}", "controls[0].action: say what a press does to mix"),
        ("{note: 1, address: /sdv2/freeze, action: togle}", "did you mean 'toggle'?"),
        ("{note: 1, address: /sdv2/freeze, action: trigger}", "freeze is no trigger"),
        ("{note: 1, address: /sdv2/mix, action: toggle, value: 1.0}", "controls[0].off: is missing; give a number 0..1"),
        ("{note: 1, address: /sdv2/mix, value: 2}", "controls[0].value: mix cannot be 2; give a number 0..1"),
        ("{note: 1, address: /sdv2/mix/norm, value: 2}", "controls[0].value: cannot be 2; /sdv2/mix/norm takes 0..1"),
        ("{note: 1, address: /sdv2/mix, value: 1, pickup: true}", "controls[0].pickup: is for faders and knobs"),
        ("{cc: 1, address: /sdv2/mix, led: {on: 1}}", "controls[0].led: is for buttons"),
        (
            "{note: 1, address: /sdv2/freeze, led: {on: 128}}",
            "controls[0].led: cannot be {'on': 128}; give {on: 0..127, off: 0..127}",
        ),
        ("{note: 1, address: /sdv2/freeze, led: green}", "controls[0].led: cannot be 'green'"),
        ("{program: all, address: /sdv2/mix}", "program: all sends numbers"),
        ("{program: 1, address: /sdv2/freeze, action: hold}", "a program change is never let go"),
        ("{cc: 1, relative: two, address: /sdv2/mix}", "controls[0].relative: cannot be 'two'; did you mean 'twos'?"),
        ("{cc14: 1, relative: twos, address: /sdv2/mix}", "controls[0].relative: is for encoders, which send cc; this is a cc14"),
        ("{cc: 1, relative: sign, address: /sdv2/reset}", "controls[0].action: cannot be trigger: an encoder is moved"),
        ("{cc: 1, relative: sign, pickup: true, address: /sdv2/mix}", "controls[0].pickup: is for faders"),
        ("{cc: 1, step: 0.1, address: /sdv2/mix}", "controls[0].step: is for encoders"),
        ("{cc: 1, relative: sign, step: 0, address: /sdv2/mix}", "controls[0].step: cannot be 0"),
        ("{nrpn: 16384, address: /sdv2/mix}", "controls[0].nrpn: cannot be 16384; give 0..16383"),
        ("{pitchbend: 17, address: /sdv2/mix}", "controls[0].pitchbend: cannot be 17; give 1..16, or any"),
        ("{pitchbend: 2, channel: 1, address: /sdv2/mix}", "controls[0].channel: is another than pitchbend: 2"),
        ("{pitchbend: 2, address: /sdv2/reset}", "controls[0].action: cannot be trigger: a pitchbend is moved"),
        ("{aftertouch: C3, address: /sdv2/mix}", "controls[0].aftertouch: cannot be 'C3'; give 0..127 for one key, or all"),
        ("{aftertouch: all, feedback: true, address: /sdv2/mix}", "controls[0].feedback: cannot be shown"),
        ("7", "controls[0]: cannot be 7; give an entry such as"),
    ],
)
def test_mistake_is_named_with_its_line(text: str, message: str) -> None:
    sentence = mistakes(f"port: Pad\ncontrols:\n  - {text}")
    assert sentence.startswith("pad.yaml:3: ")
    assert message in sentence


def test_every_mistake_is_told_at_once() -> None:
    text = "prt: Pad\nchannel: 0\nsetup: [F0]\ncontrols:\n  - {cc: 1}\n  - {cc: 1, address: 3}"
    lines = mistakes(text).splitlines()
    assert [line.split(" ")[0] for line in lines] == [f"pad.yaml:{n}:" for n in (1, 1, 2, 5, 6, 3)]
    assert "did you mean 'port'?" in lines[0]


@pytest.mark.parametrize("text", ["", "[]", "port: Pad", "port: Pad\ncontrols: 3", "port: ''\ncontrols: []"])
def test_what_is_no_map_is_refused(text: str) -> None:
    assert "pad.yaml" in mistakes(text)


@pytest.mark.parametrize(
    "text",
    [
        "{cc: 1, address: /sdv2/noise_scale, range: [0.9, 0.2], curve: 2}",
        "{cc: 1, address: /sdv2/noise_scale/norm}",
        "{cc: 1, address: /sdv2/adapt_sink_threshold/midi, curve: 0.5}",
        "{cc: 1, address: /sdv2/transition_chunks, range: [0, 32]}",
        "{cc: 1, address: /sdv2/transition_chunks/norm}",
        "{cc: 1, address: /sdv2/interpolation}",
        "{cc: 1, address: /sdv2/freeze}",
    ],
)
def test_fader_stands_where_its_value_came_from(text: str) -> None:
    one = entry(text)
    for step in range(128):
        value = one.target.meant(one.argument(step / 127))
        assert value is not None
        back = one.position(value)
        assert one.target.meant(one.argument(back)) == pytest.approx(value)
