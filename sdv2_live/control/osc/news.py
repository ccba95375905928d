"""The news of a show: changed values, the chunks that applied them, and its status.

    /sdv2/<param> value...           every value that is applied
    /sdv2/applied/<param> chunk      the chunk that first used the newest value
    /sdv2/status/<name> number       numbers only, as OSC In CHOPs take them
    /sdv2/info/<name> text           status in words
    /sdv2/tempo/beat number          at every beat
    /sdv2/mod/value/<param> value    what modulation makes of a value, to those who ask for it
    /sdv2/meters number...           how loud the sound is, to those who ask for it
    /sdv2/pending/<param> value...   what waits for the beat from now on; without a value: it waits no more

All but beats and what is pending wait for each listener in an `Outbox`, which every address leaves at most RATE times a second;
the last value always does.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Any, Protocol

from sdv2_live.control.loop import ControlLoop
from sdv2_live.control.osc.addresses import ROOT
from sdv2_live.control.params import PARAMS, Value, value_of
from sdv2_live.control.store import Applied, Change, ParamStore

BEAT = ROOT + "tempo/beat"
PENDING = ROOT + "pending/"
LEAD = ROOT + "tempo/lead"  # the tempo that the source's session shall have, where it may be led
MOVED = ROOT + "mod/value/"
METERS = ROOT + "meters"
RATE = 30.0  # times a second that an address is sent
STATUS_PERIOD_S = 0.5
MOVED_PERIOD_S = 0.1
METERS_PERIOD_S = 0.04

Args = tuple[Any, ...]
Moving = Callable[[], Mapping[str, Value]]  # the effective values of what moves, by parameter
Status = Callable[[], Mapping[str, float | str]]  # numbers and words, by name
Levels = Callable[[], tuple[float, ...]]  # of the sound's meters


class Asked(StrEnum):
    """What is told only to those who ask for it, by the action that asks."""

    MOVES = "mod/listen"
    METERS = "audio/listen"


class Outbox:
    """The waiting messages of one listener.

    Each address waits once: with its newest arguments, or for the parameter's value at the time of sending.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, Args | None] = {}  # None: the value by then

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, address: str) -> bool:
        return address in self._waiting

    def put(self, address: str, args: Args | None = None) -> None:
        """Queue an address with these arguments; without any, the parameter's value is taken when it is sent."""
        self._waiting[address] = args

    def take(self) -> tuple[str, Args | None]:
        """Remove and return the oldest message. Raises StopIteration when nothing waits."""
        address = next(iter(self._waiting))
        return address, self._waiting.pop(address)


class Listener(Protocol):
    """Passes news on to its own listeners. All members but `listening` belong to the loop."""

    @property
    def listening(self) -> bool:
        """True when it has a listener."""

    def changed(self, values: Mapping[str, Value], origin: str) -> None:
        """Pass on new values of parameters, and fired triggers, caused by `origin`."""

    def told(self, messages: Mapping[str, Args]) -> None:
        """Pass on messages, by address, that are no values of parameters."""

    def asked(self, what: Asked, messages: Mapping[str, Args]) -> None:
        """Pass on messages, by address, to those who have asked for them."""

    def told_at_once(self, address: str, args: Args) -> None:
        """Pass on a message whose moment matters, before all that waits."""


