"""The composition root: builds a show from its configuration, starts its threads, and takes it down again.

`sdv2_live/README.md` lists the threads. They meet in the ParamStore (control to engine), the Intake's window and the
queues of Playout and Recorder (frames). This process needs no torch where the engine has one of its own.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from sdv2_live import __version__
from sdv2_live.closing import Closing
from sdv2_live.config.choices import Fallback
from sdv2_live.config.measures import SMALL_VAE, SMALL_VAES
from sdv2_live.config.schema import Config
from sdv2_live.control.http.server import page_route
from sdv2_live.control.params import PARAMS, Kind
from sdv2_live.control.presets.pictures import WIDTH as PRESET_WIDTH
from sdv2_live.control.store import Change
from sdv2_live.control.timeline.model import Timeline
from sdv2_live.engine.spec import Mode
from sdv2_live.io.jpeg import JpegEncoder
from sdv2_live.io.open import open_sink
from sdv2_live.live.adaptation import Adaptation
from sdv2_live.live.beat_delay import BeatDelay
from sdv2_live.live.fallback import FallbackMixer
from sdv2_live.live.intake import Intake
from sdv2_live.live.loop import LiveLoop
from sdv2_live.live.outputs import counted
from sdv2_live.live.outputs import opened as opened_outputs
from sdv2_live.live.playout import Playout
from sdv2_live.live.side_channels import join_side_channels
from sdv2_live.live.switcher import OutputMode
from sdv2_live.show.control_plane import ControlPlane
from sdv2_live.show.inputs import guarded
from sdv2_live.show.journal import LiveState
from sdv2_live.show.metrics import Metrics, Reading
from sdv2_live.show.page import ShowPage
from sdv2_live.show.preflight import require_weights
from sdv2_live.show.status import Status
from sdv2_live.stats import Counters, Fill
from sdv2_live.system.clock import monotonic
from sdv2_live.takes.recorder import Recorder
from sdv2_live.worker.host import EngineHost, InlineEngine
from sdv2_live.worker.messages import Hello
from sdv2_live.worker.remote import RemoteEngine

log = logging.getLogger("sdv2_live.app")


class Show(Closing):
    """A show, from start to close.

    A script that makes one needs `if __name__ == "__main__":`, because the engine's process imports the script again.

    Args:
        preset: a preset's name or number, recalled before the first chunk.
        timeline: plays from its start.
        resumed: an earlier show's state.

    Raises:
        Sdv2Error: a part cannot be opened, with that part's error; then nothing is left running.
    """

    def __init__(
        self,
        config: Config,
        preset: str | None = None,
        timeline: Timeline | None = None,
        resumed: LiveState | None = None,
    ) -> None:
        if resumed is not None:
            config = config.with_params(resumed.start_params(config.params), config.given | resumed.values.keys())
        self.config = config
        self._blind = config.engine.mode is Mode.TEXT  # there is no input that could be shown
        self._up_at: float | None = None  # when the engine was up for the first time
        # First, so that a port in use is reported before a model is loaded.
        self.control = ControlPlane(
            config,
            preset=preset,
            timeline=timeline,
            resumed=resumed,
            status=lambda: self.status().numbers(),
            loaded=self._timeline_loaded,
            snap=self._snap,
            painter=lambda: self._model,
            recording=lambda: self.recorder.now,
            encoding=lambda: self.engine.encoding,
        )
        self.store = self.control.store
        if self.control.http is not None and config.oscquery.metrics:
            self.control.http.add_routes([page_route("/metrics", Metrics(self.reading).page)])
        self._chosen = self._chosen_so_far(preset)  # parameters whose value somebody chose: they stay, whatever suits the model
        self._model = ""  # the profile that paints, once the engine is up
        self.counters = Counters()
        with ExitStack() as opened:
            self._open(opened)
            self._closing = opened.pop_all()

    def _open(self, opened: ExitStack) -> None:
        """Open sink, source and the threads between them, and start none: a performer's spelling mistakes show up here."""
        config = self.config
        opened.callback(self.control.close)
        require_weights(config, self.store.latest())
        ndi = config.ndi.settings
        sink = opened_outputs(config.output.sink, partial(open_sink, ndi=ndi))
        slate = FallbackMixer(Fallback.SLATE, hold_s=0.0, fade_s=config.input.fade_s, text=config.faults.slate)
        raised = BeatDelay(config.output.delay_beats, lambda: self.control.music.clock.tempo.beat_ns)
        self.playout = Playout(sink, self.counters, self._showing, self._fallback(), slate, raised=raised)
        opened.callback(self.playout.close)
        own = [one.full_name for one in sink.members if one.full_name]
        select = lambda: self.store.latest().input_select  # noqa: E731
        self.input = guarded(config, own, self.counters, select, self.playout.hold)
        opened.callback(self.input.close)
        self.control.music.sound.join(self.input)
        sound, failover = config.output.audio == "pass", config.output.failover
        self.sides = join_side_channels(self.input, sink, self.counters, ndi, audio=sound, failover=failover)
        if self.sides is not None:
            opened.callback(self.sides.close)
        self.intake = Intake(self.counters, self.playout.offer_input)
        self.engine = self._host()
        opened.callback(self.engine.close)
        self.recorder = Recorder(config, self.store, self.counters)
        opened.callback(self.recorder.close)
        opened.callback(self.store.add_listener(self._written))
        self.adaptation = Adaptation(
            config,
            self.counters,
            can_take=lambda step: step != SMALL_VAE or self.engine.can_lighten,
            on_shed=lambda steps: self.engine.lighten(SMALL_VAE in steps),
        )
        self.engine.on_sized = partial(self.adaptation.up, None)
        launcher = self.control.music.launcher
        launcher.delay_ns = lambda: self.playout.delay_ns
        launcher.encode, launcher.encoding = self.engine.encode_prompts, lambda: self.engine.encoding
        self.loop = LiveLoop(
            self.engine,
            self.intake,
            self.playout,
            self.store,
            self.counters,
            recorder=self.recorder,
            moves=self.control.timelines.moves,
            on_prompts=lambda mix: self.control.prompts.live(text for text, _ in mix.used),
            launch=lambda moment: launcher.due(moment.shown_ns, moment.period_ns),
            steer=launcher.steer,
            adaptation=self.adaptation,
            modulation=self.control.music.modulation,
        )
        opened.callback(self.loop.close)
        self.control.music.running.ahead_ns = lambda: self.loop.ahead_ns(self.store.latest().tempo_follow)
        self.page = self._page()
        if self.page is not None:
            opened.callback(self.page.close)
        opened.callback(self.engine.halt)

    def _page(self) -> ShowPage | None:
        http, config = self.control.http, self.config
        if http is None or not config.ui.enabled:
            return None
        about = lambda: {  # noqa: E731
            "name": config.output.main.partition(":")[2] or config.output.main,
            "model": self._model,
            "input": self.input.name,
            "output": self.playout.sink.name,
        }
        return ShowPage(
            http,
            self.control.lists,
            self.playout,
            self.counters,
            status=self.status,
            about=about,
            token=config.ui.token,
            kept_in=config.state.folder,
        )

    def _host(self) -> EngineHost:
        if self.config.engine.process == "inline":
            return InlineEngine(self.config, self.store.latest, self._engine_up)
        return RemoteEngine(self.config, self.store.latest, self.counters, self._engine_up, self.playout.lost)

    def _fallback(self) -> FallbackMixer:
        faults = self.config.faults
        instead = faults.on_fault
        if instead is Fallback.INPUT and self._blind:
            instead = Fallback.HOLD
        return FallbackMixer(instead, hold_s=faults.hold_s, fade_s=faults.fade_s, text=faults.slate)

    def _engine_up(self, hello: Hello) -> None:
        """Take note that the models are loaded, for the first time or again; runs on the thread that loaded them."""
        self._up_at = self._up_at or monotonic()
        self._model = hello.profile
        self.control.painted_by(hello.profile, self._chosen)
        self.adaptation.up(hello.size, hello.max_pixels)
        if SMALL_VAE in self.adaptation.shed.active and hello.vae not in SMALL_VAES:  # its file is not there
            self.adaptation.shed.give_up(SMALL_VAE)
        suited = {name: value for name, value in hello.suited.items() if name not in self._chosen}
        if suited:
            self.store.set_many(suited, "model")
        run = self.config.engine.run_while_bypassed
        # On a CPU the painting would take the cores that passing the input needs.
        self.loop.run_while_bypassed = self._blind or (hello.device != "cpu" if run is None else run)
        self.loop.overlap = self.config.engine.overlaps
        self._prepare_prompts()
        self.recorder.start(hello.header)

    def start(self) -> None:
        """Start: the input passes through at once; paintings replace it when the models are loaded.

        With the engine in its own process this returns at once, and `run` raises the errors from there. With the engine inline,
        the models are loaded here.

        Raises:
            WeightsError: weights are missing or damaged.
            EngineError: the engine cannot run.
        """
        self.playout.start()
        self.input.start(self.intake.accept)
        self.engine.start()
        self.loop.start()
        if self.page is not None:
            self.page.start()
        self.control.start()

    def close(self) -> None:
        """Stop everything, engine first, output last. Idempotent."""
        self._closing.close()

    def status(self) -> Status:
        """The present status of the show."""
        latency, transport, outputs = self.playout.shown_latency, self.control.transport, self.playout.sink.members
        return Status(
            source=self.input.status,
            input=self.input.look(),
            adaptation=self.adaptation.state,
            watched=self.playout.sink.watched,
            outputs=tuple(f"{one.name} ({one.trouble})" if one.trouble else one.name for one in outputs),
            failing=tuple(one.name for one in outputs if one.trouble),
            fps_in=self.intake.rate.per_second(),
            fps_painted=self.loop.rate.per_second(),
            fps_out=self.playout.rate.per_second(),
            latency_p50=latency.p50,
            latency_p95=latency.p95,
            counters=self.counters.snapshot() | self.control.counted | counted(self.input.inputs, outputs),
            recording=self.recorder.recording,
            engine=self.engine.state(),
            tally=self.playout.sink.tally,
            presets=len(self.control.presets.presets),
            timeline=(transport.position, transport.playing) if transport.loaded else None,
            moves=self.control.timelines.moves.running,
            take_rendering=self.control.takes.working,
            encoding=len(self.engine.encoding),
            tempo=self.control.music.tempo.now(),
            modulation=self.control.music.modulation.state.words,
            sound=self.control.music.sound.now(),
            waiting=len(self.control.music.launcher.waiting),
            beats_left=self.control.music.launcher.beats_left,
            dmx=self.control.music.outside.now(),
        )

    @property
    def queues(self) -> dict[str, Fill]:
        """Fill of every queue between the show's threads and processes, by name."""
        parts = (self.control, self.input, self.intake, self.loop, self.engine, self.playout, self.recorder, self.sides)
        return {name: fill for part in parts if part is not None for name, fill in part.queues.items()}

    def reading(self) -> Reading:
        """The values of the metrics page."""
        stages = self.engine.timer.distributions()
        distributions = {"latency_seconds": self.playout.latency.distribution()}
        if "chunk" in stages:
            distributions["chunk_seconds"] = stages.pop("chunk")
        status = self.status()
        return Reading(status.metrics(), distributions, stages, self.queues, {"version": __version__}, status.engine.ranks)

    def run(self, stopped: Callable[[float], bool], report: Callable[[Status], None], seconds: float | None = None) -> None:
        """Run until `stopped(timeout)` is true, `seconds` have passed since the engine came up, or the source has ended.

        Calls `report` once a second.

        Raises:
            VideoError: the source broke in a way that a performer must repair.
            WeightsError: weights are missing or damaged.
            EngineError: the engine cannot run.
        """
        self.start()
        while not self.input.ended and self.engine.failure is None:
            left = math.inf if seconds is None or self._up_at is None else self._up_at + seconds - monotonic()
            if left <= 0 or stopped(min(left, 1.0)):
                break
            report(self.status())
        for failure in (self.input.failure, self.engine.failure):
            if failure is not None:
                raise failure

    def _prepare_prompts(self) -> None:
        """Have every known prompt encoded, the active ones first, so that a recall never waits."""
        params = self.store.latest()
        known = [text for text, _ in params.blend]
        known += self.control.transport.timeline.prompts
        known += [str(preset.values["prompt"]) for preset in self.control.presets.presets if "prompt" in preset.values]
        self.engine.encode_prompts(known)

    def _snap(self) -> Callable[[], bytes] | None:
        """Take the output's picture, for a preset; None before there is one."""
        frame = self.playout.newest
        return partial(JpegEncoder(PRESET_WIDTH), frame) if frame is not None else None

    def _timeline_loaded(self, timeline: Timeline) -> None:
        """Have its prompts encoded; before the engine is up, that waits for it."""
        if self._up_at is not None:
            self.engine.encode_prompts(timeline.prompts)

    def _written(self, change: Change) -> None:
        """Have a prompt encoded as soon as it is written, even where it does not show yet (the cue, a slot at weight 0)."""
        self._chosen |= change.values.keys()
        for name, value in change.values.items():
            if isinstance(value, str) and value and PARAMS[name].kind is Kind.TEXT:
                self.engine.encode_prompts([value], slot=name)

    def _chosen_so_far(self, preset: str | None) -> frozenset[str]:
        """The parameters that the configuration or the recalled preset has set."""
        return self.config.given | (self.control.presets.get(preset).values.keys() if preset is not None else frozenset())

    def _showing(self) -> OutputMode:
        self.control.music.launcher.look()
        params = self.store.latest()
        return OutputMode(params.freeze, params.bypass and not self._blind, params.blackout)
