"""A start that cannot be: the real command says one sentence with the remedy, ends with its exit code and leaves nothing behind.

Those that load torch in a second process are slow; what is told before it is not.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from support.places import ROOT
from support.systems import WINDOWS
from support.waiting import DEADLINE_S

TEST_IN = ("--input", "test:64x64", "--output", "none")
FOLDER = "Permission denied" if WINDOWS else "Is a directory"  # what the system says of one that is read as a file
TINY = ("--model", "tiny", "--device", "cpu")


def refused(code: int, says: Sequence[str], *options: str, beside: Path = ROOT, ports: bool = True) -> None:
    """Run the daemon with these options and see it refuse. beside: a folder that Python looks into first."""
    free = [part for key in ("osc.port=0", "oscquery.port=0", "oscquery.announce=false") for part in ("--set", key)]
    command = [sys.executable, "-m", "sdv2_live", "run", *(free if ports else []), *options, "--seconds", "1"]
    path = os.pathsep.join(dict.fromkeys([str(beside), str(ROOT)]))
    env = dict(os.environ, PYTHONPATH=path)
    # Its pipes end when the last process that holds them does, the engine's among them: nothing is left when this returns.
    done = subprocess.run(command, cwd=beside, env=env, capture_output=True, text=True, timeout=2 * DEADLINE_S, check=False)
    lines = done.stderr.splitlines()
    sentences = [line for line in lines if line.startswith("sdv2-live: ")]
    assert (done.returncode, len(sentences)) == (code, 1), done.stderr
    assert lines[-1] == sentences[0]
    assert "Traceback" not in done.stderr
    for part in says:
        assert part in sentences[0]


def test_the_port_of_oscquery_is_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        options = ("--set", "osc.port=0", "--set", f"oscquery.port={port}")
        refused(2, [f":{port} is in use", "--set oscquery.port="], *options, *TEST_IN, ports=False)


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        ("No module named 'NDIlib'", "pip install ndi-python"),
        ("libavahi-common.so.3: cannot open shared object file: No such file or directory", "apt install libavahi-client3"),
    ],
)
def test_ndi_cannot_be_loaded(tmp_path: Path, error: str, remedy: str) -> None:
    """A module of its name that fails as the real one does without its library stands before it."""
    (tmp_path / "NDIlib.py").write_text(f"raise ImportError({error!r})\n")
    refused(3, [error, remedy, "file: or test"], beside=tmp_path)


def test_an_output_without_a_name() -> None:
    refused(3, ["an NDI output needs a name"], "--input", "test:64x64", "--output", "ndi:")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"video: [unclosed\n", "not valid YAML"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (None, f"cannot be read: {FOLDER}"),
    ],
)
def test_a_configuration_that_cannot_be_read(tmp_path: Path, content: bytes | None, says: str) -> None:
    path = tmp_path / "show.yaml"
    path.mkdir() if content is None else path.write_bytes(content)
    refused(2, ["show.yaml", says], "--config", str(path), *TEST_IN)


def test_weights_that_are_not_there_are_told_without_torch(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('importing torch takes seconds')\n")
    options = ("--model", "1.3b", "--device", "cpu", "--set", f"model.weights_dir={tmp_path}")
    refused(4, ["wan_causal_dmd_v2v", "sdv2-live weights download 1.3b"], *options, *TEST_IN, beside=tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there() -> None:
    refused(5, ["model.device = cuda", "CUDA build of torch", "auto"], "--device", "cuda", *TEST_IN)


@pytest.mark.slow
def test_damaged_weights_of_the_package(tmp_path: Path) -> None:
    """A package as the installed one, but for a file that was cut."""
    package = tmp_path / "sdv2_live"
    package.mkdir()
    for file in (ROOT / "sdv2_live").iterdir():
        if file.name not in ("assets", "__pycache__"):
            (package / file.name).symlink_to(file)
    (package / "_config").symlink_to(ROOT / "config")
    (package / "assets").mkdir()
    (package / "assets" / "tiny.safetensors").write_bytes((ROOT / "sdv2_live/assets/tiny.safetensors").read_bytes()[:100_000])
    refused(4, ["tiny.safetensors", "damaged"], *TINY, *TEST_IN, beside=tmp_path)
