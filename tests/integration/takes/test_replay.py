"""A take, painted again, gives the pictures of the show: byte for byte, whatever the hand did meanwhile."""

from __future__ import annotations

import errno
import json
import time
from pathlib import Path
from typing import Any

import pytest
from support.systems import words
from support.take_rig import ENGINE, HEADER, Rig, lines_of, repainted, takes_of
from support.waiting import eventually

from sdv2_live.config.schema_engine import RefreshConfig
from sdv2_live.control.modulation import Modulation
from sdv2_live.engine.engine import Engine
from sdv2_live.errors import TakeError
from sdv2_live.frame import PixelFormat
from sdv2_live.live.load_shedding import LoadShedder
from sdv2_live.model.profiles import StreamKind
from sdv2_live.music.clock import BeatClock
from sdv2_live.music.heard import Heard
from sdv2_live.music.tempo import Tempo
from sdv2_live.system.clock import monotonic_ns
from sdv2_live.takes.format import Header
from sdv2_live.takes.replay import Take, as_recorded


def perform(rig: Rig) -> None:
    """All that may happen in a show."""
    rig.chunks(3)  # a take does not begin with the show
    rig.set(prompt="violet", transition_chunks=40)
    rig.chunks()  # nor with a prompt that has fully arrived
    rig.record()
    rig.chunks()
    rig.set(noise_scale=0.3, noise_controller=False)
    rig.chunks()
    rig.encoder.free.clear()
    rig.set(prompt="a green forest", transition_chunks=6)
    rig.chunks(3)  # not encoded yet
    rig.set(seed=2**62)
    rig.chunks()
    rig.encoder.free.set()
    rig.shows("a green forest")
    rig.set(prompt="blue", transition_chunks=3)  # in the middle of the fade
    rig.shows("blue")
    rig.chunks()
    rig.store.trigger("reset", "test")
    rig.chunks()
    rig.set(prompt="broken")  # cannot be encoded
    rig.chunks()
    rig.set(prompt="a cut", prompt_change="cut", transition_chunks=0, mix=0.5, detail=0.7)
    rig.shows("a cut")
    rig.chunks(6)
    rig.set(prompt="a flush", prompt_change="flush", memory=0.2)
    rig.shows("a flush")
    rig.chunks(4)
    rig.set(prompt="made anew", prompt_change="recache", transition_chunks=3, memory=0.7)
    rig.shows("made anew")
    rig.chunks(4)
    rig.set(prompt_change="cut", transition_chunks=0, memory=1.0)
    rig.source.size = (32, 64)
    rig.chunks()
    rig.source.format = PixelFormat.UYVY
    rig.chunks()
    rig.set(**{"steps": (600,), "prompt/2/text": "gold", "prompt/2/weight": 0.4, "interpolation": "slerp"})
    rig.chunks()
    rig.set(transition_chunks=4)
    for weight in (0.2, 0.0, 0.7):  # no new prompt: neither a cut nor a transition
        rig.set(**{"prompt/2/weight": weight})
        rig.chunks()
    rig.set(normalize_latents=True)  # applies with the reset
    rig.store.trigger("reset", "test")
    rig.chunks()
    rig.set(**{"feedback": 0.7, "feedback/zoom": 1.1, "input/hue": 60.0})
    rig.chunks(3)
    rig.set(
        **{"feedback/border": "wrap", "input/mirror": True, "output/contrast": 1.3, "output/flip": True, "output/lut": "warm"}
    )
    rig.chunks()
    rig.store.trigger("reset", "test")
    rig.chunks()
    rig.set(**{"feedback": 0.0, "input/brightness": 0.2})
    rig.chunks()
    rig.set(freeze=True)
    rig.set(freeze=False, record=False)
    rig.chunks()


@pytest.mark.parametrize(
    "engine",
    [
        {"overlap": True},
        {"schedule": "stream_batch"},
        {"mode": "text"},
        pytest.param({}, marks=pytest.mark.slow),  # the first two have both schedules, and chunks that overlap or do not
        pytest.param({"schedule": "stream_batch", "overlap": True}, marks=pytest.mark.slow),
    ],
    ids=["overlap", "batch", "text", "sequential", "batch, overlap"],
)
def test_a_whole_performance_is_painted_again_bit_by_bit(tmp_path: Path, engine: dict[str, Any]) -> None:
    with Rig(tmp_path, **engine) as rig:
        perform(rig)
    assert rig.counters["engine_failures"] == 0
    (take,) = takes_of(rig)
    lines = lines_of(take)
    assert lines[-1] == {"end": "complete", "problem": "", "chunks": len(lines) - 1}
    assert lines[0]["prompt"]["anew"]
    assert lines[0]["values"]["prompt"] == "violet"
    asked = next(i for i, line in enumerate(lines) if line.get("values", {}).get("prompt") == "a green forest")
    began = next(i for i, line in enumerate(lines) if "a green forest" in str(line.get("prompt")))
    assert began > asked + 2  # what counts is when it came, not when it was asked for
    assert any(line.get("fired") == ["reset"] for line in lines)
    assert {video["format"] for line in lines[:-1] for video in line["videos"]} == {"RGBX", "UYVY"}
    moved = [line["prompt"]["mix"]["prompts"][1][1] for line in lines[:-1] if (line.get("prompt") or {}).get("reweighed")]
    assert moved[-3:] == [0.2, 0.0, 0.7]
    assert not any(line.get("fade") for line in lines[-8:-1])

    (tmp_path / "luts" / "warm.cube").write_text("the take has its own")
    again = repainted(take, rig.config)
    assert [chunk.line.chunk for chunk in again if not chunk.same] == []
    assert len(again) == len(lines) - 1
    assert len({line.get("sha256") for line in lines}) > len(lines) / 2  # the pictures do differ from one another


