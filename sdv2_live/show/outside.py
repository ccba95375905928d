"""Who plays a show, or shows it, by the network beside OSC: light desks, and Companion's keys."""

from __future__ import annotations

from collections.abc import Iterator

from sdv2_live.closing import Service
from sdv2_live.config.schema import Config
from sdv2_live.config.schema_music import DmxConfig
from sdv2_live.control.dmx.receiver import LightDesks, Write
from sdv2_live.control.dmx.words import DmxNow
from sdv2_live.control.osc.companion import Companion
from sdv2_live.control.osc.news import BEAT
from sdv2_live.control.osc.server import OscServer
from sdv2_live.control.params import PARAMS
from sdv2_live.control.store import ParamStore
from sdv2_live.control.timeline.buttons import QUANTISED
from sdv2_live.errors import ConfigError
from sdv2_live.music.dmx.chart import layout
from sdv2_live.music.dmx.fixture import Fixture
from sdv2_live.music.dmx.merge import DmxCounters
from sdv2_live.show.status import STATUS
from sdv2_live.wording import nearest, shown


class Outside(Service):
    """The light desks and Companion of one show, as far as they are wanted.

    Args:
        write: takes what hands ask for.

    Attributes:
        desks: None where no desk is listened to.
    """

    def __init__(self, config: Config, store: ParamStore, write: Write) -> None:
        self._config, self._store, self._write = config, store, write
        self._osc: OscServer | None = None
        self.desks: LightDesks | None = None
        self._companion: Companion | None = None

    def open(self, osc: OscServer | None) -> None:
        """Open the sockets. Raises ConfigError where the network is not as the configuration says."""
        self._osc = osc
        try:
            if self._config.dmx.enabled:
                self.desks = open_desks(self._config.dmx, self._write)
            if osc is not None and self._config.companion.enabled:
                self._companion = self._open_companion(osc)
        except ConfigError:
            self.close()
            raise

    def _open_companion(self, osc: OscServer) -> Companion:
        config = self._config.companion
        told = dict.fromkeys(_told())  # in this order: no more than some are compared with a mistake
        for variable, source in config.variables.items():
            if self._store.names.find(source) is None and source not in told:
                raise ConfigError(
                    f"companion.variables: {variable} cannot show {shown(source)}{nearest(source, told)}; give a parameter, "
                    "such as tempo/bpm, or what is told at /sdv2/<that>, such as status/fps or info/engine"
                )
        return Companion(config.host, config.port, config.variables, self._store, osc.news, osc.loop)

    def start(self) -> None:
        """Begin to listen and to tell."""
        if self.desks is not None:
            self.desks.serve(self._osc.loop) if self._osc is not None else self.desks.start()
        if self._companion is not None:
            self._companion.start()

    def close(self) -> None:
        """Stop both. Idempotent."""
        for part in (self._companion, self.desks):
            if part is not None:
                part.close()

    @property
    def counters(self) -> DmxCounters:
        """The totals of the light desks."""
        return self.desks.counters if self.desks is not None else DmxCounters()

    def now(self) -> DmxNow:
        """Who plays now."""
        return self.desks.now() if self.desks is not None else DmxNow()


def open_desks(config: DmxConfig, write: Write) -> LightDesks:
    """Listen to light desks as the configuration says. Raises ConfigError."""
    always = config.takeover == "always"
    fixture = Fixture(layout(config.mode), config.address, always=always, counters=DmxCounters())
    return LightDesks(fixture, config.interface, config.universes, config.allow, write)


def _told() -> Iterator[str]:
    """What is told at /sdv2/<that>, beginning with what is asked for most."""
    yield from PARAMS
    yield BEAT.removeprefix("/sdv2/")
    yield from (kind + row.osc for kind in ("status/", "info/") for row in STATUS if row.osc)
    yield from (kind + name for kind in ("pending/", "applied/") for name in PARAMS)
    yield from ("pending/" + name for name in QUANTISED)
