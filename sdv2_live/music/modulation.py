"""What moves parameters: the weight of each slot over a span of time, from waves, beats and what is heard.

`Modulator` holds what must survive a chunk: smoothed values, the place of waves in Hz, and what a wave that is too fast holds at.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from sdv2_live.music.heard import Heard, Hearing
from sdv2_live.music.waves import PULSES, cycle_beats, decay, wave

log = logging.getLogger("sdv2_live.music")

Source = Literal["lfo", "env", "low", "mid", "high", "onset", "kick", "beat"]
Polarity = Literal["up", "both"]

WAVES = frozenset({"lfo", "beat"})  # sources that go by the beat; the others are heard
HITS = frozenset({"onset", "kick", "beat"})
COARSE, TOO_FAST = 3, 2  # spans of a cycle: below, a wave is shown roughly, and not at all
BETTER = 1.1  # times as many are needed for a better verdict: a tempo that wavers does not make it flicker
LATE_NS = 60_000_000  # a hit is known so long after it was captured, at most


class Beats(Protocol):
    """The beat of a show; `music.clock.BeatClock` is one."""

    beats_per_bar: int

    def beat(self, at_ns: int) -> float:
        """The count of beats at a time."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One slot that is on, as the rows mod/N/... have it. swing: max - min."""

    number: int
    target: str
    source: str
    shape: str
    rate: str
    hz: float
    phase: float
    depth: float
    swing: float
    polarity: str
    smooth_ms: float


@dataclass(frozen=True, slots=True)
class Span:
    """The time for which a chunk or a frame is seen, in nanoseconds of `system.clock.monotonic_ns`.

    Attributes:
        start_ns: on the clock that the beat is looked up by.
        captured_ns: its beginning on the clock of its capture, by which sound is looked up.
    """

    start_ns: int
    length_ns: int
    captured_ns: int

    @property
    def end_ns(self) -> int:
        """The end, and the beginning of the next."""
        return self.start_ns + self.length_ns


@dataclass(slots=True)
class _Memory:
    """What one slot remembers. level: 0..1, smoothed. count: cycles of a wave in Hz. verdict: of its speed, "" for well."""

    start_ns: int
    level: float
    count: float = 0.0
    verdict: str = ""


