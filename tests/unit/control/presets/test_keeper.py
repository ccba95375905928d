"""Saving and reading presets in a running show: one piece of work at a time, on a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sdv2_live.control.errands import MAX_WAITING
from sdv2_live.control.params import Params
from sdv2_live.control.presets.keeper import PresetKeeper
from sdv2_live.control.presets.library import PresetLibrary
from sdv2_live.errors import ParamError


@pytest.fixture
def library(tmp_path: Path) -> PresetLibrary:
    (tmp_path / "01-a.yaml").write_text("params: {seed: 1}")
    return PresetLibrary(tmp_path)


@pytest.fixture
def keeper(library: PresetLibrary) -> Iterator[PresetKeeper]:
    keeper = PresetKeeper(library)
    yield keeper
    keeper.close()
    assert keeper.failures == 0


def test_the_same_request_twice_is_one_and_too_many_are_refused(keeper: PresetKeeper, library: PresetLibrary) -> None:
    first = keeper.save("b", Params(seed=7))
    assert keeper.save("b", Params(seed=8)) is first
    assert keeper.reload() is keeper.reload()
    for number in range(MAX_WAITING - 2):
        keeper.save(f"p{number}", Params())
    with pytest.raises(ParamError, match="8 requests for presets wait already"):
        keeper.save("one more", Params())
    keeper.start()
    keeper.close()  # what was asked for is still done
    assert first.result(timeout=0) is None
    assert library.get("b").values["seed"] == 7
    assert len(library.presets) == MAX_WAITING


def test_requests_are_spaced_and_carried_out_on_its_own_thread(
    keeper: PresetKeeper, library: PresetLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float | None] = []
    threads: list[str] = []
    real = keeper._errands._stop.wait
    monkeypatch.setattr("sdv2_live.control.errands.SPACING_S", 0.01)
    monkeypatch.setattr(keeper._errands._stop, "wait", lambda timeout=None: waits.append(timeout) or real(timeout))
    monkeypatch.setattr(library, "load", lambda: threads.append(threading.current_thread().name))
    keeper.start()
    for _ in range(3):
        keeper.reload().result(timeout=30)
    assert threads == ["presets"] * 3
    assert waits.count(0.01) >= 2  # after each but the last, perhaps


def test_what_cannot_be_done_ends_the_future(keeper: PresetKeeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sdv2_live.control.errands.SPACING_S", 0.0)
    keeper.start()
    with pytest.raises(ParamError, match="there is a preset '01-a' already"):
        keeper.save("01-a", Params()).result(timeout=30)
    with pytest.raises(ParamError, match="a preset cannot be named 5"):
        keeper.save(5, Params()).result(timeout=30)  # type: ignore[arg-type]
    (tmp_path / "b.yaml").write_text("params: {sed: 1}")
    with pytest.raises(ParamError, match="there is no parameter 'sed'"):
        keeper.reload().result(timeout=30)


def test_a_mistake_of_the_programs_own_is_outlived(library: PresetLibrary, monkeypatch: pytest.MonkeyPatch, wait: Any) -> None:
    keeper = PresetKeeper(library)
    monkeypatch.setattr("sdv2_live.control.errands.SPACING_S", 0.0)
    monkeypatch.setattr(library, "load", lambda: 1 / 0)
    keeper.start()
    with pytest.raises(ParamError, match="a mistake of the program"):
        keeper.reload().result(timeout=30)
    monkeypatch.undo()
    monkeypatch.setattr("sdv2_live.control.errands.SPACING_S", 0.0)
    assert keeper.reload().result(timeout=30) is None
    keeper.close()
    assert keeper.failures == 1
