"""The rows of the parameter table that shape the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sdv2_live.control.rows import Applies, Group, Kind, ParamSpec, Widget, param

MAX_PROMPT = 4000  # characters; the text encoder reads 512 tokens
PROMPT_SLOTS = 8
LORA_SLOTS = 8
MAX_LORA_SCALE = 4.0


DEFAULT_PROMPT = (
    "A hand-painted animation of a performer on a dark stage, thick confident brush strokes follow every movement, "
    "deep ultramarine and violet shadows, warm amber rim light along the hair and shoulders, drifting dust glitters in "
    "soft volumetric beams, rich oil texture with visible canvas grain, expressive face, fluid cloth, gentle depth of "
    "field, cinematic composition, highly detailed, steady camera, smooth continuous motion"
)


@dataclass(frozen=True)
class PictureParams:
    """What shapes the picture, and what is done with it. The types below are the types of the table."""

    prompt: str = param(
        DEFAULT_PROMPT,
        high=MAX_PROMPT,
        doc="What the picture shall look like; long, detailed prompts do best. Slot 1 of the blend.",
        label="Prompt 1",
        group=Group.PROMPTS,
        rank=1,
    )
    prompts: tuple[str, ...] = param(
        ("",) * (PROMPT_SLOTS - 1),
        family="prompt/{}/text",
        first=2,
        high=MAX_PROMPT,
        doc="A further prompt to blend in.",
        label="Prompt {}",
        group=Group.PROMPTS,
        rank=2,
    )
    weights: tuple[float, ...] = param(
        (1.0,) + (0.0,) * (PROMPT_SLOTS - 1),
        family="prompt/{}/weight",
        low=0.0,
        high=1.0,
        continuous=True,
        doc="Share of this slot's prompt in the blend, relative to the other weights.",
        label="Weight {}",
        group=Group.PROMPTS,
        rank=2,
    )
    interpolation: Literal["linear", "slerp"] = param(
        "linear", doc="How prompts blend: linear weights their embeddings, slerp turns from one to the next.", group=Group.PROMPTS
    )
    cue_prompt: str = param(
        "",
        prepares=True,
        high=MAX_PROMPT,
        doc="The next prompt, prepared out of sight until take.",
        label="Cue",
        group=Group.PROMPTS,
        rank=1,
    )
    seed: int = param(
        42,
        low=0,
        high=2**63 - 1,
        doc="Seed of the noise; the same seed and input give the same output. Also takes the words random and lock.",
        group=Group.LOOK,
        rank=2,
        widget=Widget.SEED,
    )
    seed_mode: Literal["lock", "random"] = param(
        "lock",
        prepares=True,
        applies=Applies.NEXT_RESET,
        doc="lock: the seed stays; random: every reset draws a new one.",
        group=Group.LOOK,
    )
    noise_scale: float = param(
        0.7,
        low=0.0,
        high=1.0,
        continuous=True,
        doc="Noise mixed into the input: more noise, more prompt, less input.",
        label="Noise",
        group=Group.LOOK,
        rank=1,
    )
    noise_controller: bool = param(
        True, doc="Lower the noise while the input moves fast (motion-aware noise controller).", group=Group.MOTION, rank=2
    )
    steps: tuple[int, ...] = param(
        (700, 500), doc="Denoising timesteps; fewer are faster, more are cleaner.", group=Group.LOOK, rank=2
    )
    lora_scales: tuple[float, ...] = param(
        (1.0,) * LORA_SLOTS,
        family="lora/{}/scale",
        low=-MAX_LORA_SCALE,
        high=MAX_LORA_SCALE,
        continuous=True,
        doc="Strength of this LoRA of model.loras, which gives the start value: 0 is none, 1 as trained. Also lora/<name>/scale.",
        label="LoRA {}",
        group=Group.LOOK,
        rank=1,
        span=(0.0, 1.5),
    )
    prompt_change: Literal["soft", "cut", "flush", "recache"] = param(
        "soft",
        prepares=True,
        doc="soft: a new prompt grows out of the running picture; cut: it starts from fresh caches; flush: of the past it keeps "
        "the first and the last two latents; recache: the past is made anew as if it had been there (soft with stream_batch).",
        group=Group.MOTION,
        rank=2,
    )
    transition_chunks: int = param(
        0,
        prepares=True,
        low=0,
        high=64,
        unit="chunks",
        doc="Chunks over which a new prompt fades in; 0 is at once.",
        label="Transition",
        group=Group.MOTION,
        rank=2,
    )
    freeze: bool = param(False, applies=Applies.AT_ONCE, doc="Hold the picture.", group=Group.SAFETY, rank=1, widget=Widget.KEY)
    bypass: bool = param(
        False, applies=Applies.AT_ONCE, doc="Send the input through unchanged.", group=Group.SAFETY, rank=1, widget=Widget.KEY
    )
    input_select: Literal["auto", "main", "backup"] = param(
        "auto",
        applies=Applies.AT_ONCE,
        doc="auto: the main input, and when it fails what input.on_lost says; main or backup: that one, whatever happens.",
        label="Input",
        group=Group.SAFETY,
        rank=1,
    )
    blackout: bool = param(False, applies=Applies.AT_ONCE, doc="Send black.", group=Group.SAFETY, rank=1, widget=Widget.KEY)
    mix: float = param(
        1.0, low=0.0, high=1.0, continuous=True, doc="Crossfade from the input (0) to the output (1).", group=Group.LOOK, rank=1
    )
    detail: float = param(
        0.0,
        low=0.0,
        high=1.0,
        continuous=True,
        doc="Edges and fine luminance of the input, carried into the painted picture at the output's size; 0 costs nothing.",
        group=Group.LOOK,
        rank=2,
    )
    memory: float = param(
        1.0,
        low=0.01,
        high=1.0,
        continuous=True,
        doc="Weight of the past in the model's attention: 1 as trained; lower follows the input and the prompt sooner.",
        group=Group.LOOK,
        rank=2,
    )
    preset: str = param("", kind=Kind.PRESET, doc="Recall a preset: all its values in one chunk.", group=Group.LOOK, rank=1)
    morph_seconds: float = param(
        0.0,
        prepares=True,
        low=0.0,
        high=600.0,
        unit="seconds",
        doc="Time over which a recalled preset's numbers glide to their values.",
        label="Morph",
        group=Group.MOTION,
        rank=2,
        span=(0.0, 16.0),
    )
    record: bool = param(
        False,
        prepares=True,
        doc="Record a take, for `sdv2-live replay`. It begins with a reset, the prompt's transition complete; false again when "
        "the take cannot be written.",
        label="Record a take",
        group=Group.MODEL,
        rank=2,
    )
    normalize_latents: bool = param(
        False,
        applies=Applies.NEXT_RESET,
        doc="Normalise latents per channel after encoding; pair it with noise_scale 0.6.",
        group=Group.MODEL,
    )
    adapt_sink_threshold: float = param(
        0.2,
        low=-1.0,
        high=1.0,
        continuous=True,
        applies=Applies.NEXT_RESET,
        doc="Similarity below which a new frame replaces a sink of the cache; -1 keeps the sinks for ever.",
        label="Sink threshold",
        group=Group.MODEL,
    )

    @property
    def standing(self) -> tuple[tuple[str, float], ...]:
        """(text, weight) of slot 1 and of every further slot with a text, also of those of weight 0."""
        slots = zip((self.prompt, *self.prompts), self.weights, strict=True)
        return tuple((text, weight) for slot, (text, weight) in enumerate(slots) if text or slot == 0)

    @property
    def blend(self) -> tuple[tuple[str, float], ...]:
        """(text, weight) of every slot that takes part: weight above 0 and, past slot 1, a text. Never empty."""
        return tuple((text, weight) for text, weight in self.standing if weight > 0) or ((self.prompt, 1.0),)


PICTURE_TRIGGERS = (
    ParamSpec(
        "reset", Kind.TRIGGER, False, "Start again from empty caches and the first noise of the seed.", group=Group.SAFETY, rank=1
    ),
    ParamSpec("take", Kind.TRIGGER, False, "Make cue_prompt the prompt.", group=Group.PROMPTS, rank=1),
)
