"""Several outputs of one show: the first is the playout's own, the others never hold it up."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial

from sdv2_live.backoff import Backoff
from sdv2_live.errors import DeviceError, VideoError
from sdv2_live.frame import Frame
from sdv2_live.io.base import Sink, Source
from sdv2_live.logs import MENDED, TROUBLE
from sdv2_live.stats import Fill
from sdv2_live.system.clock import monotonic
from sdv2_live.threads import ended

log = logging.getLogger("sdv2_live.outputs")

FIRST_S, MOST_S = 0.5, 10.0  # between two tries to open an output that failed
HANG_S = 5.0  # a frame that takes longer hangs
LOOK_S = 0.5  # how often an output without frames is asked whether somebody watches


def opened(specs: Sequence[str], open_sink: Callable[[str], Sink]) -> Sink:
    """The sink of one or several outputs; see `Outputs`.

    Raises:
        VideoError: the first cannot be opened, or another one is not spelled as an output; then none is left open.
    """
    if len(specs) == 1:
        return open_sink(specs[0])
    with ExitStack() as stack:
        main = stack.enter_context(open_sink(specs[0]))
        others = [stack.enter_context(Follower(spec, open_sink)) for spec in specs[1:]]
        stack.pop_all()
    return Outputs(main, others)


def counted(inputs: Sequence[Source], outputs: Sequence[Sink]) -> dict[str, int]:
    """The totals of all inputs and outputs."""
    return {
        "inputs_dropped": sum(one.dropped for one in inputs),
        "outputs_dropped": sum(one.dropped for one in outputs),
        "outputs_failed": sum(one.failures for one in outputs),
    }


class Follower(Sink):
    """Sends the newest frame to an output on a thread of its own, and opens it again when it failed.

    A frame that comes before the last one was sent takes its place; `dropped` counts those. A recording that failed is not begun
    again: it would leave one file after the other on a full disk.

    Args:
        open_sink: opens the output of a text.
        clock: seconds.

    Raises:
        VideoError: the text means no output. A device that is missing is no error.
    """

    def __init__(self, spec: str, open_sink: Callable[[str], Sink], clock: Callable[[], float] = monotonic) -> None:
        self.name = spec
        self._open, self._clock = partial(open_sink, spec), clock
        self._pause = Backoff(FIRST_S, MOST_S)
        self._frame: Frame | None = None
        self._news = threading.Condition()
        self._closing = threading.Event()
        self._began: float | None = None  # when the frame was begun that is being sent
        self._watched = False
        self._trouble = ""
        self._dropped = self._failures = 0
        self._sink: Sink | None = None
        try:
            self._take(self._open())
        except DeviceError as error:
            self._fail(error)
        self._thread = threading.Thread(target=self._run, name=f"output {spec}", daemon=True)
        self._thread.start()

    @property
    def trouble(self) -> str:
        return self._trouble or next((sink.trouble for sink in self.opened), "")

    @property
    def dropped(self) -> int:
        return self._dropped + sum(sink.dropped for sink in self.opened)

    @property
    def failures(self) -> int:
        return self._failures + sum(sink.failures for sink in self.opened)

    @property
    def opened(self) -> tuple[Sink, ...]:
        sink = self._sink
        return (sink,) if sink is not None else ()

    @property
    def watched(self) -> bool:
        return self._watched

    @property
    def tally(self) -> tuple[bool, bool]:
        sink = self._sink
        return sink.tally if sink is not None else (False, False)

    @property
    def queue(self) -> Fill:
        """Fill of the place where the newest frame waits."""
        return Fill(int(self._frame is not None), 1)

    def send(self, frame: Frame) -> None:
        """Take a frame over. Never waits."""
        with self._news:
            if self._frame is not None:
                self._dropped += 1
                began = self._began
                if began is not None and self._clock() - began > HANG_S:
                    self._tell(f"has taken no frame for {HANG_S:g} s: it hangs")
            self._frame = frame
            self._news.notify()

    def finish(self) -> None:
        """Begin to close: the frame that waits is the last. Never waits."""
        self._closing.set()
        with self._news:
            self._news.notify()

    def close(self) -> None:
        """Send the frame that waits, and close the output. Idempotent. One that hangs is left behind."""
        self.finish()
        ended(self._thread, writes=not self.live)

    def _run(self) -> None:
        while not (self._closing.is_set() and self._frame is None):
            try:
                self._step()
            except VideoError as error:
                self._fail(error)
            except Exception as error:  # the thread's top: the other outputs go on
                log.exception("%s failed", self.name)
                self._fail(error)
        if self._sink is not None:
            self._sink.close()

    def _step(self) -> None:
        """Open the output again when its time has come, or send the newest frame."""
        if self._sink is None:
            if self._closing.wait(self._pause.seconds):
                self._frame = None
            elif self.live:
                self._take(self._open())
            return
        with self._news:
            self._news.wait_for(lambda: self._frame is not None or self._closing.is_set(), LOOK_S)
            frame, self._frame = self._frame, None
            self._began = self._clock() if frame is not None else None
        self._watched = self._sink.watched
        if frame is not None:
            if self._watched:
                self._sink.send(frame)
            self._mend()
        self._began = None

    def _take(self, sink: Sink) -> None:
        self._sink, self.live, self.full_name = sink, sink.live, sink.full_name
        self._watched = sink.watched

    def _mend(self) -> None:
        self._pause.reset()
        if self._trouble:
            self._trouble = ""
            log.info("%s shows the picture again", self.name, extra={MENDED: self.name})

    def _fail(self, error: Exception) -> None:
        self._tell(str(error))
        self._failures += 1
        self._watched, self._began = False, None
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.close()
        self._pause.grow()

    def _tell(self, trouble: str) -> None:
        """Say it, once."""
        if trouble != self._trouble:
            self._trouble = trouble
            again = "; it is tried again and again" if self.live else ""
            log.warning("%s: %s%s; the other outputs go on", self.name, trouble, again, extra={TROUBLE: self.name})


class Outputs(Sink):
    """A first output, which is sent to on the playout's own thread, and others, each with a thread of its own.

    The first one's failures are the playout's to count. Any picture is better than none as soon as one of them has viewers.
    """

    def __init__(self, main: Sink, others: Sequence[Follower]) -> None:
        self._main, self._others = main, tuple(others)
        self.name = ", ".join(one.name for one in self.members)
        self.live = any(one.live for one in self.members)

    @property
    def members(self) -> tuple[Sink, ...]:
        return self._main, *self._others

    @property
    def opened(self) -> tuple[Sink, ...]:
        return tuple(sink for one in self.members for sink in one.opened)

    @property
    def queues(self) -> dict[str, Fill]:
        return {f"output_{number}": one.queue for number, one in enumerate(self._others, 2)}

    @property
    def watched(self) -> bool:
        return any(one.watched for one in self.members)

    @property
    def tally(self) -> tuple[bool, bool]:
        tallies = [one.tally for one in self.members]
        return any(program for program, _ in tallies), any(preview for _, preview in tallies)

    def send(self, frame: Frame) -> None:
        """Send one frame to all.

        Raises:
            VideoError: the first output cannot take it; the others have it.
        """
        for one in self._others:
            one.send(frame)
        if self._main.watched:
            self._main.send(frame)

    def close(self) -> None:
        """Close all of them. Idempotent. One that hangs is waited for at last, when the others are closed."""
        for one in self._others:
            one.finish()
        try:
            self._main.close()
        finally:
            for one in self._others:
                one.close()
