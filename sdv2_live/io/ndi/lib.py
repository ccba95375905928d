"""The NDI library: initialised once per process, and the search for sources.

Facts about the SDK are from https://docs.ndi.video and from libndi 6.3.2 itself. The finder listens to mDNS and also asks the
loopback and every address of `NdiSettings.extra_ips` directly. On Linux mDNS needs avahi-daemon. Without it a machine is asked at
TCP port 5960, which all its senders share (SO_REUSEPORT): the kernel gives each connection to one of them, which lists its own
sources only. So the loopback is asked under many addresses, repeatedly while a source is looked for: each connection is another
draw, and together they see every sender of this machine.
"""

from __future__ import annotations

import ctypes
import logging
import re
import threading
import time
import unicodedata
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import quoteattr

from sdv2_live import __version__
from sdv2_live.errors import VideoError
from sdv2_live.io.base import Port
from sdv2_live.io.ndi.config import use_discovery_server
from sdv2_live.io.ndi.settings import NdiSettings
from sdv2_live.system.clock import monotonic

log = logging.getLogger("sdv2_live.ndi")

LOOPBACK = "127.0.0.1"
CAPABILITIES = '<ndi_capabilities ntk_ptz="false" ntk_exposure_v2="false"/>'  # of our output: no camera
REPLACED = str.maketrans(dict.fromkeys('"*/:<>?\\|', " "))  # in the names of sources, by libndi 6.3.2
REFRESH_S = 2.0  # a finder older than this is followed by a new one, which draws again
SETTLED_S = 0.5  # a connection is no risk to its sender any more: see `destroy`

_lock = threading.Lock()
_module: Any = None
_discovery_server: str | None = None


@dataclass(frozen=True, slots=True, order=True)
class NdiSourceInfo:
    """A source on the network.

    Attributes:
        name: "MACHINE (name)"; may be empty if the address is not.
        address: "ip:port"; may be empty if the name is not.
    """

    name: str
    address: str = ""

    def called(self, name: str) -> bool:
        """True when `name` is its full or its inner name, as `spelt` reads them."""
        return spelt(name) in (spelt(self.name), spelt(self.inner_name))

    @property
    def inner_name(self) -> str:
        """The sender's own name: the part between the parentheses after the machine's name."""
        _, opened, rest = self.name.partition(" (")
        return rest.removesuffix(")") if opened else self.name


def initialise(settings: NdiSettings) -> Any:
    """The NDIlib module, initialised on the first call.

    Raises:
        VideoError: NDI cannot run on this machine.
    """
    global _module, _discovery_server
    with _lock:
        if _module is None:
            if settings.discovery_server:
                use_discovery_server(settings.discovery_server)
            _module, _discovery_server = _load(), settings.discovery_server
        elif settings.discovery_server != _discovery_server:
            log.warning(
                "NDI already runs with discovery server %s; restart the program to use %s",
                _discovery_server or "none",
                settings.discovery_server or "none",
            )
        return _module


def _load() -> Any:
    try:
        import NDIlib
    except (ImportError, OSError) as error:
        # On Linux the NDI library itself needs Avahi's client library, which slim systems lack.
        missing = "libavahi" in str(error)
        remedy = "Avahi's client library: sudo apt install libavahi-client3" if missing else "it: pip install ndi-python"
        raise VideoError(
            f"NDI is not available: the package ndi-python cannot be loaded ({error}); install {remedy}; "
            "or use file: or test in place of ndi:"
        ) from error
    if not NDIlib.is_supported_CPU():
        raise VideoError("NDI does not support this processor (it needs SSSE3 or NEON); use file: or test in place of ndi:")
    if not NDIlib.initialize():
        raise VideoError("NDI could not be initialised; check that the system lets this program open network sockets")
    log.info("%s", NDIlib.version())
    return NDIlib


class Finder(Port):
    """Watches the network for sources. Sources appear within a second or so; repeated calls renew the search now and then."""

    def __init__(self, settings: NdiSettings) -> None:
        self.name = "NDI finder"
        self._ndi = initialise(settings)
        self._create = self._ndi.FindCreate()
        self._create.extra_ips = settings.ips
        if settings.groups:
            self._create.groups = ",".join(settings.groups)
        # (since when, the SDK's instance), oldest first; two at most, so that a new one is filled before the old one goes
        self._instances = [self._new()]

    def _new(self) -> tuple[float, Any]:
        instance = self._ndi.find_create_v2(self._create)
        if instance is None:
            raise VideoError("NDI cannot search for sources; check that the system lets this program open network sockets")
        return monotonic(), instance

    @property
    def sources(self) -> list[NdiSourceInfo]:
        """The sources on the network now, sorted by name, each name once."""
        if not self._instances:
            return []
        if monotonic() - self._instances[-1][0] > REFRESH_S:
            self._instances.append(self._new())
            if len(self._instances) > 2:
                destroy(self._ndi, "find_destroy", *self._instances.pop(0))
        found: dict[str, NdiSourceInfo] = {}
        for _, instance in self._instances:  # the newest instance's address wins
            # The SDK frees its list at the next call, so the strings are copied at once.
            found |= {s.ndi_name: NdiSourceInfo(s.ndi_name, s.url_address) for s in self._ndi.find_get_current_sources(instance)}
        return sorted(found.values())

    def wait(self, until: Callable[[list[NdiSourceInfo]], bool], timeout: float) -> list[NdiSourceInfo]:
        """The sources as soon as `until(sources)` is true, or the ones found after `timeout` seconds."""
        deadline = monotonic() + timeout
        while not until(sources := self.sources) and self._instances:
            left = deadline - monotonic()
            if left <= 0:
                break
            self._ndi.find_wait_for_sources(self._instances[-1][1], max(1, int(min(left, 0.2) * 1000)))
        return sources

    def close(self) -> None:
        instances, self._instances = self._instances, []
        for since, instance in instances:
            destroy(self._ndi, "find_destroy", since, instance)


