"""Configuration: layers, and error messages word for word."""

from __future__ import annotations

import errno
import re
from pathlib import Path
from typing import Any

import pytest
from annotated_types import Ge, Le
from pydantic import ValidationError
from support.systems import without, words

from sdv2_live.config.choices import OnLost
from sdv2_live.config.load import load_config
from sdv2_live.config.schema import Config
from sdv2_live.config.schema_files import config_dir
from sdv2_live.control.params import Params
from sdv2_live.errors import ConfigError
from sdv2_live.frame import ColorMatrix, ColorRange, ColorSpec, PixelFormat


def write(folder: Path, text: str) -> Path:
    path = folder / "show.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, text: str, *options: str) -> list[str]:
    """The lines of the error for `text`, without the folder."""
    with pytest.raises(ConfigError) as caught:
        load_config(write(folder, text), options)
    return without(folder, str(caught.value)).splitlines()


def test_shipped_defaults_equal_the_models() -> None:
    assert load_config() == Config()


def test_default_file_shows_every_key() -> None:
    text = (config_dir() / "default.yaml").read_text(encoding="utf-8")
    for section in (name for name in Config.model_fields if name != "params"):
        for key in type(getattr(Config(), section)).model_fields:
            assert f"\n  {key}: " in text, f"{section}.{key}"


def test_outputs_are_one_text_or_a_list_and_the_first_names_the_show(tmp_path: Path) -> None:
    assert load_config(None, ["output.sink=file:a, b.mp4"]).output.sink == ("file:a, b.mp4",)
    two = load_config(write(tmp_path, "output: {sink: ['ndi:a', 'file:show.mp4']}\n")).output
    assert (two.sink, two.main) == (("ndi:a", "file:show.mp4"), "ndi:a")
    assert load_config(None, ['output.sink=["ndi:a", "ndi:b"]']).output.sink == ("ndi:a", "ndi:b")
    says = 'output.sink: cannot be []; give text such as "ndi:NAME", or a list of such'
    assert any(says in line for line in problems(tmp_path, "output: {sink: []}\n"))


def test_file_then_options_override(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "video: {size: 256x448, matrix: bt601, range: full}\nosc:\n  port: 9100\nlog:\nparams:\n  noise_scale: 0.5\n  seed: 1\n",
    )
    config = load_config(
        path, ["osc.port=9200", "params.seed=2", "engine.run_while_bypassed=true", "ndi.extra_ips=10.0.0.5, 10.0.0.6"]
    )
    assert config.video.size == (256, 448)
    assert config.video.color == ColorSpec(ColorMatrix.BT601, ColorRange.FULL)
    assert config.video.pixel_format is PixelFormat.BGRX
    assert config.osc.port == 9200
    assert config.osc.host == "127.0.0.1"
    assert config.params == Params(noise_scale=0.5, seed=2)
    assert config.engine.run_while_bypassed is True
    assert config.ndi.extra_ips == ("10.0.0.5", "10.0.0.6")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("params.prompt=Rain: neon # night", "Rain: neon # night"),
        ("params.prompt={curly", "{curly"),
        ("params.prompt=a=b", "a=b"),
        ('params.prompt="quoted"', '"quoted"'),
    ],
)
def test_option_text_is_taken_as_it_is(option: str, value: str) -> None:
    assert load_config(None, [option]).params.prompt == value


def test_option_list() -> None:
    assert load_config(None, ["params.steps=[900, 300]"]).params.steps == (900, 300)
    assert load_config(None, ["params.steps=900,300"]).params.steps == (900, 300)


def test_config_is_frozen() -> None:
    with pytest.raises(ValidationError):
        Config().osc.port = 1


