"""A process that exchanges tensors with others of its kind, and says how fast: `python -m sdv2_live.doctor.group_member`.

Its arguments are the library (nccl or gloo), its rank, how many there are, the number of its GPU or cpu, and a file where all
meet. Of each pair one process sends while the other receives and takes the time; pairs take turns.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import timedelta
from itertools import permutations

import psutil
import torch
import torch.distributed as dist

from sdv2_live.system.clock import monotonic

LARGE = {"cpu": 1 << 23, "cuda": 1 << 26}  # bytes of a large tensor; those of a show have 10 to 32 MB
TIMES = 4  # that each is sent
PATIENCE = timedelta(seconds=30)
LOCAL = "127.0.0.1"


def main() -> int:
    """Exchange, and print what was received as JSON."""
    by, rank, count, card, meeting = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]
    device = torch.device("cpu" if card == "cpu" else f"cuda:{card}")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    for name, addresses in psutil.net_if_addrs().items():
        if any(each.address == LOCAL for each in addresses):
            os.environ |= {"GLOO_SOCKET_IFNAME": name, "NCCL_SOCKET_IFNAME": name}
    store = dist.FileStore(meeting, count)  # type: ignore[attr-defined]
    dist.init_process_group(by, store=store, rank=rank, world_size=count, timeout=PATIENCE)
    wire = torch.device("cpu") if by == "gloo" else device  # gloo takes tensors of the host alone
    seen = []
    for sender, receiver in permutations(range(count), 2):
        if rank == sender:
            _send(receiver, device, wire)
        elif rank == receiver:
            rate, ms = _receive(sender, device, wire)
            seen.append({"sender": sender, "receiver": receiver, "rate": rate, "ms": ms})
    dist.destroy_process_group()
    sys.stdout.write(f"{json.dumps(seen)}\n")  # for the doctor to read, not a person
    return 0


def _send(to: int, device: torch.device, wire: torch.device) -> None:
    for size in (4, LARGE[device.type]):
        for number in range(TIMES):
            tensor = torch.full((size,), number, dtype=torch.uint8, device=device)
            dist.recv(torch.empty(1, dtype=torch.uint8, device=wire), to)  # it is ready
            dist.send(tensor.to(wire), to)


def _receive(of: int, device: torch.device, wire: torch.device) -> tuple[float, float]:
    """GB/s of large tensors, and milliseconds of a small one: the best, for the first ones open the way."""
    best = []
    for size in (4, LARGE[device.type]):
        seconds = []
        for number in range(TIMES):
            into = torch.empty(size, dtype=torch.uint8, device=wire)
            dist.send(torch.zeros(1, dtype=torch.uint8, device=wire), of)
            begin = monotonic()
            dist.recv(into, of)
            there = into.to(device)
            last = int(there[-1].item())  # waits for all of it
            seconds.append(monotonic() - begin)
            if last != number:
                raise RuntimeError(f"rank {of} sent {number}, and {last} came")
        best.append(min(seconds))
    return LARGE[device.type] / best[1] / 1e9, 1e3 * best[0]


if __name__ == "__main__":
    sys.exit(main())
