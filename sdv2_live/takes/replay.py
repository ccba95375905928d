"""Painting a take again, through the same path as live."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch

from sdv2_live.config.load import load_config
from sdv2_live.control.params import PARAMS, Params, updated
from sdv2_live.engine.spec import PromptMix
from sdv2_live.errors import TakeError
from sdv2_live.frame import Frame
from sdv2_live.io.base import Sink
from sdv2_live.io.files.sink import FileSink
from sdv2_live.model.load import DTYPES
from sdv2_live.pipeline.build import new_prompts, new_stream
from sdv2_live.pipeline.shared import load_shared
from sdv2_live.pipeline.stream import Stream
from sdv2_live.stats import StageTimer
from sdv2_live.takes.compare import SAMPLES, sha256_of, within
from sdv2_live.takes.fingerprint import header_of
from sdv2_live.takes.format import CONFIG, LUTS, ChunkLine, EndLine, Header, read_header, read_lines
from sdv2_live.takes.video import VideoReader

log = logging.getLogger("sdv2_live.takes")

_ROUGHLY = (
    f"within one code of 255, at {SAMPLES} places of each picture: its frames went through {{was.frame_kernels}}'s kernels then, "
    "{now.frame_kernels}'s here"
)
MAX_HOLD_S = 600  # the longest time for which the video holds one picture; the rest of a longer pause is left out


class Take:
    """A recorded take. Raises TakeError on construction for a folder that is no take, or for a damaged line in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.header: Header = read_header(folder)
        self.chunks = 0
        self.problem = "it was cut short, as by a crash"  # why it is incomplete; empty when it is complete
        for _, line, _ in read_lines(folder):
            if isinstance(line, EndLine):
                self.problem = line.problem
            else:
                self.chunks += 1


@dataclass(frozen=True, slots=True)
class Repainted:
    """One chunk painted again.

    Attributes:
        same: its pictures are those of the show, byte for byte.
        alike: its pictures are those of the show to within one code.
    """

    place: str
    line: ChunkLine
    pictures: Sequence[Frame]
    same: bool
    alike: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a replay.

    Attributes:
        difference: the first chunk that differs, empty when none does.
        compared: the method, where it was not byte for byte.
    """

    chunks: int
    difference: str = ""
    compared: str = ""


def repaint(take: Take, stream: Stream) -> Iterator[Repainted]:
    """Every chunk of the take, painted again. `stream` must be configured as the show's was.

    An incomplete take ends at the first chunk whose frames are missing. Raises TakeError for a damaged take.
    """
    params, shown, transition = Params(), PromptMix.of(""), 0
    reader = VideoReader(take.folder, lossless=take.header.lossless)
    for place, line, values in read_lines(take.folder):
        if isinstance(line, EndLine):
            return
        frames = _frames(reader, line, place)
        if len(frames) < len(line.frames):
            if not take.problem:
                raise TakeError(f"{place}: the input video ends before this chunk's frames; the take is damaged from here on")
            log.warning("%s: the input video ends before this chunk's frames; so does the replay", place)
            return
        params = updated(params, values)
        if line.begins is not None:
            stream.begin(line.begins)
        elif stream.size is None:
            raise TakeError(f"{place}: the first chunk begins no stream; the take lacks its beginning")
        if line.prompt is not None:
            shown, transition = line.prompt.mix, line.prompt.transition
            if line.prompt.anew:
                stream.settle()
            if not line.prompt.reweighed:
                stream.renew()
        pictures = stream.paint(frames, _showing(params, shown, transition), line.swing or (), wait_for_prompt=True)
        same = sha256_of(pictures) == line.sha256
        yield Repainted(place, line, pictures, same, same or within(pictures, line.samples))


def replay(
    take: Take,
    overrides: Sequence[str] = (),
    *,
    output: Path | None = None,
    check: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> Outcome:
    """Paint a take again, into a video, or compared with the show's pictures (until the first difference), or both.

    The comparison is byte for byte, or within one code where the show's frames went through other kernels (CuPy's or
    PyTorch's). Differences of the machine are logged. Raises TakeError, ConfigError, WeightsError, VideoError, EngineError.

    Args:
        take: the take.
        overrides: KEY=VALUE over the take's configuration, for instance the place of the weights.
        output: the video to write, if any.
        check: compare with the show's pictures.
        progress: called with the number of chunks done.
    """
    if check and not take.header.lossless:
        raise TakeError(
            f"{take.folder}: its input was recorded with loss, so the pictures cannot be identical; leave out --check, and "
            "record with takes.lossless: true next time"
        )
    if take.problem:
        log.warning("%s: the take is incomplete: %s; what it has is replayed: %d chunks", take.folder, take.problem, take.chunks)
    config = load_config(take.folder / CONFIG, [*as_recorded(take.header), f"output.luts={take.folder / LUTS}", *overrides])
    config = config.replaced(model=config.model.model_copy(update={"threads": take.header.threads}))
    config, models, group = load_shared(config, lambda config: config)
    torch.set_num_threads(take.header.threads)
    here = header_of(models, lossless=True, others=() if group is None else group.others)
    for difference in take.header.differences(here):
        log.warning("%s: not as it was recorded, pictures may differ: %s", take.folder, difference)
    roughly = check and take.header.by_other_frame_kernels(here)
    chunks, first_difference = 0, ""
    with ExitStack() as opened:
        if group is not None:
            opened.enter_context(closing(group))
        video = opened.enter_context(FileSink(output) if output else nullcontext())
        prompts = opened.enter_context(closing(new_prompts(config, models)))
        timed = _Timed(video) if video else None
        for chunk in repaint(take, new_stream(config, models, prompts, StageTimer(), group)):
            if check and not (chunk.alike if roughly else chunk.same) and not first_difference:
                first_difference = f"{chunk.place}: chunk {chunk.line.chunk}"
                if timed is None:
                    break
            if timed is not None:
                timed.send(chunk.pictures)
            chunks += 1
            progress(chunks)
    if not chunks and not first_difference:
        raise TakeError(f"{take.folder}: holds no chunk that can be replayed; it was cut short at its beginning")
    return Outcome(chunks, first_difference, _ROUGHLY.format(was=take.header, now=here) if roughly else "")


def as_recorded(header: Header) -> list[str]:
    """KEY=VALUE for what the show's configuration left to the machines that it ran on."""
    found = {"model.profile": header.profile, "model.vae": header.vae, "model.remote_ranks": "0"}  # those have the show
    if header.device == "cpu":  # measured there; another machine, or the same one on a bad day, may choose otherwise
        found["model.dtype"] = next((name for name, dtype in DTYPES.items() if str(dtype) == f"torch.{header.dtype}"), "")
    return [f"{key}={value}" for key, value in found.items() if value]


