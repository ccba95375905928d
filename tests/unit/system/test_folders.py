"""The folders of a user, on each system."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from sdv2_live.cli import main
from sdv2_live.commands.midi import own_maps
from sdv2_live.config.load import load_config
from sdv2_live.config.schema_files import StateConfig
from sdv2_live.system.folders import cache_folder, config_folder, ndi_folder, state_folder

HOME = Path.home()


@pytest.fixture(autouse=True)
def _none_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(HOME / "elsewhere"))  # never was asked for, and 12 GB of weights shall not move


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has folders of its own")
def test_posix_has_them_in_the_home() -> None:
    assert state_folder() == HOME / ".local/state/sdv2-live"
    assert cache_folder() == HOME / ".cache/sdv2-live"
    assert config_folder() == HOME / ".config/sdv2-live"
    assert ndi_folder() == HOME / ".ndi"


@pytest.mark.skipif(sys.platform != "win32", reason="Windows' folders")
def test_windows_has_them_in_the_local_application_data() -> None:
    local = Path(os.environ["LOCALAPPDATA"])
    assert state_folder() == config_folder() == local / "sdv2-live"
    assert cache_folder() == local / "sdv2-live" / "Cache"
    assert ndi_folder() == Path(os.environ["PROGRAMDATA"]) / "NDI"


def test_a_chosen_folder_of_states_counts_on_every_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state_folder() == StateConfig().folder == tmp_path / "sdv2-live"


def test_what_is_auto_lies_there() -> None:
    config = load_config(None, ["model.weights_dir=auto", "model.prompt_cache=auto", "state.dir=auto"])
    assert config.model.weights_dir == cache_folder() / "weights"
    assert config.model.prompt_folder == cache_folder() / "prompts"
    assert config.state.folder == state_folder()
    assert own_maps() == config_folder() / "midi"


def test_a_weights_folder_of_ones_own_is_that() -> None:
    assert load_config(None, ["model.weights_dir=~/models"]).model.weights_dir == HOME / "models"


def test_compiled_kernels_are_kept_there_unless_the_user_chose_another_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRITON_CACHE_DIR", raising=False)
    monkeypatch.setenv("CUPY_CACHE_DIR", "mine")
    main([])  # any command, before it imports anything: its children inherit them
    assert os.environ["TRITON_CACHE_DIR"] == str(cache_folder() / "kernels" / "triton")
    assert os.environ["CUPY_CACHE_DIR"] == "mine"
