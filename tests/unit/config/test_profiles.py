"""Profiles are files: the shipped ones say what their models were trained with, a performer's own are checked like settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.places import MANUAL
from support.systems import without

from sdv2_live.config.load import load_config
from sdv2_live.config.profiles import PROFILES, find_profile, known_profiles, read_profile
from sdv2_live.config.stream_spec import start_values, stream_spec
from sdv2_live.control.params import Params
from sdv2_live.engine.spec import Mode, StreamSpec
from sdv2_live.errors import ConfigError
from sdv2_live.model.dit.cache_spec import CacheSpec

MINE = """\
title: mine
size: 1.3b
licence: {name: Apache-2.0}
weights: {file: mine/model.safetensors}
"""
FOUR = (1000, 750, 500, 250)


def put(folder: Path, text: str, name: str = "mine.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def problems(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_profile(path)
    return [without(path.parent, line) for line in str(caught.value).splitlines()]


@pytest.mark.parametrize("name", ["tiny", "1.3b", "14b"])
def test_the_models_of_before_stream_as_before(name: str) -> None:
    spec = stream_spec(load_config(), PROFILES[name].stream, (480, 832), Params())
    assert spec == StreamSpec(480, 832, levels=1, cache=CacheSpec(6, 3, 0.2))


@pytest.mark.parametrize(
    ("name", "block", "first", "steps", "first_steps", "window", "sinks", "context", "recompute", "member"),
    [
        ("self-forcing", 3, 9, FOUR, None, 21, 0, 0.0, None, "generator_ema"),
        ("longlive", 3, 9, FOUR, None, 12, 3, 0.0, None, "generator"),
        ("causal-forcing", 1, 1, FOUR, None, 21, 0, 0.0, None, "generator_ema"),
        ("causal-forcing-2step", 1, 1, (1000, 500), FOUR, 21, 0, 0.0, None, "generator_ema"),
        ("causal-forcing-1step", 1, 1, (1000,), FOUR, 21, 0, 0.0, None, "generator_ema"),
        ("causal-forcing-chunk", 3, 9, FOUR, None, 21, 0, 0.0, None, "generator"),
        ("krea-14b", 3, 9, (1000, 666, 333, 0), None, 6, 0, None, 3, None),
    ],
)
def test_the_family_is_as_it_was_trained(
    name: str, block: int, first: int, steps: tuple[int, ...], first_steps: tuple[int, ...] | None, window: int, sinks: int,
    context: float | None, recompute: int | None, member: str | None,
) -> None:  # fmt: skip
    profile = PROFILES[name]
    kind, files = profile.stream, profile.files
    assert (kind.block, kind.first_frames, kind.steps, kind.first_steps) == (block, first, steps, first_steps)
    assert (kind.window, kind.sinks, kind.context_t, kind.recompute) == (window, sinks, context, recompute)
    assert (kind.shift, kind.warp, kind.normalize_latents, kind.adaptive_sinks) == (5.0, True, True, False)
    assert files is not None
    assert files.member == member
    spec = stream_spec(load_config(None, [f"model.profile={name}"]), kind, (480, 832), Params())
    assert (spec.block, spec.context_t, spec.cache, spec.normalize_latents) == (
        block,
        context,
        CacheSpec(window, sinks, -1),
        True,
    )


def test_a_performer_sees_the_steps_that_the_model_was_trained_with() -> None:
    def steps(name: str, *options: str) -> tuple[int, ...]:
        return start_values(load_config(None, [f"model.profile={name}", *options]), PROFILES[name]).steps

    assert steps("longlive") == FOUR
    assert steps("causal-forcing-2step") == (1000, 500)
    assert steps("1.3b") == Params().steps
    assert steps("tiny") == (400,)
    assert steps("longlive", "params.steps=[900, 300]") == (900, 300)


def test_the_weight_of_the_past_begins_as_the_profile_says() -> None:
    assert start_values(load_config(None, ["model.profile=krea-14b"]), PROFILES["krea-14b"]).memory == 0.3
    assert start_values(load_config(None, ["params.memory=1.0"]), PROFILES["krea-14b"]).memory == 1
    assert "memory" not in PROFILES["longlive"].suited


def test_only_longlive_brings_a_lora() -> None:
    loras = {name: profile.files.lora for name, profile in PROFILES.items() if profile.files and profile.files.lora}
    assert {name: (lora.file, lora.alpha) for name, lora in loras.items()} == {"longlive": ("longlive/lora.pt", 256.0)}


def test_weights_that_are_not_for_paid_shows_say_so() -> None:
    told = {name for name, profile in PROFILES.items() if "not for paid shows" in str(profile.licence)}
    assert told == {"self-forcing", "longlive", "krea-14b"}


def test_a_file_in_the_performers_folder_is_a_model(tmp_path: Path) -> None:
    put(tmp_path, MINE + "stream: {block: 3, steps: [1000, 500], context_t: 0, window: 9, sinks: 3}\n")
    config = load_config(None, [f"model.profiles_dir={tmp_path}", "model.profile=mine"])
    profile = find_profile(config.model.profile, config.model.profiles_dir)
    assert (profile.stream.first_frames, profile.stream.context_t, profile.stream.steps) == (9, 0.0, (1000, 500))
    assert profile.dit == PROFILES["1.3b"].dit
    assert profile.files is not None
    assert profile.files.dit[0] == "mine/model.safetensors"


def test_the_manuals_example_is_a_profile(tmp_path: Path) -> None:
    text = (MANUAL / "models.md").read_text(encoding="utf-8").partition("```yaml\n")[2].partition("```")[0]
    profile = read_profile(put(tmp_path, text))
    assert profile.stream == PROFILES["longlive"].stream
    assert profile.suited == {"noise_scale": 0.7, "steps": FOUR}


def test_a_performers_file_takes_the_place_of_a_shipped_one(tmp_path: Path) -> None:
    put(tmp_path, MINE, "longlive.yaml")
    assert find_profile("longlive", tmp_path).title == "mine"
    assert known_profiles(tmp_path)[0]["longlive"].title == "mine"
    assert find_profile("longlive").title == "LongLive 1.0"


def test_a_wrong_file_stops_its_own_model_alone(tmp_path: Path) -> None:
    put(tmp_path, MINE.replace("1.3b", "2b"))
    put(tmp_path, MINE, "other.yaml")
    assert load_config(None, [f"model.profiles_dir={tmp_path}", "model.profile=other"]).model.profile == "other"
    assert "2: size: cannot be '2b'" in known_profiles(tmp_path)[1][0]
    with pytest.raises(ConfigError, match=r"mine\.yaml:2: size: cannot be '2b'; give one of tiny, 1\.3b, 14b"):
        load_config(None, [f"model.profiles_dir={tmp_path}", "model.profile=mine"])


def test_an_unknown_model_is_named_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"model\.profile: cannot be 'longlife'; did you mean 'longlive'\?"):
        load_config(None, ["model.profile=longlife"])
    put(tmp_path, MINE)
    with pytest.raises(ConfigError, match=r"give one of auto, tiny, 1\.3b, 14b, .*, mine$"):
        load_config(None, [f"model.profiles_dir={tmp_path}", "model.profile=zzz"])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("title: a\n", "mine.yaml:1: size: is missing; give one of tiny, 1.3b, 14b"),
        (MINE + "stream: {blok: 3}\n", "mine.yaml:5: stream.blok: there is no such key; did you mean 'block'?"),
        (MINE + "stream: {block: 0}\n", "mine.yaml:5: stream.block: cannot be 0; give an integer of latents 1..4"),
        (MINE + "stream: 3\n", "mine.yaml:5: stream: cannot be 3; give the keys block, first_frames, "),
        (MINE + "steam: 3\n", "mine.yaml:5: steam: there is no such key; did you mean 'stream'?"),
        (MINE + "stream: {steps: [500, 700]}\n", "mine.yaml:5: stream.steps: [500, 700] do not descend; give the largest first"),
        (MINE + "stream:\n  steps: [1.5]\n", "mine.yaml:6: stream.steps: cannot be [1.5]; give 1 to 4 descending steps"),
        (MINE + "stream: {context_t: never}\n", "mine.yaml:5: stream.context_t: cannot be 'never'; give off or a timestep"),
        (MINE + "stream: {block: 4, window: 3, sinks: 0}\n", "mine.yaml:5: stream.window: 3 is"),
        (MINE + "params: {steps: [400, 400]}\n", "mine.yaml:5: params.steps: [400, 400] do not descend; give the largest first"),
        (MINE + "stream: {sinks: 6}\n", "mine.yaml:5: stream.sinks: 6 do not fit a window of 6; give at most 5"),
        (MINE + "stream: {first_frames: 6}\n", "mine.yaml:5: stream.first_frames: 6 is not 1 more than a multiple of 4"),
        (
            MINE + "stream: {recompute: 3, block: 3, window: 9, sinks: 0}\n",
            "mine.yaml:5: stream.window: holds what is recomputed and the block, 6 latents; give 6",
        ),
        (MINE.replace("mine/model", "../model"), "mine.yaml:4: weights.file: cannot be '../model.safetensors'; give its path"),
        (MINE.replace("licence: {name: Apache-2.0}", "licence: {}"), "mine.yaml:3: licence.name: is missing; give its name"),
        ("size: 1.3b\nlicence: {name: a}\n", "mine.yaml:1: weights: is missing; give the keys file, origins, member"),
        (MINE.replace("1.3b", "tiny"), "mine.yaml:4: weights: the network tiny comes with its weights; leave them out"),
        (MINE + "params: {steps: [400], noise_scale: 2}\n", "mine.yaml:5: params.noise_scale: cannot be 2; give auto"),
        ("- a\n", "mine.yaml:1: a profile is a mapping of keys, not ['a']"),
    ],
)  # fmt: skip
def test_mistakes_name_file_and_key(tmp_path: Path, text: str, problem: str) -> None:
    found = problems(put(tmp_path, text))
    assert any(line.startswith(problem) for line in found), found


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    assert len(problems(put(tmp_path, MINE + "stream: {block: 0, window: 1}\nlora: {fil: a}\n"))) == 4


@pytest.mark.parametrize("name", ["auto.yaml", "Mine.yaml", "a b.yaml"])
def test_a_files_name_is_the_models(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="a profile has its file's name"):
        read_profile(put(tmp_path, MINE, name))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["engine.schedule=stream_batch"], "engine.schedule: stream_batch is not for the model longlive; give sequential"),
        (["engine.kv_frames=2", "engine.sink_frames=0"], "2 do not hold what longlive paints at a time; give at least 3"),
        (["engine.kv_frames=5"], "beside 3 sinks no chunk of longlive fits kv_frames 5; give at most 2"),
        (["engine.sink_frames=12"], "engine.sink_frames: 12 sinks do not fit kv_frames 12; give at most 11"),
        (
            ["input.first_image={file}", "engine.mode=text"],
            "input.first_image: longlive cannot begin with a picture; give model.profile one of "
            "causal-forcing-1step, causal-forcing-2step, causal-forcing",
        ),
    ],
)  # fmt: skip
def test_settings_that_the_model_cannot_have_are_refused(tmp_path: Path, options: list[str], said: str) -> None:
    file = put(tmp_path, "", "a.png")
    with pytest.raises(ConfigError) as caught:
        load_config(None, ["model.profile=longlive", *(option.format(file=file) for option in options)])
    assert said in str(caught.value)


def test_the_first_image_is_looked_for(tmp_path: Path) -> None:
    file = put(tmp_path, "", "a.png")
    options = ["model.profile=causal-forcing", f"input.first_image={file}"]
    config = load_config(None, [*options, "engine.mode=text"])
    assert (config.input.image, config.engine.mode) == (file, Mode.TEXT)
    with pytest.raises(ConfigError, match="a stream that restyles an input begins with that"):
        load_config(None, options)
    file.unlink()
    with pytest.raises(ConfigError, match=r"input\.first_image: .*a\.png is no file; check the path"):
        load_config(None, [*options, "engine.mode=text"])
