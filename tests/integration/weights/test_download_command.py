"""`sdv2-live weights download`: from nothing to all that a profile needs, by the command line alone."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from support.hub_server import HubServer

from sdv2_live.cli import main
from sdv2_live.config.profiles import PROFILES
from sdv2_live.model.profiles import Profile
from sdv2_live.weights import catalog
from sdv2_live.weights.catalog import Hub


def small_files(monkeypatch: pytest.MonkeyPatch, profile: Profile) -> tuple[dict[str, bytes], dict[tuple[str, str], bytes]]:
    """A catalogue of small files: their content by name, and by (repository, path)."""
    files = catalog.all_files([profile])
    content = {file.name: file.name.encode() * 100 for file in files}
    small = tuple(
        replace(
            file,
            name=file.name.replace(".safetensors", ".bin"),
            size=len(content[file.name]),
            sha256=hashlib.sha256(content[file.name]).hexdigest(),
        )
        for file in catalog.SHARED
    )
    monkeypatch.setattr(catalog, "SHARED", small)
    return content, {(o.repo, o.path): content[file.name] for file in files for o in file.origins if isinstance(o, Hub)}


def test_weights_not_for_paid_shows_are_fetched_after_a_yes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, hosted = small_files(monkeypatch, PROFILES["longlive"])
    with HubServer(hosted) as hub:
        settings = [f"--set=model.weights_dir={tmp_path}", f"--set=weights.endpoint={hub.url}"]
        words = ["weights", "download", "longlive", *settings]
        assert main(words) == 4
        assert "weights under Apache-2.0 or CC BY-NC-SA 4.0, not for paid shows" in capsys.readouterr().err
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        for answer, code in (("no", 4), ("yes", 0)):
            monkeypatch.setattr("builtins.input", lambda _, answer=answer: answer)
            assert main(words) == code
        assert (tmp_path / "longlive/longlive_base.pt").is_file()
        assert (tmp_path / "longlive/lora.pt").is_file()
        assert "fetched 9 of 9 files" in capsys.readouterr().out
        monkeypatch.setattr("builtins.input", lambda _: pytest.fail("asked again"))
        assert main(words) == 0


def test_a_profile_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    content, hosted = small_files(monkeypatch, PROFILES["1.3b"])
    with HubServer(hosted) as hub:
        words = ["weights", "download", "1.3b", "--set", f"model.weights_dir={tmp_path}", "--set", f"weights.endpoint={hub.url}"]
        assert main(words) == 0
        assert "fetched 8 of 8 files" in capsys.readouterr().out
        assert (tmp_path / "google/umt5-xxl/spiece.model").read_bytes() == content["google/umt5-xxl/spiece.model"]
        assert (tmp_path / "taew2_1.pth").exists()  # which auto takes on a slower card
        assert not (tmp_path / "lightvaew2_1.pth").exists()
        asked = len(hub.requests)
        assert main(words) == 0
        assert "all 8 files were there already" in capsys.readouterr().out
        assert len(hub.requests) == asked
        assert main([*words, "--vae", "taehv", "--text", "fp8"]) == 0
        assert "fetched 1 of 7 files" in capsys.readouterr().out
