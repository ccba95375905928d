"""Which rank computes what: a chunk's stages (encode, the transformer's blocks, decode), dealt out to cards in a ring.

Rank 0, the leader, encodes and decodes, and has the first blocks or none. The others follow with at least one block each. (In
StreamDiffusionV2's own rings the last one decodes, which can be asked for.) The slowest rank sets the pace: of all ways to cut
the chain of blocks the one with the shortest time between two chunks is found, not only a good one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from sdv2_live.errors import ConfigError

GAIN = 0.03  # of the time between two chunks: a card that saves less is left to others
ALIKE = 0.01  # of the time between two chunks: of ways that differ by less, the one with the shortest latency is taken


@dataclass(frozen=True, slots=True)
class StageTimes:
    """Seconds on one card. encode, decode: of a chunk. block: one block of the transformer, in one call."""

    encode: float
    block: float
    decode: float


@dataclass(frozen=True, slots=True)
class Seat:
    """A card that takes a rank.

    Attributes:
        card: its number.
        times: of the stages on it.
        room: bytes that are free.
        name: as its driver has it.
    """

    card: int
    times: StageTimes
    room: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A rank's share of the work: blocks begin <= i < end, and the autoencoder's two directions."""

    begin: int
    end: int
    encode: bool = False
    decode: bool = False

    @property
    def blocks(self) -> int:
        """How many blocks."""
        return self.end - self.begin

    def __str__(self) -> str:
        blocks = f"blocks {self.begin}-{self.end - 1}" if self.blocks else ""
        return ", ".join(filter(None, ["encode" if self.encode else "", blocks, "decode" if self.decode else ""]))


@dataclass(frozen=True, slots=True)
class Ring:
    """The work that is dealt out.

    Attributes:
        blocks: of the transformer.
        steps: calls of the transformer a chunk.
        alone: a chunk's first call waits until the last call of the chunk before it has left the rank, for they share a cache
            (sequential). Else each step has a cache of its own, and calls follow each other without a gap (stream_batch).
        hop: seconds that tensors take from one rank to the next.
        apart: the last rank may decode in place of the leader.
    """

    blocks: int
    steps: int
    alone: bool = True
    hop: float = 0.0
    apart: bool = False


@dataclass(frozen=True, slots=True)
class Rank:
    """A part on a card. busy: seconds a chunk. bytes: of the card's memory."""

    seat: Seat
    part: Part
    busy: float
    bytes: int


@dataclass(frozen=True, slots=True)
class Partition:
    """Ranks in the order of the ring.

    Attributes:
        period: seconds between two chunks, when chunks follow each other.
        latency: seconds of one chunk alone on the ring, from its encoding to its pictures.
    """

    ranks: tuple[Rank, ...]
    period: float
    latency: float

    @property
    def fits(self) -> bool:
        """True when every rank has room."""
        return all(rank.bytes <= rank.seat.room for rank in self.ranks)


Need = Callable[[Part], int]  # bytes that a part takes; it grows with the number of blocks


def partition(seats: Sequence[Seat], ring: Ring, need: Need) -> Partition | None:
    """The fastest way to deal out the work to all of these cards; None where there is no room for any.

    The first card leads: it encodes, and has the autoencoder to itself where that takes as long as the blocks.

    Raises:
        ConfigError: there are more cards than stages to give them.
    """
    if len(seats) > ring.blocks + 1:
        raise ConfigError(
            f"{len(seats)} cards, but the model has {ring.blocks} blocks: at most {ring.blocks + 1} cards can take part; "
            "set model.gpus to fewer"
        )
    if len(seats) == 1:
        only = _dealt(seats, [ring.blocks], True, ring, need)
        return only if only.fits else None
    ways = []
    for here in (True, False) if ring.apart else (True,):  # the leader decodes, or the last
        for led in (True, False):
            cuts = _best_cuts(seats, ring, here, need, led=led)
            ways += [_dealt(seats, cuts, here, ring, need)] if cuts else []
    good = (1 + ALIKE) * min((way.period for way in ways), default=0.0)
    return min((way for way in ways if way.period <= good), key=lambda way: way.latency, default=None)


