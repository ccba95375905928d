"""A stand-in for the part of TouchDesigner that the script uses.

Names and behaviours are those of Derivative's documentation (COMP, OP, Par, Page, Connector, oscoutDAT and oscinDAT classes; the
pages of each operator; Custom Parameters). What is not named there is refused, so that a misspelling fails here as it would
there. As in TouchDesigner, callbacks of parameters run once a frame and not at the assignment, and OSC travels by UDP.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.osc_packet import OscPacket

BUILT_IN = {
    "baseCOMP": "",
    "textDAT": "file syncfile",
    "parameterexecuteDAT": "active executeloc fromop op pars valuechange valueschanged onpulse expressionchange exportchange "
    "enablechange modechange custom builtin",
    "executeDAT": "active executeloc fromop start create exit framestart frameend playstatechange devicechange projectpresave "
    "projectpostsave",
    "inTOP": "label",
    "outTOP": "label",
    "inCHOP": "label",
    "outCHOP": "label",
    "ndioutTOP": "active name failovername fps lowperformancebehavior outputpixelformat includealpha grouptable audiochop "
    "metadata",
    "ndiinTOP": "active name extraips bandwidth hwdecode inputpixelformat grouptable audiobuflen",
    "oscoutDAT": "active protocol address port localaddress shared typetag clamp maxlines clear bytes",
    "oscinDAT": "active protocol address port localaddress shared addscope typetag splitbundle splitmessage bundletimestamp "
    "callbacks executeloc fromop clamp maxlines clear bytes",
    "oscoutCHOP": "active protocol netaddress port localaddress",
    "oscinCHOP": "active protocol netaddress port localaddress",
}
LIMITS = ("min", "max", "clampMin", "clampMax", "normMin", "normMax")
PAR_ATTRIBUTES = frozenset((*LIMITS, "val", "expr", "default", "menuNames", "menuLabels", "readOnly", "help", "enable", "label"))
STYLES = frozenset(("Float", "Int", "Toggle", "Menu", "Str", "StrMenu", "Pulse", "Momentary", "File", "Folder", "Header"))
CUSTOM_NAME = re.compile(r"[A-Z][a-z0-9]*")


class TdError(Exception):
    """What TouchDesigner calls tdError."""


class Par:
    """One parameter. Assigning what the documentation does not name is an error."""

    def __init__(self, owner: OP, name: str, style: str, page: Page | None = None, label: str = "") -> None:
        content = {"owner": owner, "name": name, "style": style, "page": page, "label": label or name, "val": "", "expr": ""}
        limits = {"min": 0, "max": 1, "clampMin": False, "clampMax": False, "normMin": 0, "normMax": 1}
        content |= limits | {"menuNames": [], "menuLabels": [], "default": "", "readOnly": False, "help": "", "enable": True}
        content |= {"val": {"Float": 0.0, "Int": 0, "Toggle": 0}.get(style, "")}
        self.__dict__.update(content)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in PAR_ATTRIBUTES:
            raise AttributeError(f"a parameter has no {name}")
        if name == "val":
            value = self._read(value)
            if value != self.__dict__["val"]:
                self.owner.world.moved.setdefault((self.owner, self.name), self.__dict__["val"])
        self.__dict__[name] = value

    def _read(self, value: Any) -> Any:
        match self.style:
            case "Float" | "Int":
                number = float(value) if self.style == "Float" else int(value)
                number = max(number, self.min) if self.clampMin else number
                return min(number, self.max) if self.clampMax else number
            case "Toggle":
                return int(bool(value))
            case "Menu":
                if value not in self.menuNames:
                    raise TdError(f"{self.name} has no menu item {value!r}")
                return value
        return value

    def eval(self) -> Any:
        """The value, or what the expression gives."""
        if not self.expr:
            return self.val
        value = eval(self.expr, self.owner.names())
        return value.eval() if isinstance(value, Par) else value

    def pulse(self) -> None:
        """A click."""
        assert self.style == "Pulse"
        self.owner.world.pulsed.append((self.owner, self.name))

    @property
    def isPulse(self) -> bool:  # noqa: N802
        return bool(self.style == "Pulse")

    def __add__(self, other: Any) -> Any:
        return self.eval() + other

    def __str__(self) -> str:
        return str(self.eval())

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"a parameter has no {name}")


class Page:
    """A page of custom parameters. Each method that appends gives the group it made, here always of one."""

    def __init__(self, owner: OP, name: str) -> None:
        self.owner, self.name = owner, name

    def __getattr__(self, method: str) -> Callable[..., tuple[Par]]:
        style = method.removeprefix("append")
        if style not in STYLES or not method.startswith("append"):
            raise AttributeError(f"a page has no {method}")

        def append(name: str, label: str | None = None, order: float | None = None, replace: bool = True) -> tuple[Par]:
            if not CUSTOM_NAME.fullmatch(name):
                raise TdError(f"{name!r} is no name of a custom parameter: a capital letter, then lower-case letters and digits")
            par = self.owner.pars[name] = Par(self.owner, name, style, self, label or name)
            return (par,)

        return append


class Pars:
    """`op.par`: by attribute or by item; assigning sets the value."""

    def __init__(self, owner: OP) -> None:
        self.__dict__["owner"] = owner

    def __getattr__(self, name: str) -> Par:
        try:
            return self.owner.pars[name]
        except KeyError:
            raise AttributeError(f"{self.owner.kind} has no parameter {name}") from None

    __getitem__ = __getattr__

    def __setattr__(self, name: str, value: Any) -> None:
        getattr(self, name).val = value


class OP:
    """An operator: a component, a DAT, a TOP or a CHOP."""

    def __init__(self, world: World, kind: str, name: str, above: OP | None) -> None:
        self.world, self.kind, self.name, self.above = world, kind, name, above
        self.children: dict[str, OP] = {}
        self.pars: dict[str, Par] = {par: Par(self, par, "Any") for par in BUILT_IN[kind].split()}
        self.par = Pars(self)
        self.nodeX = self.nodeY = 0
        self.text = ""
        self.inputs: list[OP] = []
        self.outputConnectors = [SimpleNamespace(connect=lambda target: target.inputs.append(self))]
        self.socket: socket.socket | None = None
        self.channels: dict[str, float] = {}
        self._module: tuple[str, SimpleNamespace] | None = None

    @property
    def path(self) -> str:
        return f"{self.above.path.rstrip('/')}/{self.name}" if self.above else "/"

    def create(self, kind: str, name: str) -> OP:
        """A new operator inside this component."""
        if not self.kind.endswith("COMP") or name in self.children:
            raise TdError(f"{name} cannot be created in {self.path}")
        self.children[name] = OP(self.world, kind, name, self)
        return self.children[name]

    def op(self, path: str) -> OP | None:
        """An operator inside this component, None when there is none."""
        return self.children.get(path)

    def destroy(self) -> None:
        """Delete this operator and what is inside."""
        for inside in list(self.children.values()):
            inside.destroy()
        if self.socket is not None:
            self.socket.close()
        assert self.above is not None
        del self.above.children[self.name]

    def appendCustomPage(self, name: str) -> Page:  # noqa: N802
        return Page(self, name)

    @property
    def customPars(self) -> list[Par]:  # noqa: N802
        return [par for par in self.pars.values() if par.page is not None]

    @property
    def module(self) -> SimpleNamespace:
        """The DAT's text as a module; run again when the text has changed."""
        if self._module is None or self._module[0] != self.text:
            names = self.names()
            exec(self.text, names)
            self._module = (self.text, SimpleNamespace(**names))
        return self._module[1]

    def sendOSC(  # noqa: N802
        self, *messages: Any, asBundle: bool = True, useNonStandardTypes: bool = True, use64BitPrecision: bool = False
    ) -> int:
        """Addresses, each followed by its list of values."""
        assert self.kind == "oscoutDAT"
        assert len(messages) % 2 == 0
        bundle = OscBundleBuilder(IMMEDIATELY)
        for address, values in zip(messages[::2], messages[1::2], strict=True):
            builder = OscMessageBuilder(address)
            for value in values:
                builder.add_arg(value, {bool: "T" if value else "F", int: "i", float: "f", str: "s"}[type(value)])
            bundle.add_content(builder.build())
        if self.par.active.eval():
            data = bundle.build().dgram
            self.world.sent.append(data)
            self.bound(0).sendto(data, (str(self.par.address), int(self.par.port.eval())))
        return 1

    def bound(self, port: int) -> socket.socket:
        """The operator's UDP socket."""
        if self.socket is None:
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.bind(("127.0.0.1", port))
            self.socket.setblocking(False)
        return self.socket

    def names(self) -> dict[str, Any]:
        """What code that belongs to this operator can use without importing it."""
        assert self.above is not None
        above = self.above
        return self.world.names() | {"me": self, "op": above.op, "parent": lambda: above}


