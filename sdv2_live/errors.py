"""The project's errors: one small hierarchy.

Every message says what was wrong, where (file, key, address), and what to do about it. `exit_code` is what the command
line returns when the error reaches the top; a running show never lets one get there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice

# In what CUDA, its libraries and those who call them say of errors that a GPU's context does not survive, or may not. Many come
# in every release, and a process that goes on without need costs more than one restart; a lack of memory is another matter.
_GPU_LOST = re.compile(
    r"cuda ?(driver |kernel )?error|cuda_error|error \[cuda\]|cu(blas|blaslt|dnn|solver|fft|rand|sparse)_status|cudnn error"
    r"|illegal (memory access|address|instruction)|launch failure|device-side assert|ecc error",
    re.IGNORECASE,
)
NO_MEMORY = "out of memory"  # in what CUDA and torch's allocators say, whatever the type of their error


class Sdv2Error(Exception):
    """Base of every error that the project raises on purpose."""

    exit_code = 1


class ConfigError(Sdv2Error):
    """A configuration, preset or timeline file, or a `--set` option, holds something that cannot be used."""

    exit_code = 2


class ParamError(Sdv2Error):
    """A parameter name is unknown, or a value cannot be read as that parameter's type."""

    exit_code = 2


class VideoError(Sdv2Error):
    """A video source or sink cannot be opened, read or written."""

    exit_code = 3


class DeviceError(VideoError):
    """A camera, a screen or another device is missing, busy, forbidden or gone. It may be there at another try."""


class LutError(Sdv2Error):
    """A colour look-up table cannot be read."""

    exit_code = 3


class SoundError(Sdv2Error):
    """A sound card cannot be opened or listened to."""

    exit_code = 3


class WeightsError(Sdv2Error):
    """A checkpoint is missing, unsafe, or does not fit the model it is meant for."""

    exit_code = 4


class EngineError(Sdv2Error):
    """The engine was asked for something its model or its state cannot do."""

    exit_code = 5


class EngineLostError(EngineError):
    """The engine's process has ended, or was ended because it did not answer."""


class GroupLostError(EngineError):
    """The ranks of an engine cannot come together, or one of them is gone: all begin anew."""


class MemoryShortageError(EngineError):
    """The models and their state do not fit the memory that is free."""


class MidiError(Sdv2Error):
    """MIDI is not available on this machine, or a port cannot be had."""

    exit_code = 6


class LinkError(Sdv2Error):
    """Ableton Link is not available on this machine."""

    exit_code = 6


class DmxError(Sdv2Error):
    """A packet of a light desk cannot be read."""


class ExpandError(Sdv2Error):
    """A prompt could not be expanded; the original prompt is kept."""

    exit_code = 7


class TakeError(Sdv2Error):
    """A take cannot be written, or the one to replay is damaged or no take."""

    exit_code = 8


MAX_PROBLEMS = 20  # mistakes of one file that are looked for; whoever has more has given the wrong file


def several(problems: Iterable[str]) -> list[str]:
    """The first mistakes of `problems`, a sentence each, and a last one when there are more."""
    first = list(islice(problems, MAX_PROBLEMS + 1))
    return first if len(first) <= MAX_PROBLEMS else [*first[:-1], "there are more mistakes; mend these first"]


def gpu_lost(error: BaseException | None) -> bool:
    """True for an error, or one caused by it, after which this process can use its GPU no more: only a new one can."""
    while error is not None:
        text = str(error)
        if _GPU_LOST.search(text) and NO_MEMORY not in text.lower():
            return True
        error = error.__cause__
    return False
