"""One entry of a map, from YAML data to an `Entry`. `mapfile` describes the keys."""

from __future__ import annotations

import math
from typing import Any

from sdv2_live.control.coerce import exact
from sdv2_live.control.names import TABLE, ParamNames
from sdv2_live.control.osc.addresses import MIDI_MAX, NORM
from sdv2_live.control.params import Keeps, Kind
from sdv2_live.errors import ParamError
from sdv2_live.midi.highres import LSB, MAX14
from sdv2_live.midi.mapping import STEP, Act, Control, Entry, Light, Target, full_range, target_of
from sdv2_live.midi.relative import Coding
from sdv2_live.wording import nearest, shown

KINDS = ("note", "cc", "cc14", "nrpn", "pitchbend", "aftertouch", "program")
ENCODER_KEYS = ("relative", "step")
_FADER_KEYS = ("range", "curve", "pickup", "feedback", *ENCODER_KEYS)
ENTRY_KEYS = (*KINDS, "channel", "address", "action", "value", "off", *_FADER_KEYS, "led")
MAX_CURVE = 10.0
_BUTTONS = ("note", "cc", "program")  # have a press
_FADERS = ("cc", "cc14", "nrpn", "pitchbend", "aftertouch")  # have a position
_MOST = {"cc14": LSB - 1, "nrpn": MAX14}  # of a control's number
_SEED_WORDS = ("random", "lock")


class MistakeError(Exception):
    """A sentence about one key of an entry; `key` is empty when it is about the entry as a whole."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(reason)
        self.key = key


def read_entry(item: dict[str, Any], channel: int | None = None, names: ParamNames = TABLE) -> Entry:
    """One entry, checked; `channel` 0..15 is the map's own, `names` are the show's. Raises MistakeError for the first mistake."""
    control = _control(item, channel_of(item) if "channel" in item else channel)
    target = _target(item, names)
    act = _act(item, control, target)
    if act is not Act.VALUE:
        _refuse(item, _FADER_KEYS, f"is for faders and knobs; this entry's action is {act}")
        value, off = _arguments(item, target, act, control)
        return Entry(control, target, act, value, off, light=_light(item, control))
    _refuse(item, ("value", "off", "led"), "is for buttons; this entry's action is value")
    if control.relative is None:
        _refuse(item, ("step",), f"is for encoders; give relative: {' or '.join(Coding)} as well")
    if control.kind == "program" and control.number is None:
        if target.spec is None or target.spec.kind not in (Kind.PRESET, Kind.INT) or target.form:
            raise MistakeError("address", "program: all sends numbers; use it with /sdv2/preset or an integer parameter")
        _refuse(item, _FADER_KEYS, "is for faders and knobs")
        return Entry(control, target, act)
    if control.kind not in _FADERS:
        raise MistakeError("action", f"a {control.kind} has no position; use trigger, toggle, hold or set")
    low, high = _range(item, target)
    pickup, feedback = _flag(item, "pickup"), _flag(item, "feedback")
    if pickup and control.relative:
        raise MistakeError("pickup", "is for faders: an encoder has no position that could be elsewhere than its value")
    if feedback and control.kind == "aftertouch":
        raise MistakeError("feedback", "cannot be shown: aftertouch has neither motor nor lights")
    return Entry(control, target, act, low=low, high=high, curve=_curve(item), pickup=pickup, feedback=feedback, by=_step(item))


def channel_of(item: dict[str, Any], key: str = "channel") -> int | None:
    """The channel 0..15 that a map or an entry gives at `key`; None for any. Raises MistakeError."""
    number = item.get(key, "any")
    if number == "any":
        return None
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= 16:
        raise MistakeError(key, f"cannot be {shown(number)}; give 1..16, or any")
    return number - 1


def _control(item: dict[str, Any], channel: int | None) -> Control:
    kinds = [kind for kind in KINDS if kind in item]
    if len(kinds) != 1:
        raise MistakeError(kinds[1] if kinds else "", f"an entry needs exactly one of {', '.join(KINDS)}")
    kind = kinds[0]
    if kind == "pitchbend":
        return _pitchbend(item, channel)
    number = item[kind]
    if number == "all" and kind in ("program", "aftertouch"):
        return Control(kind, None, channel)
    most = _MOST.get(kind, MIDI_MAX)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= most:
        every = {"program": ", or all", "aftertouch": " for one key, or all for the pressure of the whole channel"}.get(kind, "")
        raise MistakeError(kind, f"cannot be {shown(number)}; give 0..{most}{every}")
    return Control(kind, number, channel, _relative(item, kind))


def _pitchbend(item: dict[str, Any], channel: int | None) -> Control:
    """A pitch bend's only number is its channel: `pitchbend: 3` is that of channel 3, `pitchbend: any` leaves it open."""
    own = channel_of(item, "pitchbend")
    if "channel" in item and channel != own:
        raise MistakeError("channel", f"is another than pitchbend: {item['pitchbend']}, which names a channel; leave it out")
    return Control("pitchbend", None, own)


