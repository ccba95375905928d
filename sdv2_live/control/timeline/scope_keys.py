"""The keys of Daydream Scope's files: the parameter that each stands for, and those without a counterpart here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from sdv2_live.wording import shown
from sdv2_live.yamlfile import KeyPath

VERSION = "2.0"  # of the timelines that are written here
FULL_WEIGHT = 100  # of one prompt in Scope; here 1.0
PIPELINE = "streamdiffusionv2"
SIZE_STEP, SIZE_LIMIT = 16, 8192  # of a picture's sides, in pixels

SETTINGS: Mapping[str, str] = MappingProxyType(
    {"seed": "seed", "denoisingSteps": "steps", "noiseScale": "noise_scale", "noiseController": "noise_controller"}
)


class Form(NamedTuple):
    """The names and places of values in one kind of file."""

    ranges: KeyPath
    start: str
    end: str
    steps: str
    method: str
    loras: str


TIMELINE = Form(("prompts",), "startTime", "endTime", "transitionSteps", "temporalInterpolationMethod", "loras")
WORKFLOW = Form(("timeline", "entries"), "start_time", "end_time", "transition_steps", "temporal_interpolation_method", "loras")

# A workflow's names of the settings, as a timeline calls them.
WORKFLOW_SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "base_seed": "seed",
        "denoising_step_list": "denoisingSteps",
        "noise_scale": "noiseScale",
        "noise_controller": "noiseController",
        "manage_cache": "manageCache",
        "input_mode": "inputMode",
        "kv_cache_attention_bias": "kvCacheAttentionBias",
        "vace_enabled": "vaceEnabled",
        "vace_context_scale": "vaceContextScale",
        "vace_use_input_video": "vaceUseInputVideo",
    }
)

_REMEDIES: Mapping[str, str] = MappingProxyType(
    {
        "pipelineId": "it is played with the model of this show",
        "inputMode": "set engine.mode to text for a picture without input",
        "quantization": "set model.fp8 for eight bits",
        "loras": "list the files in model.loras",
        "temporalInterpolationMethod": "one prompt fades to the next linearly",
        "resolution": f"set video.size, in multiples of {SIZE_STEP} up to {SIZE_LIMIT}",
    }
)
# The cache here needs no upkeep, and each LoRA says by itself whether it is merged.
_MEANINGLESS = frozenset({"manageCache", "loraMergeStrategy", *SETTINGS})
_DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {"pipelineId": PIPELINE, "inputMode": "video", "temporalInterpolationMethod": "linear", "vaceEnabled": False}
)


def mapping(value: Any) -> dict[str, Any]:
    """`value` if it is a mapping, else an empty one: files of other programs may hold anything."""
    return value if isinstance(value, dict) else {}


def picture_size(settings: Mapping[str, Any]) -> tuple[int, int] | None:
    """(height, width) that the settings ask for, in whole steps of SIZE_STEP pixels; None when they ask for no usable size."""
    asked = mapping(settings.get("resolution"))
    height, width = (asked.get(side) for side in ("height", "width"))
    if not isinstance(height, int) or not isinstance(width, int):
        return None
    if not SIZE_STEP <= min(height, width) <= max(height, width) <= SIZE_LIMIT:
        return None
    return height - height % SIZE_STEP, width - width % SIZE_STEP


def without_effect(foreign: Mapping[str, Any]) -> Iterator[str]:
    """A sentence on each key that means something in Scope and has no effect here."""
    settings = foreign.get("settings", {})
    for key, value in settings.items():
        if key == "resolution" and (size := picture_size(settings)):
            if list(size) != [value["height"], value["width"]]:
                yield f"settings.resolution: becomes {size[0]}x{size[1]}, in multiples of {SIZE_STEP}"
        elif key.startswith("vace") and not settings.get("vaceEnabled"):
            continue
        elif key not in _MEANINGLESS and _told(key, value):
            yield _sentence(f"settings.{key}", key, value)
    ranges = foreign.get("ranges", [])
    for key in dict.fromkeys(key for item in ranges for key in item):
        given = [item[key] for item in ranges if key in item and _told(key, item[key])]
        if given and key not in ("startTime", "endTime", "transitionSteps"):
            yield _sentence(f"prompts: {key}", key, given[0])
    for key, value in foreign.items():
        if key not in ("settings", "ranges", "version", "exportedAt", "workflow") and _told(key, value):
            yield _sentence(key, key, value)
    processors = mapping(foreign.get("workflow")).get("processors")
    for item in processors if isinstance(processors, list) else []:
        yield f"pipelines: the {shown(mapping(item).get('role'))} {shown(mapping(item).get('pipeline_id'))} has no effect here"


def _told(key: str, value: Any) -> bool:
    return value not in (None, "", [], {}) and value != _DEFAULTS.get(key)


def _sentence(place: str, key: str, value: Any) -> str:
    remedy = _REMEDIES.get(key)
    return f"{place}: {shown(value)} has no effect here{f'; {remedy}' if remedy else ''}"
