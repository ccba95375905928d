"""The desk: what the configuration puts together, played over OSC."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from sdv2_live.config.load import load_config
from sdv2_live.config.schema import Config
from sdv2_live.control.timeline.model import Event, Timeline
from sdv2_live.errors import ParamError
from sdv2_live.show.control_plane import ControlPlane
from sdv2_live.show.journal import LiveState, Standing, read_journal
from sdv2_live.wording import shown


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "a.yaml").write_text("name: Ink\nparams: {prompt: ink, noise_scale: 0.2}")
    keys = [f"presets.dir={tmp_path}", f"timeline.dir={tmp_path / 'timelines'}", f"state.dir={tmp_path / 'state'}"]
    return load_config(None, [*keys, "osc.port=0", "params.seed=3"])


def test_recall_save_and_reload_by_osc(config: Config, tmp_path: Path, client_of: Any, wait: Any) -> None:
    with ControlPlane(config) as desk:
        client = client_of(desk.osc.port)
        client.send("/sdv2/preset", 1.0)
        wait(lambda: desk.store.latest().prompt == "ink")
        client.send("/sdv2/preset/save", "Copy")
        wait(lambda: len(desk.presets.presets) == 2)
        assert desk.presets.get("copy").values["seed"] == 3
        client.send("/sdv2/preset/save", "Copy")
        assert client.answer()[1:] == ("/sdv2/preset/save", "there is a preset 'Copy' already; choose another name")
        (tmp_path / "b.yaml").write_text("params: {sed: 1}")
        client.send("/sdv2/preset/reload")
        assert client.answer()[2] == f"{tmp_path / 'b.yaml'}:1: there is no parameter 'sed'; did you mean 'seed'?"
        client.send("/sdv2/preset", "Cpy")
        assert client.answer()[2] == "there is no preset 'Cpy'; did you mean 'copy'?"
    assert desk.failures == 0


def test_edited_preset_is_noticed(config: Config, tmp_path: Path, wait: Any) -> None:
    with ControlPlane(config) as desk:
        (tmp_path / "a.yaml").write_text("name: Ink\nparams: {prompt: blue ink}")
        wait(lambda: desk.presets.get("ink").values["prompt"] == "blue ink")


def test_a_start_preset_goes_over_to_the_model_once_it_is_known(config: Config, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("name: Ink\nparams: {prompt: long, noise_scale: 0.8}\nfor: {tiny: {prompt: ink}}")
    with ControlPlane(config, preset="ink") as desk:
        presets = lambda: json.loads(desk.lists.take_changed()["presets"])  # noqa: E731
        assert desk.store.latest().prompt == "long"
        desk.painted_by("tiny", {"prompt", "noise_scale"})
        assert (desk.store.latest().prompt, desk.store.latest().noise_scale) == ("ink", 0.8)
        listed = presets()
        assert (listed["live"], listed["edited"]) == ("Ink", False)
        desk.store.set("prompt", "long", "hand")
        assert presets()["edited"]


def test_start_preset_and_timeline(config: Config, client_of: Any, wait: Any) -> None:
    timeline = Timeline((Event(0.0, {"seed": 9}), Event(0.05, {"seed": 10})), 60.0)
    with ControlPlane(config, preset="ink", timeline=timeline) as desk:
        assert desk.store.latest().prompt == "ink"
        wait(lambda: desk.store.latest().seed == 10)
        client = client_of(desk.osc.port)
        client.send("/sdv2/timeline/stop")
        client.send("/sdv2/timeline/seek", 0)
        wait(lambda: desk.store.latest().seed == 9)
    desk.close()


def test_a_button_of_the_timeline_waits_for_the_bar_and_says_so(config: Config, client_of: Any, wait: Any) -> None:
    timeline = Timeline((Event(0.0, {"seed": 9}, "top"), Event(30.0, {"seed": 10}, "drop")), 60.0)
    with ControlPlane(config, timeline=timeline) as desk:
        wait(lambda: desk.store.latest().seed == 9)
        client, waiting = client_of(desk.osc.port), lambda: desk.music._waiting()["items"]
        client.send("/sdv2/tempo/quantise", "8bars")
        client.send("/sdv2/timeline/seek", "drop")
        client.send("/sdv2/timeline/next", 1)
        wait(lambda: len(waiting()) == 2)
        assert [item["text"] for item in waiting()] == ["timeline seek drop", "timeline next"]
        client.send("/sdv2/timeline/seek", "dorp")
        assert "no marker 'dorp'; did you mean 'drop'" in client.answer()[2]
        client.send("/sdv2/tempo/cancel")
        wait(lambda: not waiting())
        assert desk.store.latest().seed == 9
        client.send("/sdv2/timeline/seek", "drop")
        client.send("/sdv2/tempo/go")
        wait(lambda: desk.store.latest().seed == 10)


def test_unknown_start_preset(config: Config) -> None:
    with pytest.raises(ParamError, match=r"^--preset inkk: there is no preset 'inkk'; did you mean 'ink'\?$"):
        ControlPlane(config, preset="inkk")


def test_without_osc(config: Config) -> None:
    with ControlPlane(config.replaced(osc=config.osc.model_copy(update={"enabled": False}))) as desk:
        assert desk.osc is None


def test_a_flood_of_saves_holds_up_no_fader(config: Config, tmp_path: Path, client_of: Any, wait: Any) -> None:
    with ControlPlane(config) as desk:
        client = client_of(desk.osc.port)
        for number in range(300):
            client.send("/sdv2/preset/save", f"p{number}")
            client.send("/sdv2/preset/reload")
        client.send("/sdv2/mix", 0.25)
        wait(lambda: desk.store.latest().mix == 0.25)
        assert len(list(tmp_path.glob("*.yaml"))) < 20
        assert "requests for presets wait already" in client.answer()[2]
    assert len(list(tmp_path.glob("*.yaml"))) < 20


def test_the_timeline_runs_on_another_thread_than_the_presets(config: Config, client_of: Any, wait: Any) -> None:
    reading = threading.Event()
    go_on = threading.Event()
    timeline = Timeline(tuple(Event(0.02 * n, {"seed": n}) for n in range(200)), 60.0)
    with ControlPlane(config, timeline=timeline) as desk:
        load = desk.presets.load

        def slow() -> None:
            reading.set()
            go_on.wait(30)
            load()

        desk.presets.load = slow  # type: ignore[method-assign]
        client = client_of(desk.osc.port)
        client.send("/sdv2/preset/reload")
        wait(reading.is_set)
        before = desk.store.latest().seed
        wait(lambda: desk.store.latest().seed > before)
        client.send("/sdv2/mix", 0.5)
        wait(lambda: desk.store.latest().mix == 0.5)
        go_on.set()


def test_what_an_option_sets_goes_before_all_that_is_resumed_or_recalled(config: Config, tmp_path: Path) -> None:
    asked = [f"presets.dir={tmp_path}", "osc.port=0", "params.blackout=false", "params.noise_scale=0.11"]
    config = load_config(None, asked)
    left = LiveState(
        {"prompt": "old", "blackout": True, "noise_scale": 0.9, "morph_seconds": 30.0},
        Standing(True, 4.0, False, time.time() - 10),
    )
    timeline = Timeline((Event(5.0, {"blackout": True, "mix": 0.3}),), 60.0)
    state = left.without(config.asked)
    config = config.with_params(state.start_params(config.params), config.given | state.values.keys())
    for preset, prompt in ((None, "old"), ("ink", "ink")):
        desk = ControlPlane(config, preset=preset, timeline=timeline, resumed=state)
        params = desk.store.latest()
        desk.close()
        assert (params.blackout, params.noise_scale, params.mix, params.prompt) == (False, 0.11, 0.3, prompt)


def test_a_start_preset_does_not_glide(config: Config) -> None:
    config = config.with_params(replace(config.params, morph_seconds=30.0), frozenset())
    desk = ControlPlane(config, preset="ink")
    assert desk.store.latest().noise_scale == 0.2
    desk.close()


def test_a_timeline_is_loaded_by_its_listed_name_alone(config: Config, client_of: Any, wait: Any) -> None:
    folder = config.timeline.folder
    folder.mkdir()
    (folder / "set.yaml").write_text("events: [{at: 0, set: {seed: 11, prompt: from the file}, marker: top}]\nduration: 9")
    (folder / "broken.yaml").write_text("events:\n - {at: 0, set: {sed: 11}}")
    (folder.parent / "secret.yaml").write_text("events: [{at: 0, set: {seed: 666}}]")
    loaded: list[Timeline] = []
    with ControlPlane(config, loaded=loaded.append) as desk:
        client = client_of(desk.osc.port)
        client.send("/sdv2/timeline/play")
        assert client.answer()[2] == "no timeline is loaded; load one of timeline.dir, or start with --timeline FILE"
        for name in ("../secret", "../secret.yaml", str(folder.parent / "secret.yaml"), "sets"):
            client.send("/sdv2/timeline/load", name)
            assert client.answer()[2].startswith(f"there is no timeline {shown(name)}")
        client.send("/sdv2/timeline/load", "broken")
        assert "broken.yaml:2: there is no parameter 'sed'" in client.answer()[2]
        mistake = desk.timelines.listed()["mistake"]
        assert (mistake["file"], mistake["line"]) == ("broken.yaml", 2)
        client.send("/sdv2/timeline/load", "set")
        wait(lambda: desk.timelines.file == "set.yaml")
        listed = desk.timelines.listed()
        assert listed["markers"] == [{"at": 0.0, "name": "top"}]
        assert listed["files"] == ["broken.yaml", "set.yaml"]
        assert listed["mistake"] is None
        assert [timeline.prompts for timeline in loaded] == [["from the file"]]
        client.send("/sdv2/timeline/play")
        wait(lambda: desk.store.latest().seed == 11)


def test_what_is_played_becomes_a_timeline_that_plays_and_is_resumed(config: Config, client_of: Any, wait: Any) -> None:
    folder = config.timeline.folder
    with ControlPlane(config) as desk:
        client = client_of(desk.osc.port)
        client.send("/sdv2/timeline/record", True)
        wait(lambda: desk.timelines.moves.running)
        client.send("/sdv2/preset", "Ink")
        wait(lambda: desk.store.latest().prompt == "ink")
        client.send("/sdv2/timeline/record", False)
        wait(lambda: desk.timelines.file)
        (path,) = folder.iterdir()
        assert desk.timelines.file == path.name
        assert desk.transport.timeline.events[-1].values["preset"] == "Ink"
        client.send("/sdv2/timeline/save", "for scope.json")
        wait(lambda: (folder / "for-scope.json").exists())
        data = json.loads((folder / "for-scope.json").read_text(encoding="utf-8"))
        assert (data["version"], data["prompts"][-1]["prompts"][0]["text"]) == ("2.0", "ink")
        for name, answer in (
            ("..", "cannot be named '..'"),
            ("a/b", "cannot be named"),
            (path.stem, "already"),
            (7, "cannot be"),
        ):
            client.send("/sdv2/timeline/save", name)
            assert answer in client.answer()[2]
        client.send("/sdv2/timeline/play")
        wait(lambda: desk.transport.playing or desk.transport.position > 0)
        client.send("/sdv2/timeline/record", 1)
        wait(lambda: desk.timelines.moves.running)
        journal = desk.journal.path
    assert len(list(folder.glob("*.yaml"))) == 2  # the show's end has ended the recording, and kept it
    assert desk.failures == 0
    state = read_journal(journal, config.names)
    with ControlPlane(config, resumed=state) as again:
        assert again.transport.timeline.digest == state.timeline.digest
        assert again.timelines.file == state.timeline.file


def test_a_recording_that_cannot_be_saved_is_kept_until_it_can(config: Config, client_of: Any, wait: Any) -> None:
    folder = config.timeline.folder
    folder.write_text("a file where the folder should be")
    with ControlPlane(config) as desk:
        client = client_of(desk.osc.port)
        client.send("/sdv2/timeline/record", True)
        client.send("/sdv2/timeline/record", False)
        assert "set timeline.dir to another folder" in client.answer()[2]
        assert desk.timelines.listed()["unsaved"]
        client.send("/sdv2/timeline/record", True)
        assert "is not saved yet" in client.answer()[2]
        folder.unlink()
        client.send("/sdv2/timeline/save", "rescued")
        wait(lambda: (folder / "rescued.yaml").exists() and not desk.timelines.listed()["unsaved"])


def test_the_page_gets_presets_with_pictures_by_listed_names_alone(config: Config, client_of: Any, wait: Any) -> None:
    data = b"\xff\xd8\xff\xd9"
    with ControlPlane(config, snap=lambda: lambda: data, painter=lambda: "tiny") as desk:
        client = client_of(desk.osc.port)
        client.send("/sdv2/preset/save", "New one")
        wait(lambda: desk.lists.take_changed())
        listed = json.loads(desk.lists.all()["presets"])
        address = listed["items"][1]["picture"]
        root = f"http://127.0.0.1:{desk.http.port}"
        with urlopen(root + address) as answer:
            assert (answer.read(), answer.headers["Content-Type"]) == (
                b"\xff\xd8\xff\xfe\x00\x11painted by tiny\xff\xd9",
                "image/jpeg",
            )
            assert "immutable" in answer.headers["Cache-Control"]
        for path in ("01-ink", "..%2fa", "%2e%2e%2fa", "a.yaml%00", "nothing"):
            with pytest.raises(HTTPError, match="404"):
                urlopen(f"{root}/page/picture/preset/{path}.jpg")
        client.send("/sdv2/preset", "New one")
        wait(lambda: "presets" in desk.lists.take_changed())
        assert json.loads(desk.lists.all()["presets"])["live"] == "New one"
