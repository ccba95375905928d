"""The presets as a list, as surfaces show it: plain data for JSON."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from sdv2_live.control.mistakes import mistake_of
from sdv2_live.control.params import PARAMS, Params, value_of
from sdv2_live.control.presets.library import PresetLibrary
from sdv2_live.control.presets.pictures import Pictures

PICTURES = "/page/picture/preset/"  # the address of pictures, by their files' names


def listing(library: PresetLibrary, pictures: Pictures, params: Params) -> dict[str, Any]:
    """Every preset file with its number, name, picture and first mistake; which preset is live, and whether it was edited."""
    mistakes: dict[str, dict[str, Any]] = {}
    others = []
    files = {entry.path.name for entry in library.entries}
    for problem in library.problems:
        mistake = mistake_of(problem)
        if mistake["file"] in files:
            mistakes.setdefault(mistake["file"], mistake)
        else:
            others.append(mistake)
    items = []
    for entry in library.entries:
        picture = pictures.get(entry.path.stem)
        items.append(
            {
                "number": entry.number,
                "name": entry.name,
                "label": entry.name or entry.path.name,
                "picture": f"{PICTURES}{quote(entry.path.stem)}.jpg?v={picture.version}" if picture else None,
                "pictured_by": picture.by if picture else "",
                "mistake": mistakes.get(entry.path.name),
            }
        )
    live, edited = state_of(library, params)
    return {"items": items, "live": live, "edited": edited, "writable": library.writable, "mistakes": others}


def state_of(library: PresetLibrary, params: Params) -> tuple[str, bool]:
    """The name of the preset that was recalled last, and whether any of its values is another by now."""
    preset = next((preset for preset in library.presets if preset.name == params.preset), None)
    if preset is None:
        return "", False
    return preset.name, any(value_of(params, PARAMS[name]) != value for name, value in preset.values.items())