def _relative(item: dict[str, Any], kind: str) -> Coding | None:
    given = item.get("relative", False)
    if given is False:
        return None
    if kind != "cc":
        raise MistakeError("relative", f"is for encoders, which send cc; this is a {kind}")
    if given is True:
        return Coding.TWOS
    if given not in list(Coding):
        raise MistakeError("relative", f"cannot be {shown(given)}{nearest(str(given), Coding)}; give one of {', '.join(Coding)}")
    return Coding(given)


def _step(item: dict[str, Any]) -> float:
    step = item.get("step", STEP)
    if not _finite(step) or not 0 < step <= 1:
        raise MistakeError("step", f"cannot be {shown(step)}; give the share of the whole way that one step makes, as {STEP}")
    return float(step)


def _target(item: dict[str, Any], names: ParamNames) -> Target:
    address = item.get("address")
    if not isinstance(address, str):
        raise MistakeError("address", f"cannot be {shown(address)}; give an OSC address such as /sdv2/noise_scale/norm")
    try:
        return target_of(address, names)
    except ParamError as error:
        raise MistakeError("address", str(error)) from error


def _act(item: dict[str, Any], control: Control, target: Target) -> Act:
    act = _asked(item, control, target)
    if act is not Act.VALUE and (control.kind not in _BUTTONS or control.relative):
        what = "an encoder" if control.relative else f"a {control.kind}"
        raise MistakeError("action", f"cannot be {act}: {what} is moved and has no press; give it a parameter with a range")
    return act


def _asked(item: dict[str, Any], control: Control, target: Target) -> Act:
    """The action that the entry states, or the usual one for its control and address."""
    given = item.get("action")
    if given is not None:
        if given not in list(Act):
            raise MistakeError("action", f"cannot be {shown(given)}{nearest(str(given), Act)}; give one of {', '.join(Act)}")
        return Act(given)
    if "value" in item:
        return Act.SET
    if target.spec is None or target.spec.kind is Kind.TRIGGER:
        return Act.TRIGGER
    if control.kind == "note" and target.spec.kind is Kind.BOOL and not target.form:
        return Act.HOLD if target.spec.keeps is Keeps.MOMENT else Act.TOGGLE
    if control.kind in ("note", "program") and control.number is not None:
        raise MistakeError("action", f"say what a press does to {target.spec.name}: give a value, or action: hold or toggle")
    return Act.VALUE


