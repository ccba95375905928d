"""A layout for TouchOSC (Mk2) on a tablet, made from the parameter table.

It has pages by subject beside a strip that is always visible. A parameter that no page claims appears on the first page, or on a
further one when that is full, and a family such as lora/1..8/scale on a page of its own: the layout grows with the table.

The layout subscribes itself when it opens, and by its CONNECT button: values then come back to FEEDBACK_PORT, which must be the
receive port of the tablet's connection.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from itertools import islice

from py2tosc import Control, Document, Value

from sdv2_live.control.osc.addresses import ROOT
from sdv2_live.control.params import PARAMS, Kind, ParamSpec
from sdv2_live.control.presets.file import Preset
from sdv2_live.control.surfaces.places import COLUMNS, cells, families, fits_a_fader, of, packed, slots, split, values_of
from sdv2_live.control.surfaces.touchosc_controls import (
    BACK,
    DIM,
    GAP,
    INK,
    PANEL,
    Box,
    caption,
    fader,
    live,
    node,
    paper,
    push,
    selector,
    title,
    toggle,
    words,
)

WIDTH, HEIGHT = 1024, 768  # points, a tablet lying
FEEDBACK_PORT = 9001
STRIP = 148  # width of what is always there
TABS = 48
BANK = 16  # preset buttons
CUES = 8
CELL = 84  # height of small controls

CYAN, VIOLET, AMBER, GREEN, RED, PINK = "#22b8d8", "#9d6bff", "#f5a623", "#3ecf8e", "#ff4d5e", "#ff6fb5"

_PAGES = {"picture": CYAN, "prompts": VIOLET, "presets": AMBER, "system": GREEN}  # others: pink
_STATUS = ("fps", "fps_in", "fps_out", "latency_ms", "latency_p95_ms", "chunk", "dropped", "repeated", "failed", "watched")
_TIMELINE = ("play", "stop", "next")


def layout(presets: Sequence[Preset] = ()) -> Document:
    """The layout as a document of py2tosc. presets: those that get buttons with their names and prompts.

    Raises:
        ValueError: a page has no room for its parameters.
    """
    page_box = Box(0, TABS, WIDTH - STRIP, HEIGHT - TABS)
    inside = Box(0, 0, page_box.w, page_box.h).inset(12)
    picture, more = split(of("picture"))
    makers = {"picture": _picture(picture, inside), "prompts": _prompts(inside, presets), "presets": _presets(inside, presets)}
    makers |= {name: _faders(specs, inside) for name, specs in families().items()}
    makers |= {"tempo": _more(of("tempo"), inside), "mod": _slots("mod", page_box)}
    makers |= {"tunnel": _more(of("feedback"), inside)} | {name: _more(of(name), inside) for name in ("input", "output")}
    makers |= {"more": _more(more, inside)} if more else {}
    makers |= {"system": _system(inside)}
    pages = [_page(name, page_box, children) for name, children in makers.items()]
    pager = _pager("pages", Box(0, 0, WIDTH - STRIP, HEIGHT))
    pager.add(*pages)
    strip = node("GROUP", "strip", Box(WIDTH - STRIP, 0, STRIP, HEIGHT), [], color=PANEL, corner_radius=0.0)
    strip.add(*_strip(Box(0, 0, STRIP, HEIGHT).inset(10)))
    root = node("GROUP", "sdv2-live", Box(0, 0, WIDTH, HEIGHT), [], color=BACK, corner_radius=0.0)
    root.set("script", f"function init()\n  sendOSC('{ROOT}subscribe', {FEEDBACK_PORT})\nend\n")
    root.add(pager, strip)
    return Document(root=root)


def _pager(name: str, box: Box) -> Control:
    """Pages with their tabs above them."""
    style = {"color": BACK, "tabbar_size": TABS, "text_size_on": 18, "text_size_off": 16, "corner_radius": 0.0}
    return node("PAGER", name, box, [Value("page", default=0.0)], **style)


def tosc(document: Document) -> bytes:
    """The bytes of a .tosc file."""
    return zlib.compress(document.dumps().encode("utf-8"))


def _page(name: str, box: Box, children: Iterator[Control], label: str = "") -> Control:
    accent = _PAGES.get(name, PINK)
    page = node(
        "GROUP",
        name,
        box,
        [],
        color=BACK,
        corner_radius=0.0,
        tab_label=label or name.upper(),
        tab_color_off=PANEL,
        tab_color_on=accent,
        text_color_off=DIM,
        text_color_on=BACK,
    )
    page.add(*children)
    return page


def _picture(specs: Sequence[ParamSpec], box: Box) -> Iterator[Control]:
    """Tall faders beside the preset, prompt and source on the air; all other controls in cells below."""
    faders = [spec for spec in specs if fits_a_fader(spec)]
    others = [spec for spec in specs if not fits_a_fader(spec)]
    rows = len(list(packed(others)))
    top, below = box.cut_top(box.h - rows * (CELL + GAP))
    tracks, air = top.cut_left(top.w - 300, 3 * GAP)
    for spec, place in zip(faders, tracks.columns(len(faders), 3 * GAP), strict=True):
        yield from fader(spec, place, CYAN)
    name, air = air.cut_top(60)
    yield live("air preset", f"{ROOT}preset", name, text_size=24, text_color=AMBER)
    prompt, source = air.cut_top(air.h - 34)
    yield paper("air prompt", PARAMS["prompt"], prompt, size=17)
    yield live("air source", f"{ROOT}info/source", source, text_color=DIM, text_align_h=1)
    yield from _grid(others, below, CYAN)


def _faders(specs: Sequence[ParamSpec], box: Box) -> Iterator[Control]:
    """The faders of one family, side by side."""
    for spec, place in zip(specs, box.columns(len(specs)), strict=True):
        yield from fader(spec, place, PINK) if fits_a_fader(spec) else _cell(spec, place, PINK)


def _more(specs: Sequence[ParamSpec], box: Box) -> Iterator[Control]:
    if len(rows := list(packed(specs))) * (CELL + GAP) > box.h + GAP:
        raise ValueError(
            f"no room for {len(rows)} rows of controls on one page; claim some of {[spec.name for spec in specs]} for another"
        )
    yield from _grid(specs, box, PINK)


def _slots(place: str, box: Box) -> Iterator[Control]:
    """A page of pages, one for each slot of a subject."""
    pager = _pager(f"{place} slots", Box(0, 0, box.w, box.h))
    inner = Box(0, TABS, box.w, box.h - TABS)
    for number, specs in enumerate(slots(place), start=1):
        controls = _more(specs, Box(0, 0, inner.w, inner.h).inset(12))
        pager.add(_page(f"{place} {number}", inner, controls, str(number)))
    yield pager


def _grid(specs: Sequence[ParamSpec], box: Box, accent: str) -> Iterator[Control]:
    """Controls in cells of one height, packed into rows from the top."""
    cell = (box.w - GAP * (COLUMNS - 1)) / COLUMNS
    for number, line in enumerate(packed(specs)):
        x, y = box.x, box.y + number * (CELL + GAP)
        for spec in line:
            width = cells(spec) * (cell + GAP) - GAP
            yield from _cell(spec, Box(round(x, 2), round(y, 2), round(width, 2), CELL), accent)
            x += width + GAP


def _cell(spec: ParamSpec, box: Box, accent: str) -> Iterator[Control]:
    match spec.kind:
        case Kind.BOOL:
            yield from toggle(spec, box, accent)
        case Kind.TRIGGER:
            yield from push(spec.name, title(spec.name), box, ROOT + spec.name, 1, accent)
        case Kind.TEXT | Kind.NAME:
            head, rest = box.cut_top(22, 4)
            yield caption(spec, head)
            yield paper(spec.name, spec, rest, tag=spec.name)
        case _ if fits_a_fader(spec):
            yield from fader(spec, box.inset(12), accent, upright=False)
        case _:
            yield from selector(spec, values_of(spec), box, accent)


def _prompts(box: Box, presets: Sequence[Preset]) -> Iterator[Control]:
    cue, box = box.cut_top(96)
    text, take = cue.cut_left(cue.w - 152)
    head, text = text.cut_top(22, 4)
    yield words("cue name", "CUE: THE NEXT PROMPT", head, text_color=DIM, text_size=13, text_align_h=1)
    yield paper("cue_prompt", PARAMS["cue_prompt"], text, tag="cue_prompt")
    yield from push("take", "TAKE", take, f"{ROOT}take", 1, VIOLET, size=26)
    bank, box = box.cut_top(44)
    cueable = [preset for preset in presets if "prompt" in preset.values][:CUES]
    for preset, place in zip(cueable, bank.columns(CUES, 4), strict=False):
        text_sent = str(preset.values["prompt"])
        yield from push(f"cue {preset.number}", preset.name, place, f"{ROOT}cue_prompt", text_sent, VIOLET, size=12)
    changes, slots = box.cut_top(78)
    left, right = changes.cut_left(changes.w * 0.55)
    for spec, place in zip((PARAMS["interpolation"], PARAMS["prompt_change"]), left.columns(2), strict=True):
        yield from selector(spec, spec.choices, place, VIOLET)
    yield from fader(PARAMS["transition_chunks"], right.inset(14), VIOLET, upright=False)
    texts = [spec for spec in PARAMS.values() if spec.field in ("prompt", "prompts")]
    weights = [spec for spec in PARAMS.values() if spec.field == "weights"]
    for number, (prompt, weight, place) in enumerate(zip(texts, weights, slots.rows(len(texts)), strict=True), start=1):
        label, place = place.cut_left(26, 4)
        yield words(f"slot {number}", str(number), label, text_color=VIOLET, text_size=20)
        shown, place = place.cut_left(place.w * 0.56)
        yield paper(prompt.name, prompt, shown, tag=prompt.name)
        yield from fader(weight, place, VIOLET, upright=False, named=False)


def _presets(box: Box, presets: Sequence[Preset]) -> Iterator[Control]:
    head, box = box.cut_top(44)
    name = live("preset value", f"{ROOT}preset", head, text="", tag="preset", text_size=26, text_color=AMBER)
    yield name
    grid, foot = box.cut_top(box.h - 64, 16)
    names = {preset.number: preset.name for preset in presets}
    numbers = sorted([*sorted(names), *(free for free in range(1, BANK + 1) if free not in names)][:BANK])
    for number, place in zip(numbers, grid.grid(4, BANK // 4), strict=True):
        text = names.get(number, str(number))
        yield from push(
            f"preset {number}", text, place, f"{ROOT}preset", number, AMBER if number in names else DIM, shows=name, size=18
        )
    again, foot = foot.cut_left(130, 24)
    yield from push("reload", "RELOAD", again, f"{ROOT}preset/reload", None, DIM)
    yield from fader(PARAMS["morph_seconds"], foot.inset(6), AMBER, upright=False)


def _system(box: Box) -> Iterator[Control]:
    specs = of("system")
    small, box = box.cut_top(len(list(packed(specs))) * (CELL + GAP), 16)
    yield from _grid(specs, small, GREEN)
    lines, box = box.cut_top(box.h - 100, 16)
    numbers, lines = lines.cut_top(lines.h - 110, 20)
    for name, place in zip(_STATUS, numbers.grid(5, 2), strict=True):
        head, value = place.cut_top(20, 0)
        yield words(f"{name} name", title(name), head, text_color=DIM, text_size=12)
        yield live(
            f"status {name}",
            f"{ROOT}status/{name}",
            value,
            text="-",
            text_size=30,
            font=1,
            background=True,
            color=PANEL,
            text_length=7,
        )
    for kind, address, argument in (("source", f"{ROOT}info/source", 0), ("error", f"{ROOT}error", 1)):
        line, lines = lines.cut_top(46)
        head, value = line.cut_left(80)
        yield words(f"{kind} name", title(kind), head, text_color=DIM, text_size=13, text_align_h=1)
        colour = RED if kind == "error" else INK
        yield live(
            f"info {kind}", address, value, argument=argument, text_color=colour, background=True, color=PANEL, text_align_h=1
        )
    places = iter(box.columns(len(_TIMELINE) + 2))
    for action, place in zip(_TIMELINE, islice(places, len(_TIMELINE)), strict=True):
        yield from push(
            f"timeline {action}", f"TIMELINE\n{action.upper()}", place, f"{ROOT}timeline/{action}", None, GREEN, size=14
        )
    yield from push("dump", "READ ALL\nVALUES", next(places), f"{ROOT}dump", None, DIM, size=14)
    yield from push("disconnect", "DISCONNECT", next(places), f"{ROOT}unsubscribe", FEEDBACK_PORT, DIM, size=14)


def _strip(box: Box) -> Iterator[Control]:
    """Controls that must always be in reach, and the health of the show."""
    head, box = box.cut_top(64, 12)
    yield from push("connect", "CONNECT", head, f"{ROOT}subscribe", FEEDBACK_PORT, GREEN)
    for name, unit in (("fps", "FPS"), ("latency_ms", "MS LATE")):
        value, box = box.cut_top(44, 0)
        yield live(f"strip {name}", f"{ROOT}status/{name}", value, text="-", text_size=30, font=1, text_length=5)
        label, box = box.cut_top(20, 8)
        yield words(f"strip {name} name", unit, label, text_color=DIM, text_size=12)
    colours = {"blackout": RED, "reset": CYAN, "freeze": AMBER, "bypass": GREEN}
    specs = of("strip")
    for spec, place in zip(specs, box.rows(len(specs), 12), strict=True):
        yield from _cell(spec, place, colours.get(spec.name, CYAN))
