"""The probe of the ranks: two processes exchange tensors, and what is said of cards."""

from __future__ import annotations

import pytest
import torch

from sdv2_live.config.load import load_config
from sdv2_live.doctor.group import Transfer, look_group, told, tried
from sdv2_live.doctor.probe import Status

ALIKE = [Transfer(0, 1, 25.1, 0.03), Transfer(1, 0, 24.0, 0.02)]


def test_two_processes_of_the_cpu_exchange_tensors() -> None:
    transfers, why = tried("gloo", 2, [])
    assert why == ""
    assert {(each.sender, each.receiver) for each in transfers} == {(0, 1), (1, 0)}
    assert all(each.rate > 0 and each.ms > 0 for each in transfers)


@pytest.mark.skipif(torch.distributed.is_nccl_available(), reason="here is what shall be missing")
def test_what_cannot_be_exchanged_is_told() -> None:
    transfers, why = tried("nccl", 2, [])
    assert transfers == []
    assert "NCCL" in why


def test_a_card_that_is_not_there_fails() -> None:
    (check,) = look_group(load_config(None, ["model.gpus=[0, 15]"]))
    assert check.status is Status.FAIL
    assert "there is no GPU" in check.detail
    assert check.remedy == "model.gpus: auto, or the GPUs that there are"


def test_what_is_said_of_cards() -> None:
    check = told(ALIKE, "nccl", [0, 1], [], geforce=False)
    assert (check.status, check.detail) == (Status.OK, "2 GPUs by nccl, each to each: 24.0 GB/s, 0.03 ms for a small tensor")
    slow = told([*ALIKE, Transfer(0, 2, 6.1, 0.05)], "nccl", [4, 5, 6], [], geforce=False)
    assert "6.1 to 25.1 GB/s, 0.05 ms for a small tensor; slowest from GPU 4 to 6" in slow.detail
    host = told(ALIKE, "gloo", [0, 1], [], geforce=False)
    assert host.detail.endswith("without NCCL tensors go through the host's memory")


def test_missing_peer_access_is_told_and_a_fault_only_where_cards_have_it() -> None:
    check = told(ALIKE, "nccl", [0, 1], [(0, 1)], geforce=False)
    assert check.status is Status.WARN
    assert "no peer access between GPUs 0 and 1: tensors go through the host's memory" in check.detail
    assert "nvidia-smi topo -p2p r" in check.remedy
    geforce = told(ALIKE, "nccl", [0, 1], [(0, 1)], geforce=True)
    assert (geforce.status, geforce.remedy) == (Status.OK, "")
    assert geforce.detail.endswith("as on all GeForce cards")
