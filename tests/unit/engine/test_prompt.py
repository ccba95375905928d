"""Prompts: encoded off the frame path, blended, faded; failures leave the picture as it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support import tiny
from support.prompts import Dictionary
from support.waiting import eventually
from torch import Tensor

from sdv2_live.engine.prompt import PromptDirector, blend, slerp
from sdv2_live.engine.prompt_cache import PromptCache
from sdv2_live.engine.prompt_disk import PromptDisk
from sdv2_live.engine.spec import PromptMix
from sdv2_live.errors import EngineError
from sdv2_live.model.checkpoints.files import TextIdentity
from sdv2_live.model.dit.dit import TEXT_TOKENS


@pytest.fixture
def encoder() -> Dictionary:
    return Dictionary()


@pytest.fixture
def director(encoder: Dictionary) -> Iterator[PromptDirector]:
    cache = PromptCache(encoder)
    yield PromptDirector(tiny.small_engine().dit, cache)
    encoder.free.set()
    cache.close()


A, B = PromptMix.of("red"), PromptMix.of("green")
BF16, FP8 = TextIdentity("umt5-xxl", "bf16"), TextIdentity("umt5-xxl", "fp8")


def test_the_first_prompt_is_waited_for_and_later_ones_are_not(director: PromptDirector, encoder: Dictionary) -> None:
    before = director.condition(A)
    assert not before.step.began
    encoder.free.clear()
    for _ in range(3):  # the frame path goes on with the old prompt
        held = director.condition(B)
        assert not held.step.began
        assert torch.equal(held.cross.k, before.cross.k)
    encoder.free.set()
    after = eventually("the new prompt", lambda: next((c for c in [director.condition(B)] if c.step.began), None))
    assert not torch.equal(after.cross.k, before.cross.k)
    assert not director.condition(B).step.began


def test_a_prompt_comes_back_exactly_without_being_encoded_again(director: PromptDirector, encoder: Dictionary) -> None:
    first = director.condition(A, wait=True).cross.k
    director.condition(B, wait=True)
    assert torch.equal(director.condition(A, wait=True).cross.k, first)
    assert encoder.encoded == ["red", "green"]


def test_a_transition_takes_its_chunks_and_ends_on_the_target(director: PromptDirector) -> None:
    def keys(director: PromptDirector, mix: PromptMix, chunks: int = 0) -> Tensor:
        """Of all 512 rows: the last key stands for the zero rows, however many they are."""
        k = director.condition(mix, chunks, wait=True).cross.k
        return torch.cat((k, k[:, :, -1:].expand(-1, -1, TEXT_TOKENS - k.shape[2], -1, -1)), dim=2)

    start = keys(director, A)
    steps = [keys(director, B, 4) for _ in range(6)]
    end = keys(PromptDirector(director._dit, director._cache), B)
    distances = [float((k - start).norm()) for k in steps]
    assert distances[0] > 0
    assert distances[0] < distances[1] < distances[2]
    assert not torch.equal(steps[2], end)
    assert torch.equal(steps[3], end)
    assert torch.equal(steps[5], end)


def test_settled_the_next_chunk_shows_its_prompt_in_full(director: PromptDirector, encoder: Dictionary) -> None:
    def shown(mix: PromptMix) -> Tensor:
        return PromptDirector(director._dit, director._cache).condition(mix, wait=True).cross.k

    c, d = PromptMix.of("blue and white"), PromptMix.of("unknown yet")
    assert director.condition(A).step.anew
    fading = director.condition(B, 8, wait=True)
    assert (fading.step.mix, fading.step.done, fading.step.chunks, fading.step.anew) == (B, 1, 8, False)
    director.settle()  # within a transition: it is complete
    settled = director.condition(B, 8)
    assert settled.step.done == settled.step.chunks
    assert settled.step.anew
    assert not settled.step.began
    assert torch.equal(settled.cross.k, shown(B))
    director.settle()  # with a new prompt at hand: no transition to it
    assert torch.equal(director.condition(c, 8, wait=True).cross.k, shown(c))
    encoder.free.clear()
    director.settle()  # with one that is not: the old prompt goes on, and the transition comes when it is
    waiting = director.condition(d, 8)
    assert (waiting.step.mix, waiting.step.anew) == (c, True)
    encoder.free.set()
    later = director.condition(d, 8, wait=True)
    assert (later.step.began, later.step.done, later.step.chunks, later.step.anew) == (True, 1, 8, False)


def mixed(red: float, green: float) -> PromptMix:
    return PromptMix((("red", red), ("green", green)))


def test_other_weights_of_the_same_prompts_hold_at_once(director: PromptDirector) -> None:
    def shown(mix: PromptMix) -> Tensor:
        return PromptDirector(director._dit, director._cache).condition(mix, wait=True).cross.k

    director.condition(mixed(1, 0), wait=True)
    for green in (0.25, 0.5, 0.0, 1.0):  # from nothing, and down to nothing
        moved = director.condition(mixed(1, green), 8, wait=True)
        assert (moved.step.mix, moved.step.began, moved.step.done) == (mixed(1, green), False, moved.step.chunks)
        assert torch.equal(moved.cross.k, shown(mixed(1, green)))
    assert director.condition(mixed(0.5, 0.5)).cross is moved.cross  # the same shares: nothing is computed
    assert director.condition(PromptMix((("red", 1.0),)), 8).step.began  # one that showed is gone: another prompt
    assert director.condition(mixed(1, 1), 8, wait=True).step.began


def test_weights_move_within_a_transition(director: PromptDirector) -> None:
    c = PromptMix((("blue and white", 1.0), ("green", 0.0)))
    director.condition(mixed(1, 0), wait=True)
    fading = [director.condition(PromptMix((("blue and white", 1.0), ("green", w))), 4, wait=True) for w in (0, 0.3, 0.6, 0)]
    assert [one.step.done for one in fading] == [1, 2, 3, 4]
    assert [one.step.began for one in fading] == [True, False, False, False]
    end = PromptDirector(director._dit, director._cache).condition(c, wait=True).cross.k
    assert torch.equal(fading[3].cross.k, end)


def test_other_weights_are_a_new_prompt_where_that_is_asked_for(director: PromptDirector) -> None:
    director.condition(mixed(1, 0.5), wait=True)
    director.renew()  # as a take of an earlier version has it
    again = director.condition(mixed(1, 1), 4)
    assert (again.step.began, again.step.done, again.step.chunks) == (True, 1, 4)
    assert not director.condition(mixed(1, 0.5), 4).step.began


def test_a_prompt_that_cannot_be_encoded_is_told_once_whatever_its_weight(
    director: PromptDirector, caplog: pytest.LogCaptureFixture
) -> None:
    director.condition(A, wait=True)
    for weight in (0.1, 0.2, 0.3):
        assert director.condition(PromptMix((("red", 1.0), ("broken", weight))), wait=True).step.mix == A
    assert caplog.text.count("stays as it was") == 1


def test_a_failure_leaves_the_prompt_as_it_was(director: PromptDirector, caplog: pytest.LogCaptureFixture) -> None:
    before = director.condition(A)
    after = director.condition(PromptMix.of("broken"), wait=True)
    assert torch.equal(after.cross.k, before.cross.k)
    assert "stays as it was: no memory" in caplog.text
    assert director.condition(B, wait=True).step.began


def test_a_lost_gpu_is_no_failure_of_the_prompt(director: PromptDirector, encoder: Dictionary) -> None:
    encoder.error = RuntimeError("CUDA error: unspecified launch failure")
    for _ in range(2):  # without a prompt to keep, and with one
        with pytest.raises(RuntimeError, match="launch failure"):
            director.condition(PromptMix.of("broken"), wait=True)
        director.condition(A, wait=True)


def test_without_any_prompt_a_failure_is_an_error(director: PromptDirector) -> None:
    with pytest.raises(EngineError, match="cannot be encoded: no memory"):
        director.condition(PromptMix.of("broken"))


def test_blends() -> None:
    a, b, c = torch.ones(1, 2, 4), 3 * torch.ones(1, 3, 4), torch.zeros(1, 1, 4)
    mixed = blend([a, b, c], [1, 2, 1])
    assert mixed.shape == (1, 3, 4)
    torch.testing.assert_close(mixed[0, :, 0], torch.tensor([1.75, 1.75, 1.5]))
    x, y = torch.tensor([[[1.0, 0.0]]]), torch.tensor([[[0.0, 2.0]]])
    half = blend([x, y], [1, 1], "slerp")
    torch.testing.assert_close(half, 1.5 * torch.tensor([[[0.5**0.5, 0.5**0.5]]]))
    torch.testing.assert_close(blend([x, y, x], [1, 0, 0], "slerp"), x)
    torch.testing.assert_close(slerp(x, -x, 0.25), 0.5 * x)  # no arc between opposites: straight
    torch.testing.assert_close(slerp(x, torch.zeros_like(x), 0.5), 0.5 * x)


def test_a_prompt_encoded_in_an_earlier_show_is_not_encoded_again(encoder: Dictionary, tmp_path: Path) -> None:
    def embedding(identity: TextIdentity = BF16, prompt: str = "red") -> Tensor:
        cache = PromptCache(encoder, PromptDisk(tmp_path, [identity]))
        try:
            return cache.request(prompt).result(30)
        finally:
            cache.close()

    first = embedding()
    assert torch.equal(embedding(), first)
    assert encoder.encoded == ["red"]
    embedding(FP8)
    embedding(prompt="green")
    assert encoder.encoded == ["red", "red", "green"]


def found(embedding: Tensor | None) -> Tensor:
    assert embedding is not None
    return embedding


def test_whose_embeddings_are_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    one, other = replace(BF16, fingerprint="one"), replace(BF16, fingerprint="other")
    PromptDisk(tmp_path, [one]).store("red", torch.ones(1, 2, 3))
    PromptDisk(tmp_path, [FP8]).store("red", torch.zeros(1, 2, 3))
    PromptDisk(tmp_path, [FP8]).store("green", torch.zeros(1, 2, 3))
    assert PromptDisk(tmp_path, [one]).has("red")
    assert not PromptDisk(tmp_path, [other]).has("red")  # a file of that name and precision, and not the one that made it
    without_files = PromptDisk(tmp_path, [BF16, FP8])  # on a machine that has no text encoder
    assert torch.equal(found(without_files.load("red")), torch.ones(1, 2, 3))
    assert caplog.text == ""
    assert torch.equal(found(without_files.load("green")), torch.zeros(1, 2, 3))
    assert "encoded by umt5-xxl-fp8" in caplog.text  # never silently
    assert without_files.load("blue") is None


def test_a_damaged_cache_is_no_obstacle(encoder: Dictionary, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    disk = PromptDisk(tmp_path, [BF16])
    disk.store("red", torch.ones(1, 2, 3))
    (file,) = tmp_path.rglob("*.safetensors")
    file.write_bytes(b"half a file")
    assert disk.load("red") is None
    assert "encoded again" in caplog.text
    disk.store("red", torch.ones(1, 2, 3))
    assert torch.equal(found(disk.load("red")), torch.ones(1, 2, 3))


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    disk = PromptDisk(tmp_path / "file", [BF16])
    for _ in range(3):
        disk.store("red", torch.ones(1, 2, 3))
    assert disk.load("red") is None
    assert caplog.text.count("cannot be written") == 1


def test_the_folder_does_not_grow_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sdv2_live.engine.prompt_disk.MAX_FILES", 5)
    monkeypatch.setattr("sdv2_live.engine.prompt_disk.SLACK", 1)
    disk = PromptDisk(tmp_path, [BF16])
    for i in range(12):
        disk.store(f"prompt {i}", torch.ones(1, 1, 1))
    assert len(list(tmp_path.rglob("*.safetensors"))) <= 5
    assert disk.load("prompt 11") is not None


@pytest.mark.parametrize("weights", [[0.0, 0.0], [-1.0, 2.0]])
def test_weights_that_mean_nothing_are_refused(weights: list[float]) -> None:
    with pytest.raises(EngineError, match="must be positive"):
        blend([torch.ones(1, 1, 2), torch.ones(1, 1, 2)], weights)
