"""What converts a stream's frames to pixels and back, as configured."""

from __future__ import annotations

from sdv2_live.config.schema import Config
from sdv2_live.engine.engine import Engine
from sdv2_live.gpu.backend import new_postprocessor, new_preprocessor
from sdv2_live.gpu.geometry import Size
from sdv2_live.gpu.postprocess import Postprocessor
from sdv2_live.gpu.preprocess import Preprocessor


def new_preprocess(config: Config, engine: Engine, size: Size) -> Preprocessor:
    """What makes pixels of `size` for an engine."""
    return new_preprocessor(size, fit=config.video.fit, dtype=engine.pixel_dtype, device=engine.device)


def new_postprocess(config: Config, engine: Engine) -> Postprocessor:
    """What makes frames of an engine's pixels."""
    return new_postprocessor(
        config.video.pixel_format,
        color=config.video.color,
        input_size=config.video.output_size == "input",
        fit=config.video.fit,
        device=engine.device,
    )
