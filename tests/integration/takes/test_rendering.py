"""Takes are listed, and painted again in a process of their own, while a show would go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.painters import dies, hangs, paints, refuses
from support.take_rig import Rig, takes_of
from support.waiting import eventually

from sdv2_live.errors import TakeError
from sdv2_live.takes.rendering import TakeRenderer
from sdv2_live.takes.shelf import Shelf


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two takes: one complete, one that was cut short."""
    base = tmp_path_factory.mktemp("show")
    with Rig(base) as rig:
        rig.record()
        rig.chunks(3)
        rig.set(record=False)
        eventually("the end", lambda: rig.counters["takes_recorded"])
    (take,) = takes_of(rig)
    cut = take.with_name("cut short")
    cut.mkdir()
    (cut / "take.yaml").write_bytes((take / "take.yaml").read_bytes())
    lines = (take / "chunks.jsonl").read_bytes().split(b"\n")
    (cut / "chunks.jsonl").write_bytes(b"\n".join(lines[:2]) + b"\n" + lines[2][:50])
    (take.parent / "no take").mkdir()
    (take.parent / "damaged").mkdir()
    (take.parent / "damaged" / "take.yaml").write_text("")
    (take.parent / "damaged" / "chunks.jsonl").write_bytes(b"\x00\xff\n" * 9)
    return take.parent


def renderer(folder: Path, target: Any, **keys: Any) -> TakeRenderer:
    return TakeRenderer(folder, target=target, **keys)


def test_takes_are_listed_with_length_and_size(folder: Path) -> None:
    shelf = Shelf(folder)
    assert shelf.look()
    assert not shelf.look()
    cut, whole = shelf.takes
    assert (cut.name, cut.complete, cut.chunks) == ("cut short", False, 2)
    assert whole.complete
    assert whole.chunks >= 3
    assert 0 < cut.seconds < whole.seconds < 60
    assert whole.bytes == sum(file.stat().st_size for file in (folder / whole.name).iterdir())
    for name in ("..", "../show", "no take", "damaged", f"{whole.name}/", str(folder / whole.name), 7):
        with pytest.raises(TakeError, match="there is no take"):
            shelf.find(name)


def test_a_take_is_painted_beside_it_and_one_at_a_time(folder: Path, wait: Any) -> None:
    told: list[Any] = []
    with_takes: TakeRenderer = renderer(folder, paints, changed=lambda: told.append(with_takes.listed()["rendering"]))
    with_takes.start()
    name = next(path.name for path in folder.iterdir() if path.name.startswith("2"))
    with_takes.actions["takes/render"]((name,)).result(timeout=60)
    video = folder / f"{name}.mp4"
    wait(lambda: not with_takes.working)
    assert with_takes.listed()["problem"] == ""
    assert video.read_text() == f"video of {name}"
    assert {"name": name, "done": 0.5, "file": video.name} in told
    wait(lambda: any(item["video"] for item in with_takes.listed()["items"]))
    with_takes.close()
    video.unlink()
    assert with_takes.failures == 0


def test_what_hangs_is_cancelled_and_leaves_nothing(folder: Path, wait: Any) -> None:
    with_takes = renderer(folder, hangs)
    with_takes.start()
    with_takes.actions["takes/render"](("cut short",)).result(timeout=60)
    wait(lambda: (folder / "cut short.unfinished.mp4.part").exists())
    with pytest.raises(TakeError, match="cut short is being painted; wait for it, or send takes/cancel"):
        with_takes.actions["takes/render"](("cut short",)).result(timeout=60)
    with_takes.actions["takes/cancel"](())
    wait(lambda: not with_takes.working)
    assert with_takes.listed()["problem"] == "cancelled"
    with_takes.actions["takes/render"](("cut short",)).result(timeout=60)
    with_takes.close()  # a show that ends takes it along
    assert not with_takes.working
    assert not [path for path in folder.iterdir() if "unfinished" in path.name]


@pytest.mark.parametrize(
    ("target", "problem"), [(dies, "cut short: its process ended with exit status 7"), (refuses, "the disk is full")]
)
def test_a_failure_is_said(folder: Path, wait: Any, target: Any, problem: str) -> None:
    with_takes = renderer(folder, target)
    with_takes.start()
    with_takes.actions["takes/render"](("cut short",)).result(timeout=60)
    wait(lambda: not with_takes.working)
    assert with_takes.listed()["problem"].startswith(problem)
    with_takes.close()


def test_the_take_that_is_recorded_waits(folder: Path) -> None:
    with_takes = renderer(folder, paints, recording=lambda: ("cut short", 5.0))
    with_takes.start()
    eventually("the look", lambda: with_takes.listed()["recording"] == {"name": "cut short", "since": 5.0})
    with pytest.raises(TakeError, match="cut short is still being recorded"):
        with_takes.actions["takes/render"](("cut short",)).result(timeout=60)
    with_takes.close()
