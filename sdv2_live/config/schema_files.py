"""The sections of the settings for files: those that a show downloads, reads, records and keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from sdv2_live.config.fields import AutoPath, Folder, OrAuto, OrOff, Section, SplitTexts, integer, key, number, switch
from sdv2_live.system.folders import cache_folder, config_folder, state_folder


def config_dir() -> Path:
    """The folder of the shipped configuration: inside the installed package, or at the root of a source tree."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "_config"
    return installed if installed.is_dir() else package.parent / "config"


def _weights(value: Any) -> Any:
    return cache_folder() / "weights" if value == "auto" else value


def _profiles(value: Any) -> Any:
    return config_folder() / "profiles" if value == "auto" else value


WeightsFolder = Annotated[Folder, BeforeValidator(_weights)]
ProfilesFolder = Annotated[Folder, BeforeValidator(_profiles)]
_MIRROR = r"^[\w.-]+/[\w.-]+=[\w.-]+/[\w.-]+$"


class WeightsConfig(Section):
    """The source of `sdv2-live weights download`. `endpoint` is None for auto: HF_ENDPOINT if set, else huggingface.co."""

    endpoint: Annotated[str | None, OrAuto] = key(
        None,
        "auto or the http(s) URL of a mirror of huggingface.co, such as https://hf.example.org",
        pattern=r"^https?://[^\s/]+\S*$",
    )
    mirror_repos: Annotated[tuple[Annotated[str, Field(pattern=_MIRROR)], ...], SplitTexts] = key(
        (), 'a list of OWNER/NAME=OWNER/NAME, such as ["jerryfeng/StreamDiffusionV2=studio/StreamDiffusionV2"]'
    )
    offline_dir: AutoPath = key(None, "auto or a folder")

    @property
    def mirrors(self) -> dict[str, str]:
        """Repositories, each with the mirror that is asked first."""
        return dict((first, second) for first, _, second in (entry.partition("=") for entry in self.mirror_repos))


class ExpandConfig(Section):
    """The writer that makes short prompts long during a show; see `sdv2-live prompt expand`. Without either there is none."""

    endpoint: str = key("", 'the URL of a server of chat completions, such as "http://127.0.0.1:8080"; empty for none')
    endpoint_model: str = key("", "the server's name of a model; empty for the first that writes")
    insecure: bool = switch(False)
    model: str = key("", "a folder of an instruction-tuned model; empty for none")
    timeout_s: float = number(60.0, 1, 3600, "seconds")


class PresetsConfig(Section):
    """The folder of preset files. `dir` is None for auto: the shipped ones."""

    dir: AutoPath = key(None, "auto or a folder")

    @property
    def folder(self) -> Path:
        """The folder to read."""
        return self.dir or config_dir() / "presets"


class TimelineConfig(Section):
    """The folder of timelines that a running show can load and record to. `dir` is None for auto: ./timelines."""

    dir: AutoPath = key(None, "auto or a folder")

    @property
    def folder(self) -> Path:
        """The folder of timelines."""
        return self.dir or Path("timelines")


class TakesConfig(Section):
    """Recording. `dir` is None for auto: the folder takes in the show's working directory."""

    dir: AutoPath = key(None, "auto or a folder")
    lossless: bool = switch(True)
    max_queue_chunks: int = integer(16, 1, 256)
    min_free_mb: int = integer(500, 0, unit="megabytes")

    @property
    def folder(self) -> Path:
        """The folder of takes."""
        return self.dir or Path("takes")


class StateConfig(Section):
    """The journal of the live state, for `run --resume`. `dir` auto: this user's folder, see `system.folders`."""

    dir: Annotated[str, OrOff] = key("auto", "auto, off or a folder", min_length=1)

    @property
    def folder(self) -> Path | None:
        """The folder of journals; None for no journal."""
        if self.dir == "off":
            return None
        return state_folder() if self.dir == "auto" else Path(self.dir).expanduser()


class LogConfig(Section):
    """The log's level, and its file beside the terminal. `file` auto: in the folder of the live state."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    file: Annotated[str, OrOff] = key("auto", "auto, off or a file", min_length=1)
    max_mb: float = number(10.0, 0.1, 1000, "megabytes")
    keep: int = integer(5, 0, 100)
