"""A timeline's buttons, as the functions of the OSC addresses `/sdv2/timeline/...`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sdv2_live.control.launcher import Launcher
from sdv2_live.control.timeline.transport import Transport
from sdv2_live.errors import ParamError

QUANTISED = ("timeline/play", "timeline/next", "timeline/seek")  # those that wait for the beat
Action = Callable[[tuple[Any, ...]], None]


def transport_actions(transport: Transport, launcher: Launcher) -> dict[str, Action]:
    """The buttons of a transport, by their names.

    play, next and seek wait for the beat as the launcher says; stop acts at once, and takes back a play that waits.
    """
    buttons = _Buttons(transport, launcher)
    actions = {"play": buttons.play, "stop": buttons.stop, "seek": buttons.seek, "next": buttons.next, "loop": buttons.loop}
    return {f"timeline/{name}": buttons.where_there_is_one(act) for name, act in actions.items()}


class _Buttons:
    """A button's release (a single 0) does nothing."""

    def __init__(self, transport: Transport, launcher: Launcher) -> None:
        self._transport, self._launcher = transport, launcher

    def where_there_is_one(self, act: Action) -> Action:
        """The same, refused where no timeline is loaded."""

        def acts(args: tuple[Any, ...]) -> None:
            if not self._transport.loaded:
                raise ParamError("no timeline is loaded; load one of timeline.dir, or start with --timeline FILE")
            act(args)

        return acts

    def play(self, args: tuple[Any, ...]) -> None:
        if _pressed(args) and not self._transport.playing:
            self._launcher.act("timeline/play", True, lambda on_beat: self._transport.play(on_beat=on_beat))

    def stop(self, args: tuple[Any, ...]) -> None:
        if _pressed(args):
            self._launcher.take_back("timeline/play")
            self._transport.stop()

    def next(self, args: tuple[Any, ...]) -> None:
        if _pressed(args):
            self._launcher.act("timeline/next", True, lambda on_beat: self._transport.next(on_beat=on_beat))

    def seek(self, args: tuple[Any, ...]) -> None:
        if len(args) != 1:
            raise ParamError("timeline/seek takes seconds, or a marker's name")
        target = args[0]
        self._transport.check(target)
        self._launcher.act("timeline/seek", target, lambda on_beat: self._transport.seek(target, on_beat=on_beat))

    def loop(self, args: tuple[Any, ...]) -> None:
        if len(args) != 1 or not isinstance(args[0], bool | int | float):
            raise ParamError("timeline/loop takes true or false")
        self._transport.looping = bool(args[0])


def _pressed(args: tuple[Any, ...]) -> bool:
    return not args or bool(args[0])
