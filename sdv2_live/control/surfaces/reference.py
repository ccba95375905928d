"""The reference of parameters and addresses, generated from the program's own tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sdv2_live.control.osc.addresses import ACTIONS, MIDI, NORM, ROOT, scalable
from sdv2_live.control.osc.foreign import OTHERS, SAME, SCOPE_IGNORED, SCOPE_NAMES, SCOPE_ROOT
from sdv2_live.control.params import PARAMS, ParamSpec

_DEFAULT_SHOWN = 40  # characters


class Row(NamedTuple):
    """One address, or one family of them, in a performer's terms."""

    address: str
    value: str
    default: str
    applies: str
    doc: str


def rows() -> Iterator[Row]:
    """Every address that the server accepts, one row a family."""
    for spec in PARAMS.values():
        if not spec.index:
            yield Row(_address(spec), spec.expected, _default(spec), spec.applies.value, spec.doc)
    for action in ACTIONS.values():
        yield Row(ROOT + action.name, action.expected, "", "", action.doc)


def reference_markdown() -> str:
    """The reference as Markdown: parameters and actions, scaled forms, the server's messages, and other programs' names."""
    table = ["| Address | Value | Default | Applies | Meaning |", "|---|---|---|---|---|"]
    table += [
        f"| `{row.address}` | {_cell(row.value)} | {_cell(row.default)} | {row.applies} | {_cell(row.doc)} |" for row in rows()
    ]
    scaled = ", ".join(
        f"`{_address(spec).removeprefix(ROOT)}`" for spec in PARAMS.values() if scalable(spec) and spec.kept and not spec.index
    )
    scope = [f"| `{SCOPE_ROOT}{name}` | `{ROOT}{ours}` |" for name, ours in SCOPE_NAMES.items()]
    scope += [f"| `{SCOPE_ROOT}{name}` | accepted, has no effect |" for name in sorted(SCOPE_IGNORED)]
    return "\n".join(
        [
            *table,
            "",
            f"`{ROOT}<param>{NORM}` takes 0..1 and `{ROOT}<param>{MIDI}` takes 0..127, scaled to the range, for {scaled}.",
            "",
            "Subscribers are sent every applied value that they do not hold already, at its own address (booleans as 1 and 0),",
            f"`{ROOT}applied/<param>` with the number of the chunk that first used it, `{ROOT}status/<name>` with a number and",
            f"`{ROOT}info/<name>` with text. A refused message is answered on `{ROOT}error` with its address and the reason, a",
            f"clamped one on `{ROOT}warning`, at the port it came from and at those that its sender has subscribed.",
            "",
            f"The LoRAs of `model.loras` also go by name: `{ROOT}lora/ink/scale` is `{ROOT}lora/1/scale` where `ink` comes",
            "first. Its value is sent at both addresses. Presets, timelines, MIDI maps and `params` take the name too.",
            "",
            "Of a node of Scope's the address has the node's name too: `/scope/main/noise_scale` is `/scope/noise_scale`.",
            "",
            "| Scope's address | is the same as |",
            "|---|---|",
            *scope,
            "",
            "Resolume's and AbletonOSC's tempo:",
            "",
            "| Their address | is the same as |",
            "|---|---|",
            *(f"| `{address}` | `{ROOT}{name}` |" for address, name in SAME.items()),
            *(f"| `{address}` | {meaning} |" for address, meaning in OTHERS.items()),
        ]
    )


def _address(spec: ParamSpec) -> str:
    if spec.index is None:
        return ROOT + spec.name
    numbers = [one.name.split("/")[1] for one in PARAMS.values() if one.field == spec.field]
    return ROOT + spec.name.replace(f"/{numbers[0]}/", f"/{numbers[0]}..{numbers[-1]}/")


def _default(spec: ParamSpec) -> str:
    value = spec.default
    if not spec.kept or value == "":
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        others = {one.default for one in PARAMS.values() if one.field == spec.field} - {value}
        return f"{value:g}" + "".join(f", others {other:g}" for other in others)
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return text if len(text) <= _DEFAULT_SHOWN else text[: _DEFAULT_SHOWN - 3].rstrip(" ,") + "..."


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
