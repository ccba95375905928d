"""Building a painter from a configuration: loaded models, their prompts, and a stream over them.

Everything that needs torch is built here, for the live show, offline rendering and replays alike.
"""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import torch

from sdv2_live.config.profiles import PROFILES, find_profile
from sdv2_live.config.schema import Config
from sdv2_live.config.stream_spec import start_values
from sdv2_live.control.params import Params
from sdv2_live.cost.cards import card_of
from sdv2_live.cost.choice import paced
from sdv2_live.engine.engine import Autoencoder, Engine
from sdv2_live.engine.graphs import CudaCapture
from sdv2_live.engine.prompt import PromptDirector
from sdv2_live.engine.prompt_cache import PromptCache
from sdv2_live.engine.prompt_disk import PromptDisk
from sdv2_live.engine.vae_graphs import GraphedVae
from sdv2_live.errors import VideoError
from sdv2_live.frame import Frame
from sdv2_live.gpu.backend import frames_by
from sdv2_live.gpu.lanes import LANES
from sdv2_live.io.files.source import FileSource
from sdv2_live.memory.fit import chosen_placement, fitted, free_bytes, require_room, text_size
from sdv2_live.model.checkpoints.files import require_painter, unknown_prompt
from sdv2_live.model.cpu import lane_threads
from sdv2_live.model.dit.attention import checked, choose_attention
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.dit.fp8 import require_fp8, to_fp8
from sdv2_live.model.load import Models, choose_device, choose_dtype, dit_digests, has_weights, load_dit, load_models
from sdv2_live.model.load_text import new_text
from sdv2_live.model.lora.lora import LoraSet, LoraSource, attach_loras, merge_loras, read_loras
from sdv2_live.model.profiles import Profile
from sdv2_live.model.text.encoder import Placement, Text
from sdv2_live.pipeline.group import Group
from sdv2_live.pipeline.stream import Stream
from sdv2_live.ranks.denoising import RingEngine
from sdv2_live.ranks.ring import RingDit, RingLoras
from sdv2_live.stats import StageTimer
from sdv2_live.system.clock import monotonic

log = logging.getLogger("sdv2_live.bringup")


def chosen_profile(config: Config) -> Profile:
    """The configured profile; auto is 1.3b where a GPU and its weights exist, else the embedded tiny."""
    if config.model.profile != "auto":
        return find_profile(config.model.profile, config.model.profiles_dir)
    if choose_device(config.model.device).type != "cuda":
        return PROFILES["tiny"]
    large, folder = find_profile("1.3b", config.model.profiles_dir), config.model.weights_dir
    if has_weights(large, config.model.vae, folder, text=False):
        text = new_text(large, device=torch.device("cpu"), dtype=torch.float32, weights_dir=folder)
        if not text.missing or not _unknown(config, text):
            return large
    log.warning("%s lacks weights of the 1.3b model: the embedded tiny runs in its place", folder)
    return PROFILES["tiny"]


def with_room(config: Config) -> Config:
    """With model.fit, the best settings that fit the free memory, with fit off; else the configuration itself.

    Without model.fit only CUDA graphs are turned off, where there is no room for them. Call this before `load`, and use its
    result from then on.

    Raises:
        MemoryShortageError: nothing fits.
    """
    return fitted(config, chosen_profile(config))


def live_settings(config: Config) -> Config:
    """`with_room`; and of what is auto, what paints at a live rate, as far as that can be reckoned for the GPU.

    Raises:
        MemoryShortageError: nothing fits.
    """
    room, chosen, device = with_room(config), chosen_profile(config), choose_device(config.model.device)
    if device.type != "cuda" or chosen.files is None:
        return room
    return paced(config, room, chosen, device, card_of(device))


def start_params(config: Config) -> Params:
    """The start values of the parameters: as configured, and as suits the model where nobody chose."""
    return start_values(config, chosen_profile(config))


