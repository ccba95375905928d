"""The embedded model on the simulated CUDA device, and faults put into the program, which the device must find."""

from __future__ import annotations

import pytest

from fakecuda.reports import Report, play
from sdv2_live.gpu.lanes import LANES

MUTATIONS = (
    "tensors are not recorded on the streams that read them",
    "stages do not wait for one another",
    "what touches several lanes does not wait for them",
    "a stage's result lies where its next one will",
)


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    return play(["tiny", "tiny, with faults"], tmp_path_factory.mktemp("fakecuda"))


@pytest.fixture(scope="module")
def whole(reports: dict[str, Report]) -> Report:
    return reports["tiny"]


def test_the_gpu_path_is_played(whole: Report) -> None:
    assert whole.kernels == {
        "attention": "sdpa (cuDNN)",
        "operations": "triton",
        "frames": "cupy",
        "cuda_graphs": "on",
        "precision": "bfloat16",
        "size": "that of the input, up to 65536 pixels",
    }


def test_nothing_races_and_nothing_is_freed_too_early(whole: Report) -> None:
    assert not whole.faults()


def test_only_announced_waits(whole: Report) -> None:
    assert not whole.waits


def test_what_is_captured_has_the_priority_of_its_lane(whole: Report) -> None:
    """PyTorch instantiates graphs with their nodes' priorities; older versions take the stream's that a graph is launched on."""
    found = {int(note["what"].rpartition(" ")[2]) for note in whole.said("capture")}
    assert found == set(LANES.values())


def test_graphs_are_captured_in_set_ups_alone_and_hold_nothing_forbidden(whole: Report) -> None:
    assert whole.said("capture")
    assert not whole.captured_on_stage
    assert not whole.forbidden


def test_nothing_is_new_after_the_warm_up(whole: Report) -> None:
    assert not whole.new


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_the_device_finds_a_fault(reports: dict[str, Report], mutation: str) -> None:
    assert reports["tiny, with faults"].faults(mutation)


def test_the_program_recovers_from_each(reports: dict[str, Report]) -> None:
    """So that what one of them leaves behind does not count for the next."""
    assert not reports["tiny, with faults"].faults("after")
