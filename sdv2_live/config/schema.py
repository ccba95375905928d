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

from sdv2_live.config.fields import AutoBool, AutoInt, AutoSize, OnOff, OrAuto, OrOff, Section, SplitTexts, Texts, key
from sdv2_live.config.loras import GIVE, Loras, names_of
from sdv2_live.config.schema_files import LogConfig, PresetsConfig, StateConfig, TakesConfig, WeightsConfig, WeightsFolder
from sdv2_live.control.names import ParamNames
from sdv2_live.control.params import LORA_SLOTS, Params, Value
from sdv2_live.frame import ColorMatrix, ColorRange, ColorSpec, PixelFormat
from sdv2_live.io.ndi.lib import NdiSettings
from sdv2_live.system.folders import cache_folder

MAX_ROPE_FRAMES = 1024  # rows of the DiT's temporal position table


class ModelConfig(Section):
    """Which model runs, where, and how exactly."""

    profile: Literal["auto", "tiny", "1.3b", "14b"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    dtype: Literal["auto", "fp32", "fp16", "bf16"] = "auto"
    vae: Literal["auto", "wan", "light", "taehv", "lighttae"] = "auto"
    text_encoder: Literal["auto", "gpu", "cpu", "on-demand"] = "auto"
    fp8: bool = key(False, "true or false")
    fit: bool = key(False, "true or false")
    weights_dir: WeightsFolder = key(cache_folder() / "weights", "auto or a folder")
    prompt_cache: Annotated[str, OrOff] = key("auto", "auto, off or a folder", min_length=1)
    threads: int = key(0, "an integer 0..256; 0 is torch's own choice", ge=0, le=256)
    loras: Loras = key((), GIVE, max_length=LORA_SLOTS)

    @property
    def prompt_folder(self) -> Path | None:
        """Where prompt embeddings are kept, None for nowhere."""
        if self.prompt_cache == "off":
            return None
        return cache_folder() / "prompts" if self.prompt_cache == "auto" else Path(self.prompt_cache).expanduser()


_SECONDS = "a number of seconds 0..3600"


class InputConfig(Section):
    """Where the picture comes from, as the URI that `io` opens, and what happens when it does not. Times in seconds."""

    source: str = key("ndi:", 'text such as "ndi:" or "ndi:CAM"', min_length=1)
    on_lost: Literal["hold", "text", "slate", "input2"] = "hold"
    backup: str = key("", 'text such as "ndi:CAM 2" or "file:loop.mp4"; empty for none')
    lost_s: float = key(1.0, "a number of seconds 0.1..3600", ge=0.1, le=3600, allow_inf_nan=False)
    frozen_s: float = key(0.0, _SECONDS, ge=0, le=3600, allow_inf_nan=False)
    black_s: float = key(0.0, _SECONDS, ge=0, le=3600, allow_inf_nan=False)
    return_s: float = key(2.0, _SECONDS, ge=0, le=3600, allow_inf_nan=False)
    fade_s: float = key(0.5, "a number of seconds 0..60", ge=0, le=60, allow_inf_nan=False)


class VideoConfig(Section):
    """Geometry and colour. `size` is (height, width), None for auto."""

    size: AutoSize = key(None, "auto or HEIGHTxWIDTH, height first, multiples of 16 up to 8192, such as 480x832")
    max_pixels: AutoInt = key(None, "auto or an integer from 256", ge=256)
    fit: Literal["fill", "fit", "stretch"] = "fill"
    output_size: Literal["model", "input"] = "model"
    output_format: Literal["bgrx", "uyvy"] = "bgrx"
    matrix: Literal["bt601", "bt709", "bt2020"] = "bt709"
    range: Literal["limited", "full"] = "limited"

    @property
    def color(self) -> ColorSpec:
        """How the input's Y'CbCr is to be read."""
        return ColorSpec(ColorMatrix[self.matrix.upper()], ColorRange(self.range))

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
    receiver_timeout_s: float = key(5.0, "a number of seconds 0.5..3600", ge=0.5, le=3600, allow_inf_nan=False)

    @property
    def settings(self) -> NdiSettings:
        """The same, as `io` takes it."""
        groups = tuple(group.strip() for group in self.groups.split(",") if group.strip())
        return NdiSettings(self.extra_ips, groups, self.discovery_server or None)


class OscConfig(Section):
    """The OSC server."""

    enabled: bool = key(True, "true or false")
    host: str = key("127.0.0.1", "an address or host name of this machine", min_length=1)
    port: int = key(9000, "an integer 0..65535; 0 is any free port", ge=0, le=65535)
    tcp: bool = key(False, "true or false")
    subscribers: Texts = key((), 'a list of addresses with ports, or text such as "127.0.0.1:9001"')
    echo: Literal["others", "all"] = "others"
    allow: Texts = key((), 'a list of addresses and networks, or text such as "192.168.1.20,10.0.0.0/24"')
    hosts: Texts = key((), 'a list of host names, or text such as "show.example,rack.lan"')
    max_rate: int = key(20_000, "an integer of messages a second 10..1000000", ge=10, le=1_000_000)


class OscQueryConfig(Section):
    """The description of the OSC addresses over HTTP. `port` None for auto: the number of OSC's UDP port."""

    enabled: bool = key(True, "true or false")
    port: AutoInt = key(None, "auto or an integer 0..65535; 0 is any free port", ge=0, le=65535)
    announce: bool = key(True, "true or false")
    metrics: bool = key(True, "true or false")


class EngineConfig(Section):
    """Where the engine runs, what sizes its state, and by which kernels it computes."""

    process: Literal["child", "inline"] = "child"
    mode: Literal["video", "text"] = "video"
    schedule: Literal["sequential", "stream_batch"] = "sequential"
    kv_frames: int = key(6, "an integer 2..64", ge=2, le=64)
    sink_frames: int = key(3, "an integer 0..63, below kv_frames", ge=0, le=63)
    rope_refresh_frame: int = key(50, f"an integer 3..{MAX_ROPE_FRAMES}, above kv_frames", ge=3, le=MAX_ROPE_FRAMES)
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

    on_fault: Literal["input", "hold", "slate", "black"] = "input"
    hold_s: float = key(1.0, "a number of seconds 0..3600", ge=0, le=3600, allow_inf_nan=False)
    fade_s: float = key(1.0, "a number of seconds 0..60", ge=0, le=60, allow_inf_nan=False)
    slate: str = key("One moment, please", "text")
    hang_s: float = key(5.0, "a number of seconds 0.5..3600", ge=0.5, le=3600, allow_inf_nan=False)
    load_s: float = key(900.0, "a number of seconds 5..86400", ge=5, le=86400, allow_inf_nan=False)
    crashes: int = key(3, "an integer 1..100", ge=1, le=100)
    ladder: Annotated[tuple[Annotated[str, Field(pattern=_STEP)], ...], SplitTexts] = key(
        ("taehv", "60%", "30%"), 'a list of taehv and shares of the pixels, such as ["taehv", "50%"]'
    )
    retry_s: float = key(30.0, "a number of seconds 1..3600", ge=1, le=3600, allow_inf_nan=False)
    climb_s: float = key(600.0, "a number of seconds 0..86400", ge=0, le=86400, allow_inf_nan=False)


class ShedConfig(Section):
    """What is given up while the engine is slower than `target_fps` (None for auto: the input's rate; 0: nothing)."""

    target_fps: Annotated[float | None, OrAuto] = key(
        0.0, "auto, 0 or frames a second up to 240", ge=0, le=240, allow_inf_nan=False
    )
    steps: Annotated[tuple[Annotated[str, Field(pattern=r"^(fewer-steps|smaller|taehv)$")], ...], SplitTexts] = key(
        ("fewer-steps", "smaller"), 'a list of fewer-steps, smaller and taehv, such as ["fewer-steps", "smaller", "smaller"]'
    )
    down_s: float = key(5.0, "a number of seconds 0.5..3600", ge=0.5, le=3600, allow_inf_nan=False)
    up_s: float = key(30.0, "a number of seconds 1..3600", ge=1, le=3600, allow_inf_nan=False)


class RefreshConfig(Section):
    """When a running stream begins anew with empty caches, unseen. `every_s` 0 and `at_drift` 0: never."""

    every_s: float = key(0.0, "a number of seconds 0..86400", ge=0, le=86400, allow_inf_nan=False)
    at_drift: float = key(0.0, "a number 0..1", ge=0, le=1, allow_inf_nan=False)
    fade_s: float = key(0.5, "a number of seconds 0..10", ge=0, le=10, allow_inf_nan=False)


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
