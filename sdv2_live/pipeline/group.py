"""The leader's care of the other ranks: those of this machine are started and watched, those of others are waited for.

A rank that ends, hangs or is cut off takes the group down, and the engine's process with it: the supervisor starts all anew.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

import psutil
import torch

from sdv2_live import __version__, errors
from sdv2_live.config.schema import Config
from sdv2_live.errors import EngineError, GroupLostError
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.load import Models, dtype_name
from sdv2_live.model.samples import samples
from sdv2_live.ranks.group import Member, join, leave
from sdv2_live.ranks.messages import Beat, Report
from sdv2_live.ranks.now import RankNow
from sdv2_live.ranks.partition import Part
from sdv2_live.ranks.ring import RingDit
from sdv2_live.system.clock import monotonic
from sdv2_live.system.process import ends_with_this, how_it_ended, uninterrupted

log = logging.getLogger("sdv2_live.ranks")

LOCAL = "127.0.0.1"
COME_S = 25.0  # a rank on another machine has come by then
BEAT_S = 1.0
POLL_S = 0.1
END_S = 5.0


class Group:
    """The other ranks of an engine, from their start to their end.

    Attributes:
        size: ranks, the leader included.
        on_lost: called, on another thread, when one of them is gone; the group is then beyond repair.
        learn: what `remember` calls, with seconds of one call of each rank, of encoding and of decoding.
        member: the leader's ways to the others, once `gather` has returned.
        others: samples of their parts of the transformer, by rank, once `gather` has returned.
    """

    def __init__(self, config: Config, dtype: torch.dtype, parts: Sequence[Part], cards: Sequence[int]) -> None:
        """Start the ranks of this machine, which load their parts.

        Args:
            config: as the leader's engine has it.
            dtype: of the leader's transformer.
            parts: of all ranks; the first is the leader's.
            cards: GPU of each rank of this machine. More parts than cards: the rest is on other machines.

        Raises:
            EngineError: the port that other machines are waited for at cannot be had.
        """
        self.on_lost: Callable[[GroupLostError], None] = lambda error: log.error("%s", error)
        self.learn: Callable[[Sequence[float], float, float], None] = lambda calls, encode, decode: None
        self.others: list[dict[str, bytes]] = []
        self.member: Member
        self._parts = parts
        self.size, self._here = len(parts), len(cards)
        self._over = threading.Event()
        self._lost: GroupLostError | None = None
        self._states: dict[int, Report] = {}
        self._ring: RingDit | None = None
        self._busy = (monotonic(), 0, 0.0)
        self._calls_s: dict[int, float] = {}  # of one call, by rank, as last told
        self._store = self._opened(config.model.rank_port if self.size > self._here else 0)
        model = config.model.model_copy(update={"dtype": dtype_name(dtype), "threads": torch.get_num_threads(), "gpus": 1})
        plain = config.replaced(model=model).model_dump(mode="json", exclude={"params"})
        self._processes = [self._started(rank, cards[rank]) for rank in range(1, self._here)]
        ranges = [(part.begin, part.end) for part in parts]
        self._store.set("setup", json.dumps({"config": plain, "parts": ranges}))

    @staticmethod
    def _opened(port: int) -> Any:
        from torch.distributed import TCPStore  # type: ignore[attr-defined]

        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("0.0.0.0" if port else LOCAL, port))
            listener.listen(64)
        except OSError as error:
            raise EngineError(f"model.rank_port = {port} cannot be had ({error.strerror}); set it to a free one") from error
        own = listener.getsockname()[1]
        return TCPStore(LOCAL, own, is_master=True, wait_for_workers=False, master_listen_fd=listener.detach())

    def _started(self, rank: int, card: int) -> subprocess.Popen[bytes]:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
        own = visible[card] if len(visible) > card and visible[card] else str(card)
        command = [sys.executable, "-m", "sdv2_live.worker.rank", f"{LOCAL}:{self._store.port}", "--rank", str(rank), "--child"]
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": own, "OMP_NUM_THREADS": str(torch.get_num_threads())}
        with uninterrupted():
            process = subprocess.Popen(
                command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
        ends_with_this(process.pid)
        threading.Thread(target=_relay, args=(rank, process), name="rank-log", daemon=True).start()
        return process

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
        self.member = Member(0, self.size, device)
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
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait(END_S)
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
            if ended := self._ended():
                raise GroupLostError(ended)
            if rank >= self._here and monotonic() > deadline and not self._store.check([f"here/{rank}"]):
                raise GroupLostError(
                    f"rank {rank} of {self.size} has not come within {COME_S:.0f} s: start it on its machine (python -m "
                    f"sdv2_live.worker.rank ADDRESS:{self._store.port} --rank {rank}, with this machine's address), see that no "
                    "firewall is between, or set model.remote_ranks to how many there are"
                )
            threading.Event().wait(POLL_S)

    def _address(self) -> str:
        """The address of this machine by which the other ranks reach it."""
        if self.size == self._here:
            return LOCAL
        return str(json.loads(self._store.get(f"here/{self.size - 1}"))["leader"])

    def _ended(self) -> str:
        """Which rank of this machine has ended, in words; empty where none has."""
        for rank, process in enumerate(self._processes, 1):
            if process.poll() is not None:
                return f"rank {rank} (process {process.pid}) {how_it_ended(process.returncode)}"
        return ""

    def _watch(self) -> None:
        """Tell the others once a second that the leader lives, and see whether those of this machine do."""
        beat_at = 0.0
        while not self._over.wait(POLL_S):
            if ended := self._ended():
                self._lose(GroupLostError(ended))
                return
            if monotonic() - beat_at >= BEAT_S:
                beat_at = monotonic()
                try:
                    self.member.tell(Beat())
                except GroupLostError as error:
                    self._lose(error)
                    return

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


def _relay(rank: int, process: subprocess.Popen[bytes]) -> None:
    """Log what a rank says; lines of libraries only for those who look closely."""
    assert process.stdout is not None
    for line in process.stdout:
        level, _, text = line.decode(errors="replace").rstrip().partition(" ")
        known = level.isdecimal() and int(level) % 10 == 0
        log.log(int(level) if known else logging.DEBUG, "rank %d: %s", rank, text if known else f"{level} {text}")