def load(config: Config, blocks: range | None = None) -> Models:
    """The configured models on the configured device; the text encoder is loaded when it is needed.

    Args:
        config: the configuration.
        blocks: those of the transformer that this process has, if it leads a group, whose memory was spoken of; None for all.

    Raises:
        MemoryShortageError: the models do not fit; nothing has been loaded then.
        WeightsError: weights are missing or damaged.
        EngineError: the device lacks a configured ability.
    """
    device = choose_device(config.model.device)
    dtype = choose_dtype(config.model.dtype, device)
    chosen = chosen_profile(config)
    set_threads(config, device, chosen)
    if config.model.fp8:
        require_fp8(device)
    if chosen.files is not None:  # before their memory is spoken of
        require_painter(chosen.name, chosen.files, config.model.vae, config.model.weights_dir)
    if blocks is None:
        require_room(config, chosen)
    if not chosen.licence.commercial:
        log.warning("%s: weights under %s", chosen.name, chosen.licence)
    begin = monotonic()
    models = load_models(
        chosen,
        device=device,
        dtype=dtype,
        vae=config.model.vae,
        weights_dir=config.model.weights_dir,
        placement=chosen_placement(config, chosen, device),
        dit_device=torch.device("cpu") if config.model.fp8 else None,
        blocks=blocks,
    )
    models = replace(models, loras=_with_loras(config, models.dit, device))
    exactly = f"{str(dtype)[6:]}{' with fp8 linear layers' if config.model.fp8 else ''}, text encoder {models.text.placement}"
    if device.type == "cpu":
        exactly += f", threads for each operation: {torch.get_num_threads()}"
    log.info("model %s on %s in %s, loaded in %.1f s", chosen.name, device, exactly, monotonic() - begin)
    return models


def load_part(config: Config, blocks: range) -> tuple[CausalDiT, LoraSet]:
    """A follower's blocks of the configured transformer, with their LoRAs. Raises WeightsError and EngineError as `load` does."""
    device, chosen = choose_device(config.model.device), chosen_profile(config)
    set_threads(config, device, chosen)
    if config.model.fp8:
        require_fp8(device)
    first = torch.device("cpu") if config.model.fp8 else device
    dit = load_dit(chosen, first, choose_dtype(config.model.dtype, device), config.model.weights_dir, blocks)
    loras = _with_loras(config, dit, device)
    wanted, sizes = config.engine.attention, dit.config
    dit.attend = checked(choose_attention(wanted, device, dit.dtype), wanted, sizes.heads, sizes.head_dim, device)
    return dit, loras


def part_digests(config: Config, blocks: range | None = None) -> dict[str, str]:
    """Digests of the files that `load_part` reads; None: of all blocks. Raises WeightsError."""
    device = choose_device(config.model.device)
    return dit_digests(chosen_profile(config), choose_dtype(config.model.dtype, device), config.model.weights_dir, blocks)


def _with_loras(config: Config, dit: CausalDiT, device: torch.device) -> LoraSet:
    """Merge and attach the configured LoRAs; live ones wrap what fp8 has replaced."""
    loras = read_loras(dit, _lora_sources(config))
    merge_loras(dit, loras)
    if config.model.fp8:
        to_fp8(dit, device)
    return attach_loras(dit, loras)


def set_threads(config: Config, device: torch.device, profile: Profile) -> None:
    """Have each operation on the CPU use the configured number of threads, or for the small model as many as suit its lanes."""
    if config.model.threads:
        torch.set_num_threads(config.model.threads)
    elif device.type == "cpu" and profile.files is None:
        torch.set_num_threads(lane_threads())


def new_stream(config: Config, models: Models, prompts: PromptCache, timer: StageTimer, group: Group | None = None) -> Stream:
    """A stream over loaded models, whose other blocks a group has.

    Raises VideoError where the picture that it begins with cannot be read.
    """
    max_pixels, image = config.video.max_pixels or models.profile.max_pixels, config.input.image
    if group is not None:
        models = replace(models, dit=group.lead(models.dit, timer), loras=RingLoras.of(models.loras, group.member))
    stream = Stream(
        new_engine(config, models),
        PromptDirector(models.dit, prompts),
        config,
        max_pixels,
        timer,
        loras=models.loras,
        kind=models.profile.stream,
        image=None if image is None else _picture(image),
    )
    stream.group = group
    return stream


