"""What is played on the simulated device: models and settings, and what a performer does with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from fakecuda.mutations import MUTATIONS
from sdv2_live.control.params import Value
from sdv2_live.model.profiles import StreamKind

Size = tuple[int, int]  # height and width

PROMPTS = ("a harbour at night", "a forest of glass, seen from above, after the rain", "ink", "gold", "smoke")


@dataclass(frozen=True, slots=True)
class Act:
    """Some chunks, all with the same settings.

    Attributes:
        changes: parameters that change with the first chunk, by name.
        reset: begin a new stream with the first chunk.
        source: the input's size; None goes on as before.
        scale: share of the pixels that load shedding leaves; None goes on as before.
        ahead: frames are pushed as they come.
        mutation: a fault put into the program meanwhile, one of mutations.MUTATIONS.
    """

    name: str
    chunks: int
    changes: Mapping[str, Value] = field(default_factory=dict)
    reset: bool = False
    source: Size | None = None
    scale: float | None = None
    ahead: bool = False
    mutation: str = ""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A show.

    Attributes:
        settings: as on the command line, KEY=VALUE.
        layers: of the DiT; None leaves it as deep as it is.
        kind: how the model is used; None leaves it as it is.
        loras: LoRAs of every linear layer of the DiT, live, from files.
        cupy: the compiled frame kernels are there.
    """

    settings: tuple[str, ...]
    acts: tuple[Act, ...]
    layers: int | None = None
    kind: StreamKind | None = None
    loras: int = 0
    cupy: bool = True
    source: Size = (480, 832)
    prompts: tuple[str, ...] = PROMPTS


START = (Act("start", 1), Act("steady", 9))
BASICS = (
    *START,
    Act("frames pushed", 3, ahead=True),
    Act("reset", 8, reset=True),
    Act("fade", 6, {"prompt": PROMPTS[1], "transition_chunks": 4}),
    Act("cut", 9, {"prompt": PROMPTS[2], "prompt_change": "cut"}),
    Act("mix", 2, {"mix": 0.5}),
    Act("detail", 3, {"detail": 0.8}),
    Act("recache", 3, {"prompt": PROMPTS[1], "prompt_change": "recache", "transition_chunks": 0}),
    Act("memory", 3, {"memory": 0.4}),
    Act("a moving memory", 2, {"memory": 0.6}),
    Act("flush", 9, {"prompt": PROMPTS[2], "prompt_change": "flush"}),
    Act("full memory", 2, {"memory": 1.0, "prompt_change": "cut"}),
)
BRIEF = (
    Act("start", 1),
    Act("steady", 4),
    Act("frames pushed", 2, ahead=True),
    Act("reset", 4, reset=True),
    Act("cut", 7, {"prompt": PROMPTS[1], "prompt_change": "cut"}),
    Act("mix", 2, {"mix": 0.5}),
    Act("detail", 3, {"detail": 0.8}),
)
STEPS = (
    Act("three steps", 3, {"steps": (800, 600, 300)}),
    Act("one step", 3, {"steps": (600,)}),
    Act("four steps", 3, {"steps": (900, 700, 500, 300)}),
    Act("two steps", 3, {"steps": (700, 500)}),
    Act("cut and other steps", 9, {"prompt": PROMPTS[0], "steps": (800, 600, 300)}),
)
WHOLE = (
    *BASICS,
    Act("rope refresh", 20),
    *STEPS,
    Act("slerp", 4, {"prompt/2/text": PROMPTS[3], "prompt/2/weight": 0.5, "interpolation": "slerp"}),
    Act("other settings at a reset", 8, {"normalize_latents": True}, reset=True),
    Act("shed to a smaller picture", 8, scale=0.6),
    Act("shed to fewer steps", 3, {"steps": (700,)}),
    Act("back", 8, {"steps": (700, 500)}, scale=1.0),
    Act("input of another shape", 8, source=(240, 320)),
    Act("input of another size and the same shape", 3, source=(120, 160)),
)
LORAS = (
    *START,
    Act("a LoRA's scale", 3, {"lora/1/scale": 0.7}),
    Act("both", 3, {"lora/1/scale": 0.2, "lora/2/scale": 0.9}),
    Act("cut with a scale", 8, {"prompt": PROMPTS[1], "prompt_change": "cut", "lora/1/scale": 0.0}),
    Act("reset", 3, reset=True),
)
MUTATED = tuple(
    act
    for mutation in MUTATIONS
    for act in (
        Act(mutation, 4, mutation=mutation),
        Act(f"{mutation}, at a reset", 3, reset=True, mutation=mutation),
        Act(f"after: {mutation}", 3, reset=True),
    )
)
SET_UPS = tuple(Act(f"set-up {i}", 2, source=((480, 640), (640, 480))[i % 2]) for i in range(6))

BLOCKS = StreamKind(
    3, 9, 5.0, warp=True, sinks=2, adaptive_sinks=False, context_t=0.0, positions="relative", normalize_latents=True
)
REFILLED = replace(BLOCKS, sinks=0, context_t=None, recompute=3, positions="absolute")

LARGE = ("model.profile=1.3b", "engine.overlap=on")
TINY = ("model.profile=tiny", "video.output_size=input")
SOON = ("engine.rope_refresh_frame=16",)  # positions begin anew after so few latents

SCENARIOS = {
    "tiny": Scenario((*TINY, *SOON), WHOLE, source=(144, 256)),
    "tiny, with faults": Scenario(TINY, (*START, *MUTATED), source=(144, 256)),
    "1.3b wan": Scenario((*LARGE, *SOON, "model.vae=wan"), WHOLE, layers=2),
    "1.3b taehv": Scenario((*LARGE, "model.vae=taehv"), (*BASICS, *STEPS), layers=2),
    "stream batch": Scenario((*LARGE, "model.vae=taehv", "engine.schedule=stream_batch"), (*BASICS, STEPS[0]), layers=2),
    "frames encoded ahead": Scenario((*LARGE, "model.vae=wan", "engine.encode_ahead=on"), BRIEF, layers=2),
    "loras": Scenario((*LARGE, "model.vae=taehv"), LORAS, layers=2, loras=2),
    "text mode": Scenario(
        (*LARGE, "model.vae=taehv", "engine.mode=text", "video.size=480x832"), (*START, *BASICS[3:6]), layers=2
    ),
    "blocks": Scenario((*LARGE, "model.vae=wan"), BRIEF, layers=2, kind=BLOCKS),
    "refilled blocks": Scenario((*LARGE, "model.vae=taehv"), BRIEF, layers=2, kind=REFILLED),
    "fp16": Scenario((*LARGE, "model.vae=wan", "model.dtype=fp16"), BRIEF, layers=2),
    "without CuPy": Scenario((*LARGE, "model.vae=taehv"), BRIEF, layers=2, cupy=False),
    "without graphs": Scenario((*LARGE, "model.vae=wan", "engine.cuda_graphs=off"), (*BRIEF, *STEPS), layers=2),
    "tiny, briefly": Scenario(TINY, START, source=(144, 256)),
    "1.3b wan, briefly": Scenario((*LARGE, "model.vae=wan"), START, layers=1),
    "1.3b taehv, briefly": Scenario((*LARGE, "model.vae=taehv"), START, layers=1),
    "six set-ups": Scenario((*LARGE, "model.vae=wan"), SET_UPS, layers=1, source=(480, 640)),
}
