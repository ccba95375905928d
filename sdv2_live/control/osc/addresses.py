"""OSC addresses: each means a parameter or an action, and its arguments give the value.

/sdv2/<param> value...       one address a parameter of the table
/sdv2/<param>/norm 0..1      a number, scaled to the parameter's range
/sdv2/<param>/midi 0..127    the same for MIDI controllers
/sdv2/<action> ...           actions, which are no parameters: subscriptions, the timeline's transport
and the names of other programs, for the same parameters, see `foreign`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple, cast

from sdv2_live.control.coerce import coerce
from sdv2_live.control.names import TABLE, ParamNames
from sdv2_live.control.osc.foreign import (
    OTHERS,
    SAME,
    SCOPE_IGNORED,
    SCOPE_NAMES,
    SCOPE_ROOT,
    Question,
    Relative,
    tempo_of,
)
from sdv2_live.control.osc.pattern import CHARACTERS, matches, read_pattern
from sdv2_live.control.params import PARAMS, Kind, ParamSpec
from sdv2_live.errors import ParamError
from sdv2_live.wording import nearest

ROOT = "/sdv2/"
NORM = "/norm"
MIDI = "/midi"
MIDI_MAX = 127
MAX_PATTERN = 100  # characters
ALIKE = 0.7  # of a name's letters: many names end alike, and a wrong hint moves a wrong fader

_SCALABLE = (Kind.INT, Kind.FLOAT, Kind.BOOL, Kind.CHOICE, Kind.TRIGGER)


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """An address that acts once and is no parameter."""

    name: str
    expected: str
    doc: str
    text: bool = False  # it takes a name, which may have several words


_ACTIONS = (
    ActionSpec("subscribe", "nothing, a port, or a host and a port", "Send every applied value and the status there."),
    ActionSpec("unsubscribe", "nothing, a port, or a host and a port", "Stop sending there."),
    ActionSpec("dump", "nothing", "Send all values again to the subscriptions of this sender."),
    ActionSpec("mod/listen", "true or false", "Tell this sender's subscriptions of what moves, too, at mod/value/<param>."),
    ActionSpec("audio/listen", "true or false", "Tell this sender's subscriptions how loud it is, too, at meters."),
    ActionSpec("prompt/expand", "a text, or nothing", "Make a text (or the cue, or the prompt) long, and cue it.", text=True),
    ActionSpec("preset/save", "a name", "Save the present values as a new preset.", text=True),
    ActionSpec("preset/replace", "a name", "Save the present values in the place of that preset.", text=True),
    ActionSpec("preset/picture", "a name or number", "Take the picture of that preset anew, from the output.", text=True),
    ActionSpec("preset/reload", "nothing", "Read the preset files again."),
    ActionSpec("timeline/play", "nothing", "Play the timeline from where it stands."),
    ActionSpec("timeline/stop", "nothing", "Hold the timeline where it stands."),
    ActionSpec("timeline/seek", "seconds, or a marker's name", "Go there and set all that holds there.", text=True),
    ActionSpec("timeline/next", "nothing", "Go to the next event that has a marker, or else to the next event."),
    ActionSpec("timeline/loop", "true or false", "Start over at the end, or stop there."),
    ActionSpec("timeline/load", "a file's name", "Take a timeline of `timeline.dir`; it stands at its start.", text=True),
    ActionSpec("timeline/record", "true or false", "Record what is played, or end that: a new timeline in `timeline.dir`."),
    ActionSpec("timeline/save", "a name", "Save the timeline under a new name; `.json` for Scope, else YAML.", text=True),
    ActionSpec("takes/render", "a take's name", "Paint a take again into a video beside it, while the show goes on.", text=True),
    ActionSpec("takes/cancel", "nothing", "Stop painting that video."),
    ActionSpec(
        "tempo/clock",
        "a source's name or none, bpm, beat, age in ms, number of peers or none",
        "What another program's beat is; sent 10 to 20 times a second. The source is osc, link, midi or audio.",
    ),
)
ACTIONS: Mapping[str, ActionSpec] = MappingProxyType({action.name: action for action in _ACTIONS})


class Setting(NamedTuple):
    """A parameter and its value from a message, not yet checked."""

    name: str
    value: Any


class Call(NamedTuple):
    """An action and its arguments."""

    action: ActionSpec
    args: tuple[Any, ...]


def resolve(
    address: str, args: tuple[Any, ...], suggest: bool = True, names: ParamNames = TABLE
) -> Setting | Call | Relative | Question | None:
    """Find the parameter or action of a message.

    Args:
        address: the message's address, without pattern characters.
        args: the message's arguments.
        suggest: name the nearest address in an error; that search takes a millisecond, too long when they come by the thousand.
        names: the show's parameter names.

    Returns:
        The request, or None for an address that is accepted without effect.

    Raises:
        ParamError: the address is unknown or a value is missing; says what was expected.
    """
    if address.startswith(ROOT):
        name = address.removeprefix(ROOT)
        if name in ACTIONS:
            action = ACTIONS[name]
            return Call(action, (sentence,) if action.text and (sentence := _sentence(args)) else args)
        if name.endswith((NORM, MIDI)) and (spec := names.find(name[: -len(NORM)])):
            return Setting(spec.name, _scaled(spec, args, 1 if name.endswith(NORM) else MIDI_MAX))
        if spec := names.find(name):
            return Setting(spec.name, _given(spec, args))
        if reason := names.refusal(name.removesuffix(NORM).removesuffix(MIDI)):
            raise ParamError(reason)
    elif address.startswith(SCOPE_ROOT):
        name = address.removeprefix(SCOPE_ROOT)
        name = name.partition("/")[2] or name  # of one node
        if name in SCOPE_IGNORED:
            return None
        if name in SCOPE_NAMES:
            spec = PARAMS[SCOPE_NAMES[name]]
            return Setting(spec.name, _given(spec, args))
    elif address in SAME:
        return Setting(SAME[address], _given(PARAMS[SAME[address]], args))
    elif address in OTHERS:
        asked = tempo_of(address, args)
        return Setting("tempo/bpm", asked) if isinstance(asked, float) else asked
    raise ParamError(f"there is no such address{_instead(address, names) if suggest else ''}")


@lru_cache(maxsize=256)
def _instead(address: str, names: ParamNames) -> str:
    """A hint at the address that the sender may have meant. Names are compared without their root, which all share."""
    if address.split("/")[2:3] == ["dmx"]:
        return ": QLC+ sends the DMX channels of a universe so, which play nothing here; switch OSC off for it in QLC+"
    if address.startswith(SCOPE_ROOT):
        return nearest(address.removeprefix(SCOPE_ROOT), SCOPE_NAMES, SCOPE_ROOT, ALIKE)
    if not address.startswith(ROOT) and (hint := nearest(address, (*SAME, *OTHERS), "", ALIKE)):
        return hint
    hint = nearest(address.removeprefix(ROOT).removeprefix("/"), (*names, *ACTIONS), ROOT, ALIKE)
    return hint or f"; addresses look like {ROOT}noise_scale"


def expand(address: str, names: ParamNames = TABLE) -> tuple[str, ...]:
    """The parameter addresses that an OSC address pattern matches; an address without pattern characters stands for itself.

    Raises:
        ParamError: the pattern matches no parameter, or is longer than MAX_PATTERN.
    """
    if CHARACTERS.isdisjoint(address):
        return (address,)
    if len(address) > MAX_PATTERN:
        raise ParamError(f"the address pattern is longer than {MAX_PATTERN} characters")
    matching = _matches(address, names)
    if not matching:
        raise ParamError("no parameter matches this address pattern")
    return matching


@lru_cache(maxsize=64)
def _matches(pattern: str, names: ParamNames) -> tuple[str, ...]:
    parts = read_pattern(pattern)
    return tuple(ROOT + name for name in names if matches(parts, ROOT + name))


def scalable(spec: ParamSpec) -> bool:
    """True when the parameter has the addresses /norm and /midi."""
    return spec.kind in _SCALABLE


def _given(spec: ParamSpec, args: tuple[Any, ...]) -> Any:
    if not args and spec.kind is not Kind.TRIGGER:
        raise ParamError(f"{spec.name} came without a value; give {spec.expected}")
    if spec.kind in (Kind.TEXT, Kind.PRESET, Kind.NAME) and (sentence := _sentence(args)):
        return sentence
    return args[0] if len(args) == 1 else args


def _sentence(args: tuple[Any, ...]) -> str:
    """The text of several words, as Max, Pure Data and QLab send one without quotation marks; empty for other arguments."""
    words = args[0] if len(args) == 1 and isinstance(args[0], list) else args
    if len(words) < 2 or not any(isinstance(word, str) for word in words):
        return ""
    if any(isinstance(word, bool) or not isinstance(word, str | int | float) for word in words):
        return ""
    return " ".join(f"{word:g}" if isinstance(word, float) else str(word) for word in words)


def _scaled(spec: ParamSpec, args: tuple[Any, ...], full: int) -> Any:
    """The parameter's value for a fader's or knob's position 0..full."""
    if not scalable(spec):
        raise ParamError(f"{spec.name} is no number to scale; send {spec.expected} to {ROOT}{spec.name}")
    if spec.kind is Kind.TRIGGER:
        return _given(spec, args)
    position = ParamSpec(f"the position of {spec.name}", Kind.FLOAT, 0.0, "", low=0.0, high=float(full))
    share = cast(float, coerce(position, _given(position, args)).value) / full
    if spec.kind is Kind.BOOL:
        return share >= 0.5
    if spec.kind is Kind.CHOICE:
        return min(int(share * len(spec.choices)), len(spec.choices) - 1)
    low, high = spec.scaled or (spec.low, spec.high)
    assert low is not None
    assert high is not None
    return low + share * (high - low)
