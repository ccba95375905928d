"""The settings that are fixed when a show starts; `load` reads them from files and options.

Further sections are in `schema_engine`, `schema_music` and `schema_files`. The models are frozen and forbid unknown keys. The
defaults stand here and, commented for performers, in `config/default.yaml`; a test holds the two equal. `params` are start values
of the parameter table, not configuration of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, InstanceOf, PrivateAttr

from sdv2_live.config.choices import OnLost
from sdv2_live.config.fields import (
    GPUS,
    SIZE,
    AutoGpus,
    AutoInt,
    AutoPath,
    AutoSize,
    Listed,
    OrOff,
    Section,
    Texts,
    integer,
    key,
    number,
    switch,
)
from sdv2_live.config.loras import GIVE, Loras, names_of
from sdv2_live.config.profiles import known_profiles
from sdv2_live.config.schema_engine import EngineConfig, FaultsConfig, RefreshConfig, ShedConfig
from sdv2_live.config.schema_files import (
    ExpandConfig,
    LogConfig,
    PresetsConfig,
    ProfilesFolder,
    StateConfig,
    TakesConfig,
    TimelineConfig,
    WeightsConfig,
    WeightsFolder,
)
from sdv2_live.config.schema_music import AudioConfig, CompanionConfig, DmxConfig, TempoConfig
from sdv2_live.control.names import ParamNames
from sdv2_live.control.params import LORA_SLOTS, Params, Value
from sdv2_live.frame import ColorMatrix, ColorRange, ColorSpec, PixelFormat
from sdv2_live.gpu.geometry import Fit
from sdv2_live.io.ndi.settings import NdiSettings
from sdv2_live.system.folders import cache_folder, config_folder

TOKEN = "^(auto|none|[A-Za-z0-9_-]{8,200})$"  # of a page's address: nothing in it needs to be quoted


class ModelConfig(Section):
    """The model: its name, its device, and its precision. `gpus` is a number of cards, their numbers, or None for auto.

    `remote_ranks` processes of other machines take part, too: they come to `rank_port`.
    """

    profile: str = key("auto", "auto or a model's name", pattern="^[a-z0-9][a-z0-9._-]{0,39}$")
    profiles_dir: ProfilesFolder = key(config_folder() / "profiles", "auto or a folder")
    device: Literal["auto", "cpu", "cuda"] = "auto"
    gpus: AutoGpus = Field(default=None, description=GPUS)
    remote_ranks: int = integer(0, 0, 15)
    rank_port: int = integer(29600, 1, 65535)
    dtype: Literal["auto", "fp32", "fp16", "bf16"] = "auto"
    vae: Literal["auto", "wan", "light", "taehv", "lighttae"] = "auto"
    text_encoder: Literal["auto", "gpu", "cpu", "on-demand"] = "auto"
    fp8: bool = switch(False)
    fit: bool = switch(False)
    weights_dir: WeightsFolder = key(cache_folder() / "weights", "auto or a folder")
    prompt_cache: Annotated[str, OrOff] = key("auto", "auto, off or a folder", min_length=1)
    threads: int = integer(0, 0, 256, note="; 0 chooses")
    loras: Loras = key((), GIVE, max_length=LORA_SLOTS)

    @property
    def prompt_folder(self) -> Path | None:
        """The folder of cached prompt embeddings; None for no cache."""
        if self.prompt_cache == "off":
            return None
        return cache_folder() / "prompts" if self.prompt_cache == "auto" else Path(self.prompt_cache).expanduser()


class InputConfig(Section):
    """The input, as the URI that `io` opens, and its handling when it fails. Times in seconds."""

    source: str = key("ndi:", 'text such as "ndi:" or "ndi:CAM"', min_length=1)
    on_lost: OnLost = OnLost.HOLD
    backup: str = key("", 'text such as "ndi:CAM 2" or "file:loop.mp4"; empty for none')
    lost_s: float = number(1.0, 0.1, 3600, "seconds")
    frozen_s: float = number(0.0, 0, 3600, "seconds")
    black_s: float = number(0.0, 0, 3600, "seconds")
    return_s: float = number(2.0, 0, 3600, "seconds")
    fade_s: float = number(0.5, 0, 60, "seconds")
    first_image: str = key("", "the path of a picture; empty for none")

    @property
    def image(self) -> Path | None:
        """The picture that is the stream's first latent; None for none."""
        return Path(self.first_image).expanduser() if self.first_image else None


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
        """The interpretation of the input's Y'CbCr."""
        return ColorSpec(ColorMatrix[self.matrix.upper()], self.range)

    @property
    def pixel_format(self) -> PixelFormat:
        """Layout of the output's frames."""
        return PixelFormat[self.output_format.upper()]


