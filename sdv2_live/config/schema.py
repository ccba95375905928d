"""The settings that are fixed when a show starts; `load` reads them from files and options. Sections about files are in
`schema_files`.

Frozen models, unknown keys forbidden. The defaults stand here and, commented for performers, in `config/default.yaml`; a
test holds the two equal. `params` are start values of the parameter table, not configuration of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, InstanceOf, PrivateAttr

from sdv2_live.config.choices import Fallback, OnLost
from sdv2_live.config.fields import (
    SIZE,
    AutoBool,
    AutoInt,
    AutoSize,
    OnOff,
    OrAuto,
    OrOff,
    Section,
    SplitTexts,
    Texts,
    integer,
    key,
    number,
    switch,
)
from sdv2_live.config.loras import GIVE, Loras, names_of
from sdv2_live.config.schema_files import LogConfig, PresetsConfig, StateConfig, TakesConfig, WeightsConfig, WeightsFolder
from sdv2_live.control.names import ParamNames
from sdv2_live.control.params import LORA_SLOTS, Params, Value
from sdv2_live.engine.spec import Mode, Schedule
from sdv2_live.frame import ColorMatrix, ColorRange, ColorSpec, PixelFormat
from sdv2_live.gpu.geometry import Fit
from sdv2_live.io.ndi.settings import NdiSettings
from sdv2_live.model.dit.cache_spec import TIME_ROWS
from sdv2_live.system.folders import cache_folder


class ModelConfig(Section):
    """Which model runs, where, and how exactly."""

    profile: Literal["auto", "tiny", "1.3b", "14b"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    dtype: Literal["auto", "fp32", "fp16", "bf16"] = "auto"
    vae: Literal["auto", "wan", "light", "taehv", "lighttae"] = "auto"
    text_encoder: Literal["auto", "gpu", "cpu", "on-demand"] = "auto"
    fp8: bool = switch(False)
    fit: bool = switch(False)
    weights_dir: WeightsFolder = key(cache_folder() / "weights", "auto or a folder")
    prompt_cache: Annotated[str, OrOff] = key("auto", "auto, off or a folder", min_length=1)
    threads: int = integer(0, 0, 256, note="; 0 is torch's own choice")
    loras: Loras = key((), GIVE, max_length=LORA_SLOTS)

    @property
    def prompt_folder(self) -> Path | None:
        """Where prompt embeddings are kept, None for nowhere."""
        if self.prompt_cache == "off":
            return None
        return cache_folder() / "prompts" if self.prompt_cache == "auto" else Path(self.prompt_cache).expanduser()


class InputConfig(Section):
    """Where the picture comes from, as the URI that `io` opens, and what happens when it does not. Times in seconds."""

    source: str = key("ndi:", 'text such as "ndi:" or "ndi:CAM"', min_length=1)
    on_lost: OnLost = OnLost.HOLD
    backup: str = key("", 'text such as "ndi:CAM 2" or "file:loop.mp4"; empty for none')
    lost_s: float = number(1.0, 0.1, 3600, "seconds")
    frozen_s: float = number(0.0, 0, 3600, "seconds")
    black_s: float = number(0.0, 0, 3600, "seconds")
    return_s: float = number(2.0, 0, 3600, "seconds")
    fade_s: float = number(0.5, 0, 60, "seconds")


class VideoConfig(Section):
    """Geometry and colour. `size` is (height, width), None for auto."""

    size: AutoSize = key(None, SIZE)
    max_pixels: AutoInt = integer(None, 256, auto=True)
    fit: Fit = Fit.FILL
    output_size: Literal["model", "input"] = "model"
    output_format: Literal["bgrx", "uyvy"] = "bgrx"
    matrix: Literal["bt601", "bt709", "bt2020"] = "bt709"
    range: ColorRange = ColorRange.LIMITED

    @property
    def color(self) -> ColorSpec:
        """How the input's Y'CbCr is to be read."""
        return ColorSpec(ColorMatrix[self.matrix.upper()], self.range)

    @property
    def pixel_format(self) -> PixelFormat:
        """Layout of the frames that are sent."""
        return PixelFormat[self.output_format.upper()]


class OutputConfig(Section):
    """Where the picture goes, as the URI that `io` opens."""

    sink: str = key("ndi:sdv2-live", 'text such as "ndi:NAME"', min_length=1)
    audio: Annotated[Literal["pass", "off"], OrOff] = "pass"
    failover: Annotated[str, OrOff] = key("auto", 'auto, off, or a source such as "Camera 1" or IP:PORT', min_length=1)


class NdiConfig(Section):
    """Finding NDI sources. Empty text means the SDK's own default."""

    extra_ips: Texts = key((), 'a list of addresses, or text such as "192.168.1.20,10.0.0.5"')
    groups: str = key("", "text, comma separated")
    discovery_server: str = key("", "text HOST or HOST:PORT")
    receiver_timeout_s: float = number(5.0, 0.5, 3600, "seconds")

    @property
    def settings(self) -> NdiSettings:
        """The same, as `io` takes it."""
        groups = tuple(group.strip() for group in self.groups.split(",") if group.strip())
        return NdiSettings(self.extra_ips, groups, self.discovery_server or None)