class Modulator:
    """The weights of the slots of one show, span after span. One thread uses it."""

    def __init__(self, beats: Beats, hearing: Hearing) -> None:
        self._beats, self._hearing = beats, hearing
        self._memories: dict[int, _Memory] = {}
        self._heard = Heard()  # in the span at hand
        self._tail = {"onset": 0.0, "kick": 0.0}  # hits known so far of the last LATE_NS of the span before
        self._late = dict(self._tail)  # hits of it that are known only now

    @property
    def verdicts(self) -> dict[int, str]:
        """The slots whose waves are too fast to be shown well, with a word on each: coarse, or held."""
        return {number: memory.verdict for number, memory in self._memories.items() if memory.verdict}

    def offsets(self, slots: Sequence[Slot], span: Span, seed: int) -> dict[str, float]:
        """What each target is moved by over a span, in its own unit: the sum of depth * swing * weight of its slots.

        Every slot that is on must be given, or it begins anew when it is next. Slots of depth 0 change nothing.
        """
        found: dict[str, float] = {}
        sources = {slot.source for slot in slots}
        self._heard = self._hearing.between(span.captured_ns, span.captured_ns + span.length_ns) if sources - WAVES else Heard()
        if sources & self._tail.keys():
            self._listen(span)
        for slot in slots:
            weight = self._weight(slot, span, seed)
            if slot.depth:
                found[slot.target] = found.get(slot.target, 0.0) + slot.depth * slot.swing * weight
        numbers = {slot.number for slot in slots}
        self._memories = {number: memory for number, memory in self._memories.items() if number in numbers}
        return found

    def _weight(self, slot: Slot, span: Span, seed: int) -> float:
        memory = self._memories.get(slot.number)
        if memory is None:
            memory = self._memories[slot.number] = _Memory(span.start_ns, 0.0)
            seconds = math.inf
        else:
            seconds = max(span.start_ns - memory.start_ns, 0) / 1e9
            memory.count += (span.start_ns - memory.start_ns) / 1e9 * slot.hz
            memory.start_ns = span.start_ns
        level = self._level(slot, span, memory, seed)
        if level is not None:
            hit = slot.source in HITS or (slot.source == "lfo" and slot.shape in PULSES)
            if slot.smooth_ms > 0 and not (hit and level > memory.level):
                level = memory.level + (level - memory.level) * -math.expm1(-1000 * seconds / slot.smooth_ms)
            memory.level = level
        return memory.level if slot.polarity == "up" else 2 * memory.level - 1

    def _level(self, slot: Slot, span: Span, memory: _Memory, seed: int) -> float | None:
        """What the slot's source gives for a span, 0..1; None where it cannot be shown."""
        if slot.source not in WAVES:
            level: float = getattr(self._heard, slot.source)
            return max(level, self._late.get(slot.source, 0.0))
        start, end = self._cycles(slot, span, memory)
        memory.verdict = self._verdict(slot, span, end - start, memory.verdict)
        if memory.verdict == "held":
            return None
        return decay(start, end) if slot.source == "beat" else wave(slot.shape, start, end, seed)

    def _cycles(self, slot: Slot, span: Span, memory: _Memory) -> tuple[float, float]:
        """The counts of cycles at the beginning and the end of a span."""
        if slot.source == "lfo" and slot.rate == "hz":
            start = memory.count + slot.phase
            return start, start + span.length_ns / 1e9 * slot.hz
        beats, phase = 1.0, 0.0
        if slot.source == "lfo":
            beats, phase = cycle_beats(slot.rate, self._beats.beats_per_bar), slot.phase
        start, end = (self._beats.beat(at_ns) / beats + phase for at_ns in (span.start_ns, span.end_ns))
        return start, max(start, end)

    def _verdict(self, slot: Slot, span: Span, cycles: float, before: str) -> str:
        """How well a wave of so many cycles a span can be shown. A change for the worse is logged."""
        spans = 1 / cycles if cycles > 0 else math.inf
        held = TOO_FAST * (BETTER if before == "held" else 1)
        coarse = COARSE * (BETTER if before else 1)
        now = "held" if spans < held else "coarse" if spans < coarse else ""
        if now and now != before and not (now == "coarse" and before == "held"):
            effect = "it stands still" if now == "held" else "it is shown roughly"
            step_ms = span.length_ns / 1e6
            log.warning(
                "mod/%d: a wave of %.0f ms is too fast for %s, which moves every %.0f ms: %s; choose a slower rate (mix moves "
                "with every frame)",
                *(slot.number, spans * step_ms, slot.target, step_ms, effect),
            )
        return now

    def _listen(self, span: Span) -> None:
        """Look again for hits at the end of the span before, which were not known yet when that was asked for."""
        start, end = span.captured_ns, span.captured_ns + span.length_ns
        heard = self._hearing.between(start - LATE_NS, start)
        tail = self._hearing.between(end - LATE_NS, end)
        for name, known in self._tail.items():
            now: float = getattr(heard, name)
            self._late[name] = now if now > known else 0.0
            self._tail[name] = getattr(tail, name)


def effective(base: float, offset: float, low: float, high: float) -> float:
    """The value that a parameter is painted with: its base, moved, within its range."""
    return min(max(base + offset, low), high) if offset else base


def moved_steps(steps: tuple[int, ...], offset: float) -> tuple[int, ...]:
    """Denoising steps of which all but the first have moved together by `offset` thousands.

    Their number and their distances stay, as do the first, which follows the noise, and the range 1..1000.
    """
    if len(steps) < 2:
        return steps
    by = min(max(round(1000 * offset), 1 - steps[-1]), steps[0] - 1 - steps[1])
    return (steps[0], *(step + by for step in steps[1:]))
