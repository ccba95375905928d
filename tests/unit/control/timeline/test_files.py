"""Timelines: the YAML form, Scope's JSON both ways, and errors word for word."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.places import EXAMPLES
from support.systems import without

from sdv2_live.config.schema_files import config_dir
from sdv2_live.control.macros import Macros
from sdv2_live.control.presets.library import PresetLibrary
from sdv2_live.control.store import ParamStore
from sdv2_live.control.timeline.files import load_timeline
from sdv2_live.control.timeline.model import Timeline
from sdv2_live.control.timeline.scope_export import to_scope
from sdv2_live.control.timeline.write import write_timeline
from sdv2_live.errors import ConfigError

TIMELINES = sorted((EXAMPLES / "timelines").glob("*.*"))

SCOPE: dict[str, Any] = {
    "prompts": [
        {"startTime": 0, "endTime": 4.74, "prompts": [{"text": "ink", "weight": 100}]},
        {"startTime": 4.74, "endTime": 9, "prompts": [{"text": "fire", "weight": 70}, {"text": "glass", "weight": 33.3}]},
        {"startTime": 10.5, "endTime": 12, "prompts": [{"text": "snow", "weight": 100}], "transitionSteps": 4},
    ],
    "settings": {
        "pipelineId": "streamdiffusionv2",
        "resolution": {"height": 512, "width": 512},
        "seed": 42,
        "denoisingSteps": [700, 500],
        "noiseScale": 0.8,
        "noiseController": False,
        "manageCache": False,
    },
    "version": "2.0",
    "exportedAt": "2025-10-27T19:25:32.028Z",
}


def write(folder: Path, text: str, name: str = "t.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, text: str, name: str = "t.yaml") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_timeline(write(folder, text, name))
    return without(folder, str(caught.value)).splitlines()


@pytest.fixture
def song(tmp_path: Path) -> Timeline:
    text = """
bpm: 120
duration: 1:30
loop: true
events:
  - {beat: 16, set: {noise_scale: 0.5, reset: 1}}
  - {at: 0, marker: intro, set: {seed: 1, noise_scale: 0.7, reset: 0}}
  - {at: 1:10.5, marker: outro}
  - {at: 8, set: {noise_scale: 0.6}}
"""
    return load_timeline(write(tmp_path, text))


def test_times_beats_and_markers(song: Timeline) -> None:
    assert [event.at for event in song.events] == [0, 8, 8, 70.5]
    assert song.markers == {"intro": 0, "outro": 70.5}
    assert (song.name, song.duration, song.loop) == ("t", 90, True)


def test_what_is_set_by_a_time_without_triggers(song: Timeline) -> None:
    assert song.params_at(7.9) == {"seed": 1, "noise_scale": 0.7}
    assert song.params_at(8) == {"seed": 1, "noise_scale": 0.6}


@pytest.mark.parametrize("path", TIMELINES, ids=lambda path: path.stem)
def test_examples_load_and_apply(path: Path) -> None:
    timeline = load_timeline(path)
    store = ParamStore(macros=Macros(PresetLibrary(config_dir() / "presets")))
    prompts = []
    for event in timeline.events:
        store.set_many(event.values, "timeline")
        prompts.append(event.values.get("prompt"))
    assert all(len(str(prompt).split()) >= 60 for prompt in prompts if prompt)
    assert any(prompts)


def test_every_mistake_is_named(tmp_path: Path) -> None:
    text = """\
nam: x
bpm: fast
duration: 1
loop: 2
events:
  - {at: -1, set: {noise_scale: 2}}
  - {beat: 4, at: 4, set: {seed: 1}}
  - {at: 5, sett: {seed: 1}}
  - {at: 6, set: {sed: 1, seed: 2, seed: 3}}
  - 7
  - {at: 8, marker: a}
  - {at: 9, marker: a}
