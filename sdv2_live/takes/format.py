"""The format of a take on disk: a folder.

    take.yaml         where and with what it was recorded
    config.yaml       the show's configuration, as --config reads it
    chunks.jsonl      one line a chunk; the last line says how the take ended
    luts              colour tables that were used, where there were any
    input-000.mkv     the frames that fed the chunks, and no others; a further file for every size, layout or colour

Everything that the pictures depend on is here: frames, parameters, the prompt that was really in effect (an uncached one
comes late), and where a stream began. A line holds what changed since the line before; the first holds everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from sdv2_live.config.schema import Config
from sdv2_live.control.coerce import read_params
from sdv2_live.control.params import PARAMS, PROMPT_SLOTS, Value, value_of
from sdv2_live.engine.spec import PromptMix, StreamSpec
from sdv2_live.errors import ConfigError, EngineError, TakeError
from sdv2_live.frame import ColorMatrix, ColorRange, ColorSpec, Frame, PixelFormat
from sdv2_live.yamlfile import load_yaml

FORMAT: Final = 1
HEADER, CONFIG, CHUNKS, LUTS = "take.yaml", "config.yaml", "chunks.jsonl", "luts"

Count = Annotated[int, Field(ge=0)]


class _Row(BaseModel):
    """A frozen group of values of exactly these names and types."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Header(_Row):
    """The machine and models with which a take was recorded; made by `fingerprint.header_of`.

    Attributes:
        weights: a fingerprint of every model's weights, merged LoRAs in them.
        loras: name and digest of each.
        cpu: its vector unit.
        vae: the autoencoder; empty in takes that do not say.
        frame_kernels: kernels between frames and pixels, "cupy" or "torch"; empty in takes that do not say.
    """

    format: Literal[1]
    recorded: str
    lossless: bool
    sdv2_live: str
    torch: str
    profile: str
    weights: str
    loras: tuple[str, ...] = ()
    device: str
    cpu: str
    dtype: str
    threads: Annotated[int, Field(ge=1)]
    frame_kernels: str = ""
    vae: str = ""

    def differences(self, here: Header) -> Iterator[str]:
        """Differences between the recording's machine and this one that may change the pictures, a sentence each."""
        for name in ("sdv2_live", "torch", "profile", "weights", "loras", "device", "cpu", "dtype", "threads"):
            was, now = getattr(self, name), getattr(here, name)
            if was != now:
                yield f"{name} was {_told(was)} and is {_told(now)}"
        if self.by_other_frame_kernels(here):
            yield f"frame_kernels was {self.frame_kernels} and is {here.frame_kernels}, which may change a picture by one code"

    def by_other_frame_kernels(self, here: Header) -> bool:
        """True when other frame kernels ran then, as far as that is known: the pictures are alike and not identical."""
        return bool(self.frame_kernels and here.frame_kernels) and self.frame_kernels != here.frame_kernels


class Video(_Row):
    """One file of input frames: its number, and the format of its frames."""

    number: Count
    format: PixelFormat
    height: Annotated[int, Field(ge=1)]
    width: Annotated[int, Field(ge=1)]
    matrix: str = Field(pattern=f"^({'|'.join(ColorMatrix.__members__)})$")
    range: ColorRange

    @classmethod
    def of(cls, frame: Frame, number: int) -> Self:
        """The file for frames like this one."""
        color = frame.color
        return cls(
            number=number,
            format=frame.format,
            height=frame.height,
            width=frame.width,
            matrix=color.matrix.name,
            range=color.range,
        )

    @property
    def color(self) -> ColorSpec:
        """The colour specification of its Y'CbCr."""
        return ColorSpec(ColorMatrix[self.matrix], self.range)


class FrameId(_Row):
    """One input frame: the video file and the position in it, and its place in time as `Frame` has it."""

    video: Count
    frame: Count
    captured_ns: Count
    rate: str = Field(pattern=r"^[1-9]\d{0,9}/[1-9]\d{0,9}$")  # as far as the terms of any sender reach
    index: Count

    def placed(self, frame: Frame) -> Frame:
        """The recorded picture at its own place in time."""
        return frame.at(rate=Fraction(self.rate), captured_ns=self.captured_ns, index=self.index)


