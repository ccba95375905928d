"""Prompts on their way to the DiT: encoded off the frame path, cached, blended, faded from one to the next."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from sdv2_live.engine.prompt_cache import PromptCache
from sdv2_live.engine.spec import Interpolation, PromptMix, PromptStep
from sdv2_live.engine.transfer import upload
from sdv2_live.errors import EngineError, Sdv2Error, gpu_lost
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.dit.layers import CrossKV

log = logging.getLogger("sdv2_live.prompt")


def blend(embeddings: Sequence[Tensor], weights: Sequence[float], interpolation: Interpolation = "linear") -> Tensor:
    """One embedding (1, n, dim) of several, padded with zero rows to the longest; weights are normalised to sum 1.

    slerp goes pairwise: two embeddings along the arc between them, more as a chain that adds one after the other.
    """
    if not embeddings or min(weights) < 0 or sum(weights) <= 0:
        raise EngineError(f"prompt weights {list(weights)} must be positive, with at least one above 0")
    longest = max(e.shape[1] for e in embeddings)
    padded = [F.pad(e, (0, 0, 0, longest - e.shape[1])) for e in embeddings]
    if interpolation == "linear":
        total = sum(weights)
        return torch.stack([e * (w / total) for e, w in zip(padded, weights, strict=True)]).sum(0)
    result, so_far = padded[0], weights[0]
    for embedding, weight in zip(padded[1:], weights[1:], strict=True):
        so_far += weight
        result = slerp(result, embedding, weight / so_far if so_far > 0 else 0.0)
    return result


def slerp(a: Tensor, b: Tensor, t: float) -> Tensor:
    """Spherical interpolation of each row of a and b, t in 0..1; the rows' lengths are interpolated linearly.

    Rows that are zero, parallel or opposite have no arc and are interpolated linearly.
    """
    norm_a, norm_b = a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True)
    cosine = (a * b).sum(-1, keepdim=True) / (norm_a * norm_b).clamp_min(1e-12)
    angle = cosine.clamp(-1, 1).arccos()
    sine = angle.sin()
    unit_a, unit_b = a / norm_a.clamp_min(1e-12), b / norm_b.clamp_min(1e-12)
    arc = (((1 - t) * angle).sin() * unit_a + (t * angle).sin() * unit_b) / sine.clamp_min(1e-6)
    on_arc = arc * ((1 - t) * norm_a + t * norm_b)
    usable = (sine > 1e-4) & (norm_a > 0) & (norm_b > 0)
    return torch.where(usable, on_arc, torch.lerp(a, b, t))


@dataclass(frozen=True, slots=True)
class Conditioning:
    """The prompt of one chunk: keys and values for the DiT, and a record of what they stand for.

    arrived: with this chunk the transition to a new prompt is complete.
    """

    cross: CrossKV
    step: PromptStep
    arrived: bool


class PromptDirector:
    """Follows the performer's prompts, chunk by chunk: once a new one is encoded, fades to it over a number of chunks.

    Until then, and when encoding fails, the picture keeps its current prompt. Other weights of prompts that stood in the mix
    already begin nothing new: they hold at once, also within a fade, so that weights can be moved at every chunk.
    """

    def __init__(self, dit: CausalDiT, cache: PromptCache) -> None:
        self._dit = dit
        self._cache = cache
        self._target: PromptMix | None = None  # the mix that is being faded to, or has been reached
        self._failed: tuple[str, ...] = ()  # prompts that cannot be encoded together
        self._from: Tensor | None = None
        self._to: Tensor | None = None  # the target's embedding
        self._current: Tensor | None = None
        self._uploads: dict[str, Tensor] = {}  # embeddings on the device, by prompt of the target
        self._fade = (0, 0)  # chunks done, chunks in all
        self._anew = True
        self._new = False  # the next mix is a new prompt, whatever is in it
        self._cross: CrossKV | None = None
        self._scales: tuple[float, ...] = ()  # that the cross-attention was made with

    def settle(self) -> None:
        """Show the next chunk's prompt in full, without any transition, as a first chunk does."""
        self._anew = True

    def renew(self) -> None:
        """Take the next chunk's mix for a new prompt even if only its weights are others."""
        self._new = True

    @torch.inference_mode()
    def condition(
        self, mix: PromptMix, transition_chunks: int = 0, *, wait: bool = False, scales: tuple[float, ...] = ()
    ) -> Conditioning:
        """Cross-attention keys and values for the next chunk.

        Args:
            mix: the prompts to show.
            transition_chunks: length of the fade to a new mix.
            wait: block until the prompt is encoded (offline rendering). The very first prompt is always waited for.
            scales: of the LoRAs that keys and values depend on; when they change, both are recomputed.

        Raises:
            EngineError: encoding failed and there is no earlier prompt to keep.
        """
        began = False
        if mix != self._target and _texts(mix) != self._failed:
            embedding = self._embedding(mix, wait or self._current is None)
            if embedding is None:
                pass
            elif self._target is not None and self._target.reweighed(mix) and not self._new:
                self._target, self._to = mix, embedding
            else:
                began = self._target is not None
                self._begin(mix, embedding, 0 if self._anew else transition_chunks)
        self._new = False
        arrived = self._step()
        if self._cross is None or scales != self._scales:
            assert self._current is not None
            self._cross, self._scales = self._dit.condition(self._current), scales
        assert self._target is not None
        anew, self._anew = self._anew, False
        return Conditioning(self._cross, PromptStep(self._target, *self._fade, began, anew), arrived and not anew)

    def _embedding(self, mix: PromptMix, wait: bool) -> Tensor | None:
        """The blended embedding, or None while it is being computed or when it cannot be."""
        if self._target is not None and (mix.shares, mix.interpolation) == (self._target.shares, self._target.interpolation):
            return self._to
        texts = _texts(mix)
        futures = self._cache.want(texts)
        if not wait and not all(future.done() for future in futures):
            return None
        uploads = {text: self._uploads[text] for text in mix.texts & self._uploads.keys()}
        try:
            for text, future in zip(texts, futures, strict=True):
                if text not in uploads:
                    # Launched, not waited for: a copy from ordinary memory would first wait for all that its stream has to do.
                    uploads[text] = upload(future.result(), self._dit.device).to(self._dit.dtype)
        except (Sdv2Error, RuntimeError, ValueError, OSError, MemoryError) as error:
            if gpu_lost(error):  # the picture is lost, too
                raise
            if self._current is None:
                raise EngineError(f"the prompt cannot be encoded: {error}") from error
            log.error("the prompt cannot be encoded and stays as it was: %s", error)
            self._failed = texts
            return None
        self._uploads = uploads
        return blend([uploads[text] for text in texts], [weight for _, weight in mix.used], mix.interpolation)

    def _begin(self, mix: PromptMix, embedding: Tensor, chunks: int) -> None:
        self._target, self._failed = mix, ()
        self._from, self._to = self._current, embedding
        self._fade = (0, max(chunks, 1))

    def _step(self) -> bool:
        """Go one chunk on. Returns True with the one that completes a transition."""
        before, chunks = self._fade
        if before >= chunks and self._current is self._to:
            return False
        assert self._to is not None
        done = chunks if self._anew else min(before + 1, chunks)
        if done == chunks or self._from is None:
            self._current, self._from = self._to, None
        else:
            self._current = blend([self._from, self._to], [1 - done / chunks, done / chunks])
        self._fade = (done, chunks)
        self._cross = None
        return before < done == chunks


def _texts(mix: PromptMix) -> tuple[str, ...]:
    """The prompts of a mix that show."""
    return tuple(text for text, _ in mix.used)
