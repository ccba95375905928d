"""The engine computes what the reference implementation computes: every golden case, through the tool that users run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from parity.kinds import RUNNERS
from parity.main import find_cases, main, relative_error, run_case
from support.places import GOLDEN

CASES = find_cases([GOLDEN])


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_case_matches_the_reference(folder: Path) -> None:
    results = list(run_case(folder))
    assert results
    assert [r for r in results if not r.passed] == []


def test_streams_on_three_ranks_match_the_reference(capsys: pytest.CaptureFixture[str]) -> None:
    cases = [str(GOLDEN / name) for name in ("stream_sequential", "stream_batch")]
    assert main([*cases, "--ranks", "3"]) == 0
    assert "0 failed" in capsys.readouterr().out


def test_every_kind_is_covered() -> None:
    assert {json.loads((folder / "case.json").read_text())["kind"] for folder in CASES} == set(RUNNERS)


def test_a_wrong_reference_fails_and_the_exit_status_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from safetensors.torch import load_file, save_file

    source = GOLDEN / "scheduler_noise"
    data = load_file(source / "io.safetensors")
    data["x0"] = data["x0"] + 1e-3
    save_file(data, tmp_path / "io.safetensors")
    (tmp_path / "case.json").write_text((source / "case.json").read_text())
    assert main([str(tmp_path)]) == 1
    assert "4 passed, 1 failed" in capsys.readouterr().out


def test_an_empty_folder_is_no_success(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 1


def test_relative_error_of_another_shape_is_infinite() -> None:
    assert relative_error(torch.ones(2), torch.ones(3)) == float("inf")
