"""Probe of the ranks: do this machine's cards reach each other, how fast, and by what; on a CPU two processes do."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from sdv2_live.config.schema import Config
from sdv2_live.doctor.probe import Check, fail, ok, warn
from sdv2_live.errors import Sdv2Error
from sdv2_live.ranks.together import saw_together
from sdv2_live.system.clock import monotonic

TRY_S = 60.0  # for all transfers, from the start of the processes: each loads torch
MEMBER = "sdv2_live.doctor.group_member"
TOPOLOGY = "nvidia-smi topo -p2p r shows which reach each other; IOMMU and ACS in the BIOS must be off for it"


@dataclass(frozen=True, slots=True)
class Transfer:
    """What one rank received of another. rate: GB/s of large tensors. ms: of a tiny one."""

    sender: int
    receiver: int
    rate: float
    ms: float


def look_group(config: Config) -> Iterator[Check]:
    """ranks."""
    import torch

    from sdv2_live.cost.group import taking_part
    from sdv2_live.memory.fit import wish_of
    from sdv2_live.model.load import choose_device
    from sdv2_live.pipeline.build import chosen_profile

    try:
        device = choose_device(config.model.device)
        cards = taking_part(config, wish_of(config, chosen_profile(config), device), device)
    except Sdv2Error as error:
        yield fail("ranks", str(error), "model.gpus: auto, or the GPUs that there are")
        return
    if not torch.distributed.is_available():
        yield ok("ranks", "this PyTorch has no torch.distributed: a show runs on one card")
        return
    numbers = [each.number for each in cards] if device.type == "cuda" and len(cards) > 1 else []
    by = "nccl" if numbers and torch.distributed.is_nccl_available() else "gloo"
    count = len(cards) if len(cards) > 1 else 2
    transfers, why = tried(by, count, numbers)
    if why:
        problem = fail if len(cards) > 1 else warn
        yield problem("ranks", f"{count} processes cannot exchange tensors by {by}: {why}", "a show on one card: model.gpus: 1")
        return
    if numbers:
        saw_together([each.name for each in cards])
    apart = [pair for pair in combinations(numbers, 2) if not torch.cuda.can_device_access_peer(*pair)]
    geforce = all("GeForce" in each.name for each in cards)
    yield told(transfers, by, numbers, apart, geforce=geforce)


def told(
    transfers: Sequence[Transfer], by: str, numbers: Sequence[int], apart: Sequence[tuple[int, int]], *, geforce: bool
) -> Check:
    """What is said of the transfers.

    Args:
        transfers: between all pairs, both ways.
        by: the library.
        numbers: of the GPUs by rank; none: processes of the CPU.
        apart: pairs of GPUs without access to each other's memory.
        geforce: all are GeForce cards, which have none.
    """
    slow, fast = (pick(transfers, key=lambda each: each.rate) for pick in (min, max))
    late = max(each.ms for each in transfers)
    kind = f"{len(numbers)} GPUs" if numbers else f"{1 + max(each.sender for each in transfers)} processes of the CPU"
    rates = f"{slow.rate:.1f}" if slow.rate > 0.8 * fast.rate else f"{slow.rate:.1f} to {fast.rate:.1f}"
    said = f"{kind} by {by}, each to each: {rates} GB/s, {late:.2f} ms for a small tensor"
    if numbers and slow.rate <= 0.8 * fast.rate:
        said += f"; slowest from GPU {numbers[slow.sender]} to {numbers[slow.receiver]}"
    if numbers and by == "gloo":
        said += "; without NCCL tensors go through the host's memory"
    if not apart:
        return ok("ranks", said)
    pairs = ", ".join(f"{a} and {b}" for a, b in apart)
    said += f"; no peer access between GPUs {pairs}: tensors go through the host's memory"
    return ok("ranks", f"{said}, as on all GeForce cards") if geforce else warn("ranks", said, TOPOLOGY)


def tried(by: str, count: int, numbers: Sequence[int]) -> tuple[list[Transfer], str]:
    """The transfers between so many processes, and the reason where there are none.

    Args:
        by: nccl or gloo.
        count: of processes.
        numbers: their GPUs; none: the CPU.
    """
    with tempfile.TemporaryDirectory(prefix="sdv2-ranks-") as folder:
        meeting = Path(folder, "store")
        members = [
            subprocess.Popen(
                [sys.executable, "-m", MEMBER, by, str(rank), str(count), str(numbers[rank]) if numbers else "cpu", str(meeting)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for rank in range(count)
        ]
        until, found, why = monotonic() + TRY_S, [], ""
        try:
            for member in members:
                out, err = member.communicate(timeout=max(until - monotonic(), 0.1))
                if member.returncode:
                    why = why or " ".join(err.strip().splitlines()[-1:]) or f"exit code {member.returncode}"
                else:
                    found += [Transfer(**each) for each in json.loads(out)]
        except subprocess.TimeoutExpired:
            why = f"no answer within {TRY_S:g} s"
        finally:
            for member in members:
                member.kill()
                member.wait()
        return found, why
