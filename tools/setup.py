"""Make .venv ready: what `bash tools/setup.sh` and `tools\\setup.cmd` do once they have found a Python.

A second run is instant: a stamp in .venv remembers what was installed from. PyTorch comes first, so that the dependency in
pyproject.toml never chooses the build. Every machine gets the version that is tested (TORCH; the Dockerfile's too):

  with an NVIDIA driver   the CUDA build: of CUDA 13 where driver and card can run it (PyPI's on Linux, PyTorch's own index on
                          Windows), else of CUDA 12.6 from PyTorch's own index
  without one             the CPU build: PyPI's on Windows and macOS; on Linux what pip finds by itself where that is a "+cpu"
                          wheel (a mirror or a wheel folder may hold one), else from PyTorch's CPU index

Where one cannot be reached the other is asked. To choose otherwise: TORCH_INDEX=https://download.pytorch.org/whl/cu132, whose
newest version is taken on a machine with an NVIDIA driver.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "sdv2-live.stamp"
TORCH = "torch==2.13.0"
OWN_INDEX = "https://download.pytorch.org/whl/"
REACH = "check the network; behind a proxy set HTTPS_PROXY, for a mirror PIP_INDEX_URL, for a folder of wheels PIP_FIND_LINKS"
CUDA_13_NEEDS = (7, 5)  # compute capability: PyTorch's builds for CUDA 13 begin with Turing
OLDEST_TORCH = (2, 6)
USABLE = "import pip, sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15) or sys.prefix == sys.base_prefix)"


class SetupError(Exception):
    """What stopped the set-up, and what to do about it."""


@dataclass(frozen=True, slots=True)
class Card:
    """What the driver says. cuda: the newest it can run; capability: of the card that has least."""

    cuda: tuple[int, int]
    capability: tuple[int, int]

    @property
    def runs_cuda_13(self) -> bool:
        """Whether PyTorch's builds for CUDA 13 hold kernels for it."""
        return self.cuda >= (13, 0) and self.capability >= CUDA_13_NEEDS


@dataclass(frozen=True, slots=True)
class Source:
    """A place to install PyTorch from. index: None for where pip looks by itself."""

    wanted: str
    index: str | None
    size: str


def find_card() -> Card | None:
    """The NVIDIA driver and its cards; None where nvidia-smi is not there or fails."""
    program = shutil.which("nvidia-smi")
    table = _output(program) if program else None
    if program is None or table is None:
        return None
    capabilities = _output(program, "--query-gpu=compute_cap", "--format=csv,noheader") or ""
    return read_card(table, capabilities)


def read_card(table: str, capabilities: str) -> Card:
    """The card by nvidia-smi's table and its list of compute capabilities. What they do not say is taken as new."""
    newest = re.search(r"CUDA Version:\s*(\d+)\.(\d+)", table)
    found = [(int(major), int(minor)) for major, minor in re.findall(r"^\s*(\d+)\.(\d+)\s*$", capabilities, re.M)]
    return Card((int(newest[1]), int(newest[2])) if newest else (13, 0), min(found, default=CUDA_13_NEEDS))


def sources(card: Card | None, system: str, given: str | None, pip_finds_cpu: bool = False) -> list[Source]:
    """Where PyTorch may come from, best first. system: as platform.system() says; given: the index the user names, else None."""
    if card is None:
        here = Source(TORCH, given, "some 200 MB")
        if given or system != "Linux" or pip_finds_cpu:
            return [here]
        large = "some 3 GB to fetch and 7 GB on the disk, as it brings NVIDIA's libraries; it computes on the CPU all the same"
        return [Source(TORCH, OWN_INDEX + "cpu", here.size), Source(TORCH, None, large)]
    if given:  # it may hold other versions
        return [Source("torch", given, "some 3 GB")]
    own = Source(TORCH, OWN_INDEX + ("cu130" if card.runs_cuda_13 else "cu126"), "some 3 GB")
    if system == "Windows":
        return [own, Source(TORCH, None, "some 200 MB, for the CPU alone")]
    by_pip = Source(TORCH, None, own.size)
    return [by_pip, own] if card.runs_cuda_13 else [own, by_pip]