class World:
    """One TouchDesigner process, advanced frame by frame."""

    def __init__(self) -> None:
        self.moved: dict[tuple[OP, str], Any] = {}
        self.pulsed: list[tuple[OP, str]] = []
        self.sent: list[bytes] = []
        self.delayed: list[tuple[int, str, tuple[Any, ...]]] = []
        self.root = OP(self, "baseCOMP", "", None)
        self.project = self.root.create("baseCOMP", "project1")

    def names(self) -> dict[str, Any]:
        return {kind: kind for kind in BUILT_IN} | {"run": self.run}

    def run(self, script: str, *args: Any, delayFrames: int = 0) -> None:
        """Run a line of Python some frames from now."""
        self.delayed.append((delayFrames, script, args))

    def run_script(self, text: str) -> OP:
        """Paste `text` into a Text DAT and choose Run Script; gives the DAT's component."""
        dat = self.project.op("script") or self.project.create("textDAT", "script")
        dat.text = text
        exec(text, dat.names())
        return self.project

    def frame(self) -> None:
        """What TouchDesigner does in a frame: scripts that are due, messages that came, callbacks of what changed."""
        due = [(script, args) for left, script, args in self.delayed if left == 0]
        self.delayed = [(left - 1, script, args) for left, script, args in self.delayed if left > 0]
        for script, args in due:
            exec(script, self.names() | {"args": args})
        for operator in list(self.every(self.root)):
            if operator.kind in ("oscinDAT", "oscinCHOP") and operator.par.active.eval():
                self._receive(operator)
        moved, self.moved = self.moved, {}
        pulsed, self.pulsed = self.pulsed, []
        for watcher in [one for one in self.every(self.root) if one.kind == "parameterexecuteDAT" and one.par.active.eval()]:
            for (owner, name), before in moved.items():
                wanted = watcher.par.op.eval() is owner and watcher.par.custom.eval() and watcher.par.valuechange.eval()
                if wanted and owner.pars[name].val != before:
                    watcher.module.onValueChange(owner.pars[name], before)
            for owner, name in pulsed:
                if watcher.par.op.eval() is owner and watcher.par.onpulse.eval():
                    watcher.module.onPulse(owner.pars[name])

    def start_project(self) -> None:
        """Open the saved project anew."""
        for operator in list(self.every(self.root)):
            if operator.kind == "executeDAT" and operator.par.active.eval() and operator.par.start.eval():
                operator.module.onStart()

    def _receive(self, operator: OP) -> None:
        receiver = operator.bound(int(operator.par.port.eval()))
        while True:
            try:
                data, peer = receiver.recvfrom(65536)
            except BlockingIOError:
                return
            for timed in OscPacket(data).messages:
                address, args = timed.message.address, list(timed.message.params)
                if operator.kind == "oscinCHOP":
                    operator.channels |= {address[1:]: arg for arg in args if isinstance(arg, int | float)}
                else:
                    assert operator.above is not None
                    callbacks = operator.above.op(operator.par.callbacks.eval())
                    assert callbacks is not None
                    callbacks.module.onReceiveOSC(operator, 0, address, data, 0.0, address, args, peer)

    def every(self, operator: OP) -> Iterator[OP]:
        """All operators."""
        yield operator
        for inside in operator.children.values():
            yield from self.every(inside)

    def close(self) -> None:
        """Give the ports back."""
        for operator in list(self.every(self.root)):
            if operator.socket is not None:
                operator.socket.close()