"""
    assert problems(tmp_path, text) == [
        "t.yaml:9: events[3].set.seed: given twice, first in line 9; keep one",
        "t.yaml:1: nam: there is no such key; did you mean 'name'?",
        "t.yaml:2: bpm: cannot be 'fast'; give a number 1..1000",
        "t.yaml:6: noise_scale cannot be 2; give a number 0..1",
        "t.yaml:6: events[0].at: cannot be -1; give seconds 0..86400, or 1:30 for minutes and seconds",
        "t.yaml:7: events[1]: give either at (seconds) or beat",
        "t.yaml:8: events[2].sett: there is no such key; did you mean 'set'?",
        "t.yaml:8: events[2].set: cannot be nothing; give parameters and their values, such as noise_scale: 0.8",
        "t.yaml:9: there is no parameter 'sed'; did you mean 'seed'?",
        "t.yaml:10: events[4]: cannot be 7; give at and set",
        "t.yaml:4: loop: cannot be 2; give true or false",
        "t.yaml:3: duration: cannot be 1.0; give at least 9 seconds, the time of the last event",
        "t.yaml: the marker 'a' is given twice; keep one",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "t.yaml: events: a timeline needs a list of events, each with at and set"),
        ("events: []", "t.yaml:1: events: a timeline needs a list of events, each with at and set"),
        ("events: [{beat: 4, set: {seed: 1}}]", "t.yaml:1: events[0].beat: needs the timeline's bpm; give bpm: 120"),
    ],
)
def test_unusable_file(tmp_path: Path, text: str, message: str) -> None:
    assert problems(tmp_path, text) == [message]


def test_other_file_types_are_refused(tmp_path: Path) -> None:
    assert problems(tmp_path, "", "t.txt") == ["t.txt: a timeline is a .yaml file, or a .json file that Scope exported"]


def test_scope_import(tmp_path: Path) -> None:
    timeline = load_timeline(write(tmp_path, json.dumps(SCOPE), "scope.json"))
    assert timeline.duration == 12
    start = timeline.params_at(0)
    assert (start["prompt"], start["seed"], start["steps"]) == ("ink", 42, (700, 500))
    assert (start["noise_scale"], start["noise_controller"]) == (0.8, False)
    store = ParamStore()
    store.set_many(timeline.params_at(5), "test")
    assert store.latest().blend == (("fire", 0.7), ("glass", pytest.approx(0.333)))
    store.set_many(timeline.params_at(11), "test")
    assert store.latest().blend == (("snow", 1.0),)


def test_scope_round_trip(tmp_path: Path) -> None:
    data, lost = to_scope(load_timeline(write(tmp_path, json.dumps(SCOPE), "scope.json")))
    assert data == SCOPE
    assert lost == []


def test_export_of_an_own_timeline_can_be_read_back_and_says_what_is_lost(tmp_path: Path, song: Timeline) -> None:
    path = next(path for path in TIMELINES if path.stem == "three-scenes")
    timeline = load_timeline(path)
    data, lost = to_scope(timeline, datetime(2026, 1, 2, tzinfo=UTC))
    assert data["exportedAt"] == "2026-01-02T00:00:00.000Z"
    again = load_timeline(write(tmp_path, json.dumps(data), "again.json"))
    for time in (0, 19.9, 20, 59):
        assert again.params_at(time)["prompt"] == timeline.params_at(time)["prompt"]
    assert "noise_scale at 20 s: Scope's format cannot hold this change" in lost
    assert "marker 'intro' at 0 s: Scope's format has no markers" in to_scope(song)[1]


def test_scope_mistakes_are_named_with_their_lines(tmp_path: Path) -> None:
    broken = json.loads(json.dumps(SCOPE))
    broken["version"] = "1.0"
    broken["prompts"][0]["prompts"][0]["weight"] = 300
    broken["prompts"][1]["startTime"] = 2
    broken["prompts"][2]["prompts"] = []
    broken["settings"]["denoisingSteps"] = [500, 700]
    lines = json.dumps(broken, indent=1)
    found = problems(tmp_path, lines, "scope.json")
    assert [problem.split(": ", 1)[1] for problem in found] == [
        'version: cannot be \'1.0\'; give "2.0" or "2.1", the versions that are read here',
        "prompts[0].prompts[0].weight: cannot be 300; give a number 0..100",
        "prompts[2].prompts: cannot be []; give 1 to 8 prompts with text and weight",
        "prompts[1].startTime: cannot be 2; give at least 4.74, where the range before ends",
        "settings.denoisingSteps: steps cannot be [500, 700] (not strictly descending); "
        "give 1 to 4 strictly descending integers 1..1000, such as 700,500",
    ]
    first = lines.splitlines().index('     "weight": 300') + 1
    assert found[1].startswith(f"scope.json:{first}: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "scope.json:1: not valid JSON: Expecting property name enclosed in double quotes"),
        ("[]", "scope.json:1: prompts: a Scope timeline needs a list of prompt ranges"),
        ('{"prompts": [NaN]}', "scope.json: not valid JSON: NaN is not a JSON number"),
        ("[" * 100_000, "scope.json: not valid JSON: "),
    ],
)
def test_unusable_json(tmp_path: Path, text: str, message: str) -> None:
    assert problems(tmp_path, text, "scope.json")[0].startswith(message)


@pytest.mark.parametrize(
    ("at", "seconds"),
    [
        ("90", 90), ("1:30", 90), ("0:30", 30), ("00:30", 30), ("0:01:30", 90), ("1:05", 65), ("1:5", 65), ("010", 10),
        ("90:00", 5400), ("0:30.5", 30.5), ("1:00:00", 3600), ('"1:30"', 90), ("'0:30'", 30), ('"90"', 90), ("1e1", 10),
        ("1.5", 1.5), ("00:00:07.25", 7.25),
    ],
)  # fmt: skip
def test_times_in_every_form(tmp_path: Path, at: str, seconds: float) -> None:
    timeline = load_timeline(write(tmp_path, f"duration: {at}\nevents:\n - {{at: {at}, set: {{mix: 1}}}}\n"))
    assert (timeline.events[0].at, timeline.duration) == (seconds, seconds)


@pytest.mark.parametrize("at", ["0:75", "1:30:75", "x", "24:00:01", "-1", "-0:30", "no", "nan", ".inf", "1:2:3:4", "[1]"])
def test_what_is_no_time_is_refused_with_what_is(tmp_path: Path, at: str) -> None:
    (problem,) = problems(tmp_path, f"events:\n - {{at: {at}, set: {{mix: 1}}}}\n")
    assert problem.startswith("t.yaml:2: events[0].at: cannot be ")
    assert problem.endswith("; give seconds 0..86400, or 1:30 for minutes and seconds")


@pytest.mark.parametrize(("bpm", "beat", "duration"), [(93.5, 187, 120), (174, 87, 30), (90, 50, 33.3333), (110, 55, 30)])
def test_a_beat_at_the_end_is_within(tmp_path: Path, bpm: float, beat: float, duration: float) -> None:
    text = f"bpm: {bpm}\nduration: {duration}\nevents:\n - {{beat: {beat}, set: {{mix: 1}}}}\n"
    timeline = load_timeline(write(tmp_path, text))
    assert timeline.duration == pytest.approx(duration, abs=1e-3)
    assert timeline.events[0].at <= timeline.duration


def test_a_preset_that_is_not_there_is_told_before_the_show(tmp_path: Path) -> None:
    text = (
        "events:\n  - {at: 0, set: {preset: neon EDGES}}\n  - {at: 1, set: {preset: 1}}\n  - {at: 2, set: {preset: Neon edge}}\n"
    )
    path = write(tmp_path, text + "  - at: 3\n    set: {preset: true}\n")
    with pytest.raises(ConfigError) as caught:
        load_timeline(path, presets=PresetLibrary(config_dir() / "presets"))
    assert str(caught.value).splitlines() == [
        f"{path}:4: events[2].set.preset: there is no preset 'Neon edge'; did you mean 'neon edges'?",
        f"{path}:6: events[3].set.preset: there is no preset 'true'; the presets are 1 Neon edges, 2 Pencil sketch, "
        "3 Watercolour, 4 Comic, 5 Thermal camera, 6 Golden hour, 7 Underwater, 8 Vintage film",
    ]


def test_of_many_mistakes_the_first_are_told(tmp_path: Path) -> None:
    found = problems(tmp_path, "events:\n" + " - {at: x, set: {layer: 0.5}}\n" * 3000)
    assert (len(found), found[-1]) == (21, "there are more mistakes; mend these first")


@pytest.mark.parametrize("bpm", [127.3, 128, 33, 1])
def test_a_timeline_in_beats_is_written_in_beats_and_comes_back_the_same(tmp_path: Path, bpm: float) -> None:
    beats = "".join(f"  - {{beat: {n * 0.37}, set: {{seed: {n}}}}}\n" for n in range(50))
    read = load_timeline(write(tmp_path, f"bpm: {bpm}\nevents:\n{beats}"))
    assert read.bpm == bpm
    write_timeline(tmp_path / "again.yaml", read)
    again = load_timeline(tmp_path / "again.yaml")
    assert (again.events, again.bpm, again.duration) == (read.events, bpm, read.duration)
    seconds = load_timeline(write(tmp_path, f"bpm: {bpm}\nevents:\n  - {{at: 1, set: {{seed: 1}}}}\n"))
    assert seconds.bpm is None  # its times are seconds, whatever the tempo
