"""The control side of one show: parameters, presets, timeline and OSC, built from the configuration."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from dataclasses import asdict
from typing import Any

from sdv2_live.closing import Service
from sdv2_live.config.schema import Config
from sdv2_live.control.http.server import HttpServer
from sdv2_live.control.macros import Macros
from sdv2_live.control.osc.dispatch import Action
from sdv2_live.control.osc.news import Status
from sdv2_live.control.osc.server import OscServer
from sdv2_live.control.osc.sockets import query_port
from sdv2_live.control.oscquery.oscquery import Identity, OscQuery
from sdv2_live.control.page.lists import Lists
from sdv2_live.control.page.preset_pictures import picture_route
from sdv2_live.control.presets.keeper import PresetKeeper, Snap
from sdv2_live.control.presets.library import PresetLibrary
from sdv2_live.control.prompt_history import PromptHistory
from sdv2_live.control.store import ParamStore
from sdv2_live.control.timeline.buttons import transport_actions
from sdv2_live.control.timeline.keeper import TimelineKeeper
from sdv2_live.control.timeline.model import EMPTY, Timeline
from sdv2_live.control.timeline.transport import Transport
from sdv2_live.errors import ConfigError, Sdv2Error
from sdv2_live.show.expander import Expander
from sdv2_live.show.journal import Journal, LiveState, journal_path
from sdv2_live.show.music import Music
from sdv2_live.show.page_lists import list_presets, list_prompts
from sdv2_live.stats import Fill
from sdv2_live.takes.rendering import TakeRenderer
from sdv2_live.threads import ended

log = logging.getLogger("sdv2_live.control")

STUMBLE_S = 1.0  # until the timeline goes on after a mistake of the program
TICK_S = 0.02  # lateness of timeline events; a chunk takes several times as long
IDLE_S = 0.2  # between looks whether there is a timeline


class ControlPlane(Service):
    """All writers of `store`. Construction binds OSC's port; `start` begins to listen.

    Options of the command line (`config.asked`) go before everything below.

    Args:
        preset: a preset's name or number, recalled before anything else.
        timeline: plays from its start as soon as the control plane starts.
        resumed: an earlier show's state. Its values are in `config.params` already; its timeline goes on where it would be now.
        status: numbers and words for OSC subscribers; see `OscServer`.
        loaded: called with each timeline that is loaded while the show runs, on any thread.
        snap: takes the output's picture, for presets; see `PresetKeeper`.
        painter: gives the name of the model that paints.
        recording: gives the take that is recorded now; see `TakeRenderer`.
        encoding: gives the prompts that are not encoded yet.

    Attributes:
        lists: what the page shows beside parameters and status; others may add to it until the server starts.
        http: the HTTP server; others may add routes until it starts.
        music: the parts that follow the music.

    Raises:
        ConfigError: a file or port that the configuration names cannot be used.
        ParamError: a parameter's value cannot be used.
    """

    def __init__(
        self,
        config: Config,
        *,
        preset: str | None = None,
        timeline: Timeline | None = None,
        resumed: LiveState | None = None,
        status: Status | None = None,
        loaded: Callable[[Timeline], None] = lambda timeline: None,
        snap: Snap = lambda: None,
        painter: Callable[[], str] = str,
        recording: Callable[[], tuple[str, float] | None] = lambda: None,
        encoding: Callable[[], tuple[str, ...]] = tuple,
    ) -> None:
        self.lists = Lists()
        self.presets = PresetLibrary(config.presets.folder, config.presets.dir is not None, config.names, config.model.profile)
        self.store = ParamStore(config.params, Macros(self.presets), names=config.names)
        self.music = Music(config, self.store, resumed.beat if resumed is not None else None, self.lists)
        self.transport = Transport(timeline or EMPTY, self.store, beats=self.music.running)
        self.music.offer(self.transport.timeline.bpm)
        self._loaded = loaded
        self.timelines = TimelineKeeper(
            config.timeline.folder,
            self.store,
            self.presets,
            self.transport,
            loaded=self._taken,
            changed=lambda: self.lists.changed("timeline"),
        )
        self.lists.add("timeline", self.timelines.listed)
        said = lambda: self.lists.changed("prompts")  # noqa: E731
        self.prompts = PromptHistory(resumed.prompts if resumed is not None else (), said)
        self._expander = Expander(config.expand, self.store, said)
        list_prompts(self.lists, self.prompts, self._expander, encoding)
        self._begins = resumed is None  # the timeline, when the desk starts
        if resumed is not None:
            self._resume(resumed)
        if preset is not None:
            self.store.set("preset", preset, f"--preset {preset}")
            self.store.settle()
        self.store.set_many(config.asked, "--set")
        self.journal: Journal | None = None
        if config.state.folder is not None:
            path = journal_path(config.state.folder, config.output.main)
            file = lambda: self.timelines.file  # noqa: E731
            self.journal = Journal(path, self.store, self.transport, file, self.prompts.newest_first, self.music.tempo)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="timeline", daemon=True)
        self._keeper = PresetKeeper(self.presets, self._tell_presets, snap, painter)
        self._list_presets = list_presets(self.lists, self.store, self.presets, self._keeper.pictures)
        self.takes = TakeRenderer(config.takes.folder, recording, lambda: self.lists.changed("takes"))
        self.lists.add("takes", self.takes.listed)
        self._failures = 0
        osc = config.osc
        self.osc: OscServer | None = None
        self.http: HttpServer | None = None
        self.oscquery: OscQuery | None = None
        if osc.enabled:
            actions: dict[str, Action] = {
                **self._keeper.actions(self.store.latest),
                **transport_actions(self.transport, self.music.launcher),
                **self.timelines.actions,
                **self.takes.actions,
                **self._expander.actions,
            }
            self.osc = OscServer(
                self.store,
                osc.host,
                osc.port,
                tcp=osc.tcp,
                allow=osc.allow,
                max_rate=osc.max_rate,
                subscribers=osc.subscribers,
                echo=osc.echo == "all",
                actions=actions,
                timed=self.music.actions,
                launcher=self.music.launcher,
                status=status,
                moving=lambda: self.music.modulation.state.values,
                levels=self.music.sound.levels,
            )
            self.music.tell(self.osc, self.lists)
            if config.oscquery.enabled:
                self._describe(self.osc, config, [*actions, *self.music.actions])
        try:
            self.music.outside.open(self.osc)
        except ConfigError:
            for server in (self.http, self.osc):
                if server is not None:
                    server.close()
            raise

    def _describe(self, osc: OscServer, config: Config, actions: Collection[str]) -> None:
        """Open the HTTP server.

        Raises:
            ConfigError: its port cannot be had; `osc` is closed then.
        """
        port = query_port(config.oscquery.port, config.osc.port, config.osc.tcp)
        try:
            self.http = HttpServer(osc.loop, osc.host, port, allow=config.osc.allow, hosts=config.osc.hosts)
        except ConfigError:
            osc.close()
            raise
        self.http.add_routes([picture_route(self._keeper.pictures)])
        self.oscquery = OscQuery(
            self.http,
            self.store,
            osc,
            identity=Identity(announce=config.oscquery.announce),
            presets=lambda: [preset.name for preset in self.presets.presets],
            actions=actions,
        )

    def start(self) -> None:
        """Start to listen, to play, and to save presets."""
        if self.osc is not None:
            self.osc.start()
        if self.http is not None:
            self.http.start()
        if self.transport.loaded and self._begins:
            self.transport.play()
        self.music.start()
        if self.journal is not None:
            self.journal.start()
        self._keeper.start()
        self.timelines.start()
        self.takes.start()
        self._expander.start()
        self._thread.start()

    def painted_by(self, profile: str, chosen: Collection[str]) -> None:
        """Have presets, also the one that is live, hold their values for the model that paints.

        Args:
            profile: of the model.
            chosen: the parameters whose value somebody chose; what was edited since the recall stays.
        """
        self.store.set_many(self.presets.paint_by(profile, self.store.settled(), chosen), "model")
        self._tell_presets()

    def _resume(self, resumed: LiveState) -> None:
        """Put the timeline where it would be now; without one, first take that of the state, if it is in the folder still."""
        standing = resumed.timeline
        if not self.transport.loaded and standing is not None and standing.file:
            try:
                self.timelines.put(standing.file)
            except Sdv2Error as error:
                log.warning("%s; the show goes on without that timeline", error)
        if self.transport.loaded:
            resumed.resume(self.transport)

    @property
    def queues(self) -> dict[str, Fill]:
        """Fill of the queues of messages to be read and to be sent, and of sound to be heard."""
        parts = (self.osc, self.oscquery, self.music.sound)
        return {name: fill for part in parts if part is not None for name, fill in part.queues.items()}

    @property
    def counted(self) -> dict[str, int]:
        """Counters of the servers and the store, by name."""
        counting: dict[str, Any] = {"osc": self.osc, "oscquery": self.http, "params": self.store, **self.music.counting}
        return {
            f"{prefix}_{name}": count
            for prefix, part in counting.items()
            if part is not None
            for name, count in asdict(part.counters).items()
        }

    def close(self) -> None:
        """Stop everything. Idempotent."""
        self._stop.set()
        ended(self._thread)
        self.music.close()
        self._expander.close()
        self.takes.close()
        self.timelines.close()
        self._keeper.close()
        if self.http is not None:
            self.http.close()
        if self.osc is not None:
            self.osc.close()
        if self.journal is not None:
            self.journal.close()

    @property
    def failures(self) -> int:
        """Number of internal errors that its threads have survived."""
        keepers = (self._keeper, self.timelines, self.takes, self._expander, self.music)
        return self._failures + sum(keeper.failures for keeper in keepers)

    def _run(self) -> None:
        while not self._stop.wait(TICK_S if self.transport.loaded else IDLE_S):
            try:
                self.transport.tick()
            except Exception:
                self._failures += 1
                log.exception("the timeline stumbled; it goes on")
                self._stop.wait(STUMBLE_S)

    def _taken(self, timeline: Timeline) -> None:
        """Pass a timeline on that was loaded, and its tempo."""
        self.music.offer(timeline.bpm)
        self._loaded(timeline)

    def _tell_presets(self) -> None:
        """Have OSCQuery's clients and the page read the list of presets again."""
        self._list_presets()
        if self.oscquery is not None:
            self.oscquery.path_changed("/sdv2/preset/name")
