"""The two libraries for sound in, both of the extra `audio`, and the inputs that they find.

Facts are from their documentation: sounddevice 0.5 (PortAudio), soundcard 0.4 (PulseAudio and PipeWire, WASAPI, CoreAudio).
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sdv2_live.errors import SoundError

GET_EXTRA = "install it with `pip install 'sdv2-live[audio]'`, or set audio.source: ndi"


@dataclass(frozen=True, slots=True)
class SoundInput:
    """An input of this machine.

    Attributes:
        kind: card or loopback.
        index: PortAudio's number of it, or the sound server's name.
        default: the one that is taken where no name is given.
    """

    kind: str
    name: str
    index: Any
    channels: int
    rate: int
    default: bool

    @property
    def use(self) -> str:
        """The value of audio.source that takes it."""
        return f"{self.kind}:{self.name}"


def load_portaudio() -> Any:
    """The module sounddevice. Raises SoundError where it or PortAudio is missing."""
    try:
        return importlib.import_module("sounddevice")
    except ImportError as error:
        raise SoundError(
            f"sound cards cannot be listened to: the package sounddevice is missing ({error}); {GET_EXTRA}"
        ) from error
    except OSError as error:
        get = "`apt install libportaudio2`" if sys.platform == "linux" else "`pip install --force-reinstall sounddevice`"
        raise SoundError(f"sound cards cannot be listened to: {error}; install PortAudio with {get}") from error


def load_soundcard() -> Any:
    """The module soundcard. Raises SoundError where it is missing, or no sound server runs."""
    try:
        return importlib.import_module("soundcard")
    except ImportError as error:
        raise SoundError(f"loopback cannot be listened to: the package soundcard is missing ({error}); {GET_EXTRA}") from error
    except (AssertionError, IndexError, OSError, RuntimeError) as error:  # an assertion where no sound server answers
        raise SoundError(
            f"loopback cannot be listened to: no sound server answers{_said(error)}; start PulseAudio or "
            "PipeWire, or set audio.source to a card"
        ) from error


def list_cards() -> list[SoundInput]:
    """The inputs of sound cards. Raises SoundError where PortAudio cannot run."""
    library = load_portaudio()
    try:
        default = library.default.device[0]
        return [
            SoundInput("card", one["name"], number, one["max_input_channels"], int(one["default_samplerate"]), number == default)
            for number, one in enumerate(library.query_devices())
            if one["max_input_channels"] > 0
        ]
    except library.PortAudioError as error:
        raise SoundError(f"PortAudio cannot list sound cards: {error}; look whether the system's sound works") from error


def list_loopbacks() -> list[SoundInput]:
    """What the outputs of this machine play, as inputs. Raises SoundError where there is no such thing."""
    library = load_soundcard()
    try:
        found = [one for one in library.all_microphones(include_loopback=True) if one.isloopback]
        speaker = library.default_speaker().name if found else ""
    except (AssertionError, OSError, RuntimeError) as error:
        raise SoundError(f"the sound server cannot list its outputs{_said(error)}; start it anew") from error
    return [SoundInput("loopback", one.name, one.id, one.channels, 48_000, one.name.endswith(speaker)) for one in found]


def match_input(pattern: str, inputs: Iterable[SoundInput]) -> SoundInput | None:
    """The input that a name means: of exactly that name, or the first that contains it in any case; the default for no name."""
    found = list(inputs)
    if not pattern:
        return next((one for one in found if one.default), found[0] if found else None)
    exact = (one for one in found if one.name == pattern)
    return next(exact, next((one for one in found if pattern.casefold() in one.name.casefold()), None))


def _said(error: Exception) -> str:
    return f" ({error})" if str(error) else ""
