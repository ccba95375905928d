"""How a running show is doing, as the terminal and OSC tell it."""

from __future__ import annotations

from dataclasses import dataclass

from sdv2_live.live.adaptation import AdaptationState
from sdv2_live.live.input_policy import ActiveInput, InputState
from sdv2_live.worker.host import EngineState

FAILURES = ("engine_failures", "frames_failed", "reads_failed")  # counters that shall stay 0
UNKNOWN = "not known yet"
SHOWN = {ActiveInput.MAIN: 0, ActiveInput.BACKUP: 1, ActiveInput.TEXTURE: 2, ActiveInput.NOTHING: 3}  # as OSC sends it


@dataclass(frozen=True, slots=True)
class Status:
    """One moment of a running show.

    fps_out counts all frames sent, fps_painted the engine's. Latencies are in milliseconds. tally: (on program, on preview).
    """

    source: str
    watched: bool
    fps_in: float
    fps_painted: float
    fps_out: float
    latency_p50: float
    latency_p95: float
    counters: dict[str, int]
    engine: EngineState
    input: InputState
    upkeep: AdaptationState
    recording: bool = False
    tally: tuple[bool, bool] = (False, False)

    def line(self) -> str:
        """What a stage hand wants to know, in one line."""
        count = self.counters.get
        parts = (
            self.source,
            f"in {self.fps_in:4.1f} fps",
            f"painted {self.fps_painted:4.1f} fps",
            f"out {self.fps_out:4.1f} fps" + ("" if self.watched else " (no receiver)"),
            f"latency {self.latency_p50:3.0f} ms (p95 {self.latency_p95:3.0f})",
            f"skipped {count('frames_skipped', 0)}, repeated {count('frames_repeated', 0)}, late {count('frames_late', 0)}",
            f"failed {self._failed}",
            *(["recording"] if self.recording else []),
            *([f"shed {', '.join(self.upkeep.steps)}"] if self.upkeep.steps else []),
            *([f"engine {self.engine.words}"] if self.engine.words != "running" else []),
            *([f"lowered to {', '.join(self.engine.ladder)}"] if self.engine.ladder else []),
        )
        return " | ".join(parts)

    def numbers(self) -> dict[str, float | str]:
        """What OSC sends, by name: numbers, then words."""
        count = self.counters.get
        program, preview = self.tally
        return {
            "fps": round(self.fps_painted, 2),
            "fps_in": round(self.fps_in, 2),
            "fps_out": round(self.fps_out, 2),
            "latency_ms": round(self.latency_p50, 1),
            "latency_p95_ms": round(self.latency_p95, 1),
            "chunk": count("chunks", 0),
            "dropped": count("frames_skipped", 0) + count("frames_late", 0),
            "repeated": count("frames_repeated", 0),
            "failed": self._failed,
            "watched": int(self.watched),
            "tally_program": int(program),
            "tally_preview": int(preview),
            "recording": int(self.recording),
            "engine_pid": self.engine.pid,
            "restarts": self.engine.restarts,
            "lowered": len(self.engine.ladder),
            "gpu_mb": self.engine.gpu_mb,
            "shed": len(self.upkeep.steps),
            "drift": round(self.upkeep.drift, 4),
            "input_shown": SHOWN[self.input.shown],
            "source": self.source,
            "input": self.input.words,
            "shed_steps": ", ".join(self.upkeep.steps) or "none",
            "engine": self.engine.words,
            "attention": self.engine.kernels.get("attention", UNKNOWN),
            "frame_kernels": self.engine.kernels.get("frames", UNKNOWN),
        }

    @property
    def _failed(self) -> int:
        return sum(self.counters.get(name, 0) for name in FAILURES)
