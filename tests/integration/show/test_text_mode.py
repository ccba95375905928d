"""A show without an input: what is seen before the first painting, and in bypass."""

from __future__ import annotations

import numpy as np
import pytest
from support.fakes import FakeSink
from support.waiting import eventually

from sdv2_live.config.load import load_config
from sdv2_live.io.pictures import black_like
from sdv2_live.show import show as app

KEYS = ("model.profile=tiny", "model.device=cpu", "model.threads=1", "model.prompt_cache=off", "engine.process=inline")
PARTS = ("engine.mode=text", "video.size=64x64", "output.sink=none", "osc.enabled=false", "state.dir=off")


def test_black_until_it_paints_and_bypass_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = FakeSink()
    monkeypatch.setattr(app, "open_sink", lambda *args, **more: sink)
    with app.Show(load_config(None, [*KEYS, *PARTS])) as show:
        show.start()
        eventually("a painting", lambda: show.counters["chunks"] > 1)
        eventually("it to be sent", lambda: sink.frames[-1].data[:, 0::4].std() > 2)
        show.store.set("bypass", True, "test")
        before, sent = show.counters["chunks"], len(sink.frames)
        eventually("painting to go on", lambda: show.counters["chunks"] > before + 1)
        last = sink.wait_for(sent + 8)
    assert {frame.size for frame in last} == {(64, 64)}
    black = [np.array_equal(frame.data, black_like(frame).data) for frame in last]
    assert black[0]
    assert black == sorted(black, reverse=True)  # never again after the first painting
