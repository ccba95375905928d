"""Vector clocks: which of two accesses to the same memory came first, if their order was made sure of at all.

CUDA streams and host threads are timelines: each does its own work in order, and knows of another's work only as far as it has
waited for it. Two accesses, one of them a write, are a race where the later one does not know of the earlier: on a real device
either may come first.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

Clock = dict[int, int]  # timeline to the number of its accesses that are known to be done


class Timeline:
    """Does its work in order: a CUDA stream, or a thread of the host."""

    _numbers = itertools.count()

    def __init__(self, name: str) -> None:
        self.id = next(self._numbers)
        self.name = name
        self.clock: Clock = {}

    def join(self, clock: Clock) -> None:
        """Wait until all that a clock knows of is done."""
        for timeline, count in clock.items():
            if count > self.clock.get(timeline, 0):
                self.clock[timeline] = count

    def tick(self) -> int:
        """Do one more thing; returns how many there are."""
        count = self.clock[self.id] = self.clock.get(self.id, 0) + 1
        return count


@dataclass(frozen=True, slots=True)
class Access:
    """One use of a memory: by which timeline, the how manieth thing that it did, what, and where in the program."""

    by: Timeline
    count: int
    what: str
    where: str

    def known(self, clock: Clock) -> bool:
        """True where a clock makes sure that this is done."""
        return clock.get(self.by.id, 0) >= self.count


@dataclass(eq=False, slots=True)
class Memory:
    """One allocation.

    Attributes:
        base: its address.
        size: bytes.
        where: it was allocated.
        home: the stream that was current then: to whose next work the allocator may give it once it is freed; None for
            memory of the host.
        pooled: it was allocated in a capture, from the graph's own pool, which keeps it for the graph.
        recorded: streams that the allocator was told of (record_stream).
        alive: not freed yet.
    """

    base: int
    size: int
    where: str
    home: Timeline | None
    pooled: bool = False
    recorded: set[int] = field(default_factory=set)
    alive: bool = True
    _written: Access | None = None
    _read: dict[int, Access] = field(default_factory=dict)  # by timeline, since it was last written
    _last: dict[int, Access] = field(default_factory=dict)  # by timeline

    def use(self, access: Access, *, write: bool) -> Iterator[str]:
        """Take in an access. Yields the races that it makes, in words."""
        clock, before = access.by.clock, self._written
        if before is not None and not before.known(clock):
            yield self._race("write" if write else "read", access, "write", before)
        if write:
            for other in self._read.values():
                if not other.known(clock):
                    yield self._race("write", access, "read", other)
            self._written, self._read = access, {}
        else:
            self._read[access.by.id] = access
        self._last[access.by.id] = access

    def free(self, host: Clock) -> Iterator[str]:
        """Take in the end of a memory, by a thread of the host with this clock. Yields, in words, who may still use it."""
        self.alive = False
        if self.home is None or self.pooled:
            return
        known = Timeline("free")  # what its home does next comes after all of this
        known.join(host)
        known.join(self.home.clock)
        for access in self._last.values():
            if access.by is not self.home and access.by.id not in self.recorded and not access.known(known.clock):
                yield (
                    f"freed on {self.home.name} while {access.by.name} may still use it: "
                    f"{self.size} bytes of {self.where}, last used by {access.what} at {access.where}"
                )

    def _race(self, kind: str, access: Access, kind_before: str, before: Access) -> str:
        return (
            f"{kind} by {access.what} at {access.where} on {access.by.name} not after the {kind_before} by {before.what} "
            f"at {before.where} on {before.by.name}: {self.size} bytes of {self.where}"
        )
