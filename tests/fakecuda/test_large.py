"""Two layers of the 1.3B model on the simulated CUDA device, in every mode that a show can be in."""

from __future__ import annotations

import pytest

from fakecuda.reports import Report, assert_clean, play
from fakecuda.scenarios import SET_UPS

SHOWS = ("1.3b wan", "stream batch", "loras", "blocks")
OTHER_SHOWS = ("1.3b taehv", "frames encoded ahead", "text mode", "refilled blocks", "fp16", "without CuPy")


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    return play(SHOWS, tmp_path_factory.mktemp("fakecuda"))


@pytest.fixture(scope="module")
def other_reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    return play([*OTHER_SHOWS, "six set-ups"], tmp_path_factory.mktemp("fakecuda"))


def clean(report: Report, show: str) -> None:
    assert report.kernels["operations"] == "triton"
    assert report.kernels["frames"] == ("torch" if show == "without CuPy" else "cupy")
    assert_clean(report)


@pytest.mark.parametrize("show", SHOWS)
def test_a_show_is_clean(reports: dict[str, Report], show: str) -> None:
    clean(reports[show], show)


@pytest.mark.slow
@pytest.mark.parametrize("show", OTHER_SHOWS)
def test_a_show_of_another_kind_is_clean(other_reports: dict[str, Report], show: str) -> None:
    clean(other_reports[show], show)


@pytest.mark.slow
def test_set_ups_leave_no_memory_behind(other_reports: dict[str, Report]) -> None:
    """Two sizes in turn, without Python's collector of cycles: what a cycle keeps would be kept for as long as a stage has."""
    reserved = other_reports["six set-ups"].reserved
    assert len(reserved) == len(SET_UPS)
    assert reserved[3:] == reserved[1:-2]  # each size's pictures have filled their tables by then
