"""The timelines of a running show: loading one of the folder, recording what is played, saving it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any

from sdv2_live.control.errands import Errands
from sdv2_live.control.macros import Macros
from sdv2_live.control.mistakes import mistake_of
from sdv2_live.control.presets.library import PresetLibrary
from sdv2_live.control.store import ParamStore
from sdv2_live.control.timeline.files import load_timeline
from sdv2_live.control.timeline.folder import TimelineFolder
from sdv2_live.control.timeline.listing import listing
from sdv2_live.control.timeline.model import Timeline
from sdv2_live.control.timeline.recording import MoveRecorder
from sdv2_live.control.timeline.transport import Transport
from sdv2_live.control.timeline.write import write_timeline
from sdv2_live.errors import ConfigError, ParamError, Sdv2Error
from sdv2_live.system.clock import monotonic_ns

log = logging.getLogger("sdv2_live.timeline")


class TimelineKeeper:
    """Carries out `/sdv2/timeline/load`, `record` and `save` for one transport, with files on the thread of its errands.

    `loaded` is called with a timeline that was put on the transport, `changed` whenever `listed` may have changed; any thread.

    Attributes:
        file: name of the loaded file in the folder; empty for a timeline from elsewhere.
        moves: records what is played.
    """

    def __init__(
        self,
        folder: Path,
        store: ParamStore,
        presets: PresetLibrary,
        transport: Transport,
        *,
        loaded: Callable[[Timeline], None] = lambda timeline: None,
        changed: Callable[[], None] = lambda: None,
        now_ns: Callable[[], int] = monotonic_ns,
    ) -> None:
        self.file = ""
        self._folder = TimelineFolder(folder)
        self._store, self._presets, self._transport = store, presets, transport
        self._loaded, self._changed = loaded, changed
        self._errands = Errands("timelines", self._look)
        self._mistake: dict[str, Any] | None = None
        self._unsaved: Timeline | None = None  # a recording that could not be written
        self.moves = MoveRecorder(store.names, Macros(presets), now_ns, self._full)
        self._forget = store.add_listener(self.moves.changed)

    @property
    def failures(self) -> int:
        """Internal errors that were survived."""
        return self._errands.failures

    @property
    def actions(self) -> dict[str, Callable[[tuple[Any, ...]], Future[None] | None]]:
        """The functions of its OSC addresses."""
        return {"timeline/load": self._load, "timeline/record": self._record, "timeline/save": self._save}

    def start(self) -> None:
        """Begin to look at the folder."""
        self._errands.start()

    def close(self) -> None:
        """End and save a recording, and stop. Idempotent."""
        self.moves.stop(self._store.latest())
        self._errands.close()
        self._forget()
        if self.moves.holds:
            with suppress(Sdv2Error):  # it is logged
                self._keep()

    def put(self, name: str) -> None:
        """Read a file of the folder and put it on the transport, stopped at its start.

        Raises:
            ParamError: the folder has no such file.
            ConfigError: with a line for each mistake in the file; what was loaded stays.
        """
        self._folder.look()
        path = self._folder.find(name)
        try:
            timeline = load_timeline(path, self._store.names, self._presets)
        except ConfigError as error:
            self._mistake = mistake_of(str(error).splitlines()[0])
            self._changed()
            raise
        for note in timeline.notes:
            log.warning("%s: %s", path, note)
        self._take(timeline, path.name)

    def listed(self) -> dict[str, Any]:
        """The files, and all of the loaded timeline that a surface shows."""
        timeline = self._transport.timeline
        return listing(timeline) | {
            "file": self.file,
            "name": timeline.name,
            "files": list(self._folder.files),
            "loop": self._transport.looping,
            "recording": self.moves.running,
            "unsaved": self._unsaved is not None,
            "mistake": self._mistake,
        }

    def _load(self, args: tuple[Any, ...]) -> Future[None]:
        if len(args) != 1 or not isinstance(args[0], str):
            raise ParamError("timeline/load takes the name of a file in timeline.dir")
        return self._errands.ask(f"load {args[0]}", lambda: self.put(args[0]))

    def _record(self, args: tuple[Any, ...]) -> Future[None] | None:
        if len(args) != 1 or not isinstance(args[0], bool | int | float):
            raise ParamError("timeline/record takes true or false")
        if not args[0]:
            return self._end() if self.moves.holds else None
        if not self.moves.running:
            if self.moves.holds:
                raise ParamError("the last recording is being saved; send this again in a second")
            if self._unsaved is not None:
                raise ParamError("the last recording is not saved yet; save it with timeline/save and a name, and record then")
            self.moves.begin(self._store.latest())
            log.info("what is played is recorded, until timeline/record false")
            self._changed()
        return None

    def _full(self) -> None:
        log.warning("the recording of what is played has grown as long as a timeline can be; it ends here and is saved")
        self._end()

    def _end(self) -> Future[None]:
        self.moves.stop(self._store.latest())
        return self._errands.ask("end the recording", self._keep)

    def _keep(self) -> None:
        """Save the recording under the present time, and load it if no other timeline plays. Raises ConfigError."""
        self._unsaved = timeline = self.moves.timeline(time.strftime("Recorded %Y-%m-%d %H:%M:%S"))
        self._folder.look()
        self._write(self._folder.dated(), timeline)

    def _save(self, args: tuple[Any, ...]) -> Future[None]:
        if len(args) != 1:
            raise ParamError("timeline/save takes a name")
        timeline = self._unsaved or self._transport.timeline
        if not timeline.events:
            raise ParamError("there is no timeline to save; load one, or record one with timeline/record")
        self._folder.new(args[0])  # a name that cannot be is refused at once
        return self._errands.ask(f"save {args[0]}", lambda: self._write(args[0], timeline))

    def _write(self, name: str, timeline: Timeline) -> None:
        self._folder.look()
        path = self._folder.new(name)
        try:
            self._folder.make()
            lost = write_timeline(path, timeline, self._store.names)
        except ConfigError as error:
            self._mistake = mistake_of(str(error))
            log.error("%s. What was recorded is kept; timeline/save writes it elsewhere or again", error)
            self._changed()
            raise
        if lost:
            log.warning("%s: %d things were not carried over, such as: %s", path, len(lost), lost[0])
        log.info("%s: %d events in %g s", path, len(timeline.events), timeline.duration)
        self._folder.look()
        if timeline is self._unsaved:
            self._unsaved = None
            if not self._transport.playing:
                self._take(timeline, path.name)
        elif timeline is self._transport.timeline and not lost:
            self.file = path.name
        self._mistake = None
        self._changed()

    def _take(self, timeline: Timeline, file: str) -> None:
        self._transport.load(timeline)
        self.file, self._mistake = file, None
        self._loaded(timeline)
        log.info("the timeline '%s' is loaded: %d events in %g s", timeline.name, len(timeline.events), timeline.duration)
        self._changed()

    def _look(self) -> None:
        if self._folder.look():
            self._changed()
