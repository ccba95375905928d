"""The live state on disk, written as it changes: after a crash of everything, a show continues from it.

One JSON file a show, replaced as a whole: a reader finds the state before a change or after it, never half of one.
"""

from __future__ import annotations

import json
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sdv2_live.control.coerce import read_params
from sdv2_live.control.names import TABLE, ParamNames
from sdv2_live.control.params import PARAMS, Params, Value, updated, value_of
from sdv2_live.control.store import ParamStore
from sdv2_live.control.timeline.transport import Transport
from sdv2_live.errors import ConfigError
from sdv2_live.show.tempo import TempoKeeper, TempoState
from sdv2_live.system.atomic import written_whole
from sdv2_live.system.files import portable
from sdv2_live.system.private import private_folder, private_text
from sdv2_live.threads import ended

log = logging.getLogger("sdv2_live.journal")

PERIOD_S = 0.1  # at most so much of the last changes is lost
LOOK_S = 1.0  # how often the timeline's transport, which has no listeners, is looked at
MAX_BYTES = 1 << 20
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Standing:
    """The position of a timeline.

    Attributes:
        position: in seconds, at the time of writing.
        written: Unix time of writing.
        applied: position up to which the timeline's events had been applied; None for `position`.
        name: name of the timeline; empty when unknown.
        digest: digest of the timeline; empty when unknown.
        file: name of its file in `timeline.dir`; empty for a timeline from elsewhere.
    """

    playing: bool
    position: float
    looping: bool
    written: float
    applied: float | None = None
    name: str = ""
    digest: str = ""
    file: str = ""


@dataclass(frozen=True, slots=True)
class LiveState:
    """The contents of a journal: parameter values, the last preset recalled, and the timeline's position if there was one.

    Attributes:
        prompts: those that were live, with their Unix times, the newest first.
        beat: the beat, which goes on where it would be.
    """

    values: Mapping[str, Value]
    timeline: Standing | None = None
    preset: str = ""
    prompts: tuple[tuple[float, str], ...] = ()
    beat: TempoState | None = None

    def start_params(self, params: Params) -> Params:
        """`params` with these values."""
        return updated(params, {**self.values, "preset": self.preset})

    def without(self, names: Collection[str]) -> LiveState:
        """The same state without the values of the parameters `names`, which have another origin."""
        return replace(self, values={name: value for name, value in self.values.items() if name not in names})

    def resume(self, transport: Transport) -> None:
        """Move the timeline to where it would be now without the interruption, and apply the events due in between.

        A timeline other than the journal's plays from its start.
        """
        standing = self.timeline
        if standing is None or (standing.digest and standing.digest != transport.timeline.digest):
            if standing is not None:
                log.info("the timeline '%s' is not '%s' of the journal: it begins", transport.timeline.name, standing.name)
            transport.play()
            return
        applied = standing.position if standing.applied is None else standing.applied
        transport.looping = standing.looping
        transport.hold(standing.position, applied)
        if standing.playing:
            transport.catch_up(max(time.time() - standing.written, 0.0))