def test_blocks_that_look_back_on_pictures_are_painted_again_bit_by_bit(tmp_path: Path) -> None:
    kind = StreamKind(3, 9, shift=5.0, warp=True, sinks=0, adaptive_sinks=False, recompute=3, normalize_latents=True)
    with Rig(tmp_path, kind=kind, overlap=True) as rig:
        rig.record()
        rig.chunks(3)
        rig.set(prompt="blue", transition_chunks=2)
        rig.chunks(2)
        rig.store.trigger("reset", "test")
        rig.chunks(2)
    (take,) = takes_of(rig)
    assert {len(line["frames"]) for line in lines_of(take)[:-1]} == {9, 12}
    assert [chunk.line.chunk for chunk in repainted(take, rig.config) if not chunk.same] == []


def test_a_chunk_whose_frames_were_encoded_as_they_came_is_painted_again_bit_by_bit(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        rig.chunks(1)
        rig.source.fps = 20  # the engine waits for them
        rig.record()
        for hue in range(8):  # whenever it comes, it holds for whole chunks
            rig.set(**{"input/hue": 20.0 * hue, "feedback": 0.5 * (hue == 3)})
            time.sleep(0.03)
        rig.chunks(2)
        rig.source.format = PixelFormat.UYVY  # most likely in the midst of a chunk
        rig.chunks(3)
        while rig.stream.timer.summaries()["push"].count < 6:  # on a busy machine the engine does not always wait
            rig.chunks(1)
    (take,) = takes_of(rig)
    again = repainted(take, rig.config)
    assert len(again) >= 6
    assert all(chunk.same for chunk in again)


def test_a_replay_takes_the_precision_that_a_processor_was_measured_to_like() -> None:
    header = Header(lossless=True, **HEADER)
    assert as_recorded(header) == ["model.profile=tiny", "model.remote_ranks=0", "model.dtype=fp32"]
    other = header.model_copy(update={"dtype": "bfloat16", "vae": "taehv"})
    assert as_recorded(other) == ["model.profile=tiny", "model.vae=taehv", "model.remote_ranks=0", "model.dtype=bf16"]
    assert as_recorded(header.model_copy(update={"device": "NVIDIA L4"})) == ["model.profile=tiny", "model.remote_ranks=0"]


def test_a_replay_that_differs_is_noticed(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        rig.record()
        rig.chunks()
        rig.set(seed=1)
        rig.chunks(3)
    (take,) = takes_of(rig)
    path = take / "chunks.jsonl"
    path.write_text(path.read_text().replace('"seed":1}', '"seed":2}'))
    again = repainted(take, rig.config)
    changed = next(i for i, line in enumerate(lines_of(take)) if line["values"].get("seed") == 2)
    assert [chunk.same for chunk in again[: changed + 1]] == [True] * changed + [False]


class Hits:
    """Hears a kick now and then, and a swelling level."""

    def between(self, start_ns: int, end_ns: int) -> Heard:
        return Heard(env=end_ns / 1e9 % 1, kick=float(end_ns // 20_000_000 % 3 == 0))


MOVING = {
    f"mod/{number}/{name}": value
    for number, rows in enumerate(
        (
            {"target": "noise_scale", "shape": "sine", "rate": "2bars", "depth": 0.4},
            {"target": "mix", "source": "beat", "depth": -0.7},
            {"target": "prompt/2/weight", "shape": "square", "rate": "bar", "depth": 1.0},
            {"target": "prompt/1/weight", "source": "env", "depth": -0.9},
            {"target": "steps", "shape": "random", "rate": "hz", "hz": 5.0, "depth": 0.2, "polarity": "both"},
            {"target": "noise_scale", "source": "kick", "depth": 0.3, "smooth_ms": 40.0},
        ),
        start=1,
    )
    for name, value in ({"on": True} | rows).items()
}


@pytest.mark.parametrize("engine", [{}, {"schedule": "stream_batch", "overlap": True}], ids=["sequential", "batch, overlap"])
def test_a_take_of_moving_parameters_is_painted_again_without_tempo_or_sound(tmp_path: Path, engine: dict[str, Any]) -> None:
    clock = BeatClock(Tempo(monotonic_ns(), 0.0, 999.0))
    with Rig(tmp_path, modulation=Modulation(clock, Hits()), **engine) as rig:
        rig.set(**{"prompt/2/text": "gold", "prompt_change": "cut", "transition_chunks": 0, "noise_controller": False})
        rig.chunks(1)
        rig.record()
        rig.chunks(2)
        rig.set(**MOVING)
        rig.chunks(12)
        rig.set(mix=0.8, noise_scale=0.5)  # the hand moves the base under them
        clock.lead("internal", Tempo(monotonic_ns(), 7.3, 180.0), at_ns=monotonic_ns())
        rig.chunks(8)
        rig.set(**{"mod/3/on": False, "mod/1/depth": 0.0, "mod/6/depth": 0.0})
        rig.chunks(3)
    assert rig.counters["engine_failures"] == 0
    (take,) = takes_of(rig)
    lines = lines_of(take)[:-1]
    moved = {name for line in lines[3:] for name in line["values"]}
    assert {"noise_scale", "steps", "prompt/1/weight", "prompt/2/weight"} <= moved
    assert len({tuple(line["swing"]) for line in lines if line.get("swing")}) > 5
    prompts = [line["prompt"] for line in lines[1:] if line.get("prompt")]
    assert len(prompts) > 5
    assert all(prompt["reweighed"] for prompt in prompts)  # no weight cut the caches
    assert rig.store.latest().noise_scale == 0.5  # the base is the hand's
    again = repainted(take, rig.config)
    assert [chunk.line.chunk for chunk in again if not chunk.same] == []
    assert len(again) == len(lines)


class ByHand(LoadShedder):
    """Takes the steps that the test says, whatever the speed of this machine."""

    steps: tuple[str, ...] = ()
    active: tuple[str, ...] = ()

    def chunk(self, *_: object) -> str:
        """From the next chunk on, as ever."""
        self.active = self.steps
        return ""


def test_a_take_holds_what_was_really_used_while_the_load_was_shed(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        rig.source.size = (64, 64)
        eventually("pictures of that size", lambda: rig.stream.size == (64, 64))
        shed = rig.adaptation.shed = ByHand()
        rig.record()
        for steps in (("fewer-steps",), ("fewer-steps", "smaller"), ()):
            rig.chunks()
            shed.steps = steps
        rig.chunks()
        assert rig.store.latest().steps == (700, 500)  # the performer's own
        sizes = {frame.size for frame in rig.playout.sink.frames}  # type: ignore[attr-defined]
        assert sizes - {(32, 32)} == {(64, 64)}  # what came before the source's size was set does not count
    assert rig.counters["engine_failures"] == 0
    (take,) = takes_of(rig)
    lines = lines_of(take)
    assert [line["values"]["steps"] for line in lines[:-1] if "steps" in line["values"]] == [[700, 500], [700], [700, 500]]
    assert [line["begins"]["height"] for line in lines[:-1] if line.get("begins")] == [64, 48, 64]
    again = repainted(take, rig.config)
    assert [chunk.line.chunk for chunk in again if not chunk.same] == []
    assert len(again) == len(lines) - 1


def test_a_stream_that_is_refreshed_is_painted_again_too(tmp_path: Path) -> None:
    with Rig(tmp_path, refresh=RefreshConfig(every_s=0.3, fade_s=0.3)) as rig:
        rig.record()
        eventually("refreshes", lambda: rig.counters["refreshes"] >= 3, 60)
    (take,) = takes_of(rig)
    assert sum(bool(line.get("begins")) for line in lines_of(take)) >= 3
    assert [chunk.line.chunk for chunk in repainted(take, rig.config) if not chunk.same] == []


class FailingOnce(Engine):
    """Its ninth decode fails, as when memory runs out."""

    decodes = 0

    def decode(self, latent, state):  # type: ignore[no-untyped-def]
        self.decodes += 1
        if self.decodes == 9:
            raise RuntimeError("out of memory")
        return super().decode(latent, state)


def test_a_take_goes_on_over_a_failure_of_the_engine(tmp_path: Path) -> None:
    with Rig(tmp_path, engine=FailingOnce(ENGINE.dit, ENGINE.vae)) as rig:
        rig.chunks(1)
        rig.record()
        rig.set(prompt="a slow fade", transition_chunks=30)
        rig.chunks(12)
    assert rig.counters["engine_failures"] == 1
    (take,) = takes_of(rig)
    assert sum("begins" in line for line in lines_of(take)) == 2
    assert all(chunk.same for chunk in repainted(take, rig.config))


def recorded(folder: Path) -> tuple[Rig, Path]:
    with Rig(folder) as rig:
        rig.record()
        rig.chunks(4)
    (take,) = takes_of(rig)
    return rig, take


def test_a_take_cut_short_replays_what_it_has(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rig, take = recorded(tmp_path)
    path = take / "chunks.jsonl"
    whole = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(whole[:3]) + whole[3][:50])  # power went off in the middle of a line
    (take / "input-000.mkv").rename(take / "input-000.mkv.part")
    assert Take(take).problem == "it was cut short, as by a crash"
    assert Take(take).chunks == 3
    assert [chunk.same for chunk in repainted(take, rig.config)] == [True] * 3
    video = (take / "input-000.mkv.part").read_bytes()
    (take / "input-000.mkv.part").write_bytes(video[: len(video) * 2 // 3])
    path.write_bytes(b"".join(whole[:-1]))  # the journal got further than the video
    again = repainted(take, rig.config)
    assert 1 <= len(again) < len(whole) - 1
    assert all(chunk.same for chunk in again)
    assert "the input video ends before this chunk's frames; so does the replay" in caplog.text


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b'"frames":[', b'"frames":', "the line is damaged"),
        (b'"pictures":4', b'"pictures":-4', "pictures"),
        (b'"values":{}', b'"values":{"noise_scale":7}', "noise_scale cannot be 7"),
        (b'"values":{}', b'"values":{"noise":7}', "there is no parameter 'noise'"),
        (b'"fired":[]', b'"fired":[],"begins":{"height":30,"width":32}', "multiples of 16"),
        (b'"fired":[]', b'"fired":[],"prompt":{"mix":{"prompts":[]},"transition":1}', "0 prompts, not 1 to 8"),
    ],
)
def test_a_damaged_line_is_told_with_file_and_line(tmp_path: Path, old: bytes, new: bytes, says: str) -> None:
    take = TAKE.copy_to(tmp_path)
    path = take / "chunks.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    assert old in lines[2]
    lines[2] = lines[2].replace(old, new)
    path.write_bytes(b"".join(lines))
    with pytest.raises(TakeError) as caught:
        Take(take)
    assert str(caught.value).startswith(f"{path}:3: ")
    assert says in str(caught.value)


class _Sample:
    """A take as it lies on disk, without its pictures."""

    def copy_to(self, folder: Path) -> Path:
        place = {"captured_ns": 0, "rate": "30/1", "index": 0, "video": 0}
        frames = [{**place, "frame": i} for i in range(4)]
        line = {"chunk": 0, "values": {}, "fired": [], "videos": [], "frames": frames, "pictures": 4}
        text = json.dumps(line, separators=(",", ":")) + "\n"
        (folder / "chunks.jsonl").write_text(text * 4)
        header = 'format: 1\nrecorded: "1"\nlossless: true\nsdv2_live: "0"\ntorch: "2"\nprofile: tiny\nweights: "0"\n'
        (folder / "take.yaml").write_text(header + "device: cpu\ncpu: any\ndtype: float32\nthreads: 1\n")
        return folder


TAKE = _Sample()


def test_what_is_no_take_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TakeError, match=r"nothing: is no take: it holds no take\.yaml"):
        Take(tmp_path / "nothing")
    take = TAKE.copy_to(tmp_path)
    header = take / "take.yaml"
    text = header.read_text()
    header.write_text(text.replace("format: 1", "format: 2"))
    with pytest.raises(TakeError, match=r"take\.yaml:1: format: .*this version reads format 1"):
        Take(take)
    header.write_text(text.replace("threads: 1", "threads: none"))
    with pytest.raises(TakeError, match=r"take\.yaml:11: threads: "):
        Take(take)
    header.write_text(text)
    (take / "chunks.jsonl").unlink()
    with pytest.raises(TakeError, match=rf"chunks\.jsonl: cannot be read: {words(errno.ENOENT)}"):
        Take(take)


def test_a_take_without_its_beginning_is_refused(tmp_path: Path) -> None:
    rig, take = recorded(tmp_path)
    path = take / "chunks.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    with pytest.raises(TakeError, match=r"chunks\.jsonl:1: .*does not follow"):
        repainted(take, rig.config)


def test_a_settled_stream_depends_on_nothing_before(tmp_path: Path) -> None:
    """What a take's first chunk relies on."""
    with Rig(tmp_path) as rig:
        rig.chunks(3)
        rig.record()
        rig.chunks(1)
    (take,) = takes_of(rig)
    first = repainted(take, rig.config)[0]
    assert first.same
    assert first.line.begins is not None
    assert len(first.line.frames) == 5
