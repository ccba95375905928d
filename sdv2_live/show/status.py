"""The status of a running show, and the one table of its values: for the terminal's line, OSC and Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from typing import Any

from sdv2_live.control.dmx.words import DmxNow
from sdv2_live.control.http.door import HttpCounters
from sdv2_live.control.osc.dispatch import OscCounters
from sdv2_live.control.store import StoreCounters
from sdv2_live.control.waiting import LaunchCounters
from sdv2_live.live.adaptation import AdaptationState
from sdv2_live.live.input_policy import ActiveInput, InputState
from sdv2_live.music.clock import ClockCounters
from sdv2_live.music.dmx.merge import DmxCounters
from sdv2_live.music.ears import EarsCounters
from sdv2_live.show.link import LinkCounters
from sdv2_live.show.sound import SoundNow
from sdv2_live.show.tempo import TempoNow
from sdv2_live.worker.host import EngineState

FAILURES = ("engine_failures", "frames_failed", "reads_failed")  # counters that stay 0 in a healthy show
UNKNOWN = "not known yet"
HOP = "Time of a call's tensor from one card to the next, measured when the picture's size is set up; OSC: ms."
SHOWN = {ActiveInput.MAIN: 0, ActiveInput.BACKUP: 1, ActiveInput.TEXTURE: 2, ActiveInput.NOTHING: 3}  # as OSC sends it


@dataclass(frozen=True, slots=True)
class Status:
    """One moment of a running show.

    Attributes:
        fps_out: frames sent per second, of any kind.
        fps_painted: the engine's frames per second.
        tally: (on program, on preview).
        timeline: its position in seconds, and True while it plays; None without a timeline.
        moves: a timeline is being recorded.
        take_rendering: a take is being painted again.
        outputs: each with what is wrong with it.
        failing: those that show no picture now.
        encoding: prompts that are not encoded yet, as far as they are told.

    Latencies are in milliseconds.
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
    adaptation: AdaptationState
    outputs: tuple[str, ...] = ()
    failing: tuple[str, ...] = ()
    recording: bool = False
    tally: tuple[bool, bool] = (False, False)
    presets: int = 0
    timeline: tuple[float, bool] | None = None
    moves: bool = False
    take_rendering: bool = False
    encoding: int = 0
    tempo: TempoNow = field(default_factory=TempoNow)
    modulation: str = "off"
    sound: SoundNow = field(default_factory=SoundNow)
    waiting: int = 0
    beats_left: float | None = None
    dmx: DmxNow = field(default_factory=DmxNow)

    def line(self) -> str:
        """A summary of one line for a stage hand."""
        shown = [row for row in STATUS if row.line and row.read(self) != row.usual]
        pieces = [row.line.format(row.sent(row.read(self), exact=True)) for row in shown]
        return "".join(piece if piece[0] in " ," else f" | {piece}" for piece in pieces).removeprefix(" | ")

    def numbers(self) -> dict[str, float | str]:
        """The values sent by OSC, by name: numbers and words."""
        return {row.osc: row.sent(value) for row in STATUS if row.osc and (value := row.read(self)) is not None}

    def metrics(self) -> dict[str, float]:
        """The values for Prometheus, by name."""
        return {row.metric: float(row.read(self)) * row.scale for row in STATUS if row.metric}

    def count(self, *names: str) -> int:
        """The sum of these counters."""
        return sum(self.counters.get(name, 0) for name in names)


@dataclass(frozen=True, slots=True)
class Published:
    """One value that a show publishes.

    Attributes:
        read: gives the value; a tuple is a list of words, None is not published.
        doc: a sentence on it.
        osc: its OSC name.
        digits: decimals that OSC sends.
        metric: its Prometheus name, without prefix.
        counter: True for a total since the start, False for a gauge.
        scale: factor from the value's unit to the metric's.
        line: its piece of the terminal's line; a leading space or comma joins it to the piece before.
        usual: the value at which the line leaves it out.
    """

    read: Callable[[Status], Any]
    doc: str
    osc: str = ""
    metric: str = ""
    digits: int | None = None
    line: str = ""
    usual: Any = None
    counter: bool = False
    scale: float = 1.0

    def sent(self, value: Any, *, exact: bool = False) -> Any:
        """A value as OSC sends it; with all its decimals if `exact`."""
        if isinstance(value, tuple):
            return ", ".join(value) or "none"
        if isinstance(value, bool):
            return int(value)
        return value if exact or self.digits is None else round(value, self.digits)


def _total(metric: str, doc: str, osc: str = "", line: str = "") -> Published:
    return Published(lambda status: status.count(metric), doc, osc, metric, line=line, counter=True)


def _totals(prefix: str, counters: type[Any]) -> Iterator[Published]:
    """The rows for a dataclass of `stats.total` counters."""
    return (_total(f"{prefix}_{field.name}", field.metadata["doc"]) for field in fields(counters))