def test_every_mistake_of_a_file_is_reported_at_once(tmp_path: Path) -> None:
    text = """\
vidoe: {}
video:
  size: 480x830
  fitt: fill
engine:
  schedul: sequential
  mode: vidio
  kv_frames: 6
  kv_frames: 4
osc: 9000
params:
  noise_scale: 7
  sed: 1
  reset: true
"""
    assert sorted(problems(tmp_path, text)) == sorted(
        [
            "show.yaml:1: vidoe: there is no such section; did you mean 'video'?",
            "show.yaml:3: video.size: cannot be '480x830'; "
            "give auto or HEIGHTxWIDTH, height first, multiples of 16 up to 8192, such as 480x832",
            "show.yaml:4: video.fitt: there is no such key; did you mean 'fit'?",
            "show.yaml:6: engine.schedul: there is no such key; did you mean 'schedule'?",
            "show.yaml:7: engine.mode: cannot be 'vidio'; give one of video, text",
            "show.yaml:9: engine.kv_frames: given twice, first in line 8; keep one",
            "show.yaml:10: osc: cannot be 9000; "
            "give the keys enabled, host, port, tcp, subscribers, echo, allow, hosts, max_rate",
            "show.yaml:12: noise_scale cannot be 7; give a number 0..1",
            "show.yaml:13: there is no parameter 'sed'; did you mean 'seed'?",
            "show.yaml:14: reset happens once and has no value to keep here; leave it out",
        ]
    )


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("osc.port=99999", "--set osc.port=99999: osc.port: cannot be 99999; give an integer 0..65535; 0 is any free port"),
        ("osc.prt=1", "--set osc.prt=1: osc.prt: there is no such key; did you mean 'port'?"),
        ("osc.enabled=1", "--set osc.enabled=1: osc.enabled: cannot be 1; give true or false"),
        ("osc", "--set osc: give KEY=VALUE, such as --set osc.port=9001"),
        ("osc=1", "--set osc=1: give SECTION.KEY=VALUE, such as --set osc.port=9001"),
        ("a.b.c=1", "--set a.b.c=1: give SECTION.KEY=VALUE, such as --set osc.port=9001"),
        ("params.noise_scale=loud", "--set params.noise_scale=loud: noise_scale cannot be 'loud'; give a number 0..1"),
        (
            "engine.sink_frames=6",
            "--set engine.sink_frames=6: engine.sink_frames: 6 sinks do not fit kv_frames 6; give at most 5",
        ),
        (
            "engine.rope_refresh_frame=6",
            "--set engine.rope_refresh_frame=6: engine.rope_refresh_frame: 6 is not above kv_frames 6; give at least 7",
        ),
        (
            "engine.rope_refresh_frame=1025",
            "--set engine.rope_refresh_frame=1025: engine.rope_refresh_frame: cannot be 1025; "
            "give auto or an integer 3..1024, above kv_frames",
        ),
        (
            "video.size=832",
            "--set video.size=832: video.size: cannot be 832; "
            "give auto or HEIGHTxWIDTH, height first, multiples of 16 up to 8192, such as 480x832",
        ),
        (
            "ndi.extra_ips=5",
            "--set ndi.extra_ips=5: ndi.extra_ips: cannot be 5; "
            'give a list of addresses, or text such as "192.168.1.20,10.0.0.5"',
        ),
        (
            "model.gpus=0",
            "--set model.gpus=0: model.gpus: cannot be 0; "
            "give auto, how many from 1 to 16, or the numbers of different ones, such as [0, 1]",
        ),
        ("log.level=loud", "--set log.level=loud: log.level: cannot be 'loud'; give one of debug, info, warning, error"),
        ("log.zzz=1", "--set log.zzz=1: log.zzz: there is no such key; the keys of log are level, file, max_mb, keep"),
    ],
)
def test_option_errors_name_the_option(option: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(None, [option])
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("video: {size: [480", "show.yaml:1: not valid YAML: a bracket that is opened is not closed, or a text begins with one"),
        ("a: &x 1\nb: *x\n", "show.yaml:2: not valid YAML: aliases (*name) are not used here; write the value out"),
        (
            "a: !!python/object:os.system {}\n",
            "show.yaml:1: not valid YAML: the tag tag:yaml.org,2002:python/object:os.system is not used here; leave it out",
        ),
        (
            "a: !env HOME\n",
            "show.yaml:1: not valid YAML: the tag !env is not used here; leave it out, or put a text",
        ),
        ("[1, 2]: 3\n", "show.yaml:1: not valid YAML: a key must be a plain word"),
        ("- 1\n", "show.yaml:1: a configuration is a mapping of sections, not [1]"),
        ("osc: {port: " + "9" * 5000 + "}", "show.yaml:1: osc.port: cannot be '9999"),
        ("a: " + "[" * 50 + "]" * 50, "show.yaml:1: not valid YAML: nested deeper than 40 levels"),
        ("a: " + "[" * 3000, "show.yaml:1: not valid YAML: "),
        ("a: \x07", "show.yaml:1: not valid YAML: "),
    ],
)
def test_broken_yaml(tmp_path: Path, text: str, message: str) -> None:
    assert problems(tmp_path, text)[0].startswith(message)


