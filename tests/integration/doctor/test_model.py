"""The model's checks: weights there or not, and a second of painting."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sdv2_live.config.load import load_config
from sdv2_live.config.profiles import PROFILES
from sdv2_live.config.schema import Config
from sdv2_live.doctor.model import engine, look_model, memory, weights
from sdv2_live.doctor.probe import Status
from sdv2_live.weights import catalog


def config(folder: Path, *options: str) -> Config:
    return load_config(None, [f"model.weights_dir={folder}", "model.device=cpu", *options])


def test_missing_weights_are_named_with_the_command_that_fetches_them(tmp_path: Path) -> None:
    check = weights(config(tmp_path), "1.3b")
    assert check.status is Status.FAIL
    assert "wan_causal_dmd_v2v/model.pt missing" in check.detail
    assert check.remedy == "fetch them: sdv2-live weights download 1.3b"


def test_weights_that_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = tuple(replace(file, size=3, sha256=None) for file in catalog.SHARED)
    monkeypatch.setattr(catalog, "SHARED", shared)
    for file in catalog.all_files([PROFILES["1.3b"]]):
        if file.kind != "bf16":  # the other text encoder will do
            (tmp_path / file.name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file.name.replace(".safetensors", ".txt")).write_bytes(b"abc")
    monkeypatch.setattr(catalog, "SHARED", tuple(replace(f, name=f.name.replace(".safetensors", ".txt")) for f in shared))
    assert weights(config(tmp_path), "1.3b").status is Status.OK
    (tmp_path / "Wan2.1_VAE.pth").write_bytes(b"ab")
    check = weights(config(tmp_path), "1.3b")
    assert check.status is Status.FAIL
    assert "Wan2.1_VAE.pth damaged" in check.detail


def test_the_engine_paints(tmp_path: Path) -> None:
    check = engine(config(tmp_path, "model.profile=tiny", "model.prompt_cache=off", "video.size=32x32"))
    assert check.status is Status.OK
    assert check.detail.startswith("tiny on cpu: ")
    assert float(check.detail.split()[3]) > 0


def test_an_engine_that_cannot_start_is_told(tmp_path: Path) -> None:
    check = engine(config(tmp_path, "model.profile=tiny", "model.vae=wan"))
    assert check.status is Status.FAIL
    assert "set model.vae to auto" in check.detail


def test_a_device_that_is_not_there_is_told(tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has it")
    model = config(tmp_path).model.model_copy(update={"device": "cuda"})
    first, between, also, second = look_model(Config().replaced(model=model))
    assert first.status is between.status is also.status is Status.FAIL
    assert second == replace(second, name="engine", status=Status.FAIL, detail="not tried")


def test_memory_is_reckoned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert memory(config(tmp_path, "model.profile=tiny")).status is Status.OK
    monkeypatch.setattr("sdv2_live.memory.fit.free_bytes", lambda device: 4_000_000_000)
    check = memory(config(tmp_path, "model.profile=1.3b"))
    assert check.status is Status.FAIL
    assert "4.0 GB free on cpu" in check.detail
    assert "model.vae: taehv saves" in check.remedy
