"""`sdv2-live doctor`: the report as people and as programs read it."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from sdv2_live.cli import main
from sdv2_live.commands.doctor import report
from sdv2_live.doctor.probe import Probe, fail, ok, warn
from sdv2_live.doctor.probes import PROBES

NAMES = [
    "python", "seen", "disk", "prompt_cache", "torch", "cuda", "gpu", "cupy", "attention", "ranks", "ndi_library", "ndi_loopback",
    "spout", "cameras", "monitors", "windows", "virtual_camera", "luts",
    "sound", "link", "midi", "light_desks", "discovery", "osc_port", "oscquery_port", "weights", "memory", "speed", "engine",
]  # fmt: skip


def test_the_names_of_the_checks_stay() -> None:
    assert [name for probe in PROBES for name in probe.names] == NAMES


def test_the_json_keeps_its_form() -> None:
    found = report([ok("a", "fine"), warn("b", "less", "do it"), fail("c", "none", "do that")])
    assert found.pop("version")
    assert json.loads(json.dumps(found)) == {
        "schema": 1,
        "ok": False,
        "checks": [
            {"name": "a", "status": "ok", "detail": "fine", "remedy": ""},
            {"name": "b", "status": "warn", "detail": "less", "remedy": "do it"},
            {"name": "c", "status": "fail", "detail": "none", "remedy": "do that"},
        ],
    }


def test_a_warning_is_no_failure() -> None:
    assert report([warn("b", "less", "do it")])["ok"] is True


def only(names: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: tuple[Probe, ...] = tuple(probe for probe in PROBES if names & set(probe.names))
    monkeypatch.setattr("sdv2_live.doctor.probes.PROBES", chosen)


def test_lines_remedies_and_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    only({"python", "osc_port"}, monkeypatch)
    place = ["--set", f"model.prompt_cache={tmp_path}"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        assert main(["doctor", "--set", f"osc.port={port}", *place]) == 1
        out = capsys.readouterr().out
        assert "ok    python" in out
        assert f"fail  osc_port      osc: 127.0.0.1:{port} is in use" in out
        assert "-> " in out
        assert main(["doctor", "--json", "--set", f"osc.port={port}", *place]) == 1
        found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False
    assert [check["name"] for check in found["checks"]] == ["python", "seen", "disk", "prompt_cache", "osc_port"]
    assert main(["doctor", "--set", f"osc.port={port}", *place]) == 0
    assert capsys.readouterr().out.endswith("ready\n")


@pytest.mark.slow
def test_the_whole_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    places = ["--set", f"model.prompt_cache={tmp_path}", "--set", "video.size=64x64", "--set", "osc.port=0"]
    assert main(["doctor", "--json", "--model", "tiny", "--device", "cpu", *places]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [check["name"] for check in found["checks"]] == NAMES
    assert all(check["status"] != "fail" for check in found["checks"])
