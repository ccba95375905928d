"""Plain values that describe a stream and its chunks. Free of torch, for everything that plans, records or sends them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise
from typing import Literal

from sdv2_live.errors import EngineError
from sdv2_live.model.dit.cache_spec import TIME_ROWS, CacheSpec

FIRST_FRAMES = 5  # pixel frames of StreamDiffusionV2's first chunk: 1 + 4, two latents
LATENT_FRAMES = CHUNK_FRAMES = 4  # pixel frames of a latent past a stream's first, and of StreamDiffusionV2's chunks
TEXT_STEPS = (1000, 750, 500, 250)  # denoising steps from noise alone
SHIFT = 8.0  # of StreamDiffusionV2's noise schedule
Interpolation = Literal["linear", "slerp"]
Positions = Literal["absolute", "relative"]


def frames_of(latents: int, *, first: bool) -> int:
    """Pixel frames of so many latents; a stream's first latent is one frame."""
    return LATENT_FRAMES * latents - 3 * first


class Schedule(Enum):
    """The order in which the denoising steps of neighbouring chunks run."""

    SEQUENTIAL = "sequential"
    STREAM_BATCH = "stream_batch"


class Mode(Enum):
    """The start of the denoising: the input's pixels, or noise alone."""

    VIDEO = "video"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """The values that determine a stream's memory. A change of any of them needs a new StreamState.

    Attributes:
        height: pixels, a multiple of 16.
        width: pixels, a multiple of 16.
        levels: denoising steps that stream_batch keeps in flight (its step count).
        rope_refresh_frame: temporal positions end here. StreamDiffusionV2's next start then goes back to kv_frames - 1; a model
            with a context pass runs the latents that it sees once more, from position 0.
        block: latents of a chunk past the first.
        first_frames: pixel frames of a video stream's first chunk, 1 + 4k.
        shift: of the noise schedule.
        warp: steps are nominal, and the schedule's warp makes timesteps of them; else they are timesteps.
        steps: denoising steps from noise alone.
        first_steps: those of the first chunk so generated, where they are others.
        context_t: timestep of the context pass, a last call whose keys and values stay; None: the last step's stay.
        positions: temporal positions are the latents' numbers, or their places among those that attention sees.
        recompute: latents of the context that refills the cache before every chunk; None: the cache rolls on.
        recache_sinks: a recache empties the cache first, so that sinks are its oldest latents; else sinks that are older stay.
    """

    height: int
    width: int
    schedule: Schedule = Schedule.SEQUENTIAL
    levels: int = 2
    cache: CacheSpec = field(default_factory=CacheSpec)
    rope_refresh_frame: int = 50
    normalize_latents: bool = False
    mode: Mode = Mode.VIDEO
    block: int = 1
    first_frames: int = FIRST_FRAMES
    shift: float = SHIFT
    warp: bool = False
    steps: tuple[int, ...] = TEXT_STEPS
    first_steps: tuple[int, ...] | None = None
    context_t: float | None = None
    positions: Positions = "absolute"
    recompute: int | None = None
    recache_sinks: bool = False

    def __post_init__(self) -> None:
        if self.height % 16 or self.width % 16 or self.height < 16 or self.width < 16:
            raise EngineError(f"height {self.height} and width {self.width} must be multiples of 16, at least 16")
        if self.block < 1 or self.first_frames % LATENT_FRAMES != 1:
            raise EngineError(
                f"a chunk of {self.block} latents after a first one of {self.first_frames} frames is impossible: give 1 latent "
                f"or more, and 1, 5, 9, ... frames"
            )
        if not self.cache.kv_frames < self.rope_refresh_frame <= TIME_ROWS:
            raise EngineError(
                f"rope_refresh_frame = {self.rope_refresh_frame} must be above kv_frames = {self.cache.kv_frames} and at most "
                f"{TIME_ROWS}, the rows of the position table"
            )
        if self.schedule is Schedule.STREAM_BATCH and (self.block > 1 or self.clean_past or self.positions == "relative"):
            raise EngineError(
                "stream_batch takes one latent a chunk, with nothing between its steps: use the schedule sequential"
            )
        if self.positions == "relative" and self.cache.adaptive:
            raise EngineError(
                "sinks that adapt have no place of their own: set adapt_sink_threshold to -1 with relative positions"
            )

    @property
    def clean_past(self) -> bool:
        """True where the cache holds keys and values of clean latents; StreamDiffusionV2's are those of the last step."""
        return self.context_t is not None or self.recompute is not None

    @property
    def chunk_frames(self) -> int:
        """Pixel frames of a chunk past the first."""
        return frames_of(self.block, first=False)

    def frames_needed(self, *, first: bool) -> int:
        """Pixel frames that a chunk takes; in text mode, where none are looked at, so many come out."""
        if not first:
            return self.chunk_frames
        return self.first_frames if self.mode is Mode.VIDEO else frames_of(self.block, first=True)

    def latents(self, *, first: bool) -> int:
        """Latents that a chunk has."""
        return (self.frames_needed(first=first) + 3) // LATENT_FRAMES

    @property
    def latent_hw(self) -> tuple[int, int]:
        """Height and width of a latent."""
        return self.height // 8, self.width // 8