def _frames(reader: VideoReader, line: ChunkLine, place: str) -> list[Frame]:
    """The chunk's input frames; fewer where the video ends."""
    videos = {video.number: video for video in line.videos}
    frames: list[Frame] = []
    try:
        for frame_id in line.frames:
            if frame_id.frame == 0 and frame_id.video in videos:
                reader.begin(videos[frame_id.video])
            frame = reader.read(frame_id)
            if frame is None:
                break
            frames.append(frame)
    except TakeError as error:
        raise TakeError(f"{place}: {error}") from error
    return frames


def _showing(params: Params, mix: PromptMix, transition: int) -> Params:
    """`params` with the prompts that were in effect, in place of the requested ones, which may not have been encoded yet."""
    prompts = [text for text, _ in mix.prompts]
    weights = [weight for _, weight in mix.prompts]
    texts, shares = ([name for name in PARAMS if PARAMS[name].field == field] for field in ("prompts", "weights"))
    rest = len(shares) - len(weights)
    values = dict(zip(["prompt", *texts], prompts + [""] * rest, strict=True))
    asked = {"interpolation": mix.interpolation, "transition_chunks": transition}
    return updated(params, {**values, **dict(zip(shares, weights + [0.0] * rest, strict=True)), **asked})


class _Timed:
    """Sends pictures at the show's own pace: each is held as long as it was then, so that the video keeps time with music."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._last: Frame | None = None
        self._ahead = 0.0  # frames sent beyond those due

    def send(self, pictures: Sequence[Frame]) -> None:
        for picture in pictures:
            if self._last is not None:
                seconds = min(max(picture.captured_ns - self._last.captured_ns, 0) / 1e9, MAX_HOLD_S)
                self._ahead -= seconds * float(picture.rate)
                while self._ahead <= -0.5:
                    self._sink.send(self._last)
                    self._ahead += 1
            self._sink.send(picture)
            self._ahead += 1
            self._last = picture
