"""The engine's process: brings the engine up and answers requests from the pipe (see `server`).

It ends with the pipe. It never outlives the show, even when the show is killed while this process computes.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from sdv2_live import errors
from sdv2_live.config.schema import Config
from sdv2_live.ranks.now import RankNow
from sdv2_live.ranks.processes import RankProcesses
from sdv2_live.stats import Fill, StageTimer
from sdv2_live.system.console import STOPS, on_stop
from sdv2_live.system.process import Connection, end_with_parent
from sdv2_live.worker.channel import Channel
from sdv2_live.worker.messages import Heartbeat, Hello, Log, Setup
from sdv2_live.worker.server import Requests, Server, StageLog, crashed, refused

if TYPE_CHECKING:
    from sdv2_live.engine.prompt_cache import PromptCache
    from sdv2_live.pipeline.stream import Stream

log = logging.getLogger("sdv2_live.worker")

BringUp = Callable[[Config, StageTimer, Setup], "tuple[Stream, PromptCache, Hello]"]

BEAT_S = 0.5


def main(connection: Connection) -> None:
    """The process, from beginning to end."""
    serve(connection, _bring_up)


def serve(connection: Connection, bring_up: BringUp) -> None:
    """Bring an engine up as the first message says, then serve requests until the pipe ends."""
    for number in STOPS:  # these reach the whole group: the show decides what ends when
        signal.signal(number, signal.SIG_IGN)
    on_stop(lambda: None)
    end_with_parent()
    channel = Channel(connection)
    setup: Setup = channel.receive()
    _log_to(channel, setup.log_level)
    pulse = HeartbeatSender(channel)
    timer = StageLog()
    try:
        config = Config.model_validate(setup.config)
        stream, prompts, hello = bring_up(config, timer, setup)
    except errors.Sdv2Error as error:
        channel.send(refused(setup, error))
        return
    except Exception as error:  # the process's top
        log.exception("the engine cannot be brought up")
        why = crashed(setup, error)
        channel.send(replace(why, text=f"the engine cannot be brought up ({why.text})"))
        return
    if hello.device == "cuda":
        pulse.gpu_bytes = sys.modules["torch"].cuda.memory_reserved
    pulse.encoding = lambda: prompts.encoding
    requests = Requests(channel, prompts, pulse.hurry)
    server = Server(channel, requests, stream, timer)
    if (group := stream.group) is not None:
        group.on_lost = lambda error: channel.send(refused(setup, error))
        pulse.ranks = group.now
    pulse.queues = lambda: {**requests.queues, **server.queues, **prompts.queues}
    channel.send(hello)
    server.run()
    if group is not None:
        group.remember()


def _bring_up(config: Config, timer: StageTimer, setup: Setup) -> tuple[Stream, PromptCache, Hello]:
    ahead = min(setup.ranks - 1, max((os.cpu_count() or 1) - 1, 1))  # more would delay what this one says of a wish for too many
    processes = RankProcesses(config.model, ahead) if ahead > 0 else None
    from sdv2_live.worker.bring_up import bring_up  # here: importing torch takes seconds, and other ranks do so meanwhile

    return bring_up(config, timer, setup.start, setup.ladder, processes)


class HeartbeatSender:
    """Sends heartbeats at a fixed interval, also while models are loaded or a chunk is painted, and with each prompt's news."""

    def __init__(self, channel: Channel) -> None:
        self.gpu_bytes: Callable[[], int] = lambda: 0
        self.queues: Callable[[], dict[str, Fill]] = dict
        self.encoding: Callable[[], tuple[str, ...]] = tuple
        self.ranks: Callable[[], tuple[tuple[RankNow, ...], float]] = lambda: ((), 0.0)
        self._channel = channel
        self._news = threading.Event()
        threading.Thread(target=self._run, name="pulse", daemon=True).start()

    def hurry(self) -> None:
        """Send the next one now: what it tells is another."""
        self._news.set()

    def _run(self) -> None:
        with suppress(OSError):  # nobody listens any more: the process ends by other means
            while True:
                self._news.clear()
                self._channel.send(Heartbeat(self.gpu_bytes() >> 20, self.queues(), self.encoding(), *self.ranks()))
                self._news.wait(BEAT_S)


class _ToShow(logging.Handler):
    def __init__(self, send: Callable[[Log], None]) -> None:
        super().__init__()
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):  # nobody is left to read it
            self._send(Log(record.name, record.levelno, self.format(record)))


def _log_to(channel: Channel, level: int) -> None:
    """Send every log record of this process to the show's log, tracebacks included."""
    logging.basicConfig(level=logging.WARNING, handlers=[_ToShow(channel.send)], format="%(message)s")
    logging.getLogger("sdv2_live").setLevel(level)
