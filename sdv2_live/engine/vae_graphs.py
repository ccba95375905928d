"""An autoencoder whose steady work is captured as CUDA graphs: encoding and decoding a chunk past the first."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from torch import Tensor

from sdv2_live.engine.graphs import Capture, Captured
from sdv2_live.model.vae.taehv import TAEHV, TaehvMemory
from sdv2_live.model.vae.wan import VaeMemory, WanVAE


@dataclass
class GraphedMemory:
    """A stream's memory of the autoencoder, and what has been captured over it.

    encoded, decoded: the direction is past its first chunk, whose frames count otherwise and which allocates the memory.
    """

    own: VaeMemory | TaehvMemory
    captured: dict[Hashable, Captured] = field(default_factory=dict)
    encoded: bool = False
    decoded: bool = False

    def reset_(self) -> None:
        """Forget the stream, in place: what is captured stays good."""
        self.own.reset_()
        self.encoded = self.decoded = False


class GraphedVae:
    """An `engine.Autoencoder` around another. Each direction has a capture, and so memory, of its own: they may run at once.

    The next chunk's call overwrites a result: `Engine` reads it into a tensor of its own, on the same CUDA stream.
    """

    def __init__(self, vae: WanVAE | TAEHV, encoding: Capture, decoding: Capture) -> None:
        self.vae = vae
        self._encoding, self._decoding = encoding, decoding

    def new_memory(self) -> GraphedMemory:
        """State of a stream that has not begun."""
        return GraphedMemory(self.vae.new_memory())

    def push(self, pixels_NCTHW: Tensor, memory: GraphedMemory) -> None:
        """Same as the autoencoder's own, kernel by kernel; `encode` then runs the rest of the chunk kernel by kernel too."""
        self.vae.push(pixels_NCTHW, memory.own)  # type: ignore[arg-type]

    def encode(self, pixels_NCTHW: Tensor, memory: GraphedMemory, *, normalize: bool = False) -> Tensor:
        """Same as the autoencoder's own."""
        own = memory.own  # `memory` holds what is captured: a capture that held it would keep both alive for good

        def run(pixels: Tensor) -> Tensor:
            return self.vae.encode(pixels, own, normalize=normalize)  # type: ignore[arg-type]

        steady = memory.encoded and own.ahead == 0
        memory.encoded = True
        return self._run(("encode", normalize), run, pixels_NCTHW, memory, self._encoding) if steady else run(pixels_NCTHW)

    def decode(self, latent_NFCHW: Tensor, memory: GraphedMemory) -> Tensor:
        """Same as the autoencoder's own."""
        own = memory.own  # see `encode`

        def run(latent: Tensor) -> Tensor:
            return self.vae.decode(latent, own)  # type: ignore[arg-type]

        steady, memory.decoded = memory.decoded, True
        return self._run(("decode",), run, latent_NFCHW, memory, self._decoding) if steady else run(latent_NFCHW)

    def _run(
        self, kind: tuple[Hashable, ...], run: Callable[[Tensor], Tensor], x: Tensor, memory: GraphedMemory, capture: Capture
    ) -> Tensor:
        key = (*kind, x.shape, x.dtype)
        if key not in memory.captured:
            memory.captured[key] = Captured(run, capture)
        return memory.captured[key](x)
