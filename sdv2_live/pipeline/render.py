"""Offline rendering: every frame of a file takes the same path as live, at any speed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, nullcontext
from itertools import islice
from pathlib import Path

from sdv2_live.chunk import Chunk, Generated
from sdv2_live.config.schema import Config
from sdv2_live.control.macros import Macros
from sdv2_live.control.modulation import Modulation
from sdv2_live.control.params import Params
from sdv2_live.control.presets.library import PresetLibrary
from sdv2_live.control.store import ParamStore
from sdv2_live.control.timeline.model import Timeline
from sdv2_live.control.timeline.transport import Transport
from sdv2_live.errors import VideoError
from sdv2_live.frame import Frame
from sdv2_live.io.base import Source
from sdv2_live.io.files.sink import FileSink
from sdv2_live.io.files.source import FileSource
from sdv2_live.music.tempo import Tempo
from sdv2_live.pipeline.build import new_prompts, new_stream, with_room
from sdv2_live.pipeline.shared import load_shared
from sdv2_live.pipeline.stream import Stream
from sdv2_live.stats import StageTimer

TICK_S = 0.001  # some containers know milliseconds only: a change that is so little after a frame begins with it


def render(
    config: Config,
    source: Path,
    target: Path,
    *,
    timeline: Timeline | None = None,
    max_frames: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Render `source` into `target` and return the number of frames written: as many as were read, but for output.fps.

    Noise depends on seed and chunk alone, so the same input and settings give the same frames.

    Args:
        config: its params are the parameters, which the timeline changes at the video's own time.
        source: the video to read.
        target: an .mp4 file, or .mkv for lossless.
        timeline: changes parameters on the way; None changes none.
        max_frames: stop after so many; None for all.
        progress: called with the number of frames written so far.

    Raises:
        VideoError: a video cannot be read or written.
        WeightsError: weights are missing or damaged.
        EngineError: the engine cannot run.
    """
    with FileSource(source, realtime=False, loop=False) as video, FileSink(target, offline=True) as sink:
        config, models, group = load_shared(config, with_room)
        with nullcontext() if group is None else closing(group), closing(new_prompts(config, models)) as prompts:
            stream = new_stream(config, models, prompts, StageTimer(), group)
            presets = PresetLibrary(config.presets.folder, names=config.names, painter=models.profile.name)
            store = ParamStore(config.params, Macros(presets), clock := VideoClock(), config.names)
            written = 0
            for frame in restyled(stream, islice(_frames(video), max_frames), store, timeline, clock):
                sink.send(frame)
                written += 1
                progress(written)
    if not written:
        raise VideoError(f"{source}: holds no frames, or --max-frames is 0; nothing was rendered")
    return written


class VideoClock:
    """Seconds of video as the time of gliding parameters: the same at every rendering."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def run_to(self, now: float, transport: Transport | None) -> None:
        """Move on to `now` seconds. A timeline's events happen on the way, each at its own time, as in a live show."""
        while transport is not None and (due := transport.due) is not None and due < now:
            self.now = due
            transport.tick()
        self.now = now
        if transport is not None:
            transport.tick()


class VideoBeat:
    """The beat of a video: beat 1 of bar 1 is its beginning, and `tempo/bpm` its tempo from each chunk on."""

    def __init__(self, params: Params) -> None:
        self.beats_per_bar = params.tempo_beats_per_bar
        self._tempo = Tempo(0, 0.0, params.tempo_bpm)

    def follow(self, params: Params, at_ns: int) -> None:
        """Take over the tempo that the parameters ask for from `at_ns` nanoseconds of video on."""
        self.beats_per_bar = params.tempo_beats_per_bar
        if params.tempo_bpm != self._tempo.bpm:
            self._tempo = self._tempo.at_bpm(params.tempo_bpm, at_ns)

    def beat(self, at_ns: int) -> float:
        """The count of beats at a time of the video."""
        return self._tempo.beat(at_ns)


def restyled(
    stream: Stream,
    frames: Iterator[Frame],
    store: ParamStore,
    timeline: Timeline | None = None,
    clock: VideoClock | None = None,
) -> Iterator[Frame]:
    """Every frame restyled, in order. Timeline and modulation go by the frames' `captured_ns`, their time in the video.

    With output.fps the pictures are those of its ticks.

    A change of the timeline applies to the first chunk that begins at its time or later. Copies of the last frame fill up the
    last chunk and flush stream_batch's pipeline; their pictures are not returned.
    """
    owed = 0  # frames read and not yet returned
    launched: deque[Future[Generated]] = deque()
    counts: deque[int] = deque()  # frames read of each chunk whose pictures have not come
    clock, beat = clock or VideoClock(), VideoBeat(store.latest())
    modulation = Modulation(beat)
    transport = Transport(timeline, store, clock) if timeline is not None else None
    if transport is not None:
        transport.play()
    last: Frame | None = None
    while (first := next(frames, None)) or owed:
        if launched and (first is None or len(launched) > 1):  # one chunk may run while the next is read and launched
            pictures = launched.popleft().result().pictures
            if stream.moves:  # there are more or fewer of them than frames; of copies of the last one there are none
                yield from pictures
                owed -= counts.popleft() if pictures or first is None else 0
            else:
                yield from pictures[:owed]
                owed -= min(owed, len(pictures))
        if first is None and (launched or not owed):
            continue
        begins = first or last
        assert begins is not None
        if first is not None:
            clock.run_to(first.captured_ns / 1e9 + TICK_S, transport)
        snapshot = store.snapshot()
        needed = stream.prepare(begins, snapshot.params, reset="reset" in snapshot.fired)
        read = [first, *islice(frames, needed - 1)] if first is not None else []
        owed += len(read)
        counts.append(len(read))
        last = read[-1] if read else begins
        filled = read + [last] * (needed - len(read))
        beat.follow(snapshot.params, begins.captured_ns)
        params, swing = modulation(snapshot.params, [frame.captured_ns for frame in filled], 0)
        launched.append(stream.launch(Chunk.of(filled, params, swing), wait_for_prompt=True))


def _frames(video: Source) -> Iterator[Frame]:
    while not video.ended:
        frame = video.read(timeout=1.0)
        if frame is not None:
            yield frame