def destroy(ndi: Any, function: str, since: float, instance: Any) -> None:
    """Destroy an instance of the SDK, by its "recv_destroy" or "find_destroy", while other threads run on.

    libndi 6.3.2 aborts the program of a sender that accepts a connection and loses it at once (the first of its two threads for
    the connection ends before it knows of the second; once in some hundred quick finders or receivers, more often on a busy
    machine). So an instance younger than SETTLED_S is destroyed only at that age.

    The bindings hold the interpreter's lock meanwhile, and the SDK waits for connections to end: 0.1 s and more with a sender
    that died, in which no frame could be sent. So ctypes calls the SDK's own function without the lock. Where it cannot be found
    (Windows looks symbols up in one module alone) the bindings' function is called.

    Args:
        since: monotonic time at which the instance was made.
    """
    time.sleep(max(0.0, since + SETTLED_S - monotonic()))
    own = getattr(ctypes.CDLL(ndi.NDIlib.__file__), f"NDIlib_{function}", None)
    if own is None:
        getattr(ndi, function)(instance)
        return
    name, pointer = ctypes.pythonapi.PyCapsule_GetName, ctypes.pythonapi.PyCapsule_GetPointer
    name.restype, name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    own.restype, own.argtypes = None, [ctypes.c_void_p]
    own(pointer(instance, name(instance)))


def sdk_source(ndi: Any, info: NdiSourceInfo) -> Any:
    """The SDK's own form of a source. It uses setters, because the bindings' constructor does not keep the strings alive."""
    source = ndi.Source()
    if info.name:
        source.ndi_name = info.name
    if info.address:
        source.url_address = info.address
    return source


def product(session: str) -> str:
    """The `ndi_product` element by which one end of a connection identifies itself to the other."""
    facts = {
        "long_name": "sdv2-live: live video restyled by StreamDiffusionV2",
        "short_name": "sdv2-live",
        "manufacturer": "sdv2-live",
        "model_name": "sdv2-live",
        "version": __version__,
        "session": session,
    }
    return f"<ndi_product {' '.join(f'{name}={quoteattr(value)}' for name, value in facts.items())}/>"


def list_sources(settings: NdiSettings, wait_s: float = 2.0) -> list[NdiSourceInfo]:
    """Every source that answers within `wait_s` seconds, sorted by name."""
    with Finder(settings) as finder:
        return finder.wait(lambda _: False, wait_s)


def spelt(name: str) -> str:
    """A name as NDI publishes it, in one Unicode form: a Mac may decompose its letters, and some characters become spaces."""
    return unicodedata.normalize("NFC", name).translate(REPLACED)


def as_address(pattern: str) -> NdiSourceInfo | None:
    """The source that "ip:port" (or "localhost:port") names directly, or None where the pattern is a name."""
    match = re.fullmatch(r"(localhost|\d{1,3}(?:\.\d{1,3}){3}):(\d{1,5})", pattern.strip())
    if match is None:
        return None
    host = LOOPBACK if match[1] == "localhost" else match[1]
    return NdiSourceInfo("", f"{host}:{match[2]}")


def match_source(pattern: str, sources: Iterable[NdiSourceInfo], ignore: Collection[str] = ()) -> NdiSourceInfo | None:
    """The source that `pattern` means, or None while there is none.

    Names may be written as they were typed into the sender, see `spelt`. An exact full name wins, then an exact inner name, then
    a case-insensitive substring; the empty pattern matches all. Of several, the first in order of name is taken, and a warning
    names them all.

    Args:
        ignore: full or inner names that only an exact pattern may pick: our own outputs, which would otherwise feed back.
    """
    ordered, wanted = sorted(sources), spelt(pattern)
    full = [s for s in ordered if spelt(s.name) == wanted]
    inner = [s for s in ordered if spelt(s.inner_name) == wanted]
    part = [s for s in ordered if wanted.casefold() in spelt(s.name).casefold() and not {s.name, s.inner_name} & set(ignore)]
    found = full or inner or part
    if len(found) > 1:
        log.warning(
            "NDI source '%s' could mean %s: taking the first; give the full name to choose another",
            pattern,
            ", ".join(f"'{s.name}'" for s in found),
        )
    return found[0] if found else None
