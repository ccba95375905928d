"""Link beside a show: a process that joins a session, and leaves it when the show says so or ends."""

from __future__ import annotations

import logging
import multiprocessing

from sdv2_live.link.bridge import LinkBridge
from sdv2_live.music.tempo import Tempo
from sdv2_live.system.process import Connection, end_with_parent, ends_with_this, how_it_ended, uninterrupted

LEAVE_S = 1.0  # to say good-bye to the session


class LinkProcess:
    """Runs a LinkBridge in a process of its own, from construction to `close`."""

    def __init__(self, host: str, port: int, tempo: Tempo, beats_per_bar: int) -> None:
        context = multiprocessing.get_context("spawn")
        theirs, self._ours = context.Pipe(duplex=False)
        self.process = context.Process(target=_main, args=(theirs, host, port, tempo, beats_per_bar), name="link", daemon=True)
        with uninterrupted():
            self.process.start()
        ends_with_this(self.process.pid or 0)
        theirs.close()

    @property
    def ended(self) -> str:
        """How it ended, in words; empty while it runs."""
        return "" if self.process.is_alive() else how_it_ended(self.process.exitcode)

    def wait(self, seconds: float) -> None:
        """Wait until it has ended, so long at most."""
        self.process.join(seconds)

    def close(self) -> None:
        """End it. Idempotent."""
        self._ours.close()
        self.process.join(LEAVE_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join(LEAVE_S)


def _main(connection: Connection, host: str, port: int, tempo: Tempo, beats_per_bar: int) -> None:
    """The process: the end of its pipe is the end of it."""
    end_with_parent()
    logging.disable()  # the terminal is the show's, which says what matters
    with LinkBridge(host, port, tempo, beats_per_bar) as bridge:
        bridge.run(connection.poll)