class OscConfig(Section):
    """The OSC server."""

    enabled: bool = switch(True)
    host: str = key("127.0.0.1", "an address or host name of this machine", min_length=1)
    port: int = integer(9000, 0, 65535, note="; 0 is any free port")
    tcp: bool = switch(False)
    subscribers: Texts = key((), 'a list of addresses with ports, or text such as "127.0.0.1:9001"')
    echo: Literal["others", "all"] = "others"
    allow: Texts = key((), 'a list of addresses and networks, or text such as "192.168.1.20,10.0.0.0/24"')
    hosts: Texts = key((), 'a list of host names, or text such as "show.example,rack.lan"')
    max_rate: int = integer(20_000, 10, 1_000_000, "messages a second")


class OscQueryConfig(Section):
    """The description of the OSC addresses over HTTP. `port` None for auto: the number of OSC's UDP port."""

    enabled: bool = switch(True)
    port: AutoInt = integer(None, 0, 65535, note="; 0 is any free port", auto=True)
    announce: bool = switch(True)
    metrics: bool = switch(True)


class EngineConfig(Section):
    """Where the engine runs, what sizes its state, and by which kernels it computes."""

    process: Literal["child", "inline"] = "child"
    mode: Mode = Mode.VIDEO
    schedule: Schedule = Schedule.SEQUENTIAL
    kv_frames: int = integer(6, 2, 64)
    sink_frames: int = integer(3, 0, 63, note=", below kv_frames")
    rope_refresh_frame: int = integer(50, 3, TIME_ROWS, note=", above kv_frames")
    run_while_bypassed: AutoBool = key(None, "auto, true or false")
    attention: Literal["auto", "sdpa", "flash3", "sage"] = "auto"
    cuda_graphs: Annotated[Literal["auto", "off"], OrOff] = "auto"
    overlap: Annotated[Literal["auto", "on", "off"], OnOff] = "auto"
    encode_ahead: Annotated[Literal["auto", "on", "off"], OnOff] = "auto"

    def overlaps(self, device: str) -> bool:
        """Whether a chunk may be launched while the one before it is computed, on a device as torch names it."""
        return self.overlap == "on" or (self.overlap == "auto" and device == "cuda")

    def encodes_ahead(self, device: str) -> bool:
        """Whether the encoder takes frames as they come, not a chunk at once, on a device as torch names it."""
        return self.encode_ahead == "on" or (self.encode_ahead == "auto" and device != "cuda")


_STEP = r"^(taehv|[1-9][0-9]?%)$"