def install_torch(card: Card | None) -> bool:
    """Install the PyTorch that suits the machine where it is not there yet; whether it can use CUDA. Raises SetupError."""
    wants_cuda = card is not None
    if has_torch(wants_cuda):
        return wants_cuda
    given = os.environ.get("TORCH_INDEX") or None
    look = card is None and platform.system() == "Linux" and not given
    first, *others = sources(card, platform.system(), given, pip_finds_cpu=look and pip_finds_cpu())
    say(f"installing PyTorch for {'CUDA' if wants_cuda else 'the CPU'} ({first.size})")
    done = install(first, quiet=not wants_cuda)
    for place in others:
        if not done and not has_torch(False):  # what an earlier set-up came by does as well as what it would come by now
            by = "PyTorch's own index is asked" if place.index else "PyPI's build is taken in its place"
            say(f"{first.index or 'PyPI'} does not give it (see pip's message above), so {by}: {place.size}")
            done = install(place, quiet=not wants_cuda)
    if has_torch(wants_cuda):
        return wants_cuda
    if not given and has_torch(False):
        say(f"this PyTorch runs on the CPU alone; the next start asks {first.index or 'PyPI'} for that with CUDA again")
        return False
    wanted = (
        f"{'CUDA' if wants_cuda else 'the CPU'}, Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    )
    if done:
        raise SetupError(
            f"pip installed a PyTorch that cannot be loaded or does not fit this machine ({wanted}); "
            f"name an index that has it: TORCH_INDEX={sources(card, 'Linux', None)[0].index or OWN_INDEX + 'cu130'}"
        )
    raise SetupError(
        f"PyTorch could not be installed ({wanted}), see pip's message above; {REACH}; "
        "for a mirror of PyTorch's index TORCH_INDEX"
    )


def install(place: Source, *, quiet: bool) -> bool:
    """Install PyTorch from there; whether pip could."""
    index = ["--index-url", place.index] if place.index else []
    # --force-reinstall since to pip the builds are one version: it would keep the one that is there
    return pip("install", *(["-qq"] if quiet else []), *index, "--force-reinstall", place.wanted)


def has_torch(with_cuda: bool) -> bool:
    """Whether a PyTorch is installed that does. Without `with_cuda` every build does."""
    version, cuda = torch_versions()
    return version >= OLDEST_TORCH and (cuda is not None or not with_cuda)


def torch_versions() -> tuple[tuple[int, ...], str | None]:
    """PyTorch's own version, () where there is none that can be loaded, and that of its CUDA, None where it has none."""
    said = _output(str(PYTHON), "-c", "import json, torch; print(json.dumps([torch.__version__, torch.version.cuda]))")
    if said is None:
        return (), None
    version, cuda = json.loads(said)
    return tuple(int(part) for part in version.split("+")[0].split(".")[:2]), cuda


def pip_finds_cpu() -> bool:
    """Whether pip's own sources hold a CPU wheel of TORCH; nothing is installed."""
    options = ("install", "--dry-run", "--ignore-installed", "--no-deps", "--quiet", "--report", "-")
    said = _output(str(PYTHON), "-m", "pip", *options, TORCH)
    return said is not None and json.loads(said)["install"][0]["metadata"]["version"].endswith("+cpu")


def install_triton() -> None:
    """On Windows, where PyTorch brings no Triton: the version that it was made for. Any other comes with the extra."""
    pinned = _output(str(PYTHON), "-c", "import importlib.metadata as m; print('\\n'.join(m.requires('torch') or ()))") or ""
    version = re.search(r"^triton==(\d+\.\d+)", pinned, re.M)
    if version and not pip("install", "-qq", f"triton-windows=={version[1]}.*"):
        say(f"there is no triton-windows {version[1]} for this Python, which PyTorch was made with; the newest is taken")


def make_venv() -> None:
    """A new .venv by the Python that runs this. Raises SetupError."""
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        remedy = {
            "Linux": "on Debian and Ubuntu: sudo apt install python3-venv (for another than the system's Python, such as 3.12: "
            "python3.12-venv)",
            "Windows": "it is the embeddable package; take the installer from https://www.python.org/downloads/windows/",
        }.get(platform.system(), "take the installer from https://www.python.org/downloads/")
        raise SetupError(f"this Python ({sys.executable}) cannot make virtual environments; {remedy}") from None
    say(f"making .venv with Python {platform.python_version()}")
    if subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=False).returncode:
        raise SetupError(f"{VENV} could not be made; close programs that use it, or remove it, and run this again")
    if not pip("install", "-qq", "--upgrade", "pip"):
        say(f"pip stays as it came with Python: {REACH}")


def state(card: Card | None, with_cuda: bool) -> str:
    """What .venv was, or is to be, installed from."""
    files = hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + Path(__file__).read_bytes()).hexdigest()
    return f"{card if with_cuda else 'cpu'} {os.environ.get('TORCH_INDEX', '')} {ROOT} {files}"


def set_up() -> None:
    """All of it. Raises SetupError."""
    card = find_card()
    stamp = STAMP.read_text(encoding="utf-8") if STAMP.exists() else ""
    if stamp == state(card, card is not None) and _output(str(PYTHON), "-c", "") is not None:
        return
    if _output(str(PYTHON), "-c", USABLE) is None:
        make_venv()
    with_cuda = install_torch(card)
    version, cuda = torch_versions()
    extras = "dev"
    if with_cuda:  # CuPy, of the CUDA generation that PyTorch was built with
        extras += ",cuda13" if cuda and cuda.startswith("13") else ",cuda"
        if platform.system() == "Windows":
            install_triton()
    say("installing sdv2-live and its tools")
    if not pip("install", "-qq", "--editable", f".[{extras}]"):
        raise SetupError(f"the packages could not be installed, see pip's message above; {REACH}")
    STAMP.write_text(state(card, with_cuda), encoding="utf-8")
    ours = _output(str(PYTHON), "-m", "sdv2_live", "--version") or "sdv2-live"
    say(f"ready ({ours.strip()}, PyTorch {'.'.join(map(str, version))} for {f'CUDA {cuda}' if with_cuda else 'the CPU'})")


def pip(*arguments: str) -> bool:
    """Run .venv's pip in the project's folder, its messages seen; whether it did what was asked."""
    return subprocess.run([str(PYTHON), "-m", "pip", *arguments], cwd=ROOT, check=False).returncode == 0


def say(line: str) -> None:
    """One line for the user."""
    print(f"setup: {line}", flush=True)


def _output(*command: str) -> str | None:
    """What a command says; None where it cannot be run or fails."""
    try:
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return result.stdout if result.returncode == 0 else None


def main() -> int:
    """Set up and return the exit status."""
    try:
        set_up()
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nsetup: stopped; the next run goes on with it", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
