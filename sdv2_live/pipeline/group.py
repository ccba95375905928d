"""The leader's care of the other ranks: those of this machine are watched, those of others are waited for.

A rank that ends, hangs or is cut off takes the group down, and the engine's process with it: the supervisor starts all anew.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import wait
from contextlib import suppress
from typing import Any

import psutil
import torch

from sdv2_live.config.schema import Config
from sdv2_live.errors import EngineError, GroupLostError
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.load import Models, dtype_name
from sdv2_live.model.samples import samples
from sdv2_live.ranks.coding import coding_s, medians_s
from sdv2_live.ranks.group import SILENT_S, Member, join, leave
from sdv2_live.ranks.meeting import POLL_S, Meeting
from sdv2_live.ranks.messages import Beat, End, Report
from sdv2_live.ranks.now import RankNow
from sdv2_live.ranks.partition import Part
from sdv2_live.ranks.processes import END_S, RankProcesses, visible
from sdv2_live.ranks.ring import RingDit
from sdv2_live.stats import StageTimer
from sdv2_live.system.clock import monotonic
from sdv2_live.threads import started

log = logging.getLogger("sdv2_live.ranks")

REACH_S = 30.0  # to join, and for the first connections between cards
ROLL = 1 << 20  # numbers: more than goes with a connection's first packets
REMEDY = (
    "sdv2-live doctor tries the ways between them; NCCL_P2P_DISABLE=1 in the environment avoids direct ones between cards, and "
    "model.gpus: 1 is a show on one"
)
BEAT_S = 1.0


class Group:
    """The other ranks of an engine, from their start to their end.

    Attributes:
        size: ranks, the leader included.
        here: those of this machine.
        on_lost: called, on another thread, when one of them is gone; the group is then beyond repair.
        learn: what `remember` calls, with seconds of one call of each rank, of encoding and of decoding.
        member: the leader's ways to the others, once `gather` has returned.
        others: samples of their parts of the transformer, by rank, once `gather` has returned.
    """

    def __init__(
        self,
        config: Config,
        dtype: torch.dtype,
        parts: Sequence[Part],
        cards: Sequence[int],
        processes: RankProcesses,
    ) -> None:
        """Have the ranks of this machine load their parts.

        Args:
            config: as the leader's engine has it.
            dtype: of the leader's transformer.
            parts: of all ranks; the first is the leader's.
            cards: GPU of each rank of this machine. More parts than cards: the rest is on other machines.
            processes: of this machine; those that are missing are started.
        """
        self.on_lost: Callable[[GroupLostError], None] = lambda error: log.error("%s", error)
        self.learn: Callable[[Sequence[float], float, float], None] = lambda calls, encode, decode: None
        self.others: list[dict[str, bytes]] = []
        self.member: Member
        self._parts = parts
        self.size, self.here = len(parts), len(cards)
        self._over = threading.Event()
        self._lost: GroupLostError | None = None
        self._states: dict[int, Report] = {}
        self._ring: RingDit | None = None
        self._timer = StageTimer()
        self._busy = (monotonic(), 0, 0.0, 0.0)  # then: the leader's calls, their seconds, those of its other stages
        self._listening: list[threading.Thread] = []
        self._calls_s: dict[int, float] = {}  # of one call, by rank, as last told
        self._processes = processes
        processes.be(self.here - 1)
        self._meeting = Meeting(processes.listener(), self.size, self.here)
        model = config.model.model_copy(update={"dtype": dtype_name(dtype), "threads": torch.get_num_threads(), "gpus": 1})
        plain = config.replaced(model=model).model_dump(mode="json", exclude={"params"})
        told = {
            "config": plain,
            "parts": [(part.begin, part.end) for part in parts],
            "visible": [visible(card) for card in cards],
        }
        self._meeting.tell("setup", told)

    @property
    def own(self) -> range:
        """The leader's blocks."""
        return range(self._parts[0].begin, self._parts[0].end)

    def assemble(self) -> None:
        """Wait until the ranks of other machines have come. Raises GroupLostError when one does not."""
        self._meeting.assembled(self._processes.ended)

    def gather(self, models: Models, files: Mapping[str, str]) -> None:
        """Wait until all ranks have loaded their parts, compare them with the leader's, and join them.

        Args:
            models: the leader's.
            files: digests of its files, if ranks of other machines take part.

        Raises:
            WeightsError: a rank lacks weights.
            EngineError: a rank cannot do its part, or has other weights.
            GroupLostError: a rank does not come, has ended, or is not reached by the others.
        """
        told = [self._meeting.loaded(rank, self._processes.ended) for rank in range(1, self.size)]
        for one in told:
            one["samples"] = {name: base64.b64decode(each) for name, each in one["samples"].items()}
        differ = (difference(models, self._meeting.machine(rank), one, files) for rank, one in enumerate(told, 1))
        refused = "; ".join(filter(None, differ))
        if refused:
            self._meeting.refuse(refused)
            raise EngineError(refused)
        address = self._meeting.address()
        self._meeting.tell("go", {"address": address})
        self.others = [one["samples"] for one in told]
        self._call_the_roll(models.dit, address)
        threading.Thread(target=self._watch, name="group-watch", daemon=True).start()
        for rank in range(1, self.size):
            self._listening.append(threading.Thread(target=self._listen, args=(rank,), name="rank-reports", daemon=True))
            self._listening[-1].start()

    def _call_the_roll(self, dit: CausalDiT, address: str) -> None:
        """Join the others, and see that a tensor comes around the ring as it was sent, by the way that all of them will take."""
        sent = (torch.arange(ROLL, device=dit.device) % 128).to(dit.dtype)  # whole numbers that every precision has

        def call() -> bool:
            join(self._meeting.store, 0, self.size, dit.device, address)
            self.member = Member(0, self.size, dit.device, SILENT_S)
            return torch.equal(self.member.around(sent), sent)

        done = started("group-roll-call", call)[1]
        if not wait([done], REACH_S).done:  # NCCL waits for ever for a card that it cannot reach
            raise GroupLostError(f"no tensor comes around the {self.size} ranks within {REACH_S:g} s: {REMEDY}")
        if not done.result():
            raise GroupLostError(f"a tensor does not come around the {self.size} ranks as it was sent: {REMEDY}")

    def lead(self, dit: CausalDiT, timer: StageTimer) -> RingDit:
        """The whole transformer, of whose blocks the leader has these; timer: of its other stages."""
        self._timer = timer
        self._ring = RingDit(dit, self.member)
        return self._ring

    def now(self) -> tuple[tuple[RankNow, ...], float]:
        """All ranks as they are now, the leader first; and milliseconds from one to the next, as measured at the set-up."""
        ring, (then, called, called_s, coded_s) = self._ring, self._busy
        if ring is not None and (passed := monotonic() - then) >= BEAT_S:
            calls, seconds = ring.watch.total
            coded, computed = coding_s(self._timer), seconds - called_s
            busy = min((computed + coded - coded_s) / passed, 1.0)  # on a CPU stages run beside each other
            self._take(Report(0, busy, 1e3 * computed / max(calls - called, 1), held_bytes()))
            self._busy = then + passed, calls, seconds, coded
        return tuple(self._now(rank, part) for rank, part in enumerate(self._parts)), ring.hop_ms if ring is not None else 0.0

    def _now(self, rank: int, part: Part) -> RankNow:
        report = self._states.get(rank, Report(rank))
        return RankNow(str(part), report.busy, report.ms, report.memory >> 20)

    def _take(self, report: Report) -> None:
        self._states[report.rank] = report
        if report.ms:
            self._calls_s[report.rank] = report.ms / 1e3

    def remember(self) -> None:
        """Keep the times of the stages for the next set-up of such a group, if all of them are known."""
        self.learn([self._calls_s.get(rank, 0.0) for rank in range(self.size)], *medians_s(self._timer))

    def close(self) -> None:
        """End the ranks of this machine, and leave the others. Idempotent."""
        self._over.set()
        self._meeting.close()
        if self._listening and self._lost is None:
            with suppress(GroupLostError):  # the ring need not be whole any more
                self.member.tell(End())
        self._processes.close()
        for thread in self._listening:
            thread.join(END_S)  # torch must not end while it waits for a report
        leave()

    def _watch(self) -> None:
        """Tell the others once a second that the leader lives, and see whether those of this machine do."""
        beat_at = 0.0
        while not self._over.wait(POLL_S) and self._lost is None:
            if ended := self._processes.ended():
                self._lose(GroupLostError(ended))
            if monotonic() - beat_at >= BEAT_S:
                beat_at = monotonic()
                with suppress(GroupLostError):  # its reports end, too, and say more
                    self.member.tell(Beat())

    def _listen(self, rank: int) -> None:
        try:
            while not self._over.is_set():
                self._take(self.member.reported(rank))
        except GroupLostError as error:
            threading.Event().wait(3 * POLL_S)  # a process that has ended is told of as such
            self._lose(error)

    def _lose(self, error: GroupLostError) -> None:
        if self._lost is None and not self._over.is_set():
            self._lost = error
            self.on_lost(error)