class FaultsConfig(Section):
    """What the audience sees while the engine is away, and when it is given up and started anew. Times in seconds."""

    on_fault: Fallback = Fallback.INPUT
    hold_s: float = number(1.0, 0, 3600, "seconds")
    fade_s: float = number(1.0, 0, 60, "seconds")
    slate: str = key("One moment, please", "text")
    hang_s: float = number(5.0, 0.5, 3600, "seconds")
    load_s: float = number(900.0, 5, 86400, "seconds")
    crashes: int = integer(3, 1, 100)
    ladder: Annotated[tuple[Annotated[str, Field(pattern=_STEP)], ...], SplitTexts] = key(
        ("taehv", "60%", "30%"), 'a list of taehv and shares of the pixels, such as ["taehv", "50%"]'
    )
    retry_s: float = number(30.0, 1, 3600, "seconds")
    climb_s: float = number(600.0, 0, 86400, "seconds")


class ShedConfig(Section):
    """What is given up while the engine is slower than `target_fps` (None for auto: the input's rate; 0: nothing)."""

    target_fps: Annotated[float | None, OrAuto] = number(0.0, 0, 240, "frames a second", "; 0 gives nothing up", auto=True)
    steps: Annotated[tuple[Annotated[str, Field(pattern=r"^(fewer-steps|smaller|taehv)$")], ...], SplitTexts] = key(
        ("fewer-steps", "smaller"), 'a list of fewer-steps, smaller and taehv, such as ["fewer-steps", "smaller", "smaller"]'
    )
    down_s: float = number(5.0, 0.5, 3600, "seconds")
    up_s: float = number(30.0, 1, 3600, "seconds")


class RefreshConfig(Section):
    """When a running stream begins anew with empty caches, unseen. `every_s` 0 and `at_drift` 0: never."""

    every_s: float = number(0.0, 0, 86400, "seconds")
    at_drift: float = number(0.0, 0, 1)
    fade_s: float = number(0.5, 0, 10, "seconds")


class Config(Section):
    """Everything a show starts with. Without arguments: the defaults."""

    model: ModelConfig = ModelConfig()
    weights: WeightsConfig = WeightsConfig()
    input: InputConfig = InputConfig()
    video: VideoConfig = VideoConfig()
    output: OutputConfig = OutputConfig()
    ndi: NdiConfig = NdiConfig()
    osc: OscConfig = OscConfig()
    oscquery: OscQueryConfig = OscQueryConfig()
    engine: EngineConfig = EngineConfig()
    faults: FaultsConfig = FaultsConfig()
    shed: ShedConfig = ShedConfig()
    refresh: RefreshConfig = RefreshConfig()
    presets: PresetsConfig = PresetsConfig()
    takes: TakesConfig = TakesConfig()
    state: StateConfig = StateConfig()
    log: LogConfig = LogConfig()
    params: InstanceOf[Params] = Params()
    _given: frozenset[str] = PrivateAttr(default=frozenset())
    _asked: Mapping[str, Value] = PrivateAttr(default_factory=dict)

    @property
    def given(self) -> frozenset[str]:
        """Parameters whose start value somebody chose, in a file or by an option."""
        return self._given

    @property
    def asked(self) -> Mapping[str, Value]:
        """Start values that options gave, which go before a preset, a timeline or an earlier show."""
        return self._asked

    @property
    def names(self) -> ParamNames:
        """What the show calls its parameters."""
        loras = self.model.loras
        names = names_of(loras)
        return ParamNames(names, [name for name, lora in zip(names, loras, strict=True) if not lora.live])

    def with_params(self, params: Params, given: frozenset[str], asked: Mapping[str, Value] | None = None) -> Self:
        """A copy with other start values, of which those of the parameters `given` were chosen. asked: see there."""
        copy = self.replaced(params=params)
        copy._given = given
        copy._asked = self._asked if asked is None else asked
        return copy

    def replaced(self, **sections: Section | Params) -> Self:
        """A copy with whole sections replaced."""
        return self.model_copy(update=sections)