def _picture(path: Path) -> Frame:
    with closing(FileSource(path, realtime=False, loop=False)) as file:
        frame = file.read(0)
    if frame is None:
        raise VideoError(f"{path} holds no picture; give input.first_image another file")
    return frame


def new_engine(config: Config, models: Models) -> Engine:
    """The engine over loaded models, with the configured kernels.

    Raises:
        EngineError: a configured kernel is absent.
    """
    dit = models.dit
    wanted = config.engine.attention
    dit.attend = checked(
        choose_attention(wanted, dit.device, dit.dtype), wanted, dit.config.heads, dit.config.head_dim, dit.device
    )
    chosen = kernels(config, dit)
    log.info("attention by %(attention)s, other kernels of the model by %(operations)s, CUDA graphs %(cuda_graphs)s", chosen)
    vae: Autoencoder = models.vae
    capture = None
    if chosen["cuda_graphs"] == "on":  # each captured as it will run: at its lane's priority
        capture = CudaCapture(dit.device, LANES["denoise"])
        vae = GraphedVae(models.vae, CudaCapture(dit.device, LANES["input"]), CudaCapture(dit.device, LANES["output"]))
    ahead = config.engine.encodes_ahead(dit.device.type)
    if isinstance(dit, RingDit):  # its steps leave the process, and a graph holds what does not
        return RingEngine(dit, vae, encode_ahead=ahead)
    return Engine(dit, vae, capture=capture, encode_ahead=ahead)


def kernels(config: Config, dit: CausalDiT) -> dict[str, str]:
    """The kernels of an engine of this configuration over a model, in words by purpose.

    The purposes are attention, the model's other operations, and frames to pixels and back; cuda_graphs is "on" where chunks are
    launched as CUDA graphs.
    """
    return {
        "attention": dit.attend.name,
        "operations": dit.ops.name,
        "frames": frames_by(dit.device),
        "cuda_graphs": "on" if dit.device.type == "cuda" and config.engine.cuda_graphs == "auto" else "off",
    }


def _lora_sources(config: Config) -> list[LoraSource]:
    loras = config.model.loras
    return [LoraSource(name, one.file, one.scale, one.live) for name, one in zip(config.names.loras, loras, strict=True)]


def new_prompts(config: Config, models: Models, start: Params | None = None) -> PromptCache:
    """The text encoder's output, cached in memory and on disk. The caller closes it.

    Args:
        start: the parameters that the picture begins with; None for the configuration's.

    Raises:
        WeightsError: the text encoder is missing and these prompts are not on disk. The picture can go on without later prompts.
    """
    text = models.text
    if text.missing:
        unknown = _unknown(config.replaced(params=start) if start else config, text)
        if unknown:
            raise unknown_prompt(unknown[0], text.missing)
        log.warning("only prompts that are encoded already can be shown: %s", text.missing)
    return PromptCache(text, prompt_disk(config, text), text.rest)


def text_alone(config: Config) -> tuple[Text, PromptDisk]:
    """The configured model's text encoder alone, and the disk cache of its output (which must not be off).

    There is no picture to leave room for: it takes the GPU unless it is configured for RAM, or does not fit.
    """
    device, chosen = choose_device(config.model.device), chosen_profile(config)
    dtype = choose_dtype(config.model.dtype, device)
    folder = config.model.weights_dir
    there = free_bytes(device) > 1.1 * text_size(config, chosen)
    beside = device.type != "cpu" and config.model.text_encoder in ("auto", "gpu") and there
    text = new_text(chosen, device=device, dtype=dtype, weights_dir=folder, placement=Placement.GPU if beside else Placement.CPU)
    disk = prompt_disk(config, text)
    assert disk is not None
    return text, disk


def prompt_disk(config: Config, text: Text) -> PromptDisk | None:
    """The disk cache of this text encoder's output; None for no cache."""
    folder = config.model.prompt_folder
    return PromptDisk(folder, text.identities) if folder else None


def _unknown(config: Config, text: Text) -> list[str]:
    """The start prompts that are not on disk."""
    disk = prompt_disk(config, text)
    return [prompt for prompt, _ in config.params.blend if disk is None or not disk.has(prompt)]
