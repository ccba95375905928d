"""`--ranks N`: N ranks of one core each against one process of one core, which paint the same pictures, in turn in one run.

A core stands for a card: the leader, and the process that paints alone, have the first core, every other rank one of its own,
and each operation one thread. What cores share (memory, power, the load of other programs) they share here, too: `as many
apart` is what as many processes paint side by side that have nothing to do with each other, the most that ranks could reach.
A ring needs all its cores: with other work on the machine the ratio says little, see `cores that other programs had`.
Blocks are dealt out as in a show, by times that the process alone has measured. Weights are synthetic. --seconds: of each figure.

`python -m bench.ranks PORT RANK RANKS` is one of the other ranks.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import torch
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from sdv2_live.model.load import choose_dtype, dtype_name
from sdv2_live.model.lora.lora import LoraSet
from sdv2_live.ranks.follower import Follower
from sdv2_live.ranks.group import Member, join, leave
from sdv2_live.ranks.partition import Ring, Seat, partition
from sdv2_live.ranks.ring import RingDit
from sdv2_live.system.process import end_with_parent

from .rank_jobs import CPU, MODELS, Job, Seen, alone, painted, streaming

HOST, WAIT = "127.0.0.1", timedelta(minutes=10)
SCHEDULES = ("sequential", "stream_batch")


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """Figures by case: medians of the rounds."""
    dtype = dtype_name(choose_dtype(options.dtype, CPU))
    result: dict[str, Any] = {"ranks": options.ranks, "dtype": dtype, "size": options.size, "steps": options.steps}
    found: dict[str, list[dict[str, float]]] = {}
    with closing(Group(options.ranks)) as group:
        for number in range(options.rounds):
            for model in MODELS:
                for schedule in SCHEDULES:
                    job = Job(model, schedule, dtype, options.size, options.steps, options.seconds)
                    found.setdefault(f"{model}, {schedule}", []).append(group.turns(job))
            print(f"round {number + 1} of {options.rounds}, load {psutil.getloadavg()[0]:.1f}", file=sys.stderr)
    for case, rounds in found.items():
        result[case] = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
    return result


class Group:
    """This process and those of the other ranks."""

    def __init__(self, size: int) -> None:
        """Start them."""
        self._size, self._jobs, self._cores = size, 0, cores()
        self._store = TCPStore(HOST, 0, is_master=True, wait_for_workers=False)
        command = [sys.executable, "-m", "bench.ranks", str(self._store.port)]
        start = partial(subprocess.Popen, cwd=Path(__file__).parents[1], env={**os.environ, "OMP_NUM_THREADS": "1"})
        self._others = [start([*command, str(rank), str(size)]) for rank in range(1, size)]
        enter(self._store, 0, size)

    def close(self) -> None:
        """End the others."""
        self._store.set(f"job {self._jobs + 1}", "null")
        for process in self._others:
            process.wait(WAIT.total_seconds())
        leave()
        cores(self._cores)

    def turns(self, job: Job) -> dict[str, float]:
        """One process, ranks, as many processes apart."""
        one = alone(job)
        times, sequential = one.stages, job.schedule == "sequential"
        seats = [Seat(rank, times, 1) for rank in range(self._size)]
        found = partition(seats, Ring(job.layers, job.steps, sequential), lambda part: 0)
        assert found is not None
        parts = [rank.part for rank in found.ranks]
        ring, hop_ms, sent = self._together(replace(job, parts=[(part.begin, part.end) for part in parts]))
        self._tell(job)
        side = [alone(job).rate, *self._told()]
        works = [1e3 * busy / ring.rate for busy in ring.busy]
        work = 1e3 * one.busy[0] / one.rate
        return {
            "chunks a second, one process": one.rate,
            "chunks a second, ranks": ring.rate,
            "ratio": ring.rate / one.rate,
            "ratio of as many apart": sum(side) / one.rate,
            "ratio if no rank ever waited": work / max(works),
            "ratio by the plan": (times.encode + times.decode + job.steps * job.layers * times.block) / found.period,
            "ms of a chunk by itself, one process": one.alone_ms,
            "ms of a chunk by itself, ranks": ring.alone_ms,
            "ms of a chunk among others, one process": one.full_ms,
            "ms of a chunk among others, ranks": ring.full_ms,
            "kB sent a chunk": sent / 1e3,
            "ms on the way a chunk": self._size * job.steps * hop_ms,
            **{f"ms {stage}, one process": 1e3 * seconds for stage, seconds in asdict(times).items()},
            **{f"blocks of rank {rank}": float(part.blocks) for rank, part in enumerate(parts)},
            "ms computed a chunk, one process": work,
            **{f"ms computed a chunk, rank {rank}": each for rank, each in enumerate(works)},
            **{f"busy, rank {rank}": share for rank, share in enumerate(ring.busy)},
            "cores that other programs had": max(one.beside, ring.beside),
            "pictures are the same": float(ring.pictures == one.pictures),
        }

    def _together(self, job: Job) -> tuple[Seen, float, float]:
        """Figures of a ring; ms of a hop; bytes that all ranks have sent for a chunk."""
        self._tell(job)
        models, member = job.models(0), Member(0, self._size, CPU)
        ring = RingDit(models.dit, member)
        with streaming(job, replace(models, dit=ring)) as stream:
            seen = painted(stream, job, [os.getpid(), *(process.pid for process in self._others)])
        member.end()
        sent = (member.after.bytes + sum(self._told())) / ring.watch.total[0] * job.steps
        return seen, ring.hop_ms, sent

    def _tell(self, job: Job) -> None:
        self._jobs += 1
        self._store.set(f"job {self._jobs}", json.dumps(asdict(job)))

    def _told(self) -> list[float]:
        keys = [f"done {self._jobs} {rank}" for rank in range(1, self._size)]
        self._store.wait(keys, WAIT)
        return [float(self._store.get(key)) for key in keys]


def cores(chosen: Sequence[int] = ()) -> list[int]:
    """The cores that this process may use, from now on these; none on macOS, which does not tell."""
    process = psutil.Process()
    if not hasattr(process, "cpu_affinity"):
        return []
    if chosen:
        process.cpu_affinity(list(chosen))
    return list(process.cpu_affinity())


def enter(store: TCPStore, rank: int, size: int) -> None:
    """Take this rank's core, and join the group when all are there."""
    if there := cores():
        cores([there[rank % len(there)]])
    torch.set_num_threads(1)
    store.set(f"here {rank}", "")
    store.wait([f"here {each}" for each in range(size)], WAIT)  # importing torch may take longer than joining may
    join(store, rank, size, CPU, HOST)


def main() -> None:
    """Another rank, from beginning to end."""
    end_with_parent()
    port, rank, size = map(int, sys.argv[1:])
    store = TCPStore(HOST, port, is_master=False, wait_for_workers=False)
    enter(store, rank, size)
    jobs = 0
    while True:
        jobs += 1
        store.wait([f"job {jobs}"], timedelta(hours=1))
        told = json.loads(store.get(f"job {jobs}"))
        if told is None:
            break
        job = Job(**told)
        if job.parts:
            member = Member(rank, size, CPU)
            Follower(member, job.models(rank).dit, LoraSet()).run()
            done = float(member.after.bytes)
        else:
            done = alone(job).rate
        store.set(f"done {jobs} {rank}", str(done))
    os._exit(0)  # torch's own end waits for the others


if __name__ == "__main__":
    main()
