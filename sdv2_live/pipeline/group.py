"""The leader's care of the other ranks: those of this machine are watched, those of others are waited for.

A rank that ends, hangs or is cut off takes the group down, and the engine's process with it: the supervisor starts all anew.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import psutil
import torch
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from sdv2_live import __version__, errors
from sdv2_live.config.schema import Config
from sdv2_live.errors import EngineError, GroupLostError
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.load import Models, dtype_name
from sdv2_live.model.samples import samples
from sdv2_live.ranks.group import SILENT_S, Member, join, leave
from sdv2_live.ranks.messages import Beat, Report
from sdv2_live.ranks.now import RankNow
from sdv2_live.ranks.partition import Part
from sdv2_live.ranks.processes import LOCAL, RankProcesses, visible
from sdv2_live.ranks.ring import RingDit
from sdv2_live.system.clock import monotonic

log = logging.getLogger("sdv2_live.ranks")

COME_S = 25.0  # a rank on another machine has come by then
BEAT_S = 1.0
POLL_S = 0.1


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
        self._busy = (monotonic(), 0, 0.0)
        self._calls_s: dict[int, float] = {}  # of one call, by rank, as last told
        self._processes = processes
        processes.be(self.here - 1)
        self._store: Any = TCPStore(
            LOCAL, processes.port, is_master=True, wait_for_workers=False, master_listen_fd=processes.listener()
        )
        model = config.model.model_copy(update={"dtype": dtype_name(dtype), "threads": torch.get_num_threads(), "gpus": 1})
        plain = config.replaced(model=model).model_dump(mode="json", exclude={"params"})
        told = {
            "config": plain,
            "parts": [(part.begin, part.end) for part in parts],
            "visible": [visible(card) for card in cards],
        }
        self._store.set("setup", json.dumps(told))

    @property
    def own(self) -> range:
        """The leader's blocks."""
        return range(self._parts[0].begin, self._parts[0].end)

    def gather(self, models: Models) -> None:
        """Wait until all ranks have loaded their parts, compare them with the leader's, and join them.

        Raises:
            WeightsError: a rank lacks weights.
            EngineError: a rank cannot do its part, or has other weights.
            GroupLostError: a rank does not come, or has ended.
        """
        deadline = monotonic() + COME_S
        told = [json.loads(self._awaited(rank, deadline)) for rank in range(1, self.size)]
        parts = [{name: base64.b64decode(each) for name, each in one["samples"].items()} for one in told]
        refused = "; ".join(
            filter(None, (difference(models, rank, *each) for rank, each in enumerate(zip(told, parts, strict=True), 1)))
        )
        self._store.set("go", json.dumps({"refused": refused}))
        if refused:
            raise EngineError(refused)
        self.others = parts
        device = models.dit.device
        join(self._store, 0, self.size, device, self._address())
        self.member = Member(0, self.size, device, SILENT_S)
        threading.Thread(target=self._watch, name="group-watch", daemon=True).start()
        for rank in range(1, self.size):
            threading.Thread(target=self._listen, args=(rank,), name="rank-reports", daemon=True).start()

    def lead(self, dit: CausalDiT) -> RingDit:
        """The whole transformer, of whose blocks the leader has these."""
        self._ring = RingDit(dit, self.member)
        return self._ring

    def now(self) -> tuple[tuple[RankNow, ...], float]:
        """All ranks as they are now, the leader first; and milliseconds from one to the next, as measured at the set-up."""
        ring, (then, called, busy_s) = self._ring, self._busy
        if ring is not None and (passed := monotonic() - then) >= BEAT_S:
            calls, seconds = ring.watch.total
            computed = seconds - busy_s
            self._take(Report(0, computed / passed, 1e3 * computed / max(calls - called, 1), held_bytes()))
            self._busy = then + passed, calls, seconds
        return tuple(self._now(rank, part) for rank, part in enumerate(self._parts)), ring.hop_ms if ring is not None else 0.0

    def _now(self, rank: int, part: Part) -> RankNow:
        report = self._states.get(rank, Report(rank))
        return RankNow(f"{part.begin}-{part.end - 1}" if part.blocks else "none", report.busy, report.ms, report.memory >> 20)

    def _take(self, report: Report) -> None:
        self._states[report.rank] = report
        if report.ms:
            self._calls_s[report.rank] = report.ms / 1e3

    def remember(self, encode_s: float, decode_s: float) -> None:
        """Keep the times of the stages for the next set-up of such a group; 0 where nothing was painted."""
        self.learn([self._calls_s.get(rank, 0.0) for rank in range(self.size)], encode_s, decode_s)

    def close(self) -> None:
        """End the ranks of this machine, and leave the others. Idempotent."""
        self._over.set()
        self._processes.close()
        leave()

    def _awaited(self, rank: int, deadline: float) -> bytes:
        """What a rank says once it has loaded its part."""
        while True:
            for key in (f"failed/{rank}", f"ready/{rank}"):
                if self._store.check([key]):
                    value: bytes = self._store.get(key)
                    if key.startswith("ready"):
                        return value
                    failed = json.loads(value)
                    raise getattr(errors, failed["error"], EngineError)(f"rank {rank}: {failed['text']}")
            if ended := self._processes.ended():
                raise GroupLostError(ended)
            if rank >= self.here and monotonic() > deadline and not self._store.check([f"here/{rank}"]):
                raise GroupLostError(
                    f"rank {rank} of {self.size} has not come within {COME_S:.0f} s: start it on its machine (python -m "
                    f"sdv2_live.worker.rank ADDRESS:{self._store.port} --rank {rank}, with this machine's address), see that no "
                    "firewall is between, or set model.remote_ranks to how many there are"
                )
            threading.Event().wait(POLL_S)

    def _address(self) -> str:
        """The address of this machine by which the other ranks reach it."""
        if self.size == self.here:
            return LOCAL
        return str(json.loads(self._store.get(f"here/{self.size - 1}"))["leader"])

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
            self._lose(GroupLostError(f"rank {rank}: {error}"))

    def _lose(self, error: GroupLostError) -> None:
        if self._lost is None and not self._over.is_set():
            self._lost = error
            self.on_lost(error)


def difference(models: Models, rank: int, told: dict[str, Any], part: dict[str, bytes]) -> str:
    """The reason why a rank cannot take part; empty where there is none. All ranks have what is no block of the model."""
    versions = {"sdv2_live": __version__, "torch": str(torch.__version__), "loras": list(models.loras.digests)}
    for name, own in versions.items():
        if told["versions"][name] != own:
            return f"rank {rank} has {name} {told['versions'][name]}, the leader {own}: give all machines the same"
    own_part = samples(models.dit)
    other = [name for name, each in own_part.items() if not name.startswith("blocks.") and part.get(name) != each]
    if other:
        digests = [hashlib.sha256(each).hexdigest()[:8] for each in (part.get(other[0], b""), own_part[other[0]])]
        return (
            f"rank {rank} has other weights than the leader ({other[0]}: {digests[0]}, the leader's {digests[1]}): put "
            "the same file on all machines"
        )
    return ""


def held_bytes() -> int:
    """The memory that this process holds: of its GPU, else its own."""
    if torch.cuda.is_available():
        return int(torch.cuda.memory_reserved())
    return int(psutil.Process().memory_info().rss)
