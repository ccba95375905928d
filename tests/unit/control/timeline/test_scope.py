"""What Daydream Scope exports, in each of its forms: applied, kept, or named."""

from __future__ import annotations

import json
import logging
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from sdv2_live.cli import main
from sdv2_live.commands.options import sized, timeline_of
from sdv2_live.config.load import load_config
from sdv2_live.control.timeline.files import load_timeline
from sdv2_live.control.timeline.model import Timeline
from sdv2_live.errors import ConfigError

KITES: dict[str, Any] = {
    "prompts": [
        {
            "startTime": start,
            "endTime": start + 2,
            "prompts": [{"text": text, "weight": 100}],
            "transitionSteps": 4,
            "temporalInterpolationMethod": "slerp",
        }
        for start, text in ((0, "a red kite"), (2, "a blue kite"))
    ],
    "settings": {
        "pipelineId": "memflow",
        "inputMode": "text",
        "resolution": {"height": 480, "width": 832},
        "seed": 42,
        "denoisingSteps": [1000, 750, 500, 250],
        "manageCache": True,
        "quantization": None,
        "kvCacheAttentionBias": 0.3,
        "loras": [],
        "loraMergeStrategy": "permanent_merge",
    },
    "version": "2.1",
    "exportedAt": "2026-01-01T00:00:00.000Z",
}
WORKFLOW: dict[str, Any] = {
    "format": "scope-workflow",
    "format_version": "1.0",
    "metadata": {"name": "kite", "created_at": "2026-04-01T00:00:00.000Z", "scope_version": "0.2.0"},
    "pipelines": [
        {"pipeline_id": "depth", "source": {"type": "plugin"}, "loras": [], "params": {"x": 1}, "role": "preprocessor"},
        {
            "pipeline_id": "streamdiffusionv2",
            "source": {"type": "builtin"},
            "loras": [],
            "params": {
                "height": 512,
                "width": 512,
                "denoising_step_list": [700, 500],
                "noise_scale": 0.8,
                "noise_controller": False,
                "manage_cache": True,
                "input_mode": "video",
                "base_seed": 7,
            },
            "role": "main",
        },
    ],
    "timeline": {
        "entries": [
            {"start_time": 0, "end_time": 2, "prompts": [{"text": "a red kite", "weight": 100}], "transition_steps": 2},
            {"start_time": 2, "end_time": 4, "prompts": [{"text": "a blue kite", "weight": 100}]},
        ]
    },
    "prompts": [{"text": "a red kite", "weight": 100}],
    "interpolation_method": "slerp",
    "transition_steps": 4,
    "temporal_interpolation_method": "linear",
}


def read(folder: Path, data: dict[str, Any]) -> Timeline:
    path = folder / "kite.json"
    path.write_text(json.dumps(data))
    return load_timeline(path)


def at(timeline: Timeline, name: str) -> list[tuple[float, Any]]:
    return [(event.at, event.values[name]) for event in timeline.events if name in event.values]


@pytest.mark.parametrize("version", ["2.0", "2.1"])
def test_a_timeline_of_each_version(tmp_path: Path, version: str) -> None:
    timeline = read(tmp_path, KITES | {"version": version})
    assert at(timeline, "prompt") == [(0, "a red kite"), (2, "a blue kite")]
    assert at(timeline, "transition_chunks") == [(0, 4), (2, 4)]
    assert (at(timeline, "seed"), at(timeline, "steps")) == ([(0, 42)], [(0, (1000, 750, 500, 250))])
    assert timeline.size == (480, 832)
    assert timeline.notes == (
        "settings.pipelineId: 'memflow' has no effect here; it is played with the model of this show",
        "settings.inputMode: 'text' has no effect here; set engine.mode to text for a picture without input",
        "settings.kvCacheAttentionBias: 0.3 has no effect here",
        "prompts: temporalInterpolationMethod: 'slerp' has no effect here; one prompt fades to the next linearly",
    )


def test_a_workflow(tmp_path: Path) -> None:
    timeline = read(tmp_path, WORKFLOW)
    assert (timeline.name, timeline.duration, timeline.size) == ("kite", 4, (512, 512))
    assert at(timeline, "prompt") == [(0, "a red kite"), (2, "a blue kite")]
    assert at(timeline, "transition_chunks") == [(0, 2), (2, 4)]
    start = timeline.params_at(0)
    assert {name: start[name] for name in ("seed", "steps", "noise_scale", "noise_controller", "interpolation")} == {
        "seed": 7,
        "steps": (700, 500),
        "noise_scale": 0.8,
        "noise_controller": False,
        "interpolation": "slerp",
    }
    assert timeline.notes == ("pipelines: the 'preprocessor' 'depth' has no effect here",)


