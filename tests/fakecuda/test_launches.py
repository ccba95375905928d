"""Every launch of the Triton kernels that shows make, compiled for each generation of cards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from support.places import ROOT, TESTS

from fakecuda.reports import play

SHARED = 99 << 10  # bytes of shared memory a block: what Ada and the smaller Blackwells have
SHOWS = ("tiny, briefly", "1.3b wan, briefly", "1.3b taehv, briefly", "loras")
CARDS = (80, 89, 90, 120)  # Ampere, Ada, Hopper, Blackwell
pytest.importorskip("triton", reason="Triton is not there for this system")


@pytest.fixture(scope="module")
def launches(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Each specialisation of each kernel, once."""
    reports = play(SHOWS, tmp_path_factory.mktemp("fakecuda"))
    found = {json.dumps(launch, sort_keys=True): launch for report in reports.values() for launch in report.launches}
    return list(found.values())


def widest(launches: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of those that differ in sizes alone, which are larger constants, the one that holds most."""

    def flags(launch: dict[str, Any]) -> str:
        return json.dumps([launch["kernel"], [[path, value] for path, value in launch["constants"] if value <= 4]])

    def size(launch: dict[str, Any]) -> float:
        return sum(value for _, value in launch["constants"])

    return list({flags(launch): launch for launch in sorted(launches, key=size)}.values())


def compiled(launches: list[dict[str, Any]], capability: int, folder: Path) -> list[dict[str, Any]]:
    source, target = folder / "launches.json", folder / "results.json"
    source.write_text(json.dumps(launches), encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), environment.get("PYTHONPATH", "")])
    environment["TRITON_CACHE_DIR"] = str(Path(tempfile.gettempdir()) / f"sdv2-fakecuda-{os.getuid()}" / "triton")
    command = [sys.executable, str(TESTS / "fakecuda" / "compiling.py"), str(source), str(target), str(capability)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-8000:]
    results: list[dict[str, Any]] = json.loads(target.read_text(encoding="utf-8"))
    return results


def test_every_kernel_fits_a_card(launches: list[dict[str, Any]], tmp_path: Path) -> None:
    results = compiled(widest(launches), 90, tmp_path)
    assert {result["kernel"] for result in results} >= {"_add_norm", "_rms_norm", "_remember", "_store", "_adapt", "_finish"}
    assert [result for result in results if result["spills"] or result["shared"] > SHARED] == []


@pytest.mark.slow
@pytest.mark.parametrize("capability", CARDS)
def test_every_launch_fits_every_card(launches: list[dict[str, Any]], capability: int, tmp_path: Path) -> None:
    results = compiled(launches, capability, tmp_path)
    assert len(results) == len(launches)
    assert [result for result in results if result["spills"] or result["shared"] > SHARED] == []
