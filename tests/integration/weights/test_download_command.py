"""`sdv2-live weights download`: from nothing to all that a profile needs, by the command line alone."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from support.hub_server import HubServer

from sdv2_live.cli import main
from sdv2_live.config.profiles import PROFILES
from sdv2_live.weights import catalog
from sdv2_live.weights.catalog import Hub


def test_a_profile_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    files = catalog.all_files([PROFILES["1.3b"]])
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
    hosted = {(o.repo, o.path): content[o.path] for file in files for o in file.origins if isinstance(o, Hub)}
    monkeypatch.setattr(catalog, "SHARED", small)
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