def test_a_workflow_without_a_timeline_plays_its_prompts(tmp_path: Path) -> None:
    timeline = read(tmp_path, WORKFLOW | {"timeline": None})
    assert (at(timeline, "prompt"), timeline.duration) == ([(0, "a red kite")], 0)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (KITES | {"version": "3.0"}, 'version: cannot be \'3.0\'; give "2.0" or "2.1"'),
        (WORKFLOW | {"format_version": "2.0"}, "format_version: cannot be '2.0'; give \"1.0\""),
        (WORKFLOW | {"timeline": [], "prompts": []}, "timeline: cannot be []; give entries of a timeline, or prompts beside it"),
        (WORKFLOW | {"timeline": {"entries": [{"start_time": -1}]}}, "timeline.entries[0].start_time: cannot be -1"),
        (WORKFLOW | {"pipelines": [{"params": {"noise_scale": 9}}]}, "settings.noiseScale: noise_scale cannot be 9"),
        (WORKFLOW | {"pipelines": 3, "metadata": "x", "timeline": {"entries": [4]}}, "timeline.entries[0]: cannot be 4"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, data: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, data)
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "note"),
    [
        (
            "loras",
            [{"path": "x", "scale": 1}],
            "settings.loras: [{'path': 'x', 'scale': 1}] has no effect here; list the files in",
        ),
        ("quantization", "fp8_e4m3fn", "settings.quantization: 'fp8_e4m3fn' has no effect here; set model.fp8 for eight bits"),
        ("resolution", {"height": 500, "width": 519}, "settings.resolution: becomes 496x512, in multiples of 16"),
        (
            "resolution",
            {"height": 8, "width": 8},
            "settings.resolution: {'height': 8, 'width': 8} has no effect here; set video.size",
        ),
        ("newToScope", False, "settings.newToScope: false has no effect here"),
        ("vaceContextScale", 1.0, None),
        ("schemaFieldOverrides", {}, None),
    ],
)
def test_a_setting_without_effect_is_named(tmp_path: Path, key: str, value: Any, note: str | None) -> None:
    data = deepcopy(KITES)
    data["settings"] = {key: value}
    data["prompts"] = [{name: item[name] for name in ("startTime", "endTime", "prompts")} for item in data["prompts"]]
    notes = read(tmp_path, data).notes
    assert len(notes) == (note is not None)
    assert note is None or notes[0].startswith(note)


def test_keys_of_ranges_and_of_the_file_are_named_once(tmp_path: Path) -> None:
    data = deepcopy(KITES) | {"audio": "song.wav"}
    for item in data["prompts"]:
        item |= {"easing": "in", "color": None}
    notes = read(tmp_path, data).notes
    assert [note for note in notes if "easing" in note or "audio" in note or "color" in note] == [
        "prompts: easing: 'in' has no effect here",
        "audio: 'song.wav' has no effect here",
    ]


def test_a_text_in_place_of_prompts_or_beside_the_same_is_not_named_as_without_effect(tmp_path: Path) -> None:
    data = deepcopy(KITES)
    data["prompts"][0]["text"] = "a red kite"
    data["prompts"][1] |= {"prompts": None, "text": "a blue kite"}
    timeline = read(tmp_path, data)
    assert [event.values["prompt"] for event in timeline.events if "prompt" in event.values] == ["a red kite", "a blue kite"]
    assert not [note for note in timeline.notes if "text" in note and "kite" in note]


def test_transitions_beyond_the_most_are_the_most_and_none_is_at_once(tmp_path: Path) -> None:
    data = deepcopy(KITES)
    data["prompts"][0]["transitionSteps"] = 100
    del data["prompts"][1]["transitionSteps"]
    timeline = read(tmp_path, data)
    assert at(timeline, "transition_chunks") == [(0, 64), (2, 0)]
    assert "prompts[0].transitionSteps: transition_chunks 100 was clamped to 64 (an integer 0..64 chunks)" in timeline.notes