def difference(models: Models, rank: str, told: Mapping[str, Any], files: Mapping[str, str]) -> str:
    """The reason why a rank cannot take part; empty where there is none.

    Args:
        models: the leader's.
        rank: in words.
        told: what the rank has said.
        files: digests of the leader's files, of all that a rank of another machine may have.
    """
    device = models.dit.device.type
    if told["device"] != device:
        return f"{rank} computes on its {told['device']}, the leader on its {device}: set model.device so that all do alike"
    if told["loras"] != (loras := list(models.loras.digests)):
        return f"{rank} has the LoRAs {told['loras']}, the leader {loras}: give all machines the same"
    pairs = [(name, digest, files.get(name, "none")) for name, digest in told["files"].items()]
    own = samples(models.dit)  # all ranks have what is no block of the model
    pairs += [(name, _hash(told["samples"][name]), _hash(own[name])) for name in own.keys() & told["samples"].keys()]
    other = [f"{name}: {digest[:8]}, the leader's {mine[:8]}" for name, digest, mine in pairs if digest != mine]
    if other:
        more = f"; and {len(other) - 1} more tensors" if len(other) > 1 else ""
        return f"{rank} has other weights than the leader ({other[0]}{more}): put the same files on all machines"
    return ""


def _hash(sampled: bytes) -> str:
    return hashlib.sha256(sampled).hexdigest()


def held_bytes() -> int:
    """The memory that this process holds: of its GPU, else its own."""
    if torch.cuda.is_available():
        return int(torch.cuda.memory_reserved())
    return int(psutil.Process().memory_info().rss)
