"""Two layers of the 1.3B model on the simulated CUDA device, in every mode that a show can be in."""

from __future__ import annotations

import pytest

from fakecuda.reports import Report, assert_clean, play
from fakecuda.scenarios import SET_UPS

SHOWS = (
    "1.3b wan",
    "1.3b taehv",
    "stream batch",
    "frames encoded ahead",
    "loras",
    "text mode",
    "blocks",
    "refilled blocks",
    "fp16",
    "without CuPy",
)


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    return play([*SHOWS, "six set-ups"], tmp_path_factory.mktemp("fakecuda"))


@pytest.mark.parametrize("show", SHOWS)
def test_a_show_is_clean(reports: dict[str, Report], show: str) -> None:
    assert reports[show].kernels["operations"] == "triton"
    assert reports[show].kernels["frames"] == ("torch" if show == "without CuPy" else "cupy")
    assert_clean(reports[show])


def test_set_ups_leave_no_memory_behind(reports: dict[str, Report]) -> None:
    """Two sizes in turn, without Python's collector of cycles: what a cycle keeps would be kept for as long as a stage has."""
    reserved = reports["six set-ups"].reserved
    assert len(reserved) == len(SET_UPS)
    assert reserved[3:] == reserved[1:-2]  # each size's pictures have filled their tables by then