class News:
    """Collects events of other threads and hands them to the listeners on the loop, all pending ones at once."""

    def __init__(
        self, store: ParamStore, loop: ControlLoop, status: Status | None, moving: Moving = dict, levels: Levels = tuple
    ) -> None:
        self._store, self._loop, self._status = store, loop, status
        self.moving, self.levels = moving, levels
        self._moved: Mapping[str, Value] = {}  # as it was told last
        self._metered: tuple[float, ...] = ()  # the same
        self.listeners: list[Listener] = []
        self.status: dict[str, Args] = {}  # as it was told last, by address; empty while nobody listens
        self._changes: dict[str, dict[str, Value]] = {}  # since the listeners were told, by origin
        self._lock = threading.Lock()

    def now(self) -> Mapping[str, float | str]:
        """The current status: numbers and words by name."""
        return self._status() if self._status is not None else {}

    @asynccontextmanager
    async def told(self) -> AsyncIterator[None]:
        """Inform the listeners while the context lasts."""
        removals = [self._store.add_listener(self._changed), self._store.add_applied_listener(self._applied)]
        self._due: asyncio.Handle = asyncio.get_running_loop().call_soon(self._tell_status)
        self._moved_due: asyncio.Handle = asyncio.get_running_loop().call_soon(self._tell_moved)
        self._meters_due: asyncio.Handle = asyncio.get_running_loop().call_soon(self._tell_meters)
        try:
            yield
        finally:
            for due in (self._due, self._moved_due, self._meters_due):
                due.cancel()
            for remove in removals:
                remove()

    def tell_at_once(self, address: str, *args: Any) -> None:
        """Tell something whose moment matters, such as a beat; any thread, never blocks."""
        if self._listening:
            self._loop.call(self._tell_now, address, args)

    def _tell_now(self, address: str, args: Args) -> None:
        for listener in self.listeners:
            listener.told_at_once(address, args)

    def _changed(self, change: Change) -> None:
        """Collect a change of the store; any thread."""
        if not self._listening:
            return
        with self._lock:
            first = not self._changes
            self._changes.setdefault(change.origin, {}).update(change.values)
        if first:
            self._loop.call(self._tell_changes)

    def _tell_changes(self) -> None:
        with self._lock:
            changes, self._changes = self._changes, {}
        for origin, values in changes.items():
            for listener in self.listeners:
                listener.changed(values, origin)

    def _applied(self, applied: Applied) -> None:
        """Pass on an event of the store; the engine's thread."""
        if self._listening:
            spoken = (name for changed in sorted(applied.names) for name in self._store.names.told(changed))
            self._loop.call(self._tell, {f"{ROOT}applied/{name}": (applied.chunk,) for name in spoken})

    def _tell_status(self) -> None:
        self._due = asyncio.get_running_loop().call_later(STATUS_PERIOD_S, self._tell_status)
        if not self._listening:
            self.status = {}
            return
        kinds = {True: "info", False: "status"}
        now = {f"{ROOT}{kinds[isinstance(value, str)]}/{name}": (value,) for name, value in self.now().items()}
        news = {address: args for address, args in now.items() if self.status.get(address) != args}
        self.status = now
        self._tell(news)

    def _tell_moved(self) -> None:
        """Tell effective values that have changed; of what stands still again, its own."""
        self._moved_due = asyncio.get_running_loop().call_later(MOVED_PERIOD_S, self._tell_moved)
        now, params = (self.moving() if self._listening else {}), self._store.latest()
        ended = {name: value_of(params, PARAMS[name]) for name in self._moved.keys() - now.keys()}
        news = {name: value for name, value in {**now, **ended}.items() if self._moved.get(name) != value}
        self._moved = now
        if news:
            spoken = {MOVED + told: args_of(value) for name, value in news.items() for told in self._store.names.told(name)}
            self._tell_asked(Asked.MOVES, spoken)

    def _tell_meters(self) -> None:
        self._meters_due = asyncio.get_running_loop().call_later(METERS_PERIOD_S, self._tell_meters)
        levels = self.levels() if self._listening else ()
        if levels != self._metered:
            self._metered = levels
            self._tell_asked(Asked.METERS, {METERS: levels})

    def _tell_asked(self, what: Asked, messages: Mapping[str, Args]) -> None:
        for listener in self.listeners:
            listener.asked(what, messages)

    def _tell(self, messages: Mapping[str, Args]) -> None:
        for listener in self.listeners:
            listener.told(messages)

    @property
    def _listening(self) -> bool:
        return any(listener.listening for listener in self.listeners)


def args_of(value: Value) -> Args:
    """An effective value as one argument: `steps`, whose length varies, as text such as "700,500"."""
    return (",".join(map(str, value)),) if isinstance(value, tuple) else (value,)
