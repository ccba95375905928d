"""The model against real rings: processes of torch.distributed on this CPU, whose stages are matrix products of a known time.

Each process does what the model says it does, in that order, and sends what passes between ranks by gloo. The times that each
stage took, and each tensor until its receiver went on, are then given to the model, and its chunks a second compared with those
of the processes. So what is compared is how stages wait for each other, not how fast a computer is. A receiver that has waited
goes on when a core is free for it: on a busy machine that is most of the way.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from simulate_ranks.model import DECODE, Ring, Stages, Task, needs, seconds_of, simulate, stages

CHUNKS, IN_FLIGHT = 40, 4
TOLERANCE = 0.10
HOP, LATENT = 256 * 512, 16 * 32 * 32  # float32 of a 12-layer model of width 512 at 256x256
PATIENCE_S = 120.0

RINGS = {
    "two ranks, sequential": Ring(stages([0.030, 0.030], 0.010, 0.015), 2, alone=True),
    "two ranks, stream_batch": Ring(stages([0.025, 0.035], 0.010, 0.015), 2, alone=False),
    "three ranks, sequential": Ring(stages([0.015, 0.025, 0.025], 0.010, 0.015), 2, alone=True),
    "three ranks, stream_batch": Ring(stages([0.015, 0.025, 0.025], 0.010, 0.015), 2, alone=False),
    "autoencoder alone": Ring(stages([0.0, 0.030], 0.020, 0.030), 2, alone=True),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What a process has measured.

    Attributes:
        spans: of its stages, in their order: when it was free for it, had all that it needs, had done it, had sent the result.
        decoded: when each chunk's pictures were there.
    """

    spans: list[tuple[float, float, float, float]]
    decoded: list[float]


def run() -> int:
    """Run all rings and print a table; 1 where one is off by more than TOLERANCE."""
    print("| ring of processes | chunks a second, measured | by the model | off by |\n|---|---|---|---|")
    worst = 0.0
    for name, ring in RINGS.items():
        measured, told = compared(ring)
        worst = max(worst, abs(measured / told - 1))
        print(f"| {name} | {1 / measured:.2f} | {1 / told:.2f} | {measured / told - 1:+.1%} |", flush=True)
    within = "within" if worst <= TOLERANCE else "not within"
    print(f"\nThe model is {within} {TOLERANCE:.0%}. These are processes on one CPU, no cards.")
    return int(worst > TOLERANCE)


def compared(ring: Ring, chunks: int = CHUNKS) -> tuple[float, float]:
    """Seconds between two chunks: of real processes, and of the model with the times that their stages took."""
    seen = processes(ring, chunks)
    decoded = seen[ring.decoder].decoded
    first, last = len(decoded) // 4, 3 * len(decoded) // 4
    measured = (decoded[last] - decoded[first]) / (last - first)
    order = simulate(ring, IN_FLIGHT, chunks, slices=1).order
    spans = {task: span for tasks, each in zip(order, seen, strict=True) for task, span in zip(tasks, each.spans, strict=True)}
    took, ways = {}, {}
    for task, (free, there, _, sent) in spans.items():
        done = [spans[need][2] for need, _, _ in needs(ring, task, IN_FLIGHT) if need.rank != task.rank]
        waited = bool(done) and max(done) > free
        took[task] = sent - (there if waited else free)
        if waited:
            ways[task] = there - max(done)
    return measured, simulate(ring, IN_FLIGHT, chunks, slices=1, measured=took, ways=ways).period


def processes(ring: Ring, chunks: int) -> list[Seen]:
    """Run a ring of processes, and return what each has measured."""
    with tempfile.TemporaryDirectory(prefix="sdv2-ring-") as folder:
        told = json.dumps(asdict(ring) | {"store": str(Path(folder, "store")), "chunks": chunks})
        command = [sys.executable, "-m", "simulate_ranks.check", told]
        members = [
            subprocess.Popen([*command, str(rank)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1])
            for rank in range(len(ring.ranks))
        ]
        try:
            return [Seen(**json.loads(member.communicate(timeout=PATIENCE_S)[0])) for member in members]
        finally:
            for member in members:
                member.kill()
                member.wait()


class Member:
    """One process of a ring."""

    def __init__(self, ring: Ring, rank: int, store: str) -> None:
        import psutil
        import torch
        import torch.distributed as dist

        torch.set_num_threads(1)
        self._torch, self._dist = torch, dist
        self._ring, self._rank = ring, rank
        for name, addresses in psutil.net_if_addrs().items():
            if any(each.address == "127.0.0.1" for each in addresses):
                os.environ["GLOO_SOCKET_IFNAME"] = name
        size = len(ring.ranks)
        file_store: Any = dist.FileStore  # type: ignore[attr-defined]
        dist.init_process_group("gloo", store=file_store(store, size), rank=rank, world_size=size)
        self._factor = torch.randn(256, 256)
        self._unit = self._timed()
        self._sent: list[Any] = []

    def run(self, chunks: int) -> Seen:
        """Do this rank's stages in the model's order."""
        order = simulate(self._ring, IN_FLIGHT, chunks, slices=1).order
        edges = self._edges(order)
        spans: list[tuple[float, float, float, float]] = []
        decoded: list[float] = []
        self._dist.barrier()
        for task in order[self._rank]:
            free = time.perf_counter()
            for tag, peer, size in edges[task][0]:
                self._dist.recv(self._torch.empty(size), peer, tag=tag)
            there = time.perf_counter()
            self._work(seconds_of(self._ring, task))
            done = time.perf_counter()
            for tag, peer, size in edges[task][1]:
                tensor = self._torch.zeros(size)
                self._sent.append((self._dist.isend(tensor, peer, tag=tag), tensor))
            spans.append((free, there, done, time.perf_counter()))
            if task.kind == DECODE:
                decoded.append(done)
        for work, _ in self._sent:
            work.wait()
        self._dist.barrier()
        self._dist.destroy_process_group()
        return Seen(spans, decoded)

    def _edges(self, order: list[list[Task]]) -> dict[Task, tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]]:
        """What each stage receives and sends: (tag, other rank, numbers)."""
        edges: dict[Task, tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]] = {}
        for task in (task for tasks in order for task in tasks):
            edges.setdefault(task, ([], []))
            for need, _, link in needs(self._ring, task, IN_FLIGHT):
                if need.rank != task.rank:
                    tag, size = 1 + len(edges) * 4 + len(edges[task][0]), HOP if link else LATENT
                    edges[task][0].append((tag, need.rank, size))
                    edges.setdefault(need, ([], []))[1].append((tag, task.rank, size))
        return edges

    def _timed(self) -> float:
        """Seconds of one product."""
        best = 1.0
        for _ in range(20):
            begin = time.perf_counter()
            for _ in range(5):
                self._torch.mm(self._factor, self._factor)
            best = min(best, (time.perf_counter() - begin) / 5)
        return best

    def _work(self, seconds: float) -> None:
        for _ in range(max(round(seconds / self._unit), 1)):
            self._torch.mm(self._factor, self._factor)


def _main() -> None:
    told, rank = json.loads(sys.argv[1]), int(sys.argv[2])
    store, chunks = told.pop("store"), told.pop("chunks")
    ring = Ring(**{**told, "ranks": tuple(Stages(**each) for each in told["ranks"])})
    print(json.dumps(asdict(Member(ring, rank, store).run(chunks))))


if __name__ == "__main__":
    _main()
