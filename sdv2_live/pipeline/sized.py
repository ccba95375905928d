"""The size of the small model's pictures, where nobody chose one: the largest that this CPU paints at a live rate."""

from __future__ import annotations

import logging

from sdv2_live.config.schema import Config
from sdv2_live.config.stream_spec import stream_spec
from sdv2_live.control.params import Params
from sdv2_live.cost.pace import PIXELS, RATE, Work, cores_for, largest, measured, share, words
from sdv2_live.engine.engine import Engine
from sdv2_live.engine.spec import Mode
from sdv2_live.gpu.geometry import model_size
from sdv2_live.memory.fit import WIDE
from sdv2_live.model.cpu import cores
from sdv2_live.model.load import choose_device, choose_dtype, load_models
from sdv2_live.pipeline.build import chosen_profile, set_threads

log = logging.getLogger("sdv2_live.bringup")


def sized(config: Config, start: Params) -> Config:
    """The configuration with `video.max_pixels` as measured, where it is for the small model on a CPU and leaves the size open.

    Args:
        config: the configuration.
        start: the parameters that the picture begins with: more steps leave less time for each.
    """
    video, device, chosen = config.video, choose_device(config.model.device), chosen_profile(config)
    fixed = video.size is not None or video.max_pixels is not None or config.engine.mode is Mode.TEXT
    if fixed or device.type != "cpu" or chosen.files is not None:
        return config
    there, rate = cores(), config.shed.target_fps or RATE
    set_threads(config, device, chosen)
    dtype = choose_dtype(config.model.dtype, device)
    models = load_models(chosen, device=device, dtype=dtype, vae=config.model.vae, weights_dir=config.model.weights_dir)
    engine = Engine(models.dit, models.vae)

    def work(pixels: int) -> Work:
        return measured(engine, stream_spec(config, chosen.stream, model_size(WIDE, None, pixels), start))

    def needed(pixels: int) -> float:
        calls = len(start.steps) + (not chosen.stream.own)
        return share(work(pixels), steps=calls, cores=cores_for(pixels, there), rate=rate)

    pixels = largest(PIXELS, needed)
    log.info("%s, in %s", words(pixels, model_size(WIDE, None, pixels), rate), str(dtype).removeprefix("torch."))
    return config.replaced(video=video.model_copy(update={"max_pixels": pixels}))
