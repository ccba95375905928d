"""Requests that take their time (files, other machines), on a thread of their own: they delay neither OSC nor the timeline."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future

from sdv2_live.errors import ParamError, Sdv2Error
from sdv2_live.threads import ended

log = logging.getLogger("sdv2_live.control")

SPACING_S = 0.5  # from one piece of work to the next
LOOK_S = 0.5  # without requests: until the thread looks around
MAX_WAITING = 8  # requests; the same one twice counts once


def _nothing() -> None: ...


class Errands:
    """Carries out requests one after the other, at most one in SPACING_S.

    Args:
        name: of the thread.
        look: called whenever nothing was asked for LOOK_S.
    """

    def __init__(self, name: str, look: Callable[[], None] = _nothing) -> None:
        self.failures = 0  # internal errors that the thread has survived
        self._name = name
        self._look = look
        self._waiting: dict[str, tuple[Callable[[], None], Future[None]]] = {}
        self._lock = threading.Lock()
        self._asked = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start to carry out requests, those that wait already first."""
        self._thread.start()

    def close(self) -> None:
        """Carry out the waiting requests and stop. Idempotent."""
        self._stop.set()
        self._asked.set()
        ended(self._thread)

    def ask(self, key: str, act: Callable[[], None]) -> Future[None]:
        """Have `act` called; the future ends when that is done, with its error.

        Args:
            key: names the request. While one of the same key waits, no second one is added.
            act: raises Sdv2Error when it cannot be done.

        Raises:
            ParamError: too many requests wait.
        """
        with self._lock:
            if key not in self._waiting:
                if len(self._waiting) >= MAX_WAITING:
                    raise ParamError(f"{MAX_WAITING} requests for {self._name} wait already; send this again in a few seconds")
                self._waiting[key] = act, Future()
            asked = self._waiting[key][1]
        self._asked.set()
        return asked

    def _run(self) -> None:
        while not self._stop.is_set():
            asked = self._asked.wait(LOOK_S)
            self._carry_out() if asked else self._look_around()
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
            log.exception("the thread '%s' stumbled; what it had stays", self._name)
            asked.set_exception(ParamError(f"this could not be done, by a mistake of the program ({type(error).__name__})"))
        else:
            asked.set_result(None)

    def _look_around(self) -> None:
        try:
            self._look()
        except Exception:  # the thread's top: the next look tries again
            self.failures += 1
            log.exception("the thread '%s' stumbled; what it had stays", self._name)
