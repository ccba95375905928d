"""A group that an engine starts by itself: the same pictures, and a sentence for all that can go wrong with it."""

from __future__ import annotations

import os
import queue
import signal
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from support.groups import configured, opened, painted
from support.waiting import eventually

from sdv2_live.config.schema import Config
from sdv2_live.errors import ConfigError, EngineError, GroupLostError, MemoryShortageError
from sdv2_live.model.samples import samples
from sdv2_live.pipeline import group as groups
from sdv2_live.pipeline.build import part_digests, with_room
from sdv2_live.pipeline.group import difference
from sdv2_live.pipeline.shared import _shared_out, load_shared, on_own_gpus
from sdv2_live.ranks import meeting, processes
from sdv2_live.ranks.group import Member
from sdv2_live.ranks.measured import times_file
from sdv2_live.stats import StageTimer
from sdv2_live.takes.fingerprint import header_of
from sdv2_live.worker.bring_up import bring_up


def ranks_of_this() -> list[psutil.Process]:
    """The processes that this one has started as ranks."""
    return [each for each in psutil.Process().children() if "sdv2_live.worker.rank" in " ".join(each.cmdline())]


def test_two_ranks_paint_as_one_until_one_of_them_is_killed() -> None:
    with opened() as (alone, models, _):
        pictures, header = painted(alone), header_of(models, lossless=True)
    lost: list[GroupLostError] = []
    heard = threading.Event()
    with opened("model.gpus=2") as (stream, models, group):
        assert group is not None
        assert all(map(np.array_equal, pictures, painted(stream)))
        assert header_of(models, lossless=True, others=group.others).weights == header.weights
        eventually("the rank has reported", lambda: len(group.now()[0]) == 2 and group.now()[0][1].memory_mb > 0)
        (child,) = ranks_of_this()

        def on_lost(error: GroupLostError) -> None:
            lost.append(error)
            heard.set()

        group.on_lost = on_lost
        os.kill(child.pid, signal.SIGKILL)
        assert heard.wait(10)
        assert f"rank 1 (process {child.pid}) was killed by SIGKILL" in str(lost[0])
        with pytest.raises(GroupLostError):
            painted(stream)
    assert not psutil.pid_exists(child.pid)


def test_what_a_group_measured_deals_out_the_blocks_of_the_next(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sdv2_live.ranks.measured.cache_folder", lambda: tmp_path)
    with opened("model.gpus=2") as (stream, _, group):
        assert group is not None

        def kept() -> bool:
            leader, _ = group.now()[0]
            group.remember()
            assert leader.busy > 0 or not times_file().exists()
            return times_file().exists()

        group.remember()
        assert not times_file().exists()  # nothing is painted, nothing known
        painted(stream)
        for stage in ("push", "decode"):
            for _ in range(99):
                stream.timer.add(stage, 10_000.0)
        eventually("both ranks to have told their times", kept)
    shared = _shared_out(configured("model.gpus=2"))
    assert shared is not None
    leader = shared[1][0]
    assert leader.blocks == 0  # an autoencoder so slow has a rank to itself


def test_more_ranks_than_blocks() -> None:
    with pytest.raises(ConfigError, match=r"the model has 6 blocks.*set model.gpus to fewer"):
        load_shared(configured("model.gpus=9"), with_room)


def test_a_peer_that_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meeting, "COME_S", 0.2)
    with pytest.raises(GroupLostError, match=r"rank 1 of 2 has not come within .* start it on its machine"):
        load_shared(configured("model.remote_ranks=1", "model.rank_port=29671"), with_room)


def test_a_rank_with_other_weights() -> None:
    with opened() as (_, models, _):
        files = part_digests(configured())
        told: dict[str, Any] = {"samples": samples(models.dit), "loras": [], "device": "cpu", "files": {**files}}
        assert difference(models, "rank 1", told, files) == ""
        told["files"]["blocks.3.ffn.0.weight"] = "0123456789abcdef"
        said = difference(models, "rank 1", told, files)
        assert "rank 1 has other weights than the leader (blocks.3.ffn.0.weight: 01234567, the leader's" in said
        assert said.endswith("): put the same files on all machines")
        told["samples"]["head.head.weight"] += b"?"
        assert "; and 1 more tensors)" in difference(models, "rank 1", told, files)
        told["loras"] = ["one"]
        assert "rank 1 has the LoRAs ['one'], the leader []" in difference(models, "rank 1", told, files)
        told["device"] = "cuda"
        assert "rank 1 computes on its cuda, the leader on its cpu" in difference(models, "rank 1", told, files)


def test_a_rank_that_says_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "SILENT_S", 3.0)
    with opened("model.gpus=2") as (_, _, group):
        assert group is not None
        lost: queue.SimpleQueue[GroupLostError] = queue.SimpleQueue()
        group.on_lost = lost.put
        (child,) = ranks_of_this()
        child.suspend()
        assert "rank 1 says nothing any more" in str(lost.get(timeout=60))


def test_a_group_around_which_nothing_comes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    never = threading.Event()
    monkeypatch.setattr(groups, "REACH_S", 0.5)
    monkeypatch.setattr(Member, "around", lambda member, sent: never.wait() and sent)
    with pytest.raises(GroupLostError, match=r"no tensor comes around the 2 ranks within 0.5 s: sdv2-live doctor tries the ways"):
        load_shared(configured("model.gpus=2"), with_room)
    never.set()
    assert not ranks_of_this()


def test_cards_of_which_none_can_be_spared(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def one_is_too_small(config: Config) -> Config:
        raise MemoryShortageError("one card does not hold it")

    monkeypatch.setattr("sdv2_live.worker.bring_up.live_settings", one_is_too_small)
    config = configured("model.gpus=2")
    stream, prompts, hello = bring_up(config, StageTimer(), config.params, ("fewer-cards",))
    with closing(prompts):
        assert stream.group is not None
        stream.group.close()
    assert hello.ranks == 2
    assert "one card less does not hold it: the step fewer-cards is left out" in caplog.text


def test_a_show_takes_the_cards_that_it_names_its_own_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6")  # of which this process counts 0, 1 and 2
    monkeypatch.setattr(processes, "_AT_START", "4,5,6")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for _ in range(2):  # an engine that comes up again in the same process
        assert on_own_gpus(configured("model.device=auto", "model.gpus=[2,0]")).model.gpus == 2
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "6,4"
    assert [processes.visible(card) for card in range(2)] == ["6", "4"]


def test_one_card_that_is_named_and_not_there_never_becomes_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(EngineError, match=r"model.gpus = \[1\], but torch finds no GPU 1; set it to what nvidia-smi"):
        load_shared(configured("model.device=auto", "model.gpus=[1]"), with_room)
