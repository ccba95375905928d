"""A stand-in for the package SpoutGL 0.1.1 (Windows only), for the tests: senders and receivers of one process.

Names, argument order and checks are those of the binding's own source (Python-SpoutGL, src/PySpoutGL.cpp) and of the names
in its Windows module; there are no type stubs. It behaves as the Spout SDK is described to: after a connection or a change
of size a receive succeeds and copies nothing until isUpdated() was asked, the first picture after that is black, a sender
that is gone makes a receive fail. Whatever the binding does not have, it does not have; a call on another thread than the
object's own is refused, as an OpenGL context would refuse it. Arguments are positional only, as pybind11 makes them here.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace

import numpy as np

GL_RGBA, GL_RGB, GL_BGR_EXT, GL_BGRA_EXT = 0x1908, 0x1907, 0x80E0, 0x80E1
ORDERS = {GL_RGBA: (0, 1, 2, 3), GL_BGRA_EXT: (2, 1, 0, 3), GL_RGB: (0, 1, 2), GL_BGR_EXT: (2, 1, 0)}
FORMAT_RGBA = 28  # DXGI_FORMAT_R8G8B8A8_UNORM


@dataclass
class Shared:
    """What a sender has put up: RGBA (height, width, 4), and how many pictures so far."""

    pixels: np.ndarray
    frame: int = 0


class Machine:
    """The senders of one machine. `broken`: no sender can share (no graphics). `counted`: senders count their frames."""

    def __init__(self) -> None:
        self.senders: dict[str, Shared] = {}
        self.active: str | None = None
        self.broken = False
        self.counted = True


class _Object:
    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._thread = threading.get_ident()

    def _check(self) -> None:
        if threading.get_ident() != self._thread:
            raise AssertionError("a Spout object was used on another thread than the one that made it")

    def getActiveSender(self, /) -> str | None:  # noqa: N802
        self._check()
        return self._machine.active

    def getSenderInfo(self, name: str, /) -> SimpleNamespace | None:  # noqa: N802
        self._check()
        shared = self._machine.senders.get(name)
        return SimpleNamespace(width=shared.pixels.shape[1], height=shared.pixels.shape[0]) if shared else None


def _checked_size(buffer: object, height: int, width: int, gl_format: int) -> memoryview:
    if gl_format not in ORDERS:
        raise ValueError("Unknown GL format")
    view = memoryview(buffer)  # type: ignore[arg-type]
    if view.nbytes < width * height * len(ORDERS[gl_format]):
        raise BufferError("Buffer not large enough")
    if not view.c_contiguous:
        raise BufferError("Buffer must be contiguous")
    return view


class SpoutSender(_Object):
    def setSenderName(self, name: str, /) -> None:  # noqa: N802
        self._check()
        self._name = name

    def sendImage(self, buffer: object, width: int, height: int, gl_format: int, invert: bool, host_fbo: int, /) -> bool:  # noqa: N802
        self._check()
        view = _checked_size(buffer, height, width, gl_format)
        if self._machine.broken:
            return False
        channels = ORDERS[gl_format]
        pixels = np.frombuffer(view, np.uint8)[: width * height * len(channels)].reshape(height, width, len(channels))
        rgba = np.full((height, width, 4), 255, np.uint8)
        rgba[..., : len(channels)] = pixels[::-1, :, channels] if invert else pixels[..., channels]
        shared = self._machine.senders.setdefault(self._name, Shared(rgba))
        shared.pixels, shared.frame = rgba, shared.frame + 1
        self._machine.active = self._machine.active or self._name
        return True

    def setFrameSync(self, name: str, /) -> None:  # noqa: N802
        self._check()
        assert name == self._name

    def releaseSender(self, /) -> None:  # noqa: N802
        self._check()
        self._machine.senders.pop(self._name, None)
        if self._machine.active == self._name:
            self._machine.active = next(iter(self._machine.senders), None)


class SpoutReceiver(_Object):
    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        self._wanted: str | None = None
        self.releaseReceiver()

    def setReceiverName(self, name: str, /) -> None:  # noqa: N802
        self._check()
        self._wanted = name

    def releaseReceiver(self, /) -> None:  # noqa: N802
        self._check()
        self._size, self._format = (0, 0), 0
        self._frame, self._updated, self._new, self._black = 0, False, False, True

    def getSenderList(self, /) -> list[str]:  # noqa: N802
        self._check()
        return list(self._machine.senders)

    def receiveImage(self, buffer: object, gl_format: int, invert: bool, host_fbo: int, /) -> bool:  # noqa: N802
        self._check()
        view = None if buffer is None else _checked_size(buffer, *self._size, gl_format)
        shared = self._machine.senders.get(self._wanted or self._machine.active or "")
        self._new = False
        if shared is None:
            self.releaseReceiver()
            return False
        if shared.pixels.shape[:2] != self._size:
            self._size, self._format = shared.pixels.shape[:2], FORMAT_RGBA
            self._updated = self._black = True
        if self._updated:
            return True
        if view is None:
            return False
        if self._machine.counted and shared.frame == self._frame:
            return True
        self._new, self._frame = self._machine.counted, shared.frame
        pixels = shared.pixels[..., ORDERS[gl_format]]
        if self._black:
            pixels, self._black = np.zeros_like(pixels), False
        out = np.frombuffer(view, np.uint8)
        out[: pixels.size] = (pixels[::-1] if invert else pixels).reshape(-1)
        return True

    def isUpdated(self, /) -> bool:  # noqa: N802
        self._check()
        updated, self._updated = self._updated, False
        return updated

    def isFrameNew(self, /) -> bool:  # noqa: N802
        self._check()
        return self._new

    def isFrameCountEnabled(self, /) -> bool:  # noqa: N802
        self._check()
        return self._machine.counted

    def getSenderWidth(self, /) -> int:  # noqa: N802
        self._check()
        return self._size[1]

    def getSenderHeight(self, /) -> int:  # noqa: N802
        self._check()
        return self._size[0]

    def getSenderFormat(self, /) -> int:  # noqa: N802
        self._check()
        return self._format


def modules(machine: Machine) -> dict[str, ModuleType]:
    """What `import SpoutGL` and `import SpoutGL.enums` find."""
    spout, enums = ModuleType("SpoutGL"), ModuleType("SpoutGL.enums")
    for name in ("GL_RGBA", "GL_RGB", "GL_BGR_EXT", "GL_BGRA_EXT"):
        setattr(enums, name, globals()[name])
    spout.enums = enums  # type: ignore[attr-defined]
    spout.SpoutSender = lambda: SpoutSender(machine)  # type: ignore[attr-defined]
    spout.SpoutReceiver = lambda: SpoutReceiver(machine)  # type: ignore[attr-defined]
    return {"SpoutGL": spout, "SpoutGL.enums": enums}