@pytest.mark.parametrize(
    ("text", "gpus"), [("auto", None), ("1", 1), ("16", 16), ("[1]", (1,)), ("[0, 1]", (0, 1)), ("0,1", (0, 1)), ("3, 2", (3, 2))]
)
def test_cards_are_a_number_or_their_numbers(text: str, gpus: int | tuple[int, ...] | None) -> None:
    assert load_config(None, [f"model.gpus={text}"]).model.gpus == gpus


@pytest.mark.parametrize("text", ["17", "-1", "1.5", "true", "[]", "[0, 0]", "[-1]", "[true]", "[0, b]", "0,", "both", "{a: 1}"])
def test_what_is_no_cards(text: str) -> None:
    with pytest.raises(ConfigError, match=r"model\.gpus: cannot be .*; give auto, how many from 1 to 16, or"):
        load_config(None, [f"model.gpus={text}"])


def test_a_processor_has_no_numbered_gpus() -> None:
    assert load_config(None, ["model.device=cpu", "model.gpus=2"]).model.gpus == 2
    with pytest.raises(ConfigError, match=r"model\.device is cpu; give how many processes, such as 2$"):
        load_config(None, ["model.device=cpu", "model.gpus=[0, 1]"])


def test_every_number_is_refused_beyond_its_bounds_in_words_that_name_them() -> None:
    seen = 0
    for section, key, field in (
        (name, key, field)
        for name in Config.model_fields
        if name != "params"
        for key, field in type(getattr(Config(), name)).model_fields.items()
    ):
        bounds: dict[Any, Any] = {type(limit): limit for limit in field.metadata if isinstance(limit, Ge | Le)}
        low, high = (bounds[Ge].ge, bounds[Le].le if Le in bounds else None) if Ge in bounds else (None, None)
        if low is None:
            continue
        seen += 1
        span = f"from {low}" if high is None else f"{low}..{high}"
        for beyond in (low - 1, *([] if high is None else [high + 1])):
            with pytest.raises(ConfigError, match=rf"{section}\.{key}: cannot be {beyond}; give .* {re.escape(span)}(\D|$)"):
                load_config(None, [f"{section}.{key}={beyond}"])
    assert seen > 30


def test_the_old_word_for_the_backup_is_taken_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path, "input:\n  on_lost: input2\n  backup: test\n")
    assert load_config(path).input.on_lost is OnLost.BACKUP
    assert without(tmp_path, caplog.messages[-1]) == "show.yaml:2: input.on_lost: 'input2' is called 'backup' now; change it"
    caplog.clear()
    assert load_config(path, ["input.on_lost=backup"]).input.on_lost is OnLost.BACKUP
    assert not caplog.messages
    with pytest.raises(ConfigError, match=r"input\.on_lost: backup needs a second input; give input\.backup, such as ndi:CAM 2$"):
        load_config(None, ["input.on_lost=input2"])
    with pytest.raises(ConfigError, match=r"input\.on_lost: cannot be 'input3'; give one of hold, text, slate, backup$"):
        load_config(None, ["input.on_lost=input3"])


def test_missing_and_undecodable_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"none\.yaml: cannot be read: {words(errno.ENOENT)}; check the path$"):
        load_config(tmp_path / "none.yaml")
    path = tmp_path / "show.yaml"
    path.write_bytes(b"log: {level: \xff}")
    with pytest.raises(ConfigError, match=r"show\.yaml: not UTF-8 text at byte 13; save the file as UTF-8$"):
        load_config(path)