def _arguments(item: dict[str, Any], target: Target, act: Act, control: Control) -> tuple[Any, Any]:
    """The arguments that a button sends for on and off."""
    if control.kind == "program" and (control.number is None or act in (Act.HOLD, Act.TOGGLE)):
        raise MistakeError("action", f"cannot be {act}: a program change is never let go; use set or trigger")
    plain_bool = target.spec is not None and target.spec.kind is Kind.BOOL and not target.form
    if act is Act.TRIGGER:
        _refuse(item, ("off",), "is for toggle and hold")
        if target.spec is not None and target.spec.kind is not Kind.TRIGGER:
            raise MistakeError("action", f"cannot be trigger: {target.spec.name} is no trigger; use set, toggle or hold")
        return item.get("value"), None
    if target.spec is None and act is not Act.SET:
        raise MistakeError("action", f"cannot be {act}: {target.address} holds no value; use trigger or set")
    if act is Act.SET:
        _refuse(item, ("off",), "is for toggle and hold")
    value = _argument(item, "value", target, True if plain_bool else None)
    off = item.get("off")
    if "off" in item or act is Act.TOGGLE or plain_bool:
        off = _argument(item, "off", target, False if plain_bool else None)
    return value, off


def _argument(item: dict[str, Any], key: str, target: Target, default: Any) -> Any:
    value = item.get(key, default)
    spec = target.spec
    if value is None:
        raise MistakeError(key, f"is missing; give {spec.expected if spec else 'what to send'}")
    if spec is None or (spec.name == "seed" and value in _SEED_WORDS):
        return value
    if target.form:
        most = 1 if target.form == NORM else MIDI_MAX
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
            raise MistakeError(key, f"cannot be {shown(value)}; {target.address} takes 0..{most}")
        return value
    try:
        exact(spec, value)
    except ParamError as error:
        raise MistakeError(key, str(error)) from error
    return value


def _range(item: dict[str, Any], target: Target) -> tuple[float, float]:
    spec = target.spec
    if spec is None or spec.kind in (Kind.TEXT, Kind.NAME, Kind.STEPS, Kind.TRIGGER):
        raise MistakeError("address", f"a fader cannot send {target.address} a value; use a button with action: set or trigger")
    limits = full_range(target)
    ends = item.get("range", limits)
    if ends is None:
        raise MistakeError("range", f"is missing; give what the two ends of the fader send to {target.address}, as [0, 99]")
    numbers = isinstance(ends, list | tuple) and len(ends) == 2 and all(_finite(end) for end in ends)
    if not numbers or ends[0] == ends[1]:
        raise MistakeError("range", f"cannot be {shown(ends)}; give two different numbers, as [0.2, 0.9]")
    low, high = limits or (spec.low or 0, spec.high or math.inf)
    for end in ends:
        if not low <= end <= high:
            raise MistakeError("range", f"{end:g} is outside what {target.address} takes, {low:g}..{high:g}")
    return float(ends[0]), float(ends[1])


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _curve(item: dict[str, Any]) -> float:
    curve = item.get("curve", 1.0)
    if not _finite(curve) or not 1 / MAX_CURVE <= curve <= MAX_CURVE:
        raise MistakeError("curve", f"cannot be {shown(curve)}; give {1 / MAX_CURVE:g}..{MAX_CURVE:g}; 1 is straight")
    return float(curve)


def _flag(item: dict[str, Any], key: str) -> bool:
    value = item.get(key, False)
    if not isinstance(value, bool):
        raise MistakeError(key, f"cannot be {shown(value)}; give true or false")
    return value


def _light(item: dict[str, Any], control: Control) -> Light | None:
    given = item.get("led")
    if given is None:
        return None
    if control.kind not in ("note", "cc"):
        raise MistakeError("led", f"a {control.kind} has no light")
    levels = given if isinstance(given, dict) else {}
    good = all(not isinstance(level, bool) and isinstance(level, int) and 0 <= level <= MIDI_MAX for level in levels.values())
    if "on" not in levels or not set(levels) <= {"on", "off"} or not good:
        raise MistakeError("led", f"cannot be {shown(given)}; give {{on: 0..127, off: 0..127}}")
    return Light(**levels)


def _refuse(item: dict[str, Any], keys: tuple[str, ...], why: str) -> None:
    for key in keys:
        if key in item:
            raise MistakeError(key, why)