def worth_it(seats: Sequence[Seat], ring: Ring, need: Need) -> Partition | None:
    """The partition over as many of the first cards as make it faster; None where there is no room on all of them."""
    best: Partition | None = None
    for count in range(1, min(len(seats), ring.blocks + 1) + 1):
        found = partition(seats[:count], ring, need)
        if found is not None and (best is None or found.period < (1 - GAIN) * best.period):
            best = found
    return best


def period_of(ring: Ring, slowest: float, calling: float, peak: float) -> float:
    """Seconds between two chunks.

    Args:
        ring: the work.
        slowest: busy seconds of the busiest rank.
        calling: seconds of one call over all ranks, with its hops.
        peak: the most seconds that one call takes on a rank.
    """
    return max(slowest, (ring.steps - 1) * calling + peak) if ring.alone else slowest


def _dealt(seats: Sequence[Seat], cuts: Sequence[int], here: bool, ring: Ring, need: Need) -> Partition:
    """The partition of so many blocks a rank; here: the leader decodes."""
    ends = list(accumulate(cuts))
    decodes = 0 if here else len(seats) - 1
    ranks = []
    for i, (seat, count, end) in enumerate(zip(seats, cuts, ends, strict=True)):
        part = Part(end - count, end, i == 0, i == decodes)
        ranks.append(Rank(seat, part, busy(part, seat.times, ring.steps), need(part)))
    calls = [rank.part.blocks * rank.seat.times.block for rank in ranks]
    calling = sum(calls) + ring.hop * (sum(call > 0 for call in calls) - 1)
    period = period_of(ring, max(rank.busy for rank in ranks), calling, max(calls))
    coding = seats[0].times.encode + seats[decodes].times.decode
    return Partition(tuple(ranks), period, coding + ring.steps * calling)


def busy(part: Part, times: StageTimes, steps: int) -> float:
    """Seconds that a card computes for each chunk."""
    return steps * part.blocks * times.block + part.encode * times.encode + part.decode * times.decode


@dataclass(frozen=True, slots=True)
class _Begun:
    """A way to deal out the first blocks to the first ranks: what decides about the rest, the less the better."""

    slowest: float
    calling: float
    peak: float
    cuts: tuple[int, ...]

    def never_worse(self, other: _Begun) -> bool:
        return self.slowest <= other.slowest and self.calling <= other.calling and self.peak <= other.peak


def _best_cuts(seats: Sequence[Seat], ring: Ring, here: bool, need: Need, *, led: bool) -> tuple[int, ...] | None:
    """How many blocks each rank gets, where all have room; led: the leader has some."""
    last = len(seats) - 1
    begun: dict[int, list[_Begun]] = {0: [_Begun(0.0, 0.0, 0.0, ())]}
    for i, seat in enumerate(seats):
        part = Part(0, 0, i == 0, (0 if here else last) == i)
        least, most = (0, 0) if i == 0 and not led else (1, ring.blocks - (last - i))
        counts = [count for count in range(least, most + 1) if need(replace(part, end=count)) <= seat.room]
        grown: dict[int, list[_Begun]] = {}
        for done, ways in begun.items():
            for count in counts:
                total = done + count
                if total > ring.blocks - (last - i) or (i == last and total < ring.blocks):
                    continue
                call, load = count * seat.times.block, busy(replace(part, end=count), seat.times, ring.steps)
                for way in ways:
                    next_ = _Begun(max(way.slowest, load), way.calling + call, max(way.peak, call), (*way.cuts, count))
                    _keep(grown.setdefault(total, []), next_)
        begun = grown
    hops = ring.hop * (last if led else last - 1)

    def pace(way: _Begun) -> tuple[float, float]:
        return period_of(ring, way.slowest, way.calling + hops, way.peak), way.calling

    ends = begun.get(ring.blocks, [])
    return min(ends, key=pace).cuts if ends else None


def _keep(ways: list[_Begun], way: _Begun) -> None:
    """Add a way unless one that is there is never worse; those that it is never worse than go."""
    if not any(other.never_worse(way) for other in ways):
        ways[:] = [other for other in ways if not way.never_worse(other)]
        ways.append(way)
