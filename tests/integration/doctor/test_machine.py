"""The machine's checks: those of this machine, and what they say of others."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.systems import program

from sdv2_live.config.load import load_config
from sdv2_live.config.schema import Config
from sdv2_live.doctor.machine import Driver, cuda, disk, driver, look_attention, look_cupy, look_torch, prompt_cache, python
from sdv2_live.doctor.probe import Status

SMI = """
| NVIDIA-SMI 550.54.15    Driver Version: 550.54.15    CUDA Version: 12.4     |
"""


def smi(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program nvidia-smi that prints this, alone on the path."""
    program(folder / "nvidia-smi", f"print({text!r})")
    monkeypatch.setenv("PATH", str(folder))


def test_python(monkeypatch: pytest.MonkeyPatch) -> None:
    assert python((3, 12, 1)).status is Status.OK
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "MIDI" not in python((3, 12, 9)).detail
    for version in ((3, 13, 0), (3, 14, 1)):
        assert python(version).status is Status.OK
        assert "python-rtmidi has no wheel here" in python(version).detail
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    assert "MIDI" not in python((3, 13, 0)).detail
    assert python((3, 10, 9)).status is Status.FAIL
    assert "3.11" in python((3, 10, 9)).remedy


def test_disk(tmp_path: Path) -> None:
    folders = [f"takes.dir={tmp_path}", f"model.weights_dir={tmp_path / 'not' / 'yet'}"]
    assert disk(load_config(None, folders)).status is Status.OK
    full = disk(load_config(None, [*folders, "takes.min_free_mb=1000000000"]))
    assert full.status is Status.WARN
    assert "takes.min_free_mb" in full.remedy


def test_prompt_cache(tmp_path: Path) -> None:
    assert prompt_cache(None).detail == "off"
    assert prompt_cache(tmp_path / "new").status is Status.OK
    assert list((tmp_path / "new").iterdir()) == []
    (tmp_path / "file").write_text("")
    bad = prompt_cache(tmp_path / "file" / "below")
    assert bad.status is Status.WARN
    assert "model.prompt_cache" in bad.remedy


def test_the_driver_is_read_from_nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smi(tmp_path, SMI, monkeypatch)
    assert driver() == Driver("550.54.15", (12, 4))
    smi(tmp_path, "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", monkeypatch)
    assert driver() is None
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert driver() is None


OLD, NEW = Driver("470.1", (11, 4)), Driver("550.54.15", (12, 4))


@pytest.mark.parametrize(
    ("device", "built", "found", "available", "status", "said"),
    [
        ("auto", None, None, False, Status.WARN, "torch is the CPU build"),
        ("cpu", None, None, False, Status.OK, "not used"),
        ("cuda", None, None, False, Status.FAIL, "no NVIDIA driver"),
        ("auto", "12.4", None, False, Status.WARN, "built for CUDA 12.4, but no NVIDIA driver"),  # PyPI's build does without
        ("cuda", "12.4", None, False, Status.FAIL, "built for CUDA 12.4, but no NVIDIA driver"),
        ("auto", None, NEW, False, Status.FAIL, "but torch is the CPU build"),
        ("cpu", None, NEW, False, Status.WARN, "but torch is the CPU build"),
        ("auto", "12.6", OLD, False, Status.FAIL, "up to 11.4, but torch needs CUDA 12.6"),
        ("auto", "12.6", NEW, True, Status.OK, "driver 550.54.15"),  # a newer minor version runs
        ("auto", "12.4", NEW, False, Status.FAIL, "finds no GPU"),
        ("auto", "12.4", NEW, True, Status.OK, "torch is built for 12.4"),
    ],
)
def test_cuda_and_driver(
    device: str, built: str | None, found: Driver | None, available: bool, status: Status, said: str
) -> None:
    check = cuda(device, built, found, available)
    assert check.status is status
    assert said in check.detail
    assert (check.remedy == "") == (status is Status.OK)


def test_torch_of_this_machine() -> None:
    import torch

    found, _, gpu = look_torch(load_config(None, ["model.device=cpu"]))
    assert found.detail == torch.__version__
    assert gpu.status is not Status.FAIL


def test_the_attention_that_is_taken_is_told() -> None:
    (chosen,) = look_attention(load_config(None, ["model.device=cpu"]))
    assert (chosen.status, chosen.detail) == (Status.OK, "by sdpa on cpu (engine.attention: auto)")
    (absent,) = look_attention(load_config(None, ["model.device=cpu", "engine.attention=sage"]))
    assert absent.status is Status.FAIL
    assert "engine.attention = sage needs a GPU" in absent.detail
    assert "auto" in absent.remedy


def test_cupy_matters_with_a_gpu_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (on_cpu,) = look_cupy(load_config(None, ["model.device=cpu"]))
    assert on_cpu.status is Status.OK
    try:
        import cupy  # noqa: F401
    except ImportError:
        smi(tmp_path, SMI, monkeypatch)
        (missing,) = look_cupy(Config())
        assert missing.status is Status.WARN
        assert "sdv2-live[cuda]" in missing.remedy
