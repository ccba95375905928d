"""The presets of a running show: reading and writing files does not delay OSC or the timeline."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from sdv2_live.control.errands import Errands
from sdv2_live.control.params import Params
from sdv2_live.control.presets.library import Preset, PresetLibrary
from sdv2_live.control.presets.pictures import Pictures, write_picture
from sdv2_live.errors import ConfigError, ParamError

log = logging.getLogger("sdv2_live.presets")

_RELOAD = "reload"


Snap = Callable[[], Callable[[], bytes] | None]  # takes the picture of this moment; what it returns makes a JPEG of it


class PresetKeeper:
    """Reads edited preset files and carries out requests, on the thread of its errands.

    Args:
        library: the presets.
        changed: called after presets or pictures are read again, on that thread.
        snap: takes the output's picture; None as long as there is none.
        painter: gives the name of the model that paints.

    Attributes:
        pictures: those of the presets.
    """

    def __init__(
        self,
        library: PresetLibrary,
        changed: Callable[[], None] = lambda: None,
        snap: Snap = lambda: None,
        painter: Callable[[], str] = str,
    ) -> None:
        self._library = library
        self._changed = changed
        self._snap, self._painter = snap, painter
        self._errands = Errands("presets", self._look)
        self._lost = False  # the folder is, and that was said
        self.pictures = Pictures()
        self._see()

    @property
    def failures(self) -> int:
        """Internal errors that were survived."""
        return self._errands.failures

    def actions(self, latest: Callable[[], Params]) -> dict[str, Callable[[tuple[Any, ...]], Future[None]]]:
        """The functions of its OSC addresses. `latest` gives the values to save."""

        def named(name: str, act: Callable[[Any], Future[None]]) -> Callable[[tuple[Any, ...]], Future[None]]:
            def acts(args: tuple[Any, ...]) -> Future[None]:
                if len(args) != 1:
                    raise ParamError(f"{name} takes a name")
                return act(args[0])

            return acts

        return {
            "preset/save": named("preset/save", lambda name: self.save(name, latest())),
            "preset/replace": named("preset/replace", lambda name: self.save(name, latest(), replacing=True)),
            "preset/picture": named("preset/picture", self.picture),
            "preset/reload": lambda args: self.reload(),
        }

    def start(self) -> None:
        """Begin to watch the files."""
        self._report()
        self._errands.start()

    def close(self) -> None:
        """Carry out the waiting requests and stop. Idempotent."""
        self._errands.close()

    def save(self, name: str, params: Params, *, replacing: bool = False) -> Future[None]:
        """Save the look of `params`, with a picture; the future ends when that is done.

        Args:
            name: of a new preset; with `replacing`, also of one whose place it takes.
            params: the values.
            replacing: there may be one of that name.

        Raises:
            ParamError: too many requests wait.
        """
        picture = self._snap()
        return self._errands.ask(f"{replacing} {name}", lambda: self._save(name, params, picture, replacing))

    def picture(self, name: str) -> Future[None]:
        """Take the picture of a preset anew. Raises ParamError when there is none of that name, or no picture yet."""
        self._library.get(name)
        if not self._library.writable:
            raise ParamError("the shipped presets are not written to; set presets.dir to a folder of your own")
        picture = self._snap()
        if picture is None:
            raise ParamError("there is no picture yet; try again when something is painted")
        return self._errands.ask(f"picture {name}", lambda: self._keep_picture(self._library.get(name), picture))

    def reload(self) -> Future[None]:
        """Read the files again; the future ends when that is done, in a ParamError when some are broken."""
        return self._errands.ask(_RELOAD, self._reload)

    def _save(self, name: str, params: Params, picture: Callable[[], bytes] | None, replacing: bool) -> None:
        preset = self._library.save(name, params, force=replacing)
        log.info("preset %d '%s' saved to %s", preset.number, preset.name, preset.path)
        try:
            if picture is not None:
                self._keep_picture(preset, picture)
        except ConfigError as error:
            raise ConfigError(f"the preset is saved, but not its picture: {error}") from error
        finally:
            self._changed()

    def _keep_picture(self, preset: Preset, picture: Callable[[], bytes]) -> None:
        write_picture(preset.path, picture(), self._painter())
        self._see()
        self._changed()

    def _see(self) -> bool:
        return self.pictures.look(entry.path for entry in self._library.entries)

    def _reload(self) -> None:
        self._library.load()
        self._report()
        self._see()
        self._changed()
        if self._library.problems:
            raise ParamError("; ".join(self._library.problems))

    def _look(self) -> None:
        """Read edited presets. The loss of their folder is reported once."""
        try:
            read = self._library.poll()
            if read:
                log.info("presets read again: %d usable", len(self._library.presets))
                self._report()
            if self._see() or read:
                self._changed()
            self._lost = False
        except ConfigError as error:
            if not self._lost:
                log.warning("%s", error)
            self._lost = True

    def _report(self) -> None:
        for problem in self._library.problems:
            log.warning("%s", problem)
