"""The bench runs, and its figures hang together; how large they are is not tested."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parent.parent / "tools"
sys.path.insert(0, str(TOOLS))

import bench  # noqa: E402
import gpu_compare  # noqa: E402
import gpu_table  # noqa: E402

SHORT = ["--model", "tiny", "--device", "cpu", "--size", "64x64", "--seconds", "1", "--threads", "1", "--json"]


@pytest.mark.parametrize("options", [[], ["--overlap", "--schedule", "stream_batch", "--peak-tflops", "2", "--bandwidth", "0.1"]])
def test_the_bench_on_a_cpu(options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(SHORT + options) == 0
    result = json.loads(capsys.readouterr().out)
    assert {"preprocess", "encode", "denoise", "decode", "postprocess", "send"} <= set(result["stages_ms"])
    assert result["chunks"] >= 1
    assert result["fps"] > 0
    assert result["kernels"] == {"attention": "sdpa", "operations": "torch", "frames": "torch", "cuda_graphs": "off"}
    chunk, floor = result["chunk_ms"], result["floor"]
    assert 0 < chunk["p50"] <= chunk["p95"] <= chunk["p99"]
    assert sum(result["stages_ms"].values()) == pytest.approx(chunk["mean"], rel=0.5)
    assert floor["tflop_s"] == pytest.approx(floor["tflop_a_chunk"] / chunk["mean"] * 1e3, rel=0.5, abs=2e-3)
    assert floor["share_of_floor"] == pytest.approx(floor["floor_ms"] / chunk["mean"], abs=2e-3)
    if options:
        assert (floor["peak_tflop_s"], floor["peak_tb_s"]) == (2, 0.1)
    (tmp_path / "a case.json").write_text(json.dumps(result))
    done = subprocess.run([sys.executable, TOOLS / "gpu_table.py", tmp_path], capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == 3
    assert f"| a case | {result['fps']} |" in done.stdout
    assert all(line.count("|") == len(gpu_table.COLUMNS) + 1 for line in done.stdout.splitlines())


def test_a_peer_that_is_not_installed(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main([*SHORT, "--peak-tflops", "1", "--bandwidth", "1", "--compare", "auto"]) == 5
    assert "this Python has no working package streamdiffusionv2" in capsys.readouterr().err
    assert bench.main([*SHORT, "--peak-tflops", "1", "--bandwidth", "1", "--compare", "/nowhere/python"]) == 5
    assert "--compare /nowhere/python: cannot be run" in capsys.readouterr().err


def test_two_devices_are_compared(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(gpu_compare, "CHUNKS", 2)
    assert gpu_compare.main(["--devices", "cpu", "cpu"]) == 0
    assert capsys.readouterr().out.count("differs by 0.0000 ok") == 4
    right, calls = gpu_compare.pictures, []
    monkeypatch.setattr(gpu_compare, "pictures", lambda *a: right(*a) * (1 + 0.5 * len(calls)) + (calls.append(a) or 0))
    assert gpu_compare.main(["--devices", "cpu", "cpu"]) == 1


def test_the_gpu_session_is_a_shell_script() -> None:
    subprocess.run(["bash", "-n", TOOLS / "gpu_session.sh"], check=True)