def journal_path(folder: Path, show: str) -> Path:
    """The journal's path for the show whose output has this name; any name gives a plain file name."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", show).strip("-")[:60] or "show"
    return folder / f"{portable(plain)}.json"


def previous(path: Path) -> Path:
    """The path to which a journal moves when a new show begins under its name."""
    return path.with_suffix(".previous.json")


class Journal:
    """Writes the state of one store, on its own thread. It logs once that a disk cannot be written; the show goes on."""

    def __init__(
        self,
        path: Path,
        store: ParamStore,
        transport: Transport | None = None,
        file: Callable[[], str] = str,
        prompts: Callable[[], list[tuple[float, str]]] = list,
        tempo: TempoKeeper | None = None,
    ) -> None:
        """Make a journal that writes nothing yet.

        Args:
            path: of the file.
            store: its values are written.
            transport: its timeline's position is written.
            file: gives the timeline's name in `timeline.dir`.
            prompts: gives the history of prompts, the newest first.
            tempo: its beat is written.
        """
        self.path = path
        self.failures = 0
        self._store = store
        self._transport = transport
        self._file, self._prompts, self._tempo = file, prompts, tempo
        self._changed = threading.Event()
        self._stop = threading.Event()
        self._written = ""
        self._forget = store.add_listener(lambda _: self._changed.set())
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    def start(self) -> None:
        """Start with the present state. The previous show's journal stays beside it until the next start."""
        self._changed.set()
        self._thread.start()

    def close(self) -> None:
        """Write pending changes and stop. Idempotent."""
        self._stop.set()
        self._changed.set()
        ended(self._thread)
        self._forget()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._changed.wait(LOOK_S)
            self._changed.clear()
            self._write()
            self._stop.wait(PERIOD_S)
        self._write()

    def _write(self) -> None:
        # Before the values: an event between the two is applied once more, and not left out.
        moment = {"position": self._transport.position, "applied": self._transport.applied} if self._transport else {}
        state = self._state()
        mark = json.dumps([state, self._tempo.mark if self._tempo else None], default=list)
        if mark == self._written:
            return
        if state["timeline"] is not None:
            state["timeline"] |= moment | {"written": time.time()}
        if self._tempo is not None:
            state["beat"] = asdict(self._tempo.kept())
        try:
            private_folder(self.path.parent)
            with written_whole(self.path) as part:
                with private_text(part) as file:
                    json.dump(state, file, default=list, indent=1)
                    file.flush()
                    os.fsync(file.fileno())  # else a power cut may leave the new name with nothing in it
                if not self._written and self.path.exists():
                    self._keep_previous()  # only now: a disk that is full keeps what the show before left
        except OSError as error:
            if not self.failures:
                log.warning("%s: the live state cannot be written (%s); --resume will not find it", self.path, error.strerror)
            self.failures += 1
            return
        self._written = mark

    def _keep_previous(self) -> None:
        """Copy the previous journal. A rename would leave nothing under its name if the show were killed right after."""
        with written_whole(previous(self.path)) as part, private_text(part) as file:
            file.write(self.path.read_text(encoding="utf-8"))

    def _state(self) -> dict[str, Any]:
        params = self._store.settled()
        names = self._store.names
        values = {names.kept(name): names.kept_value(spec, value_of(params, spec)) for name, spec in PARAMS.items() if spec.kept}
        transport = self._transport
        where = None
        if transport is not None and transport.loaded:
            which = {"name": transport.timeline.name, "digest": transport.digest, "file": self._file()}
            where = {**which, "playing": transport.playing, "looping": transport.looping, "mark": transport.mark}
        rest = {"preset": params.preset, "timeline": where, "prompts": self._prompts()}
        return {"format": _FORMAT, "params": values, **rest}


def read_journal(path: Path, names: ParamNames = TABLE) -> LiveState:
    """The state that a show left. A value that can no longer be used is left out, with a warning.

    Raises:
        ConfigError: there is no journal, or it cannot be read.
    """
    try:
        with path.open(encoding="utf-8") as file:
            data = json.loads(file.read(MAX_BYTES))
        values, problems = read_params(data["params"], lambda name: f"{path}: {name}", names=names)
        where = data["timeline"]
        standing = None
        if where is not None:
            standing = Standing(
                bool(where["playing"]),
                float(where["position"]),
                bool(where["looping"]),
                float(where["written"]),
                float(where.get("applied", where["position"])),
                str(where.get("name", "")),
                str(where.get("digest", "")),
                str(where.get("file", "")),
            )
        prompts = tuple((float(at), str(text)) for at, text in data.get("prompts", []))
        beat = TempoState(**{key: float(data["beat"][key]) for key in ("beat", "bpm", "unix")}) if "beat" in data else None
    except FileNotFoundError:
        raise ConfigError(f"{path}: no show left its state there") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path}: holds no live state ({type(error).__name__}: {error})") from error
    for problem in problems:
        log.warning("%s", problem)
    return LiveState(values, standing, str(data.get("preset", "")), prompts, beat)
