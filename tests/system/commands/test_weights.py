"""`sdv2-live weights`, from its command line to files and messages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors.torch import save_file

from sdv2_live.cli import main
from sdv2_live.config.profiles import PROFILES
from sdv2_live.model.checkpoints.assign import synthetic_state_dict
from sdv2_live.model.vae.taehv import TAEHV
from sdv2_live.weights.catalog import all_files


def weights(folder: Path, *words: str) -> int:
    return main(["weights", *words, "--set", f"model.weights_dir={folder}", "--set", "weights.endpoint=http://127.0.0.1:9"])


def test_list_shows_every_file_and_what_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "taew2_1.pth").write_bytes(b"short")
    assert weights(tmp_path, "list") == 0
    out = capsys.readouterr().out
    assert all(file.name in out for file in all_files(PROFILES.values()))
    assert "11.36 GB" in out
    assert out.count("damaged") == 1
    assert "CC BY-NC-SA 4.0, not for paid shows" in out
    assert "missing (optional)" in out
    assert "dit generator_ema\tself-forcing/self_forcing_dmd.pt" in out


def test_list_shows_how_each_model_streams(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.yaml").write_text("{size: 1.3b, licence: {name: mine}, weights: {file: mine/a.pt}, stream: {block: 2}}")
    (tmp_path / "wrong.yaml").write_text("size: 1.3b")
    assert weights(tmp_path, "list", "--profiles", "--json", "--set", f"model.profiles_dir={tmp_path}") == 0
    out, err = capsys.readouterr()
    models = {model["model"]: model for model in json.loads(out)}
    assert set(models) == {*PROFILES, "mine"}
    assert models["mine"]["stream"]["block"] == 2
    assert models["krea-14b"]["stream"]["recompute"] == 3
    assert models["longlive"]["lora"]["alpha"] == 256
    assert models["self-forcing"]["weights"]["member"] == "generator_ema"
    assert models["self-forcing"]["licence"]["commercial"] is False
    assert "wrong.yaml:1: licence: is missing" in err


def test_check_tells_damaged_files_and_returns_the_code_of_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert weights(tmp_path, "check") == 0
    assert "weights download 1.3b" in capsys.readouterr().out
    (tmp_path / "taew2_1.pth").write_bytes(b"short")
    assert weights(tmp_path, "check") == 4
    assert "taew2_1.pth: DAMAGED: has 5 bytes in place of 22,678,901" in capsys.readouterr().out


def test_check_compares_keys_and_shapes_with_the_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from sdv2_live.weights import catalog

    taehv = next(file for file in all_files(PROFILES.values()) if file.kind == "taehv")
    file = replace(taehv, name="taew2_1.safetensors", size=None, sha256=None)
    monkeypatch.setattr(catalog, "SHARED", (file,))
    state = synthetic_state_dict({key: tuple(value.shape) for key, value in TAEHV().state_dict().items()})
    save_file(state, tmp_path / file.name)
    assert weights(tmp_path, "check") == 0
    assert f"{file.name}: present, not checked" in capsys.readouterr().out
    state.pop(gone := next(iter(state)))
    save_file(state, tmp_path / file.name)
    assert weights(tmp_path, "check") == 4
    assert f"does not fit TAEHV: missing {gone}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("tiny",), 4, "needs no download"),
        (("2b",), 2, "cannot be '2b'; give one of auto, tiny, 1.3b, 14b, "),
        (("krea-14b",), 4, "krea-14b: nothing is fetched without a yes to its licence; say it with --accept-licence"),
        (("krea-14b", "--accept-licence"), 4, "cannot be reached"),
        (("1.3b", "--vae", "huge"), 4, "--vae cannot be 'huge'; give one of auto, wan, taehv, light, lighttae"),
        (("1.3b",), 4, "cannot be reached"),
    ],
)
def test_download_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, said: str
) -> None:
    assert weights(tmp_path, "download", *words) == code
    assert said in capsys.readouterr().err
