"""Is there room for what the configuration asks for? Else: say what saves how much, or (model.fit) choose what fits."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace

import psutil
import torch

from sdv2_live.config.schema import Config
from sdv2_live.config.stream_spec import cache_spec, schedule_of, start_values
from sdv2_live.engine.spec import Mode
from sdv2_live.errors import MemoryShortageError
from sdv2_live.gpu.geometry import model_size
from sdv2_live.memory.budget import GB, Budget, Saving, fit, lighter_vaes, plan, savings, smaller_sizes, ways
from sdv2_live.memory.group import remedy
from sdv2_live.memory.request import MemoryRequest
from sdv2_live.model.checkpoints.files import PRECISIONS
from sdv2_live.model.dit.fp8 import why_not_fp8
from sdv2_live.model.load import choose_device, choose_dtype, has_weights
from sdv2_live.model.load_text import text_bytes
from sdv2_live.model.profiles import Profile
from sdv2_live.model.text.encoder import Placement
from sdv2_live.model.vae_choice import vae_there

log = logging.getLogger("sdv2_live.memory")

WIDE = (1080, 1920)  # the input that is reckoned with where the size follows the input
TEXT_SIZE = (256, 256)  # of text mode, where none is given


def free_bytes(device: torch.device) -> int:
    """Memory that can be had: of the GPU, or the machine's RAM."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def wish_of(config: Config, profile: Profile, device: torch.device) -> MemoryRequest:
    """The memory request of a configuration. Text encoder auto is gpu."""
    engine, model = config.engine, config.model
    default = TEXT_SIZE if engine.mode is Mode.TEXT else None
    size = config.video.size or default or model_size(WIDE, None, config.video.max_pixels or profile.max_pixels)
    cache = cache_spec(engine, profile.stream, config.params.adapt_sink_threshold)
    return MemoryRequest(
        profile,
        vae_there(profile, model.vae, model.weights_dir),
        size,
        choose_dtype(model.dtype, device),
        profile.stream.steps if engine.mode is Mode.TEXT else start_values(config, profile).steps,
        cache.kv_frames,
        cache.sink_frames,
        cache.adapt_sink_threshold,
        schedule_of(engine, profile.stream),
        model.fp8,
        Placement.GPU if model.text_encoder == "auto" else Placement(model.text_encoder),
        _precision(config, profile),
        unified=device.type == "cpu",
        graphs=device.type == "cuda" and engine.cuda_graphs == "auto",
        overlap=engine.overlaps,
    )


def chosen_placement(config: Config, profile: Profile, device: torch.device, free: int | None = None) -> Placement:
    """The text encoder's place.

    auto: beside the DiT where everything fits, else in RAM; where that is short too, in RAM on demand.

    Args:
        config: the configuration.
        profile: the model.
        device: where the DiT runs.
        free: bytes on the device, if known.
    """
    if config.model.text_encoder != "auto":
        return Placement(config.model.text_encoder)
    if profile.files is None:
        return Placement.GPU
    wish = wish_of(config, profile, device)
    if device.type != "cpu" and plan(wish).total <= (free if free is not None else free_bytes(device)):
        return Placement.GPU
    ram = free_bytes(torch.device("cpu"))
    return Placement.CPU if 1.25 * text_size(config, profile) <= ram else Placement.ON_DEMAND


def affordable(wish: MemoryRequest, free: int) -> MemoryRequest:
    """The wish without CUDA graphs and overlap where it fits into `free` bytes only so: that costs speed and no picture."""
    without = replace(wish, graphs=False, overlap=False)
    return without if plan(wish).total > free >= plan(without).total else wish


def require_room(config: Config, profile: Profile) -> None:
    """Raise MemoryShortageError, with what saves how much, when the configuration does not fit. The embedded model does."""
    if profile.files is None:
        return
    device = choose_device(config.model.device)
    free = free_bytes(device)
    wish = wish_of(config, profile, device)
    asked = affordable(_placed(wish, chosen_placement(config, profile, device, free)), free)
    wanted = plan(asked)
    log.info("memory: %.1f GB needed, %.1f GB free on %s", wanted.total / GB, free / GB, device)
    if wanted.total > free:
        raise MemoryShortageError(shortage(wanted, free, str(device), savings(asked)))


def fitted(config: Config, profile: Profile, free: int | None = None) -> Config:
    """The configuration with the best settings that fit, if it asks for model.fit.

    Else the configuration itself, without CUDA graphs and overlap where they alone do not fit.

    Values of vae, text_encoder and size that are set (not auto) stay.

    Raises:
        MemoryShortageError: nothing fits.
    """
    if profile.files is None:
        return config
    device = choose_device(config.model.device)
    free = free_bytes(device) if free is None else free
    wish = wish_of(config, profile, device)
    model = config.model
    if not model.fit:
        wish = _placed(wish, chosen_placement(config, profile, device, free))
        if affordable(wish, free) == wish:
            return config
        log.warning(
            "CUDA graphs and chunks that overlap would take about %.1f GB and are off, there is no room for them",
            _saved(wish) / GB,
        )
        return config.replaced(engine=config.engine.model_copy(update={"cuda_graphs": "off", "overlap": "off"}))
    best = fit(open_ways(config, wish, fp8=why_not_fp8(device) is None), free)
    if best is None:
        asked = _placed(wish, open_texts(config, wish)[-1])
        raise MemoryShortageError(
            shortage(plan(asked), free, str(device), savings(asked)) + "; model.fit found nothing that fits"
        )
    if best.wish != wish:
        log.warning("model.fit: %s", ", ".join(differences(wish, best.wish)))
    return with_request(config, best.wish)


