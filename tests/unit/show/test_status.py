"""The table of what a show tells: what it makes of one moment, in every form, and that nothing is missing from it."""

from __future__ import annotations

import re
from collections import Counter

from support.places import PACKAGE

from sdv2_live.live.adaptation import AdaptationState
from sdv2_live.live.input_health import Fault
from sdv2_live.live.input_policy import ActiveInput, InputState
from sdv2_live.show.status import STATUS, Status
from sdv2_live.worker.host import EngineState

QUIET = Status("connected", True, 30.0, 29.96, 30.0, 80.4, 119.7, {}, EngineState("running"), InputState(), AdaptationState())
BUSY = Status(
    "camera 1",
    False,
    59.94,
    7.123456,
    60.0,
    432.16,
    1200.0,
    {"frames_skipped": 7, "frames_repeated": 5, "frames_late": 2, "frames_failed": 1, "engine_failures": 3, "chunks": 40},
    EngineState("loading", 4242, 2, ("taehv", "slow attention"), 2048, {"attention": "torch"}),
    InputState(ActiveInput.BACKUP, Fault.LOST),
    AdaptationState(("fewer_steps",), 0.123456),
    recording=True,
    tally=(True, False),
    presets=9,
    timeline=(12.34, True),
)


def test_the_terminals_line() -> None:
    assert QUIET.line() == (
        "connected | in 30.0 fps | painted 30.0 fps | out 30.0 fps | latency  80 ms (p95 120) | "
        "skipped 0, repeated 0, late 0 | failed 0"
    )
    assert BUSY.line() == (
        "camera 1 | in 59.9 fps | painted  7.1 fps | out 60.0 fps (no receiver) | latency 432 ms (p95 1200) | "
        "skipped 7, repeated 5, late 2 | failed 4 | recording | shed fewer_steps | engine loading | "
        "lowered to taehv, slow attention"
    )


def test_numbers_and_words_for_osc() -> None:
    assert BUSY.numbers() == {
        "fps": 7.12,
        "fps_in": 59.94,
        "fps_out": 60.0,
        "latency_ms": 432.2,
        "latency_p95_ms": 1200.0,
        "chunk": 40,
        "dropped": 9,
        "repeated": 5,
        "failed": 4,
        "watched": 0,
        "tally_program": 1,
        "tally_preview": 0,
        "recording": 1,
        "engine_pid": 4242,
        "restarts": 2,
        "lowered": 2,
        "gpu_mb": 2048,
        "shed": 1,
        "drift": 0.1235,
        "input_shown": 1,
        "presets": 9,
        "timeline": 12.3,
        "timeline_playing": 1,
        "timeline_recording": 0,
        "prompts_encoding": 0,
        "takes_rendering": 0,
        "bpm": 120.0,
        "bar": 1,
        "beat": 1,
        "link_peers": 0,
        "tempo_confidence": 1.0,
        "outputs": "none",
        "outputs_failing": 0,
        "pending": 0,
        "pending_beats": 0.0,
        "dmx_desks": 0,
        "dmx": "off",
        "tempo": "internal",
        "modulation": "off",
        "sound": "off",
        "sound_live": 0,
        "sound_db": -120.0,
        **dict.fromkeys(("sound_env", "sound_low", "sound_mid", "sound_high", "sound_onset", "sound_kick"), 0.0),
        "source": "camera 1",
        "input": "backup: the input is lost",
        "shed_steps": "fewer_steps",
        "engine": "loading",
        "attention": "torch",
        "frame_kernels": "not known yet",
        "precision": "not known yet",
        "painted_size": "not known yet",
        "ranks": "none",
        "hop_ms": 0.0,
    }
    assert BUSY.numbers().keys() - QUIET.numbers().keys() == {"timeline", "timeline_playing"}  # there is none
    assert QUIET.numbers()["shed_steps"] == "none"
    assert not any(isinstance(value, bool) for value in BUSY.numbers().values())  # OSC has no name for them that all know


def test_values_for_prometheus() -> None:
    told = BUSY.metrics()
    assert (told["fps_painted"], told["frames_skipped"], told["frames_in"]) == (7.123456, 7, 0)
    assert (told["watched"], told["recording"], told["shed_steps"], told["engine_lowered_steps"]) == (0, 1, 1, 2)
    assert (told["engine_restarts"], told["gpu_memory_bytes"], told["drift"]) == (2, 2**31, 0.123456)


def test_every_name_is_told_once_and_means_something() -> None:
    for names in ([row.osc for row in STATUS if row.osc], [row.metric for row in STATUS if row.metric]):
        assert [name for name, count in Counter(names).items() if count > 1] == []
    assert [row for row in STATUS if not (row.doc.endswith(".") and (row.osc or row.metric or row.line))] == []


def test_everything_that_is_counted_is_told() -> None:
    """Counters have names, which nothing else holds to the table."""
    source = "\n".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    counted = set(re.findall(r'counters\.add\(\s*"(\w+)"', source)) | {f"inputs_{fault.value}" for fault in Fault}
    assert len(counted) > 15
    assert counted <= {row.metric for row in STATUS if row.counter}
