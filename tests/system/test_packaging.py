"""What is shipped: the wheel's content, its version and its requirements; the files that install sdv2-live as a service."""

from __future__ import annotations

import ast
import plistlib
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from email.parser import HeaderParser
from importlib.metadata import packages_distributions
from pathlib import Path
from xml.etree import ElementTree

import pytest
from support.places import ROOT

from sdv2_live import __version__
from sdv2_live.cli import main

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
UNIT = ROOT / "examples/systemd/sdv2-live.service"
PLIST = ROOT / "examples/macos/live.sdv2.plist"
TASK = ROOT / "examples/windows/sdv2-live.xml"
DOCKERFILE = ROOT / "Dockerfile"
CHOSEN_BY_HAND = {"flash_attn", "flash_attn_interface", "sageattention", "triton"}  # faster where somebody has installed them

# As `python -m sdv2_live`, and never this tree's.
PROGRAM = f"import sdv2_live.cli as cli; assert {str(ROOT)!r} not in cli.__file__, cli.__file__; sys.exit(cli.main())"


def build(kind: str, folder: Path, root: Path = ROOT) -> Path:
    """The wheel or sdist of `root`, built in place and without network."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)]
    subprocess.run(command, cwd=root, check=True, capture_output=True, timeout=120)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", tmp_path_factory.mktemp("wheel"))


def sources(folder: Path) -> set[str]:
    """Files of a folder of the tree, by their path in it, without what Python leaves behind."""
    return {
        str(path.relative_to(folder).as_posix())
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }


def test_the_wheel_holds_the_package_and_its_configuration_and_nothing_else(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    wanted = {f"sdv2_live/{name}" for name in sources(ROOT / "sdv2_live")}
    wanted |= {f"sdv2_live/_config/{name}" for name in sources(ROOT / "config")}
    about = {name for name in held if name.startswith(f"sdv2_live-{__version__}.dist-info/")}
    assert held - about == wanted
    assert {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"} == {n.split("/", 1)[1] for n in about}
    for needed in (
        "takes/recorder.py",
        "gpu/frames.cu",
        "gpu/effects.cu",
        "assets/tiny.safetensors",
        "assets/touchdesigner.py.in",
    ):
        assert f"sdv2_live/{needed}" in held


def test_no_file_of_the_project_is_ignored() -> None:
    """hatchling leaves out what .gitignore names, also where git itself was told otherwise."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a working tree of git, or no git")
    listed = ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"]
    assert subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout == ""


def test_one_version_everywhere(wheel: Path) -> None:
    text = zipfile.ZipFile(wheel).read(f"sdv2_live-{__version__}.dist-info/METADATA").decode()
    assert HeaderParser().parsestr(text)["Version"] == __version__
    assert "version" in PROJECT["dynamic"]


