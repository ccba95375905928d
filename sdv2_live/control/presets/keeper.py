"""The presets of a running show: reading and writing files does not delay OSC or the timeline."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future

from sdv2_live.control.errands import Errands
from sdv2_live.control.params import Params
from sdv2_live.control.presets.library import PresetLibrary
from sdv2_live.errors import ConfigError, ParamError

log = logging.getLogger("sdv2_live.presets")

_RELOAD = ""  # in place of a name, which is never empty


class PresetKeeper:
    """Reads edited preset files and carries out requests, on the thread of its errands.

    `changed` is called after the presets are read again, on that thread.
    """

    def __init__(self, library: PresetLibrary, changed: Callable[[], None] = lambda: None) -> None:
        self._library = library
        self._changed = changed
        self._errands = Errands("presets", self._look)
        self._lost = False  # the folder is, and that was said

    @property
    def failures(self) -> int:
        """Internal errors that were survived."""
        return self._errands.failures

    def start(self) -> None:
        """Begin to watch the files."""
        self._report()
        self._errands.start()

    def close(self) -> None:
        """Carry out the waiting requests and stop. Idempotent."""
        self._errands.close()

    def save(self, name: str, params: Params) -> Future[None]:
        """Save the look of `params`; the future ends when that is done. Raises ParamError when too many requests wait."""
        return self._errands.ask(str(name) or " ", lambda: self._save(name, params))

    def reload(self) -> Future[None]:
        """Read the files again; the future ends when that is done, in a ParamError when some are broken."""
        return self._errands.ask(_RELOAD, self._reload)

    def _save(self, name: str, params: Params) -> None:
        preset = self._library.save(name, params)
        log.info("preset %d '%s' saved to %s", preset.number, preset.name, preset.path)
        self._changed()

    def _reload(self) -> None:
        self._library.load()
        self._report()
        self._changed()
        if self._library.problems:
            raise ParamError("; ".join(self._library.problems))

    def _look(self) -> None:
        """Read edited presets. The loss of their folder is reported once."""
        try:
            if self._library.poll():
                log.info("presets read again: %d usable", len(self._library.presets))
                self._report()
                self._changed()
            self._lost = False
        except ConfigError as error:
            if not self._lost:
                log.warning("%s", error)
            self._lost = True

    def _report(self) -> None:
        for problem in self._library.problems:
            log.warning("%s", problem)
