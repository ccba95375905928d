"""The bench runs, and its figures hang together; how large they are is not tested."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bench import gpu_compare, gpu_table, isa, main, peer, rank_jobs, ranks
from support.places import TOOLS
from support.systems import needs_bash, program

from sdv2_live.config.profiles import find_profile

SHORT = ["--model", "tiny", "--device", "cpu", "--size", "64x64", "--seconds", "0.5", "--threads", "1", "--json"]
PEAKS = ["--peak-tflops", "1", "--bandwidth", "1"]


@pytest.mark.parametrize("options", [[], ["--overlap", "--schedule", "stream_batch", "--peak-tflops", "2", "--bandwidth", "0.1"]])
def test_the_bench_on_a_cpu(options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(SHORT + options) == 0
    result = json.loads(capsys.readouterr().out)
    assert {"preprocess", "encode", "denoise", "decode", "postprocess", "send"} <= set(result["stages_ms"])
    assert result["chunks"] >= 1
    assert result["fps"] > 0
    assert result["kernels"] == {"attention": "sdpa", "operations": "torch", "frames": "torch", "cuda_graphs": "off"}
    chunk, floor = result["chunk_ms"], result["floor"]
    assert 0 < chunk["p50"] <= chunk["p95"] <= chunk["p99"]
    beside = 2 if "--overlap" in options else 1  # chunks at a time
    assert chunk["mean"] * 0.5 < sum(result["stages_ms"].values()) < chunk["mean"] * 1.5 * beside
    assert floor["tflop_s"] == pytest.approx(floor["tflop_a_chunk"] / chunk["mean"] * 1e3, rel=0.5, abs=2e-3)
    assert floor["share_of_floor"] == pytest.approx(floor["floor_ms"] / chunk["mean"], abs=2e-3)
    if options:
        assert (floor["peak_tflop_s"], floor["peak_tb_s"]) == (2, 0.1)
    (tmp_path / "a case.json").write_text(json.dumps(result))
    done = subprocess.run(
        [sys.executable, TOOLS / "bench" / "gpu_table.py", tmp_path], capture_output=True, text=True, check=True
    )
    assert len(done.stdout.splitlines()) == 3
    assert f"| a case | {result['fps']} |" in done.stdout
    assert all(line.count("|") == len(gpu_table.COLUMNS) + 1 for line in done.stdout.splitlines())


def test_older_processors_take_turns_with_another_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for who, fps in (("here", 30), ("before", 20)):
        bench = tmp_path / who / "tools" / "bench.py"
        bench.parent.mkdir(parents=True)
        bench.write_text(
            "import json, os, sys\n"
            "dtype = next(option for option in sys.argv if option.startswith('--dtype=')).removeprefix('--dtype=')\n"
            f"print(json.dumps({{'fps': {fps} + ('ONEDNN_MAX_CPU_ISA' in os.environ), 'dtype': dtype}}))"
        )
    monkeypatch.setattr(isa, "HERE", tmp_path / "here")
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    assert main.main(["--isa", "--json", "--against", str(tmp_path / "before"), "--rounds", "2"]) == 0
    found = json.loads(capsys.readouterr().out)["frames a second"]
    assert len(found) == len(isa.CASES) * 2 * 2
    assert found["AVX2, fp32, alone: before"] == "21.0 (21.0 to 21.0)"
    assert found["AVX2, auto, beside a busy program: here"] == "31.0 (31.0 to 31.0)"
    assert found["all of this processor, auto, alone: before"] == "20.0 (20.0 to 20.0)"


def test_a_peer_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(main, "throughput", lambda options: {"fps": 1.0})  # nobody looks at ours
    assert main.main([*SHORT, *PEAKS, "--compare", "auto"]) == 5
    assert "this Python has no working package streamdiffusionv2" in capsys.readouterr().err
    assert main.main([*SHORT, *PEAKS, "--compare", "/nowhere/python"]) == 5
    assert "--compare /nowhere/python: cannot be run" in capsys.readouterr().err


def test_a_peer_gets_the_same_task_and_its_figures_are_set_against_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def python(does: str) -> str:
        return str(program(tmp_path / "python", f"import json, sys\n{does}"))

    figures = python("print('models are loaded')\nprint(json.dumps({'fps': 0.5, 'task': sys.argv[1:]}))")
    assert main.main([*SHORT, *PEAKS, "--steps", "3", "--compare", figures]) == 0
    result = json.loads(capsys.readouterr().out)
    script, *task = result["peer"]["task"]
    assert Path(script) == TOOLS / "bench" / "peer.py"
    assert dict(zip(task[::2], task[1::2], strict=True)) == {
        "--size": "64x64", "--steps": "3", "--schedule": "sequential", "--seconds": "0.5", "--model": "tiny", "--vae": "taehv"
    }  # fmt: skip
    assert result["peer"]["we_are_times_as_fast"] == pytest.approx(result["fps"] / 0.5, abs=0.01)
    monkeypatch.setattr(main, "throughput", lambda options: result)
    for does, said in (("sys.exit('no card')", "no card"), ("print('hello')", "printed no figures")):
        assert main.main([*SHORT, *PEAKS, "--compare", python(does)]) == 5
        assert said in capsys.readouterr().err


@pytest.mark.parametrize("name", peer.SIZES)
def test_the_peers_transformer_is_as_large_as_ours(name: str) -> None:
    dit = find_profile(name).dit
    assert peer.SIZES[name][1] == {
        "dim": dit.dim, "ffn_dim": dit.ffn, "num_heads": dit.heads, "num_layers": dit.layers
    }  # fmt: skip


def test_two_devices_are_compared(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(gpu_compare, "CHUNKS", 2)
    assert gpu_compare.main(["--devices", "cpu", "cpu"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert all(line.endswith(" ok") for line in lines)
    assert all("differs by 0.0000" in line for line in lines if "fp32" in line)  # auto may be bfloat16, against float32
    right = gpu_compare.pictures
    calls: list[Any] = []
    monkeypatch.setattr(gpu_compare, "pictures", lambda *a: right(*a) * (1 + 0.5 * len(calls)) + (calls.append(a) or 0))
    assert gpu_compare.main(["--devices", "cpu", "cpu"]) == 1


@needs_bash
def test_the_gpu_session_is_a_shell_script() -> None:
    subprocess.run(["bash", "-n", TOOLS / "gpu_session.sh"], check=True)


def test_ranks_against_one_process(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(ranks, "MODELS", {"tiny": rank_jobs.TINY})
    monkeypatch.setattr(ranks, "SCHEDULES", ("stream_batch",))
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    assert main.main(["--ranks", "2", "--rounds", "1", "--seconds", "0.1", "--size", "64x64", "--json"]) == 0
    if cores is not None:
        assert os.sched_getaffinity(0) == cores  # as it was
    figures = json.loads(capsys.readouterr().out)["tiny, stream_batch"]
    assert figures["ratio"] == pytest.approx(figures["chunks a second, ranks"] / figures["chunks a second, one process"])
    assert figures["blocks of rank 0"] + figures["blocks of rank 1"] == 6
    latent, tokens, wide = 16 * 8 * 8, 16, rank_jobs.TINY.dit.dim
    assert 1e3 * figures["kB sent a chunk"] >= 2 * 2 * (latent + tokens * wide)  # two steps, two bytes or more a number
    assert figures["pictures are the same"]
    assert 0 < figures["busy, rank 1"] < 1.5
