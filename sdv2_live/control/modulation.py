"""The parameters of a chunk as modulation makes them: the table's values are where the hand put them, these are what is painted.

The base, which hands, presets, timelines and morphs write, stays as it is in the store, and so in the journal, in saved presets
and in what is told at a parameter's own address.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sdv2_live.control.params import PARAMS, Params, Value, updated, value_of
from sdv2_live.control.params_mod import STEPS_TARGET
from sdv2_live.music.heard import Deaf, Hearing
from sdv2_live.music.modulation import Beats, Modulator, Slot, Span, effective, moved_steps

PER_FRAME = "mix"  # pictures that are finished can be mixed anew for each frame, all else is painted by the chunk
CHUNK = 4  # frames; a stream's first chunk has one more, which makes no wave too fast
USUAL_NS = 33_333_333  # from one frame to the next, where there is one alone


class Modulated(NamedTuple):
    """What one chunk is painted with.

    Attributes:
        params: with effective values, but for `mix`.
        swing: what is added to `mix` for each frame, before it is brought into 0..1; empty for nothing.
    """

    params: Params
    swing: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class ModulationState:
    """What moves now.

    Attributes:
        values: effective values by parameter.
        verdicts: by the slot's number, of waves that are too fast to be shown well: coarse, or held.
    """

    values: Mapping[str, Value] = field(default_factory=dict)
    verdicts: Mapping[int, str] = field(default_factory=dict)

    def listed(self) -> dict[str, object]:
        """What the page shows: the names of what moves, to which it listens, and the verdicts."""
        return {"moving": sorted(self.values), "verdicts": {str(number): word for number, word in self.verdicts.items()}}

    @property
    def words(self) -> str:
        """A summary of one line."""
        moving = f"{len(self.values)} parameters move" if len(self.values) != 1 else "1 parameter moves"
        held = [f"mod/{number} is {verdict}" for number, verdict in sorted(self.verdicts.items())]
        return ", ".join((moving, *held)) if self.values or held else "off"


class Modulation:
    """Moves the parameters of one show, or of one rendering. One thread uses it; `state` is for all.

    Args:
        changed: called when other parameters move, or a verdict is another; must not block.
    """

    def __init__(self, beats: Beats, hearing: Hearing | None = None, changed: Callable[[], None] = lambda: None) -> None:
        self.state = ModulationState()
        self._changed = changed
        hearing = hearing or Deaf()
        self._by_chunk, self._by_frame = Modulator(beats, hearing), Modulator(beats, hearing)

    def __call__(self, params: Params, captured_ns: Sequence[int], delay_ns: int) -> Modulated:
        """What to paint a chunk with.

        Args:
            params: the base of every parameter.
            captured_ns: of its frames, in order.
            delay_ns: from the capture of a frame until it is seen.
        """
        if not any(params.mod_on):
            self._stands(ModulationState())
            return Modulated(params)
        delay_ns = delay_ns if params.tempo_follow == "room" else 0
        spans = _spans(captured_ns, delay_ns)
        slots = slots_of(params)
        usual = spans[-CHUNK:]
        chunk = Span(usual[0].start_ns, usual[-1].end_ns - usual[0].start_ns, usual[0].captured_ns)
        offsets = self._by_chunk.offsets([slot for slot in slots if slot.target != PER_FRAME], chunk, params.seed)
        values = {name: _moved(params, name, offset) for name, offset in offsets.items()}
        mixing = [slot for slot in slots if slot.target == PER_FRAME]
        frames = [self._by_frame.offsets(mixing, span, params.seed) for span in spans]
        swing = tuple(frame[PER_FRAME] for frame in frames) if frames[0] else ()
        mixed = {PER_FRAME: _moved(params, PER_FRAME, swing[0])} if swing else {}
        self._stands(ModulationState(values | mixed, self._by_chunk.verdicts | self._by_frame.verdicts))
        return Modulated(updated(params, values), swing)

    def _stands(self, now: ModulationState) -> None:
        before, self.state = self.state, now
        if (before.values.keys(), before.verdicts) != (now.values.keys(), now.verdicts):
            self._changed()


def slots_of(params: Params) -> list[Slot]:
    """The slots that are on."""
    return [
        Slot(
            i + 1,
            params.mod_target[i],
            params.mod_source[i],
            params.mod_shape[i],
            params.mod_rate[i],
            params.mod_hz[i],
            params.mod_phase[i],
            params.mod_depth[i],
            params.mod_max[i] - params.mod_min[i],
            params.mod_polarity[i],
            params.mod_smooth_ms[i],
        )
        for i, on in enumerate(params.mod_on)
        if on
    ]


def _moved(params: Params, name: str, offset: float) -> Value:
    if name == STEPS_TARGET:
        return moved_steps(params.steps, offset)
    spec = PARAMS[name]
    base = value_of(params, spec)
    assert isinstance(base, float)
    assert spec.low is not None
    assert spec.high is not None
    return effective(base, offset, spec.low, spec.high)


def _spans(captured_ns: Sequence[int], delay_ns: int) -> list[Span]:
    """The time for which each frame is seen: until the next, and the last for as long as those before in the mean."""
    count, first, last = len(captured_ns), captured_ns[0], captured_ns[-1]
    usual = max((last - first) // (count - 1), 1) if count > 1 else USUAL_NS
    ends = (*captured_ns[1:], last + usual)
    return [Span(at + delay_ns, max(end - at, 1), at) for at, end in zip(captured_ns, ends, strict=True)]


def with_swing(mix: float, swing: Sequence[float]) -> list[float]:
    """The share of the painting in each frame."""
    return [min(max(mix + by, 0.0), 1.0) for by in swing]