@pytest.mark.parametrize("overlap", [1e-10, 5e-4, -1e-10])
def test_a_rounded_overlap_is_no_mistake(tmp_path: Path, overlap: float) -> None:
    data = deepcopy(KITES)
    data["prompts"][0]["endTime"] = 2 + overlap
    assert at(read(tmp_path, data), "prompt") == [(0, "a red kite"), (2, "a blue kite")]
    data["prompts"][0]["endTime"] = 2.1
    with pytest.raises(ConfigError, match=r"prompts\[1\].startTime: cannot be 2; give at least 2.1"):
        read(tmp_path, data)


def everything() -> dict[str, Any]:
    """A file with all that a conversion might drop."""
    data = deepcopy(KITES)
    data["settings"] |= {"loras": [{"path": "x", "scale": 1}], "newToScope": {"deep": [1, {"a": None}]}}
    data["prompts"] = [
        {
            "startTime": 0.5,
            "endTime": 4,
            "prompts": [{"text": "a", "weight": 100}, {"text": "b", "weight": 0}],
            "transitionSteps": 0,
        },
        {"startTime": 6, "endTime": 9.25, "prompts": [{"text": "no", "weight": 30}], "easing": "in", "transitionSteps": 8},
    ]
    data["prompts"][0]["prompts"][0]["weight"] = 100
    return data | {"audio": "1984"}


@pytest.mark.parametrize("data", [KITES, everything()], ids=["2.1", "everything"])
def test_nothing_is_dropped_on_the_way_to_our_form_and_back(
    tmp_path: Path, data: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    scope, own, back = tmp_path / "a.json", tmp_path / "b.yaml", tmp_path / "c.json"
    scope.write_text(json.dumps(data))
    assert main(["timeline", "convert", str(scope), str(own)]) == 0
    assert main(["timeline", "convert", str(own), str(back)]) == 0
    assert json.loads(back.read_text()) == data
    assert "not carried over" not in capsys.readouterr().err
    for path in (own, back):
        assert (load_timeline(path).notes, load_timeline(path).size) == (load_timeline(scope).notes, (480, 832))


def test_a_workflow_survives_our_form(tmp_path: Path) -> None:
    scope, own = tmp_path / "kite.scope-workflow.json", tmp_path / "b.yaml"
    scope.write_text(json.dumps(WORKFLOW))
    assert main(["timeline", "convert", str(scope), str(own)]) == 0
    assert load_timeline(own) == load_timeline(scope)


def test_what_scope_cannot_hold_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("name: Two\ndescription: both\nloop: true\nevents:\n- {at: 0, marker: a, set: {prompt: x, mix: 0.5}}\n")
    assert main(["timeline", "convert", str(own), str(tmp_path / "s.json")]) == 0
    said = capsys.readouterr().err
    for lost in ("loop", "description", "name 'Two'", "mix at 0 s", "marker 'a' at 0 s"):
        assert f"not carried over: {lost}: Scope's format" in said


def test_the_picture_has_the_size_that_the_timeline_asks_for_unless_one_is_set(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    read(tmp_path, WORKFLOW)
    config = load_config()
    with caplog.at_level(logging.INFO):
        timeline = timeline_of(tmp_path / "kite.json", config)
        assert sized(config, timeline).video.size == (512, 512)
    assert "video.size is 512x512, as the timeline asks" in caplog.text
    assert "kite.json: pipelines: the 'preprocessor' 'depth' has no effect here" in caplog.text
    chosen = load_config(None, ["video.size=256x256"])
    assert sized(chosen, timeline) is chosen
    assert sized(config, None) is config


def test_what_a_hand_wrote_in_place_of_processors_has_no_effect(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text("events:\n- {at: 0, set: {mix: 1}}\nscope: {workflow: {processors: 5}}\n")
    assert load_timeline(path).notes == ()


@pytest.mark.parametrize("scope", ["3", "[1]", "{ranges: 4}", "{ranges: [4]}", "{settings: []}"])
def test_what_is_kept_from_scope_is_refused_where_it_was_broken(tmp_path: Path, scope: str) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(f"events:\n- {{at: 0, set: {{mix: 1}}}}\nscope: {scope}\n")
    with pytest.raises(ConfigError, match=r"t\.yaml:3: scope: cannot be .*; give what `sdv2-live timeline convert` wrote there"):
        load_timeline(path)