class OutputConfig(Section):
    """The outputs, each as the URI that `io` opens. `luts` is None for auto: ./luts."""

    sink: Listed = key(("ndi:sdv2-live",), 'text such as "ndi:NAME", or a list of such', min_length=1)
    audio: Annotated[Literal["pass", "off"], OrOff] = "pass"
    failover: Annotated[str, OrOff] = key("auto", 'auto, off, or a source such as "Camera 1" or IP:PORT', min_length=1)
    delay_beats: int = integer(0, 0, 16, "beats")
    fps: int = integer(0, 0, 120, "frames a second", note="; 0 sends pictures as they are painted")
    luts: AutoPath = key(None, "auto or a folder")

    @property
    def luts_folder(self) -> Path:
        """The folder of colour look-up tables."""
        return self.luts or Path("luts")

    @property
    def main(self) -> str:
        """The first output: the clock, after which the show's files are named."""
        return self.sink[0]


class NdiConfig(Section):
    """The search for NDI sources. An empty text means the SDK's own default."""

    extra_ips: Texts = key((), 'a list of addresses, or text such as "192.168.1.20,10.0.0.5"')
    groups: str = key("", "text, comma separated")
    discovery_server: str = key("", "text HOST or HOST:PORT")
    receiver_timeout_s: float = number(5.0, 0.5, 3600, "seconds")

    @property
    def settings(self) -> NdiSettings:
        """The same settings in the type of `io`."""
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
    """The description of the OSC addresses over HTTP. `port` is None for auto: the number of OSC's UDP port."""

    enabled: bool = switch(True)
    port: AutoInt = integer(None, 0, 65535, note="; 0 is any free port", auto=True)
    announce: bool = switch(True)
    metrics: bool = switch(True)


class UiConfig(Section):
    """The page in a browser, on the port of OSCQuery. `token` is asked of other machines."""

    enabled: bool = switch(True)
    token: str = key("auto", "auto, none, or a text of 8 to 200 letters, digits, - and _", pattern=TOKEN)


class Config(Section):
    """All settings that a show starts with. Without arguments: the defaults."""

    model: ModelConfig = ModelConfig()
    weights: WeightsConfig = WeightsConfig()
    input: InputConfig = InputConfig()
    video: VideoConfig = VideoConfig()
    output: OutputConfig = OutputConfig()
    ndi: NdiConfig = NdiConfig()
    osc: OscConfig = OscConfig()
    oscquery: OscQueryConfig = OscQueryConfig()
    ui: UiConfig = UiConfig()
    engine: EngineConfig = EngineConfig()
    faults: FaultsConfig = FaultsConfig()
    shed: ShedConfig = ShedConfig()
    refresh: RefreshConfig = RefreshConfig()
    presets: PresetsConfig = PresetsConfig()
    expand: ExpandConfig = ExpandConfig()
    timeline: TimelineConfig = TimelineConfig()
    tempo: TempoConfig = TempoConfig()
    audio: AudioConfig = AudioConfig()
    dmx: DmxConfig = DmxConfig()
    companion: CompanionConfig = CompanionConfig()
    takes: TakesConfig = TakesConfig()
    state: StateConfig = StateConfig()
    log: LogConfig = LogConfig()
    params: InstanceOf[Params] = Params()
    _given: frozenset[str] = PrivateAttr(default=frozenset())
    _asked: Mapping[str, Value] = PrivateAttr(default_factory=dict)

    @property
    def given(self) -> frozenset[str]:
        """Parameters whose start value a file or an option has set."""
        return self._given

    @property
    def asked(self) -> Mapping[str, Value]:
        """Start values from options, which go before a preset, a timeline or an earlier show."""
        return self._asked

    @property
    def names(self) -> ParamNames:
        """The show's names of its parameters."""
        loras = self.model.loras
        names = names_of(loras)
        models, _ = known_profiles(self.model.profiles_dir)
        return ParamNames(names, [name for name, lora in zip(names, loras, strict=True) if not lora.live], models)

    def with_params(self, params: Params, given: frozenset[str], asked: Mapping[str, Value] | None = None) -> Self:
        """A copy with other start values.

        Args:
            params: the start values.
            given: the parameters that somebody chose, see the property of that name.
            asked: the start values from options, see the property of that name.
        """
        copy = self.replaced(params=params)
        copy._given = given
        copy._asked = self._asked if asked is None else asked
        return copy

    def with_keys(self, values: Mapping[str, Any]) -> Self:
        """A copy with single keys replaced, such as model.dtype; the values are valid ones."""
        sections: dict[str, dict[str, Any]] = {}
        for path, value in values.items():
            section, _, name = path.partition(".")
            sections.setdefault(section, {})[name] = value
        return self.replaced(**{name: getattr(self, name).model_copy(update=update) for name, update in sections.items()})

    def replaced(self, **sections: Section | Params) -> Self:
        """A copy with whole sections replaced."""
        return self.model_copy(update=sections)
