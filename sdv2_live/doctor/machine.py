"""Probes of the machine: Python, torch, CUDA and its driver, the GPU, CuPy, attention, disk space, the prompt cache."""

from __future__ import annotations

import importlib.util
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sdv2_live.config.schema import Config
from sdv2_live.doctor.probe import Check, fail, ok, warn
from sdv2_live.doctor.seen import SYSTEMS, on
from sdv2_live.errors import EngineError

PYTHON = (3, 11)
NO_MIDI = (3, 13)  # from here on PyPI has no wheel of python-rtmidi
MIDI_BUILT = (
    "for MIDI, python-rtmidi has no wheel here: pip builds it, with a C++ compiler and libasound2-dev, or use Python 3.12"
)
DRIVER = "https://www.nvidia.com/drivers"


@dataclass(frozen=True, slots=True)
class Driver:
    """The answer of nvidia-smi: the driver's version, and the newest CUDA that it can run."""

    version: str
    cuda: tuple[int, int]


def look_system(config: Config) -> Iterator[Check]:
    """python, seen, disk, prompt_cache."""
    yield python(sys.version_info[:3])
    yield ok("seen", on(sys.platform) if sys.platform in SYSTEMS else f"on {platform.system()} nothing yet")
    yield disk(config)
    yield prompt_cache(config.model.prompt_folder)


def python(version: tuple[int, ...]) -> Check:
    """The interpreter."""
    text = ".".join(map(str, version))
    if version < PYTHON:
        return fail("python", text, f"install Python {'.'.join(map(str, PYTHON))} or newer")
    built = version >= NO_MIDI and importlib.util.find_spec("rtmidi") is None
    return ok("python", f"{text} on {platform.system()} {platform.machine()}" + (f"; {MIDI_BUILT}" if built else ""))


def disk(config: Config) -> Check:
    """Space where takes and weights go."""
    places = {"takes": config.takes.folder, "weights": config.model.weights_dir}
    free = {name: shutil.disk_usage(_existing(path)).free for name, path in places.items()}
    detail = ", ".join(f"{space / 1e9:.1f} GB free for {name}" for name, space in free.items())
    if min(free.values()) < config.takes.min_free_mb * 1e6:
        return warn("disk", detail, f"make room: with less than {config.takes.min_free_mb} MB no take begins (takes.min_free_mb)")
    return ok("disk", detail)


def prompt_cache(folder: Path | None) -> Check:
    """Encoded prompts can be kept."""
    if folder is None:
        return ok("prompt_cache", "off")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"sdv2-live")
    except OSError as error:
        return warn(
            "prompt_cache",
            f"{folder} cannot be written ({error.strerror})",
            "every prompt is encoded anew at each start; set model.prompt_cache to a folder of yours",
        )
    return ok("prompt_cache", str(folder))


def look_torch(config: Config) -> Iterator[Check]:
    """torch, cuda, gpu."""
    try:
        import torch
    except (ImportError, OSError) as error:
        for name in ("torch", "cuda", "gpu"):
            yield fail(name, f"torch cannot be loaded ({error})", "install it: pip install --force-reinstall torch")
        return
    yield ok("torch", torch.__version__)
    available = torch.cuda.is_available()
    yield cuda(config.model.device, torch.version.cuda, driver(), available)
    if not available:
        detail = f"none; the CPU has {torch.get_num_threads()} threads for the model"
        remedy = "the tiny model runs on the CPU; 1.3b needs an NVIDIA GPU"
        yield ok("gpu", detail) if config.model.device == "cpu" else warn("gpu", detail, remedy)
        return
    free, total = torch.cuda.mem_get_info()
    capability = ".".join(map(str, torch.cuda.get_device_capability()))
    name = f"{torch.cuda.get_device_name()}, compute {capability}, {free / 1e9:.1f} of {total / 1e9:.1f} GB free"
    yield ok("gpu", name)  # whether it is enough is reckoned in memory


