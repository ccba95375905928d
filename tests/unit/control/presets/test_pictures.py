"""Pictures beside presets, and the list of presets that shows them."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from sdv2_live.config.schema_files import config_dir
from sdv2_live.control.macros import Macros
from sdv2_live.control.params import Params, updated
from sdv2_live.control.presets.keeper import PresetKeeper
from sdv2_live.control.presets.library import PresetLibrary
from sdv2_live.control.presets.listing import listing
from sdv2_live.control.presets.pictures import MAX_BYTES, Pictures, path_of, write_picture
from sdv2_live.control.store import ParamStore
from sdv2_live.errors import ConfigError, ParamError


def jpeg(shade: int = 90) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (48, 27), (shade, 20, 20)).save(made, "JPEG")
    return made.getvalue()


@pytest.fixture
def library(tmp_path: Path) -> PresetLibrary:
    (tmp_path / "01-ink.yaml").write_text("name: Ink\nparams: {prompt: ink, noise_scale: 0.5}")
    (tmp_path / "02-it's 100%.yaml").write_text("params: {seed: 2}")
    (tmp_path / "07-bad.yaml").write_text("name: Bad\nparams:\n  seed: 1\n  noise_scale: 3\n")
    return PresetLibrary(tmp_path)


def test_a_picture_says_who_painted_it_and_is_read_again_when_it_changes(tmp_path: Path) -> None:
    preset = tmp_path / "01-ink.yaml"
    pictures = Pictures()
    assert not pictures.look([preset])
    write_picture(preset, jpeg(), "tiny")
    assert pictures.look([preset])
    first = pictures.get("01-ink")
    assert first.by == "tiny"
    with Image.open(io.BytesIO(first.data)) as image:
        assert (image.size, image.format) == ((48, 27), "JPEG")
    assert not pictures.look([preset])
    write_picture(preset, jpeg(200), "1.3b")
    os.utime(path_of(preset), ns=(1, 1))
    assert pictures.look([preset])
    second = pictures.get("01-ink")
    assert (second.by, second.version != first.version) == ("1.3b", True)
    assert [path.name for path in tmp_path.iterdir()] == ["01-ink.jpg"]  # no part is left


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\xff\xd8" + bytes(MAX_BYTES), b"no picture"])
def test_what_is_no_picture_or_too_large_is_none(tmp_path: Path, data: bytes) -> None:
    preset = tmp_path / "a.yaml"
    path_of(preset).write_bytes(data)
    pictures = Pictures()
    pictures.look([preset])
    assert pictures.get("a") is None


@pytest.mark.parametrize("data", [b"\xff\xd8", b"\xff\xd8\xff\xfe", b"\xff\xd8\xff\xfe\xff\xffpainted by ", jpeg()])
def test_a_picture_of_another_program_has_no_painter(tmp_path: Path, data: bytes) -> None:
    preset = tmp_path / "a.yaml"
    path_of(preset).write_bytes(data)
    pictures = Pictures()
    pictures.look([preset])
    assert pictures.get("a").by == ""


def test_the_list_has_every_file_with_its_mistake_and_says_what_is_live(library: PresetLibrary) -> None:
    write_picture(library.folder / "02-it's 100%.yaml", jpeg(), "tiny")
    pictures = Pictures()
    pictures.look(entry.path for entry in library.entries)
    store = ParamStore(macros=Macros(library))
    store.set("preset", "ink", "test")
    listed = listing(library, pictures, store.latest())
    assert [(item["number"], item["name"], item["label"]) for item in listed["items"]] == [
        (1, "Ink", "Ink"),
        (2, "02-it's 100%", "02-it's 100%"),
        (7, "", "07-bad.yaml"),
    ]
    version = pictures.get("02-it's 100%").version
    assert listed["items"][1]["picture"] == f"/page/picture/preset/02-it%27s%20100%25.jpg?v={version}"
    assert listed["items"][1]["pictured_by"] == "tiny"
    mistake = {"file": "07-bad.yaml", "line": 4, "key": "noise_scale", "text": "noise_scale cannot be 3; give a number 0..1"}
    assert [item["mistake"] for item in listed["items"]] == [None, None, mistake]
    assert (listed["live"], listed["edited"], listed["mistakes"]) == ("Ink", False, [])
    store.set("noise_scale", 0.6, "hand")
    assert listing(library, pictures, store.latest())["edited"]
    store.set("noise_scale", 0.5, "hand")
    store.set("mix", 0.1, "hand")  # which the preset leaves alone
    assert not listing(library, pictures, store.latest())["edited"]
    assert listing(library, pictures, updated(Params(), {"preset": "gone"}))["live"] == ""


def test_a_preset_is_saved_with_the_picture_of_that_moment_and_saved_over(library: PresetLibrary, tmp_path: Path) -> None:
    shown = jpeg(10)

    def snap() -> Callable[[], bytes]:
        now = shown
        return lambda: now

    keeper = PresetKeeper(library, snap=snap, painter=lambda: "tiny")
    saved = keeper.save("New", Params(seed=5))
    shown = jpeg(250)
    keeper.start()
    saved.result(timeout=30)
    assert b"painted by tiny" in keeper.pictures.get("08-new").data
    with Image.open(tmp_path / "08-new.jpg") as image:
        assert image.convert("L").resize((1, 1)).tobytes()[0] < 30
    with pytest.raises(ParamError, match="already; choose another name"):
        keeper.save("ink", Params(seed=6)).result(timeout=30)
    actions = keeper.actions(lambda: Params(seed=6))
    actions["preset/replace"](("ink",)).result(timeout=30)
    assert library.get("Ink").values["seed"] == 6
    (tmp_path / "08-new.jpg").unlink()
    actions["preset/picture"](("8",)).result(timeout=30)
    assert (tmp_path / "08-new.jpg").exists()
    with pytest.raises(ParamError, match=r"there is no preset '\.\./x'"):
        actions["preset/picture"](("../x",))
    keeper.close()
    assert keeper.failures == 0


def test_without_a_picture_or_a_place_for_it_that_is_said_and_the_preset_is_kept(
    library: PresetLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sdv2_live.control.errands.SPACING_S", 0.0)
    keeper = PresetKeeper(library)
    keeper.start()
    keeper.save("plain", Params()).result(timeout=30)
    assert keeper.pictures.get("08-plain") is None
    with pytest.raises(ParamError, match="there is no picture yet"):
        keeper.picture("plain")
    keeper.close()
    pictured = PresetKeeper(library, snap=lambda: jpeg)
    pictured.start()
    (tmp_path / "09-full.jpg").mkdir()
    with pytest.raises(ConfigError, match=r"^the preset is saved, but not its picture: .*09-full.jpg: cannot be written"):
        pictured.save("full", Params()).result(timeout=30)
    assert library.get("full").number == 9
    pictured.close()
    shipped = PresetKeeper(PresetLibrary(tmp_path, writable=False), snap=lambda: jpeg)
    with pytest.raises(ParamError, match="the shipped presets are not written to"):
        shipped.picture("ink")


def test_the_shipped_presets_have_pictures_by_tiny_that_are_small() -> None:
    folder = config_dir() / "presets"
    presets = sorted(folder.glob("*.yaml"))
    pictures = Pictures()
    pictures.look(presets)
    assert presets
    assert {pictures.get(path.stem).by for path in presets} == {"tiny"}
    assert sum(len(pictures.get(path.stem).data) for path in presets) < 200_000
