"""A take recorded on so many ranks is painted again, through the command, on another number of them: bit for bit.

All of it: `pytest -m "slow or not slow" tests/system/test_takes_across_ranks.py`, two minutes on two cores.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from support.lora_files import linear_layers, pairs_for, write
from support.waiting import eventually

from sdv2_live.cli import main
from sdv2_live.config.load import load_config
from sdv2_live.config.profiles import PROFILES
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.show.show import Show

Recorded = Callable[[str, int], Path]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """A take by schedule and number of ranks, each recorded once."""
    found: dict[tuple[str, int], Path] = {}

    def take(schedule: str, ranks: int) -> Path:
        if (schedule, ranks) not in found:
            found[schedule, ranks] = performed(tmp_path_factory.mktemp("show"), schedule, ranks)
        return found[schedule, ranks]

    yield take
    torch.set_num_threads(1)  # as the other tests have it: a replay takes the number that its take had


def performed(folder: Path, schedule: str, ranks: int) -> Path:
    """The take of a show on so many ranks whose prompt, LoRA and past change."""
    with torch.device("meta"):
        shapes = CausalDiT(PROFILES["tiny"].dit)
    lora = write(folder / "ink.safetensors", pairs_for(shapes, linear_layers(shapes)))
    keys = ("model.profile=tiny", "model.device=cpu", "model.threads=1", "model.prompt_cache=off", "video.size=64x64")
    parts = ("input.source=test:64x64", "output.sink=none", "osc.enabled=false", "state.dir=off", "engine.process=inline")
    takes, ring = f"takes.dir={folder / 'takes'}", (f"model.gpus={ranks}", f"engine.schedule={schedule}", f"model.loras={lora}")
    with Show(load_config(None, [*keys, *parts, takes, *ring])) as show:

        def chunks(more: int) -> None:
            until = show.counters["chunks"] + more
            eventually("chunks", lambda: show.counters["chunks"] >= until, 90)

        show.start()
        chunks(1)
        show.store.set("record", True, "test")
        chunks(5)
        show.store.set_many({"prompt": "a red fox", "transition_chunks": 4}, "test")
        chunks(4)
        show.store.set("lora/ink/scale", 0.3, "test")
        chunks(3)
        show.store.trigger("reset", "test")
        chunks(4)
        show.store.set_many({"prompt": "a green forest", "prompt_change": "cut", "steps": (800, 600, 300)}, "test")
        chunks(4)
        show.store.set("record", False, "test")
        chunks(2)
        assert len(show.engine.state().ranks) == (ranks if ranks > 1 else 0)
    (made,) = (folder / "takes").iterdir()
    return made


def check(take: Path, ranks: int, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [json.loads(line) for line in (take / "chunks.jsonl").read_text(encoding="utf-8").splitlines()]
    assert lines.pop() == {"end": "complete", "problem": "", "chunks": len(lines)}
    assert any(line.get("fired") == ["reset"] for line in lines)
    assert [line["values"]["lora/1/scale"] for line in lines if "lora/1/scale" in line.get("values", {})] == [1.0, 0.3]
    assert len({str(line["prompt"]["mix"]) for line in lines if line.get("prompt")}) == 3
    assert main(["replay", str(take), "--check", "--gpus", str(ranks)]) == 0, capsys.readouterr().out
    assert f"{len(lines)} chunks identical" in capsys.readouterr().out.replace("\n", "")


def test_recorded_on_one_rank_and_played_on_two(recorded: Recorded, capsys: pytest.CaptureFixture[str]) -> None:
    check(recorded("stream_batch", 1), 2, capsys)


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["sequential", "stream_batch"])
@pytest.mark.parametrize(("then", "now"), [(1, 2), (1, 3), (2, 1), (2, 3), (3, 1)])
def test_recorded_on_some_ranks_and_played_on_others(
    recorded: Recorded, capsys: pytest.CaptureFixture[str], schedule: str, then: int, now: int
) -> None:
    check(recorded(schedule, then), now, capsys)
