"""A real group of four processes of torch.distributed, of which the tests' own is the leader: rings of 2, 3 and 4 of them.

`python -m support.ranks PORT RANK` is one of the others: it takes one ring after another, each described in the group's store.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.lora.lora import LoraSet, LoraSource, attach_loras, read_loras
from sdv2_live.model.sizes import DitConfig
from sdv2_live.ranks.follower import Follower
from sdv2_live.ranks.group import Member, join, leave
from sdv2_live.ranks.ring import RingDit, RingLoras

SIZE = 4
HOST = "127.0.0.1"
CPU = torch.device("cpu")
TESTS = Path(__file__).parents[1]


def even(layers: int, size: int) -> list[int]:
    """Where blocks are cut for so many ranks: 0, ..., layers."""
    return [layers * i // size for i in range(size + 1)]


def part(job: dict[str, Any], rank: int) -> tuple[CausalDiT, LoraSet]:
    """A rank's part of the model that a job describes, with synthetic weights."""
    from support.tiny import synthetic

    dit = CausalDiT(DitConfig(**job["config"]))
    synthetic(dit)
    dit.to(getattr(torch, job["dtype"]))
    cuts = job["cuts"]
    dit.keep(range(cuts[rank], cuts[rank + 1]))
    files = read_loras(dit, [LoraSource("lora", Path(file)) for file in job["loras"]])
    return dit, attach_loras(dit, files)


class Ranks:
    """The group, from its start to its end."""

    def __init__(self, size: int = SIZE) -> None:
        self.size = size
        self._jobs = 0
        self._store = TCPStore(HOST, 0, is_master=True, wait_for_workers=False)
        paths = [str(TESTS), str(TESTS.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
        self.processes = [
            subprocess.Popen(
                [sys.executable, "-m", "support.ranks", str(self._store.port), str(rank), str(size)], env=environment
            )
            for rank in range(1, size)
        ]
        enter(self._store, 0, size)

    @contextmanager
    def ring(
        self, config: DitConfig, size: int, *, cuts: Sequence[int] = (), dtype: str = "float32", loras: Sequence[Path] = ()
    ) -> Iterator[tuple[RingDit, RingLoras]]:
        """The transformer on a ring of the first ranks, the leader's end of it."""
        self._jobs += 1
        chosen = [*(cuts or even(config.layers, size))]
        job = {"config": asdict(config), "size": size, "cuts": chosen, "dtype": dtype, "loras": [str(file) for file in loras]}
        self._store.set(f"job {self._jobs}", json.dumps(job))
        own, own_loras = part(job, 0)
        member = Member(0, size, CPU)
        yield RingDit(own, member), RingLoras.of(own_loras, member)
        member.end()  # not after an error: others may wait for what never comes

    def close(self) -> None:
        """End all processes."""
        self._store.set(f"job {self._jobs + 1}", json.dumps({"size": 0}))
        for process in self.processes:
            process.wait(30)
        leave()


def enter(store: TCPStore, rank: int, size: int) -> None:
    """Join the group when all are there: importing torch may take longer than joining may."""
    store.set(f"here {rank}", "")
    store.wait([f"here {each}" for each in range(size)], timedelta(minutes=5))
    join(store, rank, size, CPU, HOST)


def main() -> None:
    """A follower, from beginning to end."""
    from sdv2_live.system.process import end_with_parent

    end_with_parent()
    torch.set_num_threads(1)
    port, rank, size = map(int, sys.argv[1:])
    store = TCPStore(HOST, port, is_master=False, wait_for_workers=False)
    enter(store, rank, size)
    jobs = 0
    while True:
        jobs += 1
        store.wait([f"job {jobs}"], timedelta(hours=1))
        job = json.loads(store.get(f"job {jobs}"))
        if not job["size"]:
            break
        if rank < job["size"]:
            dit, loras = part(job, rank)
            Follower(Member(rank, job["size"], CPU), dit, loras).run()
    os._exit(0)  # torch's own end waits for the others


if __name__ == "__main__":
    main()
