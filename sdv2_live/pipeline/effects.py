"""What parameters do to pixels before and after the painting: the looks of input and output, and feedback."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from sdv2_live.config.schema import Config
from sdv2_live.control.params import Params
from sdv2_live.gpu.backend import new_feedback
from sdv2_live.gpu.feedback import Move
from sdv2_live.gpu.look import Look
from sdv2_live.gpu.lut import LutShelf


def input_look(params: Params) -> Look:
    """The look that the input takes before it is painted."""
    return Look(
        params.input_brightness,
        params.input_contrast,
        params.input_saturation,
        params.input_hue,
        params.input_mirror,
        params.input_flip,
    )


def move_of(params: Params) -> Move:
    """The movement of the picture that is fed back."""
    return Move(
        params.feedback_zoom,
        params.feedback_rotate,
        params.feedback_x,
        params.feedback_y,
        params.feedback_hue,
        params.feedback_border,
    )


class Effects:
    """Those that need a device or files."""

    def __init__(self, config: Config, device: torch.device, dtype: torch.dtype) -> None:
        """dtype: of the pixels that are encoded."""
        self._feedback = new_feedback(device, dtype)
        self._dtype = dtype
        self._luts = LutShelf(config.output.luts_folder)

    def output_look(self, params: Params) -> Look:
        """The look that the painted picture takes. Reads a table that was not read yet."""
        look = Look(
            params.output_brightness,
            params.output_contrast,
            params.output_saturation,
            params.output_hue,
            params.output_mirror,
            params.output_flip,
        )
        return replace(look, lut=self._luts.get(params.output_lut)) if params.output_lut else look

    def fed(self, pixels_1CTHW: Tensor, last_CHW: Tensor, params: Params) -> Tensor:
        """A chunk's input with the last painted picture in it: moved once in its first frame, twice in the second."""
        times = range(1, 1 + pixels_1CTHW.shape[2])
        return self._feedback(pixels_1CTHW, last_CHW, move_of(params), params.feedback, times)

    def start(self, last_CHW: Tensor, params: Params, count: int) -> Tensor:
        """What a chunk of text mode starts from: the last picture, and `count` more frames in which it moves on."""
        last = last_CHW.to(self._dtype)
        still = last[None, :, None].expand(-1, -1, 1 + count, -1, -1)
        return self._feedback(still, last, move_of(params), 1.0, range(1 + count))
