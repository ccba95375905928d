"""3x3 convolutions in float32 with a quarter of the multiplications, for processors without matrix units.

Winograd's F(4x4, 3x3), as Lavin and Gray describe it ("Fast Algorithms for Convolutional Neural Networks", 2015): tiles of 6x6
inputs become, by a linear map, 36 numbers a channel; in their place the convolution is a product of matrices; and another map
makes 4x4 outputs of each tile. Results differ from the plain sum by about 3e-6 of their size, which float32 bears and bfloat16
does not. Legend: N samples, T tiles, C and O channels; tiles lie in the order in which they are read.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor, nn

OUT, TILE = 4, 6  # outputs of a tile, and its inputs, along each side
FEWEST = 64  # channels; with fewer the maps cost more than the products save

# The maps of an input tile, of a kernel and of a product's result, along one side: for the points 0, 1, -1, 2, -2 and infinity.
_INPUT = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
_KERNEL = ((6, 0, 0), (-4, -4, -4), (-4, 4, -4), (1, 2, 4), (1, -2, 4), (0, 0, 24))  # 24ths
_RESULT = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))


def _both_sides(map: tuple[tuple[int, ...], ...]) -> Tensor:
    side = torch.tensor(map, dtype=torch.float32, device="cpu")
    return torch.kron(side, side)


INPUT, RESULT = _both_sides(_INPUT), _both_sides(_RESULT)  # (36, 36) and (16, 36)
_kernels: WeakKeyDictionary[nn.Conv2d, tuple[tuple[int, int], Tensor]] = WeakKeyDictionary()


def suits(x: Tensor, conv: nn.Conv2d) -> bool:
    """True where this is the faster way: large 3x3 convolutions in float32 on a CPU, without gradients."""
    return (
        (conv.kernel_size, conv.stride, conv.padding) == ((3, 3), (1, 1), (1, 1))
        and min(conv.in_channels, conv.out_channels) >= FEWEST
        and x.device.type == "cpu"
        and x.dtype == conv.weight.dtype == torch.float32
        and not (torch.is_grad_enabled() and (x.requires_grad or conv.weight.requires_grad))
        and not conv.weight.is_inference()  # it does not tell when it was written
    )


def winograd(x_NCHW: Tensor, conv: nn.Conv2d) -> Tensor:
    """The convolution of pictures, with channels innermost in memory."""
    samples, channels, height, width = x_NCHW.shape
    rows, columns = -(-height // OUT), -(-width // OUT)
    padded = F.pad(x_NCHW.permute(0, 2, 3, 1), (0, 0, 1, columns * OUT - width + 1, 1, rows * OUT - height + 1)).contiguous()
    sample, row, column, _ = padded.stride()
    shape = TILE, TILE, samples, rows, columns, channels
    tiles = padded.as_strided(shape, (row, column, sample, OUT * row, OUT * column, 1)).reshape(TILE**2, -1)
    products = torch.bmm((INPUT @ tiles).view(TILE**2, -1, channels), _kernel(conv))
    pictures = (RESULT @ products.flatten(1)).view(OUT, OUT, samples, rows, columns, -1).permute(2, 3, 0, 4, 1, 5)
    y = pictures.reshape(samples, rows * OUT, columns * OUT, -1)
    if conv.bias is not None:
        y += conv.bias
    return y[:, :height, :width].permute(0, 3, 1, 2)


def _kernel(conv: nn.Conv2d) -> Tensor:
    """The mapped weights (36, C, O), made anew where the weights have been written since."""
    weight = conv.weight
    now = weight.data_ptr(), weight._version
    known = _kernels.get(conv)
    if known is None or known[0] != now:
        side = torch.tensor(_KERNEL, dtype=torch.float64) / 24
        mapped = torch.einsum("ai,ocij,bj->abco", side, weight.detach().double(), side)
        known = _kernels[conv] = now, mapped.flatten(0, 1).float().contiguous()
    return known[1]