class PromptChange(_Row):
    """A prompt from this chunk on: the mix, and the chunks over which it fades in.

    Attributes:
        anew: no earlier prompt shows in it.
        reweighed: it is the prompt of before with other weights, which holds at once. Takes that do not know it say False.
    """

    mix: PromptMix
    transition: Annotated[int, Field(ge=1)]
    anew: bool = False
    reweighed: bool = False

    @field_validator("mix")
    @classmethod
    def _fits_the_slots(cls, mix: PromptMix) -> PromptMix:
        if not 1 <= len(mix.prompts) <= PROMPT_SLOTS:
            raise ValueError(f"{len(mix.prompts)} prompts, not 1 to {PROMPT_SLOTS}")
        return mix


class ChunkLine(_Row):
    """One chunk, with the parameters (`values`) that changed, and the stream (`begins`) and files (`videos`) that begin with it.

    Attributes:
        fade: chunks done and in all while a transition runs.
        swing: what modulation added to `mix` for each frame.
        sha256, samples: of its pictures' bytes, see `compare`; None when it has none.
    """

    chunk: Count
    values: dict[str, Any] = {}
    fired: tuple[str, ...] = ()
    begins: StreamSpec | None = None
    prompt: PromptChange | None = None
    fade: tuple[int, int] | None = None
    swing: tuple[float, ...] | None = None
    videos: tuple[Video, ...] = ()
    frames: tuple[FrameId, ...]
    pictures: Count
    sha256: str | None = None
    samples: str | None = Field(None, pattern="^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$")  # base64


class EndLine(_Row):
    """The end of the take. problem: the reason why it is incomplete, empty when it is complete."""

    end: str = Field(pattern="^(complete|incomplete)$")
    problem: str = ""
    chunks: Count


def _told(value: object) -> object:
    return (", ".join(value) or "none") if isinstance(value, tuple) else value


def video_name(number: int, lossless: bool) -> str:
    """File of one run of input frames."""
    return f"input-{number:03}.{'mkv' if lossless else 'mp4'}"


def plain(config: Config) -> dict[str, Any]:
    """A configuration as plain data that --config reads back to the same."""
    data = config.model_dump(mode="json", exclude={"params"})
    for section in data.values():
        section.update({key: "auto" for key, value in section.items() if value is None})
    fixed = config.names.merged  # LoRAs whose scale is a setting, and stands there
    values = {name: value_of(config.params, spec) for name, spec in PARAMS.items() if spec.of_look and name not in fixed}
    data["params"] = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
    return data


def write_yaml(path: Path, data: Mapping[str, Any]) -> None:
    """One mapping as a YAML file. Raises OSError."""
    path.write_text(yaml.safe_dump(dict(data), allow_unicode=True, sort_keys=False, width=110), encoding="utf-8")


def read_header(folder: Path) -> Header:
    """The header of a take. Raises TakeError for a folder that is no take, or that this version cannot read."""
    path = folder / HEADER
    if not path.is_file():
        raise TakeError(f"{folder}: is no take: it holds no {HEADER}; give a folder that `record` made")
    try:
        document = load_yaml(path)
        return Header.model_validate(document.data, strict=False)
    except ConfigError as error:
        raise TakeError(str(error)) from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        made = f"; this version reads format {FORMAT}" if key == "format" else ""
        raise TakeError(f"{document.where(first['loc'])}: {key}: {first['msg'].lower()}{made}") from error


def read_lines(folder: Path) -> Iterator[tuple[str, ChunkLine | EndLine, dict[str, Value]]]:
    """Every line of a take's chunks as (file and line, line, its parameter values in their own types).

    A last line that was cut off in the middle of writing (power cut) counts as not written.

    Raises:
        TakeError: a line is damaged; names file and line.
    """
    path = folder / CHUNKS
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                if not raw.endswith(b"\n"):
                    return
                place = f"{path}:{number}"
                line = _read_line(raw, place)
                yield place, line, _values(line, place)
    except OSError as error:
        raise TakeError(f"{path}: cannot be read: {error.strerror}; check the take's folder") from error


def _values(line: ChunkLine | EndLine, place: str) -> dict[str, Value]:
    values, problems = read_params(line.values if isinstance(line, ChunkLine) else {}, lambda _: place)
    if problems:
        raise TakeError("\n".join(problems))
    return values


def _read_line(raw: bytes, place: str) -> ChunkLine | EndLine:
    model = EndLine if raw.startswith(b'{"end"') else ChunkLine
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise TakeError(
            f"{place}: the line is damaged: {where}{': ' if where else ''}{first['msg']}; without it the take cannot be "
            "replayed from here on"
        ) from error
    except EngineError as error:
        raise TakeError(f"{place}: the line is damaged: {error}") from error