STATUS: tuple[Published, ...] = (
    Published(lambda s: s.source, "How the input is connected.", "source", line="{}"),
    Published(lambda s: s.fps_in, "Frames a second that come in.", "fps_in", "fps_in", 2, "in {:4.1f} fps"),
    Published(lambda s: s.fps_painted, "Frames a second that are painted.", "fps", "fps_painted", 2, "painted {:4.1f} fps"),
    Published(lambda s: s.fps_out, "Frames a second sent, repeats included.", "fps_out", "fps_out", 2, "out {:4.1f} fps"),
    Published(lambda s: s.watched, "1 while somebody receives the output.", "watched", "watched", None, " (no receiver)", True),
    Published(lambda s: s.outputs, "The outputs, and what is wrong with each.", "outputs"),
    Published(lambda s: len(s.failing), "Outputs that show no picture now.", "outputs_failing", "outputs_failing"),
    Published(lambda s: s.failing, "Outputs that show no picture now.", line="no picture on {}", usual=()),
    _total("outputs_failed", "Times that an output failed and was opened again."),
    _total("outputs_dropped", "Frames that an output left out, as newer ones had come."),
    Published(lambda s: s.latency_p50, "Median from capture to sending, in ms.", "latency_ms", "", 1, "latency {:3.0f} ms"),
    Published(lambda s: s.latency_p95, "95th percentile of the same, in ms.", "latency_p95_ms", "", 1, " (p95 {:3.0f})"),
    _total("frames_in", "Frames read from the input."),
    _total("frames_out", "Frames sent to the output, repeats included."),
    _total("frames_skipped", "Input frames that no chunk took, because the engine was busy.", line="skipped {}"),
    _total("frames_repeated", "Frames sent again for want of a new one.", "repeated", line=", repeated {}"),
    _total("frames_late", "Painted frames that were overtaken before they could be sent.", line=", late {}"),
    Published(lambda s: s.count("frames_skipped", "frames_late"), "Frames skipped, and frames that came too late.", "dropped"),
    Published(lambda s: s.count(*FAILURES), "Chunks, frames and reads that failed.", "failed", line="failed {}"),
    _total("frames_failed", "Frames that could not be sent."),
    _total("reads_failed", "Reads of the input that failed."),
    _total("chunks", "Chunks painted.", "chunk"),
    _total("engine_failures", "Chunks that failed."),
    Published(lambda s: s.recording, "1 while a take is recorded.", "recording", "recording", None, "recording", False),
    _total("previews_made", "Pictures made for those who look at the page."),
    _total("previews_failed", "Pictures for the page that could not be made."),
    _total("takes_recorded", "Takes recorded to their end."),
    _total("takes_failed", "Takes that ended early."),
    Published(lambda s: s.take_rendering, "1 while a take is painted into a video.", "takes_rendering"),
    Published(lambda s: s.tally[0], "1 while the output is on program, where receivers report it.", "tally_program"),
    Published(lambda s: s.tally[1], "1 while the output is on preview, where receivers report it.", "tally_preview"),
    Published(lambda s: s.input.words, "The input that is shown, and what is wrong with the main one.", "input"),
    Published(lambda s: SHOWN[s.input.shown], "0 main input, 1 backup, 2 colours of `text`, 3 nothing.", "input_shown"),
    _total("inputs_lost", "Times the main input gave no frames any more."),
    _total("inputs_frozen", "Times the main input stood still."),
    _total("inputs_black", "Times the main input was black."),
    _total("inputs_dropped", "Frames of the inputs that were not read in time, as newer ones had come."),
    _total("inputs_repeated", "Frames of a silent but connected input that were given once more."),
    _total("inputs_returned", "Times the main input took its place again."),
    _total("audio_blocks", "Blocks of sound sent."),
    _total("audio_dropped", "Blocks of sound left out."),
    _total("side_channels_failed", "Times that sound, tally or metadata could not be passed on."),
    Published(lambda s: len(s.adaptation.measures), "Steps of load shedding taken now.", "shed", "shed_steps"),
    Published(lambda s: s.adaptation.measures, "The steps of load shedding taken now.", "shed_steps", line="shed {}", usual=()),
    _total("shed_down", "Times less was asked of an engine that was too slow."),
    _total("shed_up", "Times more was asked of it again."),
    _total("refreshes", "Times the stream was begun anew, unseen."),
    Published(
        lambda s: s.adaptation.drift, "Change of colour or contrast since the look began, of full scale.", "drift", "drift", 4
    ),
    Published(lambda s: s.engine.words, "How the engine is.", "engine", line="engine {}", usual="running"),
    Published(lambda s: s.engine.pid, "The number of the engine's process.", "engine_pid"),
    Published(lambda s: s.engine.restarts, "Starts of the engine after the first.", "restarts", "engine_restarts", counter=True),
    Published(lambda s: len(s.engine.ladder), "Steps by which the engine is lowered.", "lowered", "engine_lowered_steps"),
    Published(lambda s: s.engine.ladder, "The steps by which the engine is lowered.", line="lowered to {}", usual=()),
    Published(lambda s: s.engine.gpu_mb, "GPU memory of the engine; OSC: MiB.", "gpu_mb", "gpu_memory_bytes", scale=2.0**20),
    Published(lambda s: len(s.engine.ranks) or 1, "Cards, each with a process, that paint together.", metric="engine_ranks"),
    Published(lambda s: tuple(map(str, s.engine.ranks)), "Of several cards: what each does.", "ranks", line="cards {}", usual=()),
    Published(lambda s: s.engine.hop_ms, HOP, "hop_ms", "rank_hop_seconds", 2, ", {:.2f} ms between them", 0.0, scale=1e-3),
    Published(lambda s: s.engine.kernels.get("attention", UNKNOWN), "What computes attention.", "attention"),
    Published(lambda s: s.engine.kernels.get("frames", UNKNOWN), "What converts the frames.", "frame_kernels"),
    Published(lambda s: s.engine.kernels.get("precision", UNKNOWN), "What the model computes in.", "precision"),
    Published(lambda s: s.engine.kernels.get("size", UNKNOWN), "The size that is painted, unless less is asked.", "painted_size"),
    Published(lambda s: s.encoding, "Prompts that are not encoded yet, 16 for more.", "prompts_encoding"),
    Published(lambda s: s.presets, "Presets that can be recalled.", "presets"),
    Published(lambda s: s.timeline and s.timeline[0], "Where the timeline stands, in seconds.", "timeline", digits=1),
    Published(lambda s: s.timeline and s.timeline[1], "1 while the timeline plays.", "timeline_playing"),
    Published(
        lambda s: s.moves, "1 while a timeline is recorded.", "timeline_recording", "", None, "recording a timeline", False
    ),
    Published(lambda s: s.tempo.bpm, "The tempo.", "bpm", "bpm", 1),
    Published(lambda s: s.tempo.bar, "The bar, from 1.", "bar"),
    Published(lambda s: s.tempo.beat, "The beat of the bar, from 1; for a lamp, /sdv2/tempo/beat is on time.", "beat"),
    Published(lambda s: s.tempo.peers, "Other programs in Link's session.", "link_peers", "link_peers"),
    Published(lambda s: s.tempo.confidence, "How sure the tempo's source is, 0..1.", "tempo_confidence", "tempo_confidence", 2),
    Published(lambda s: s.tempo.words, "Who leads the tempo, and how it is.", "tempo"),
    Published(lambda s: s.modulation, "What modulation moves, and which of its waves are too fast to be shown.", "modulation"),
    *_totals("tempo", ClockCounters),
    Published(lambda s: s.sound.words, "What is listened to.", "sound"),
    Published(lambda s: s.sound.meters.live, "1 while sound is heard.", "sound_live", "sound_live"),
    Published(lambda s: s.sound.meters.peak_db, "Its peak, in dB of the reference level.", "sound_db", digits=1),
    Published(lambda s: s.sound.meters.heard.env, "Level of the last half second, 0..1.", "sound_env", digits=2),
    Published(lambda s: s.sound.meters.heard.low, "The same below 150 Hz.", "sound_low", digits=2),
    Published(lambda s: s.sound.meters.heard.mid, "The same up to 2.5 kHz.", "sound_mid", digits=2),
    Published(lambda s: s.sound.meters.heard.high, "The same above.", "sound_high", digits=2),
    Published(lambda s: s.sound.meters.heard.onset, "Strength of its strongest onset, 0..1.", "sound_onset", digits=2),
    Published(lambda s: s.sound.meters.heard.kick, "The same of the bass.", "sound_kick", digits=2),
    *_totals("ears", EarsCounters),
    Published(lambda s: s.waiting, "Changes that wait for the beat.", "pending", "pending"),
    Published(lambda s: s.beats_left or 0.0, "Beats until they are seen; 0 while nothing waits.", "pending_beats", digits=2),
    *_totals("launch", LaunchCounters),
    *_totals("link", LinkCounters),
    _total("frames_left_out", "Input frames left out so that a chunk began on the beat."),
    Published(lambda s: s.dmx.desks, "Light desks that send.", "dmx_desks", "dmx_desks"),
    Published(lambda s: s.dmx.words, "Where light desks are listened to, who sends, and who is silent.", "dmx"),
    *_totals("dmx", DmxCounters),
    *_totals("osc", OscCounters),
    *_totals("oscquery", HttpCounters),
    *_totals("params", StoreCounters),
)