def cuda(device: str, torch_cuda: str | None, found: Driver | None, available: bool) -> Check:
    """Do torch's CUDA and the driver match? torch_cuda: the version that torch was built for, None for the CPU build."""
    problem = warn if device == "cpu" else fail
    if found is None:
        detail = "no NVIDIA driver (nvidia-smi is not there)"
        if torch_cuda is not None:
            problem = fail if device == "cuda" else warn  # that build computes on the CPU as well
            return problem("cuda", f"torch is built for CUDA {torch_cuda}, but {detail}", f"for a GPU: {DRIVER}")
        if device == "cuda":
            return fail("cuda", detail, f"install the driver ({DRIVER}) and the CUDA build of torch, or set model.device to auto")
        if device == "cpu":
            return ok("cuda", "not used: model.device is cpu")
        return warn("cuda", f"{detail}; torch is the CPU build", "without a GPU only the tiny model is fast enough for a show")
    runs = f"driver {found.version} runs CUDA up to {found.cuda[0]}.{found.cuda[1]}"
    if torch_cuda is None:
        return problem(
            "cuda", f"{runs}, but torch is the CPU build", "install the CUDA build: see https://pytorch.org/get-started"
        )
    wanted = tuple(int(part) for part in torch_cuda.split("."))
    if wanted[0] > found.cuda[0]:  # within a major version, newer libraries run on older drivers (CUDA compatibility guide)
        return problem("cuda", f"{runs}, but torch needs CUDA {torch_cuda}", f"update the driver: {DRIVER}")
    if not available:
        return problem(
            "cuda",
            f"{runs}, torch is built for {torch_cuda}, but finds no GPU",
            "check CUDA_VISIBLE_DEVICES; restart the machine",
        )
    return ok("cuda", f"{runs}; torch is built for {torch_cuda}")


def driver() -> Driver | None:
    """The NVIDIA driver, None where there is none or it does not answer."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    try:
        text = subprocess.run([program], capture_output=True, encoding="utf-8", errors="replace", timeout=15, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = re.search(r"Driver Version:\s*([\d.]+)", text)
    newest = re.search(r"CUDA Version:\s*(\d+)\.(\d+)", text)
    return Driver(version[1], (int(newest[1]), int(newest[2]))) if version and newest else None


def look_cupy(config: Config) -> Iterator[Check]:
    """cupy: do the kernels that take frames to pixels and back work here?"""
    if config.model.device == "cpu" or shutil.which("nvidia-smi") is None:
        yield ok("cupy", "not needed without a GPU")
        return
    remedy = (
        "frames take the slower way over PyTorch alone; for the faster: pip install 'sdv2-live[cuda]' with PyTorch for "
        "CUDA 12, 'sdv2-live[cuda13]' with PyTorch for CUDA 13; tools/setup.py chooses by itself"
    )
    if importlib.util.find_spec("cupy") is None:
        yield warn("cupy", "not installed", remedy)
        return
    try:
        import cupy
        import torch

        from sdv2_live.gpu.backend import cupy_kernels

        if not torch.cuda.is_available():
            yield warn("cupy", "not tried: PyTorch finds no GPU", "see cuda")
            return
        cupy_kernels(torch.device("cuda"))
    except (ImportError, OSError, EngineError) as error:
        yield warn("cupy", str(error), remedy)
        return
    yield ok("cupy", f"{cupy.__version__}: frames take one kernel each way, compiled and checked against PyTorch")


def look_attention(config: Config) -> Iterator[Check]:
    """attention: the kernel that computes it, the largest part of the transformer's work at large sizes."""
    try:
        from sdv2_live.model.dit.attention import choose_attention
        from sdv2_live.model.load import choose_device, choose_dtype

        device = choose_device(config.model.device)
        name = choose_attention(config.engine.attention, device, choose_dtype(config.model.dtype, device)).name
    except (ImportError, OSError, EngineError) as error:
        yield fail("attention", str(error), "set engine.attention to auto; if it is the device that is missing, see cuda")
        return
    yield ok("attention", f"by {name} on {device} (engine.attention: {config.engine.attention})")


def _existing(path: Path) -> Path:
    """The nearest folder that exists."""
    return next(p for p in (path.absolute(), *path.absolute().parents) if p.exists())