@dataclass(frozen=True, slots=True)
class ChunkSettings:
    """The settings that the performer may change at every chunk. Raises EngineError for steps or a memory out of range.

    Attributes:
        noise_scale: 0..1, share of noise in the noisy latent.
        steps: 1 to 4 strictly descending timesteps in 0..1000.
        seed: 0 .. 2**63 - 1.
        noise_controller: lower the noise scale with motion.
        memory: 0.01..1, the weight of the past in self-attention; 1 as trained.
        kept: of text mode: share, 0..1, in which a chunk starts from given pixels rather than from noise.
    """

    noise_scale: float = 0.7
    steps: tuple[int, ...] = (700, 500)
    seed: int = 42
    noise_controller: bool = True
    memory: float = 1.0
    kept: float = 0.0

    def __post_init__(self) -> None:
        steps, descending = self.steps, all(a > b for a, b in pairwise(self.steps))
        if not 1 <= len(steps) <= 4 or not descending or not all(0 <= step <= 1000 for step in steps):
            raise EngineError(
                f"steps = {list(steps)} must be 1 to 4 strictly descending timesteps in 0..1000, such as [700, 500]"
            )
        if not 0.01 <= self.memory <= 1:
            raise EngineError(f"memory = {self.memory} must be 0.01 to 1, such as 1, the weight of the past as trained")


@dataclass(frozen=True, slots=True)
class ChunkPlan:
    """What the denoising steps of one chunk take.

    Attributes:
        noise_scale: 0..1.
        timesteps: of the steps, 0..1000.
        memory: 0.01..1, the weight of the past in self-attention.
    """

    noise_scale: float
    timesteps: tuple[float, ...]
    memory: float = 1.0


@dataclass(frozen=True, slots=True)
class PromptMix:
    """Prompts with their weights (0 and above, any sum), and the interpolation of their embeddings.

    A prompt of weight 0 does not show; it says that a weight is all that it takes. Without any weight the first shows.
    """

    prompts: tuple[tuple[str, float], ...]
    interpolation: Interpolation = "linear"

    @property
    def texts(self) -> frozenset[str]:
        """All prompts, also those of weight 0."""
        return frozenset(text for text, _ in self.prompts)

    @property
    def used(self) -> tuple[tuple[str, float], ...]:
        """The prompts that show, with their weights."""
        return tuple((text, weight) for text, weight in self.prompts if weight > 0) or ((self.prompts[0][0], 1.0),)

    @property
    def shares(self) -> tuple[tuple[str, float], ...]:
        """The prompts that show, with weights of sum 1: equal shares look the same."""
        total = sum(weight for _, weight in self.used)
        return tuple((text, weight / total) for text, weight in self.used)

    def reweighed(self, mix: PromptMix) -> bool:
        """True when nothing but weights leads from here to `mix`: what showed is still there, and what shows was there."""
        ours, theirs = ({text for text, _ in one.used} for one in (self, mix))
        return self.interpolation == mix.interpolation and ours <= mix.texts and theirs <= self.texts

    @classmethod
    def of(cls, prompt: str) -> PromptMix:
        """A mix of one prompt alone."""
        return cls(((prompt, 1.0),))


@dataclass(frozen=True, slots=True)
class PromptStep:
    """The prompt of one chunk, and its progress in a transition.

    Attributes:
        mix: the prompt that shows, or that is being faded to.
        done: chunks of the transition so far, this one included; equal to `chunks` when it is complete.
        chunks: length of the transition.
        began: the mix takes effect with this chunk (so that a cut can cut).
        anew: no earlier prompt shows in it, as in a stream's first chunk.
    """

    mix: PromptMix
    done: int
    chunks: int
    began: bool
    anew: bool


@dataclass(frozen=True, slots=True)
class Painting:
    """The rest of a chunk's inputs, beyond its frames and parameters. Together they are enough to repeat it.

    Attributes:
        begins: the kind of stream that began with this chunk; None within a running stream.
    """

    begins: StreamSpec | None
    prompt: PromptStep