def open_texts(config: Config, wish: MemoryRequest) -> tuple[Placement, ...]:
    """The places of the text encoder that the configuration leaves open, the best first."""
    return (Placement.GPU, Placement.CPU) if config.model.text_encoder == "auto" else (wish.text,)


def open_ways(config: Config, wish: MemoryRequest, *, fp8: bool, files: bool = True) -> Iterator[MemoryRequest]:
    """The request, and what takes less memory by settings that the configuration leaves open, the best first.

    Args:
        config: the configuration.
        wish: the request.
        fp8: linear layers may be in 8 bits.
        files: take only autoencoders whose weights are there.
    """
    profile, model = wish.profile, config.model
    vaes = lighter_vaes(profile, wish.vae) if model.vae == "auto" else (wish.vae,)
    if files:
        vaes = tuple(vae for vae in vaes if vae == wish.vae or has_weights(profile, vae, model.weights_dir, text=False))
    sizes = smaller_sizes(wish.size) if config.video.size is None else (wish.size,)
    return ways(wish, vaes=vaes, texts=open_texts(config, wish), sizes=sizes, fp8=fp8)


def differences(asked: MemoryRequest, got: MemoryRequest) -> list[str]:
    """The settings that differ from those asked for."""
    settings = {
        "model.text_encoder": (asked.text, got.text),
        "engine.cuda_graphs": (_graphs(asked), _graphs(got)),
        "engine.overlap": ("on" if asked.overlap else "off", "on" if got.overlap else "off"),
        "engine.schedule": (asked.schedule.value, got.schedule.value),
        "engine.kv_frames": (asked.kv_frames, got.kv_frames),
        "engine.sink_frames": (asked.sink_frames, got.sink_frames),
        "model.fp8": (asked.fp8, got.fp8),
        "model.vae": (asked.vae, got.vae),
        "video.size": ("{}x{}".format(*asked.size), "{}x{}".format(*got.size)),
    }
    return [f"{name}: {now} in place of {was}" for name, (was, now) in settings.items() if was != now]


def shortage(wanted: Budget, free: int, where: str, ways: Sequence[Saving]) -> str:
    """The error's sentence: by how much, and what helps."""
    lacking = wanted.total - free
    saves = "; ".join(filter(None, (_told(ways), remedy(wanted.wish, free))))
    return (
        f"{wanted.wish.profile.name} at {wanted.wish.size[0]}x{wanted.wish.size[1]} needs {wanted.total / GB:.1f} GB on {where}, "
        f"where {free / GB:.1f} GB are free: {lacking / GB:.1f} GB too little. Close what else uses it, or: {saves}; "
        "or let --fit choose; sdv2-live plan shows the parts"
    )


def savings_of(wish: MemoryRequest) -> str:
    """The settings that would save memory, and how much each saves."""
    return _told(savings(wish))


def _told(ways: Sequence[Saving]) -> str:
    return "; ".join(f"{way.setting} saves {way.bytes / GB:.1f} GB" for way in ways)


def _saved(wish: MemoryRequest) -> int:
    return plan(wish).total - plan(replace(wish, graphs=False, overlap=False)).total


def _graphs(wish: MemoryRequest) -> str:
    return "auto" if wish.graphs else "off"


def _placed(wish: MemoryRequest, text: Placement) -> MemoryRequest:
    return replace(wish, text=text)


def text_size(config: Config, profile: Profile) -> int:
    """Bytes of the text encoder's weights."""
    return text_bytes(profile, _precision(config, profile))


def _precision(config: Config, profile: Profile) -> str:
    names = profile.files.text if profile.files else ()
    present = [name for name in names if (config.model.weights_dir / name).is_file()]
    return PRECISIONS[(present or list(names))[0]] if names else "fp32"


def with_request(config: Config, wish: MemoryRequest) -> Config:
    """The configuration with the settings of a request."""
    text = wish.text.value if config.model.text_encoder != "auto" or wish.text is not Placement.CPU else "auto"
    model = config.model.model_copy(update={"fit": False, "vae": wish.vae, "fp8": wish.fp8, "text_encoder": text})
    engine = config.engine.model_copy(update={"kv_frames": wish.kv_frames, "sink_frames": wish.sink_frames})
    if not wish.unified:
        given_up = {name: "off" for name, kept in (("cuda_graphs", wish.graphs), ("overlap", wish.overlap)) if not kept}
        engine = engine.model_copy(update=given_up)
    if config.engine.mode is not Mode.TEXT:
        engine = engine.model_copy(update={"schedule": wish.schedule})
    video = config.video
    if video.size is None and config.engine.mode is not Mode.TEXT:
        limit = wish.size[0] * wish.size[1]
        if limit < (video.max_pixels or wish.profile.max_pixels) and wish.size != model_size(
            WIDE, None, video.max_pixels or wish.profile.max_pixels
        ):
            video = video.model_copy(update={"max_pixels": limit})
    return config.replaced(model=model, engine=engine, video=video)
