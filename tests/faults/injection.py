"""One injection of a fault, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from support.waiting import eventually

from faults.bystanders import FAR_S, Gap
from faults.faultrig import BLACK, Rig, shown

LONG = 2.0  # frame times; a longer gap is counted, unless the control hop has one at the same time
LINGER_S = 0.5  # the recording goes on for so long after the recovery: the crossfade back is part of the fault


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of fault. inject: does it, returns when it is over, and gives the moment from which the recovery counts (monotonic
    nanoseconds; None: its return).

    ends_engine: the engine's process ends by it. dark: the input itself is black, and so may the output be.
    """

    name: str
    inject: Callable[[Rig], int | None]
    ends_engine: bool = False
    dark: bool = False


@dataclass(frozen=True, slots=True)
class Injection:
    """What came of one. recovery_s: from the fault's end to the next chunk (of a fault that ends the engine's process: from that
    end). lost: names of the parameters that are not as they were. black: frames."""

    gaps: list[Gap]
    counted: list[Gap]
    recovery_s: float
    lost: list[str]
    black: int
    frames: int


def injected(rig: Rig, fault: Fault) -> Injection:
    """Inject a fault into a running show, wait until it paints again, and look back."""
    rig.painting()
    before, restarts = rig.desk.values(), rig.metric("engine_restarts_total")
    begin = time.monotonic_ns()
    over = fault.inject(rig) or time.monotonic_ns()
    if fault.ends_engine:
        eventually("the engine's process to end", lambda: rig.metric("engine_restarts_total") > restarts, FAR_S)
    painted = rig.painting(1 if fault.ends_engine else 2)
    time.sleep(LINGER_S)
    end = time.monotonic_ns()
    eventually("the recording to be that far", lambda: rig.output.seen[-1].arrived > end and rig.beside.seen[-1].arrived > end)
    after = rig.desk.values()
    gaps = rig.output.gaps(begin, end)
    seen = rig.output.between(begin, end)
    return Injection(
        gaps=gaps,
        counted=counted(gaps, rig.beside.gaps(begin, end)),
        recovery_s=(painted - over) / 1e9,
        lost=sorted(name for name in before if shown(before[name]) != shown(after[name])),
        black=0 if fault.dark else sum(one.mean < BLACK for one in seen),
        frames=len(seen),
    )


def counted(gaps: Iterable[Gap], control: Iterable[Gap]) -> list[Gap]:
    """The gaps longer than LONG at a time at which the control hop had none such: those that the daemon answers for."""
    stalls = [(gap.begin, gap.end) for gap in control if gap.frames > LONG]
    return [gap for gap in gaps if gap.frames > LONG and not any(begin < gap.end and gap.begin < end for begin, end in stalls)]
