"""Stream cases on several ranks: real processes of one group over gloo, which each have some of the case's blocks."""

from __future__ import annotations

import json
import multiprocessing
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from itertools import count
from typing import Any

import torch
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from sdv2_live.engine.engine import Engine
from sdv2_live.model.checkpoints.assign import load_strict, synthetic_state_dict
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.lora.lora import LoraSet
from sdv2_live.model.sizes import DitConfig
from sdv2_live.model.vae.wan import WanVAE
from sdv2_live.ranks.denoising import RingEngine
from sdv2_live.ranks.follower import Follower
from sdv2_live.ranks.group import Member, join, leave
from sdv2_live.ranks.ring import RingDit
from sdv2_live.system.process import end_with_parent

HOST, CPU = "127.0.0.1", torch.device("cpu")


class Ranks:
    """The group, of which this process is the leader. Cases need at least as many blocks as there are ranks."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._cases = 0
        listener = socket.create_server((HOST, 0))
        port = listener.getsockname()[1]
        self._store = TCPStore(HOST, port, is_master=True, wait_for_workers=False, master_listen_fd=listener.detach())
        context = multiprocessing.get_context("spawn")
        self._others = [context.Process(target=_follow, args=(port, rank, size), daemon=True) for rank in range(1, size)]
        for process in self._others:
            process.start()
        join(self._store, 0, size, CPU, HOST)

    @contextmanager
    def engine(self, dit: CausalDiT, vae: WanVAE, case: dict[str, Any]) -> Iterator[Engine]:
        """An engine over a stream case's models, whose transformer is on all ranks."""
        self._cases += 1
        told = {"config": asdict(dit.config), "manifest": case["dit_manifest"], "gain": case.get("gain", 1.0)}
        self._store.set(f"case {self._cases}", json.dumps(told))
        dit.keep(_blocks(dit, 0, self.size))
        member = Member(0, self.size, CPU)
        yield RingEngine(RingDit(dit, member), vae)
        member.end()

    def close(self) -> None:
        """End all processes."""
        for process in self._others:
            process.kill()
            process.join()
        leave()


def _blocks(dit: CausalDiT, rank: int, size: int) -> range:
    """A rank's blocks, as many as any other's where that goes."""
    layers = dit.config.layers
    return range(layers * rank // size, layers * (rank + 1) // size)


def _follow(port: int, rank: int, size: int) -> None:
    end_with_parent()
    store = TCPStore(HOST, port, is_master=False, wait_for_workers=False)
    join(store, rank, size, CPU, HOST)
    for number in count(1):
        store.wait([f"case {number}"], timedelta(hours=1))
        case = json.loads(store.get(f"case {number}"))
        dit = CausalDiT(DitConfig(**case["config"]))
        shapes = {key: tuple(shape) for key, shape in case["manifest"].items()}
        load_strict(dit, synthetic_state_dict(shapes, case["gain"]), "case.json dit_manifest")
        dit.keep(_blocks(dit, rank, size))
        Follower(Member(rank, size, CPU), dit.eval(), LoraSet()).run()