def test_every_library_that_is_imported_is_required() -> None:
    imported = set()
    for file in (ROOT / "sdv2_live").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                imported.add(node.module.partition(".")[0])
    foreign = imported - sys.stdlib_module_names - {"sdv2_live"} - CHOSEN_BY_HAND
    required = [*PROJECT["dependencies"], *(one for extra in PROJECT["optional-dependencies"].values() for one in extra)]
    names = {plain(re.split(r"[\[<>=!; ]", one, maxsplit=1)[0]) for one in required}
    # The distribution, where it may not be installed.
    optional = {"cupy": "cupy-cuda13x", "rtmidi": "python-rtmidi", "sdl2": "pysdl2", "syphon": "syphon-python"}
    providers = packages_distributions()
    missing = [
        module
        for module in sorted(foreign)
        if not {plain(name) for name in providers.get(module, [optional.get(module, module)])} & names
    ]
    assert missing == []


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def parses(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> bool:
    """Whether the command line knows these options: those of `run` end at its --help."""
    with pytest.raises(SystemExit) as end:
        main([*arguments, "--help"])
    return end.value.code == 0 and "usage: sdv2-live run" in capsys.readouterr().out


def test_the_systemd_unit_calls_a_command_that_exists(capsys: pytest.CaptureFixture[str]) -> None:
    lines = dict(line.split("=", 1) for line in UNIT.read_text().splitlines() if "=" in line and not line.startswith("#"))
    program, *arguments = shlex.split(lines["ExecStart"])
    assert program == "/opt/sdv2-live/bin/sdv2-live"
    assert parses(arguments, capsys)
    assert (lines["Restart"], lines["KillMode"], lines["StartLimitIntervalSec"]) == ("always", "mixed", "0")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/sdv2-live/bin/sdv2-live", sys.executable))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60, check=False)
    said = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert (done.returncode, said) == (0, [])


def test_the_launchd_agent_calls_a_command_that_exists(capsys: pytest.CaptureFixture[str]) -> None:
    agent = plistlib.loads(PLIST.read_bytes())
    assert agent["Label"] == PLIST.stem
    assert agent["KeepAlive"] is True
    assert parses(agent["ProgramArguments"][1:], capsys)


def test_the_task_of_windows_starts_a_command_that_exists_again_and_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert "encoding" not in TASK.read_text(encoding="ascii")  # schtasks reads the file, and hands on a text in UTF-16
    task = ElementTree.parse(TASK).getroot()
    said = {element.tag.rpartition("}")[2]: (element.text or "").strip() for element in task.iter()}
    assert said["Command"] == r"C:\sdv2-live\.venv\Scripts\sdv2-live.exe"
    assert parses(said["Arguments"].split(), capsys)
    assert (said["MultipleInstancesPolicy"], said["ExecutionTimeLimit"]) == ("IgnoreNew", "PT0S")
    assert (said["LogonTrigger"], said["Interval"]) == ("", "PT1M")


def test_the_docker_image_is_built_from_what_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    text = re.sub(r"\\\n\s*", " ", DOCKERFILE.read_text())
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]
    sent = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for word, rest in lines:
        if word == "COPY" and not rest.startswith("--from"):
            assert set(rest.split()[:-1]) <= sent
    assert all((ROOT / name).exists() for name in sent)
    arguments = dict(rest.replace('"', "").split("=", 1) for word, rest in lines if word == "ARG")
    assert arguments["EXTRAS"] in PROJECT["optional-dependencies"]
    assert [rest for word, rest in lines if word == "USER"] == ["10001"]
    assert any(word == "HEALTHCHECK" and "http://127.0.0.1:9000/?HOST_INFO" in rest for word, rest in lines)
    (command,) = (rest for word, rest in lines if word == "CMD")
    assert parses([*re.findall(r'"([^"]+)"', command)], capsys)


@pytest.mark.slow
def test_the_wheel_of_the_sdist_works_outside_the_source_tree(tmp_path: Path) -> None:
    sdist = build("sdist", tmp_path / "sdist")
    shutil.unpack_archive(sdist, tmp_path / "unpacked", filter="data")
    (tree,) = (tmp_path / "unpacked").iterdir()
    wheel = build("wheel", tmp_path / "wheel", tree)
    target = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(target)

    def run(*arguments: str) -> str:
        isolated = [sys.executable, "-c", f"import sys; sys.path[:1] = [{str(target)!r}]; {PROGRAM}", *arguments]
        done = subprocess.run(isolated, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run("--version") == f"sdv2-live {__version__}\n"
    assert "Watercolour" in run("presets", "list")
    clip = target / "sdv2_live" / "assets" / "demo.mp4"
    options = ["--model", "tiny", "--device", "cpu", "--input", str(clip), "--output", "out.mp4", "--max-frames", "9"]
    assert "out.mp4: 9 frames" in run("render", *options)
    ports = ["--set", "osc.port=0", "--set", "oscquery.port=0", "--set", "state.dir=off"]
    assert "control osc://" in run("run", "--input", "test:64x64", "--output", "none", "--seconds", "2", *ports)
