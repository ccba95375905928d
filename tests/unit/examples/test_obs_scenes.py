"""The scene collection for OBS: whole, of one piece, and with the keys that OBS 31 and DistroAV 6 read."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from support.places import EXAMPLES

from sdv2_live.config.schema import Config

FOLDER = EXAMPLES / "obs"
MAIN_CANVAS = "6c69626f-6273-4c00-9d88-c5136d61696e"  # the name that libobs gives its main canvas
# The settings of DistroAV's source (src/ndi-source.cpp) and what each may be.
NDI_SOURCE: dict[str, Any] = {
    "ndi_source_name": str, "ndi_behavior": {0, 1, 2}, "ndi_bw_mode": {0, 1, 2}, "ndi_sync": {1, 2}, "ndi_framesync": bool,
    "ndi_recv_hw_accel": bool, "ndi_fix_alpha_blending": bool, "yuv_range": {1, 2}, "yuv_colorspace": {1, 2},
    "latency": {0, 1, 2}, "ndi_audio": bool, "ndi_ptz": bool,
}  # fmt: skip


@pytest.fixture(scope="module")
def collection() -> dict[str, Any]:
    loaded = json.loads((FOLDER / "sdv2-live.json").read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def of_kind(collection: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [source for source in collection["sources"] if source["id"] == kind]


def test_every_source_has_its_own_name_and_uuid(collection: dict[str, Any]) -> None:
    filters = [each for source in collection["sources"] for each in source.get("filters", [])]
    everything = [*collection["sources"], *filters]
    assert len({source["name"] for source in everything}) == len(everything)
    assert len({UUID(source["uuid"]) for source in everything}) == len(everything)
    assert all(source["versioned_id"] == source["id"] for source in everything)
    assert {source["id"] for source in everything} == {"ndi_source", "scene", "ndi_filter"}


def test_scenes_show_sources_that_are_there(collection: dict[str, Any]) -> None:
    uuids = {source["name"]: source["uuid"] for source in collection["sources"]}
    scenes = of_kind(collection, "scene")
    assert [entry["name"] for entry in collection["scene_order"]] == [scene["name"] for scene in scenes]
    assert {collection["current_scene"], collection["current_program_scene"]} <= {scene["name"] for scene in scenes}
    for scene in scenes:
        items = scene["settings"]["items"]
        assert [item["id"] for item in items] == list(range(1, len(items) + 1))
        assert scene["settings"]["id_counter"] == len(items)
        assert scene["canvas_uuid"] == MAIN_CANVAS
        assert all(item["source_uuid"] == uuids[item["name"]] for item in items)


def test_items_lie_on_the_canvas_in_both_ways_of_measuring(collection: dict[str, Any]) -> None:
    width, height = collection["resolution"]["x"], collection["resolution"]["y"]
    assert collection["version"] == 2  # OBS 31 reads the relative values, older ones the pixels
    for item in [item for scene in of_kind(collection, "scene") for item in scene["settings"]["items"]]:
        left, top, wide, high = (item[kind][axis] for kind in ("pos", "bounds") for axis in "xy")
        assert 0 <= left < left + wide <= width
        assert 0 <= top < top + high <= height
        assert item["bounds_type"] == 2  # scaled into its place, whatever size comes
        relative = [item[kind][axis] for kind in ("pos_rel", "bounds_rel") for axis in "xy"]
        expected = [(left - width / 2) * 2 / height, (top - height / 2) * 2 / height, wide * 2 / height, high * 2 / height]
        assert relative == pytest.approx(expected)


def test_ndi_sources_have_the_settings_of_the_plugin(collection: dict[str, Any]) -> None:
    sources = of_kind(collection, "ndi_source")
    assert len(sources) == 2
    for source in sources:
        assert source["settings"].keys() == NDI_SOURCE.keys()
        for key, allowed in NDI_SOURCE.items():
            value = source["settings"][key]
            assert value in allowed if isinstance(allowed, set) else isinstance(value, allowed), key
        assert source["settings"]["ndi_behavior"] == 0  # connected in hidden scenes too
        assert (source["settings"]["yuv_range"], source["settings"]["yuv_colorspace"]) == (1, 2)  # limited, BT.709
    names = [source["settings"]["ndi_source_name"] for source in sources]
    output = Config().output.main.removeprefix("ndi:")
    assert f"MACHINE ({output})" in names
    assert [source["settings"]["ndi_audio"] for source in sources if output in source["settings"]["ndi_source_name"]] == [True]


def test_the_camera_scene_is_published_under_the_name_of_the_readme(collection: dict[str, Any]) -> None:
    (published,) = [each for source in collection["sources"] for each in source.get("filters", [])]
    assert published["id"] == "ndi_filter"
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert f'--input "ndi:{published["settings"]["ndi_filter_ndiname"]}"' in readme
    for source in collection["sources"]:
        assert f"*{source['name']}*" in readme.replace("\n", " ").replace("  ", " ")
