"""Messages between the show's process and the engine's: plain data, as JSON with checked types."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, TypeAdapter

from sdv2_live.control.params import Params
from sdv2_live.engine.spec import Painting
from sdv2_live.frame import ColorMatrix, ColorRange, ColorSpec, Frame, PixelFormat
from sdv2_live.ranks.now import RankNow
from sdv2_live.stats import Fill
from sdv2_live.takes.format import Header

INPUT, OUTPUT = "input", "output"  # the two directions of pictures, as the show sees them


@dataclass(frozen=True, slots=True)
class FrameAt:
    """A frame without its bytes.

    Attributes:
        offset: position of its bytes in shared memory; None when they are elsewhere, or follow the message.
    """

    offset: int | None
    width: int
    height: int
    stride: int
    format: PixelFormat
    rate: tuple[int, int]
    captured_ns: int
    index: int
    matrix: str
    range: ColorRange

    @classmethod
    def of(cls, frame: Frame, offset: int | None = None) -> Self:
        """The description of this frame, with its rows at `offset`."""
        rate, color = frame.rate, frame.color
        return cls(
            offset,
            frame.width,
            frame.height,
            frame.stride,
            frame.format,
            (rate.numerator, rate.denominator),
            frame.captured_ns,
            frame.index,
            color.matrix.name,
            color.range,
        )

    def frame(self, rows: np.ndarray) -> Frame:
        """The frame, with its rows (height, stride)."""
        color = ColorSpec(ColorMatrix[self.matrix], self.range)
        rate = Fraction(*self.rate)
        return Frame(rows, self.width, self.height, self.format, rate, self.captured_ns, self.index, color)


# From the show to the engine.


@dataclass(frozen=True, slots=True)
class Setup:
    """The first message.

    Attributes:
        config: the show's configuration as plain data, without its params.
        start: the present parameters.
        ladder: rungs taken so far.
        ranks: processes of this machine that will paint together, as far as is known.
    """

    config: dict[str, Any]
    start: Params
    ladder: tuple[str, ...]
    log_level: int
    ranks: int = 1
    kind: Literal["setup"] = "setup"


@dataclass(frozen=True, slots=True)
class ShareSegment:
    """A new segment, which replaces the previous one; its handle follows."""

    direction: Literal["input", "output"]
    size: int
    name: str
    kind: Literal["memory"] = "memory"


@dataclass(frozen=True, slots=True)
class Prepare:
    """Calls `Stream.prepare`; answered by `Prepared`."""

    like: FrameAt
    params: Params
    reset: bool
    render_scale: float
    kind: Literal["prepare"] = "prepare"


@dataclass(frozen=True, slots=True)
class Push:
    """Calls `Stream.push`; no answer. An error is reported in place of the next `Painted`."""

    frames: tuple[FrameAt, ...]
    kind: Literal["push"] = "push"


@dataclass(frozen=True, slots=True)
class Paint:
    """Calls `Stream.launch`; answered, in order, by `Painted`.

    Attributes:
        swing: see `Chunk`.
        free: places for pictures, of up to `room` bytes each.
    """

    frames: tuple[FrameAt, ...]
    params: Params
    swing: tuple[float, ...]
    convert: bool
    free: tuple[int, ...]
    room: int
    kind: Literal["paint"] = "paint"


@dataclass(frozen=True, slots=True)
class Settle:
    """Calls `Stream.settle`; no answer. An error is reported in place of the next `Painted`."""

    kind: Literal["settle"] = "settle"


@dataclass(frozen=True, slots=True)
class Discard:
    """Calls `Stream.discard`; no answer. An error is reported in place of the next `Painted`."""

    kind: Literal["discard"] = "discard"


@dataclass(frozen=True, slots=True)
class EncodePrompts:
    """Encodes these prompts ahead of their use; they replace those written to the slot before. No answer."""

    prompts: tuple[str, ...]
    slot: str | None = None
    kind: Literal["encode prompts"] = "encode prompts"


# From the engine to the show. to: the kind of request that is answered.


@dataclass(frozen=True, slots=True)
class Hello:
    """The report that the models are loaded, with their names, their device, and the values that suit them.

    Attributes:
        suited: start values by parameter, for parameters that nobody set.
        device: as torch names it, such as cpu or cuda.
        kernels: see host.EngineState.
        size: as for geometry.model_size, after all reductions by memory and the ladder; None for no bound.
        max_pixels: like size; None also where it is measured when the input comes, see `Prepared`.
        kept: settings by key, such as model.dtype, that were measured and must not change within a show.
        ranks: processes of this machine that paint together.
    """

    profile: str
    device: str
    vae: str
    suited: dict[str, Any]
    header: Header
    kernels: dict[str, str] = field(default_factory=dict)
    size: tuple[int, int] | None = None
    max_pixels: int | None = None
    kept: dict[str, Any] = field(default_factory=dict)
    ranks: int = 1
    to: Literal["setup"] = "setup"
    kind: Literal["hello"] = "hello"


@dataclass(frozen=True, slots=True)
class SettingUp:
    """Announces, before the answer to `Prepare`, that a stream is set up for it, which may take long."""

    kind: Literal["setting up"] = "setting up"


@dataclass(frozen=True, slots=True)
class Prepared:
    """The result of `Prepare`.

    Attributes:
        needed: the number of frames that the next chunk takes.
        max_pixels: the most pixels of a picture, where they were measured for this input.
    """

    needed: int
    max_pixels: int | None = None
    to: Literal["prepare"] = "prepare"
    kind: Literal["prepared"] = "prepared"


@dataclass(frozen=True, slots=True)
class Painted:
    """A painted chunk. The rows of frames without an offset follow, one message each.

    Attributes:
        stages: milliseconds by stage, in the order in which they ended.
    """

    frames: tuple[FrameAt, ...]
    painting: Painting
    stages: tuple[tuple[str, float], ...]
    to: Literal["paint"] = "paint"
    kind: Literal["painted"] = "painted"


@dataclass(frozen=True, slots=True)
class Failed:
    """An error in place of the answer to a request.

    Attributes:
        error: name of the project's error class, empty for any other error.
        fatal: only a new process can help; it is said whether or not an answer is awaited.
    """

    to: str
    error: str
    text: str
    fatal: bool
    kind: Literal["failed"] = "failed"


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A sign of life, with the GPU memory that the engine holds and the fill of its queues.

    Attributes:
        encoding: prompts that are not encoded yet, see PromptCache.
        ranks: of an engine that has several.
        hop_ms: milliseconds from one of them to the next.
    """

    gpu_mb: int
    queues: dict[str, Fill] = field(default_factory=dict)
    encoding: tuple[str, ...] = ()
    ranks: tuple[RankNow, ...] = ()
    hop_ms: float = 0.0
    kind: Literal["beat"] = "beat"


@dataclass(frozen=True, slots=True)
class Log:
    """A line of the engine's log."""

    name: str
    level: int
    text: str
    kind: Literal["log"] = "log"


Request = Setup | ShareSegment | Prepare | Push | Paint | Settle | Discard | EncodePrompts
Answer = Hello | Prepared | Painted | Failed
Reply = Answer | SettingUp | Heartbeat | Log
ANY: TypeAdapter[Any] = TypeAdapter(Annotated[Request | Reply, Field(discriminator="kind")])
