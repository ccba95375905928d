"""What a source says of the beat; another program says it by `/sdv2/tempo/clock`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sdv2_live.errors import ParamError
from sdv2_live.music.tempo import BPM_MAX, BPM_MIN, Tempo
from sdv2_live.wording import shown

LEADERS = ("link", "midi", "audio", "osc")  # the sources besides internal
MAX_AGE_MS = 5000.0  # older news are none
MAX_BEATS = 1e9
MAX_PEERS = 10_000
GIVE = "give a source (or none for osc), bpm, the count of beats, its age in ms, and the number of peers"


@dataclass(frozen=True, slots=True)
class Said:
    """What a source said last.

    Attributes:
        peers: other programs in its session, for Link.
        confidence: 0..1, how sure it is of itself.
        heard_ns: when it said so.
    """

    tempo: Tempo
    peers: int
    confidence: float
    heard_ns: int


class ClockNews(NamedTuple):
    """One message of a source. `tempo` has its beat at the time at which it was measured."""

    source: str
    tempo: Tempo
    peers: int


def read_news(args: Sequence[Any], arrived_ns: int) -> ClockNews:
    """Read `[source] bpm beat age_ms [peers]`. The age is taken off the arrival.

    Raises:
        ParamError: they are no tempo: a number is missing, not finite or out of its range.
    """
    named = bool(args) and isinstance(args[0], str)
    source = str(args[0]).strip().lower() if named else "osc"
    if source not in LEADERS:
        raise ParamError(f"there is no source {shown(args[0])}; give one of {', '.join(LEADERS)}, or none for osc")
    numbers = list(args[1:] if named else args)
    if not 3 <= len(numbers) <= 4 or any(isinstance(one, bool) or not isinstance(one, int | float) for one in numbers):
        raise ParamError(f"the tempo cannot be {shown(tuple(args))}; {GIVE}")
    bpm, beat, age_ms, peers = (*map(float, numbers), 0.0)[:4]
    _within("the tempo", bpm, BPM_MIN, BPM_MAX, " bpm")
    _within("the count of beats", beat, -MAX_BEATS, MAX_BEATS)
    _within("its age", age_ms, 0.0, MAX_AGE_MS, " ms")
    _within("the number of peers", peers, 0, MAX_PEERS)
    return ClockNews(source, Tempo(arrived_ns - round(age_ms * 1e6), beat, bpm), int(peers))


def tell(source: str, tempo: Tempo, now_ns: int, *numbers: int) -> tuple[Any, ...]:
    """What `read_news` reads, with further `numbers`.

    It tells the newest whole beat: OSC carries fractions in 32 bits, and after an hour of beats these would be too coarse.
    """
    beat = math.floor(tempo.beat(now_ns))
    age_ms = max(now_ns - tempo.time_at(beat), 0) / 1e6
    return (source, tempo.bpm, beat, age_ms, *numbers)


def _within(what: str, value: float, low: float, high: float, unit: str = "") -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise ParamError(f"{what} cannot be {value:g}{unit}; give {low:g}..{high:g}{unit}")
