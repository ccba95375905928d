"""The presets of a running show, on a thread of their own: reading and writing files does not delay OSC or the timeline."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future

from sdv2_live.control.params import Params
from sdv2_live.control.presets.library import PresetLibrary
from sdv2_live.errors import ConfigError, ParamError, Sdv2Error
from sdv2_live.threads import ended

log = logging.getLogger("sdv2_live.presets")

SPACING_S = 0.5  # from one piece of work to the next
LOOK_S = 0.5  # without requests: until the files are looked at again
MAX_WAITING = 8  # requests; the same one twice counts once

_RELOAD = ""  # in place of a name, which is never empty


class PresetKeeper:
    """Reads edited preset files and carries out requests, at most one in SPACING_S.

    `changed` is called after the presets are read again, on the keeper's thread.
    """

    def __init__(self, library: PresetLibrary, changed: Callable[[], None] = lambda: None) -> None:
        self._library = library
        self._changed = changed
        self._waiting: dict[str, tuple[Callable[[], None], Future[None]]] = {}
        self._lock = threading.Lock()
        self._asked = threading.Event()
        self._stop = threading.Event()
        self._lost = False  # the folder is, and that was said
        self._thread = threading.Thread(target=self._run, name="presets", daemon=True)
        self.failures = 0

    def start(self) -> None:
        """Begin to watch the files."""
        self._report()
        self._thread.start()

    def close(self) -> None:
        """Carry out the waiting requests and stop. Idempotent."""
        self._stop.set()
        self._asked.set()
        ended(self._thread)

    def save(self, name: str, params: Params) -> Future[None]:
        """Save the look of `params`; the future ends when that is done. Raises ParamError when too many requests wait."""
        return self._ask(str(name) or " ", lambda: self._save(name, params))

    def reload(self) -> Future[None]:
        """Read the files again; the future ends when that is done, in a ParamError when some are broken."""
        return self._ask(_RELOAD, self._reload)

    def _ask(self, key: str, act: Callable[[], None]) -> Future[None]:
        with self._lock:
            if key not in self._waiting:
                if len(self._waiting) >= MAX_WAITING:
                    raise ParamError(f"{MAX_WAITING} presets wait to be saved already; send this one again in a few seconds")
                self._waiting[key] = act, Future()
            asked = self._waiting[key][1]
        self._asked.set()
        return asked

    def _run(self) -> None:
        while not self._stop.is_set():
            asked = self._asked.wait(LOOK_S)
            self._carry_out() if asked else self._look()
            self._stop.wait(SPACING_S)
        while self._waiting:
            self._carry_out()

    def _carry_out(self) -> None:
        with self._lock:
            key = next(iter(self._waiting), None)
            act, asked = self._waiting.pop(key) if key is not None else (None, None)
            if not self._waiting:
                self._asked.clear()
        if act is None or asked is None:
            return
        try:
            act()
        except Sdv2Error as error:
            asked.set_exception(error)
        except Exception as error:  # the thread's top: whoever asked is told
            self.failures += 1
            log.exception("the presets stumbled; what was read stays")
            asked.set_exception(ParamError(f"this could not be done, by a mistake of the program ({type(error).__name__})"))
        else:
            asked.set_result(None)

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
        except Exception:  # the thread's top: the next look tries again
            self.failures += 1
            log.exception("the presets stumbled; what was read stays")

    def _report(self) -> None:
        for problem in self._library.problems:
            log.warning("%s", problem)
