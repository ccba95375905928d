"""The autoencoder's start: a linear 8x8x4 block transform (PCA to 16 numbers) written into TAEHV's convolutions.

ReLUs sit between the convolutions, so every coefficient travels as the pair relu(c), relu(-c). Channels that the transform
does not need keep their random start. Memory blocks begin as identities: their last convolution is zero.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdv2_live.model.vae.latents import LATENT_STD
from sdv2_live.model.vae.taehv import TAEHV
from sdv2_live.model.vae.taehv_layers import MemBlock

KEPT = 42  # coefficients kept of one frame's block, and of two frames' blocks: two channels each
SCALE = 0.3  # of coefficients between the convolutions
# Where a percentile of each latent lies. Block coefficients are heavy-tailed and TAEHV's soft clamp ends at 3: those beyond are
# squeezed, so that the others stand clear of the noise that the engine adds. KNEES undo the squeeze as far as they can: where
# along the clamp's output a steeper piece of the inverse begins, and how much steeper it is. FIRST_SLOPE: of the piece before.
LATENT_LIMIT, PERCENTILE = 4.5, 0.985
FIRST_SLOPE, KNEES = 1.06, ((1.8, 1.28), (2.6, 6.4))


def _basis(rows: Tensor, keep: int) -> Tensor:
    """The strongest `keep` principal directions (keep, n) of zero-mean rows (samples, n)."""
    _, vectors = torch.linalg.eigh(rows.T @ rows / len(rows))
    return vectors.flip(1)[:, :keep].T.contiguous()


@torch.no_grad()
def start_linear(model: TAEHV, clips_NTCHW: Tensor) -> None:
    """Write the transform fitted to clips in [0, 1] (T a multiple of 4) into `model`, whose patch is 8 and widths are >= 96."""
    blocks = F.pixel_unshuffle(clips_NTCHW.flatten(0, 1), model.config.patch)
    blocks = blocks.unflatten(0, (-1, 4)).permute(0, 3, 4, 1, 2).flatten(0, 2)  # (samples, 4, 192)
    blocks = blocks[torch.randperm(len(blocks), generator=torch.Generator().manual_seed(0))[:200_000]]
    mean = blocks.mean((0, 1))
    frame = _basis((blocks - mean).flatten(0, 1), KEPT)
    pairs = ((blocks - mean) @ frame.T).unflatten(1, (2, 2)).flatten(2)  # (samples, 2, 2 * KEPT)
    pair = _basis(pairs.flatten(0, 1), KEPT)
    quads = (pairs @ pair.T).flatten(1)
    quad = _basis(quads, model.config.latent)
    gain = LATENT_LIMIT / (quads @ quad.T).abs().quantile(PERCENTILE, dim=0)
    # The strongest coefficient goes to the channel that the engine scales most before it adds noise.
    order = torch.zeros(model.config.latent, model.config.latent)
    order[torch.tensor(LATENT_STD).argsort(descending=True), torch.arange(model.config.latent)] = 1
    for half in (model.encoder, model.decoder):
        for module in half:
            if isinstance(module, MemBlock):
                nn.init.zeros_(module.conv[-1].weight)
                nn.init.zeros_(module.conv[-1].bias)
    _encoder(model.encoder, mean, frame, pair, quad, order * gain)
    _decoder(model.decoder, mean, frame, pair, quad, order / gain)


def _signed(matrix: Tensor) -> Tensor:
    """Rows for c and for -c, interleaved, so that a ReLU loses nothing."""
    return torch.stack((matrix, -matrix), 1).flatten(0, 1)


def _joined(matrix: Tensor) -> Tensor:
    """Columns that read c back from relu(c), relu(-c)."""
    return torch.stack((matrix, -matrix), 2).flatten(1)


def _put(layer: nn.Conv2d, matrix: Tensor, bias: Tensor | None = None) -> None:
    """Put a linear map at the centre tap of the first rows; those rows see nothing else."""
    rows, columns = matrix.shape
    centre = layer.kernel_size[0] // 2
    layer.weight[:rows] = 0
    layer.weight[:rows, :columns, centre, centre] = matrix
    if layer.bias is not None:
        layer.bias[:rows] = 0 if bias is None else bias


def _encoder(half: nn.Sequential, mean: Tensor, frame: Tensor, pair: Tensor, quad: Tensor, last: Tensor) -> None:
    _put(half[0], _signed(frame * SCALE), -_signed(frame * SCALE) @ mean)
    for pool, mix, matrix in ((half[2].conv, half[3], pair), (half[5].conv, half[6], quad)):
        width = pool.weight.shape[1] // 2
        wide = torch.zeros(2 * len(matrix), 2 * width)
        for i, part in enumerate(_signed(matrix).chunk(2, dim=1)):
            wide[:, i * width : i * width + 2 * part.shape[1]] = _joined(part)
        _put(pool, wide)
        _put(mix, torch.eye(len(wide)))
    _put(half[8], _joined(last / SCALE))


def _decoder(half: nn.Sequential, mean: Tensor, frame: Tensor, pair: Tensor, quad: Tensor, first: Tensor) -> None:
    rows = _signed(torch.eye(first.shape[1]))
    _put(half[1], torch.cat([rows] * (1 + len(KNEES))))
    half[1].bias[: len(rows) * (1 + len(KNEES))] = -torch.tensor([0.0, *(start for start, _ in KNEES)]).repeat_interleave(
        len(rows)
    )
    slopes = torch.tensor([FIRST_SLOPE, *(slope for _, slope in KNEES)])
    quad = quad.T @ first.T  # from latents, in the engine's order, to the coefficients of two frame pairs
    unclamp = torch.cat([_joined(quad) * slope for slope in slopes], 1)
    for grow, mix, wide in ((half[6].conv, half[7], unclamp), (half[10].conv, half[11], _joined(pair.T))):
        width = grow.weight.shape[0] // 2
        scale = SCALE if wide is unclamp else 1.0
        for i, part in enumerate((wide * scale).chunk(2)):
            part = _signed(part)
            grow.weight[i * width : i * width + len(part)] = 0
            grow.weight[i * width : i * width + len(part), : part.shape[1], 0, 0] = part
        _put(mix, torch.eye(2 * KEPT))
    _put(half[13], _joined(frame.T / SCALE), mean)
