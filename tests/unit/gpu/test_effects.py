"""Looks, look-up tables and feedback: PyTorch's operations and the kernels' own source, run on the host, against float64."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.reference import LUMA, cropped, random_frame, to_rgb, triangle_weights

from sdv2_live.errors import LutError
from sdv2_live.frame import ColorMatrix, ColorSpec, PixelFormat
from sdv2_live.gpu.detail import new_guide
from sdv2_live.gpu.feedback import Feedback, Move
from sdv2_live.gpu.fused import FusedPostprocessor, FusedPreprocessor
from sdv2_live.gpu.fused_effects import FusedFeedback
from sdv2_live.gpu.geometry import Fit
from sdv2_live.gpu.kernels import DTYPES
from sdv2_live.gpu.look import Look
from sdv2_live.gpu.lut import Lut, LutShelf, read_lut
from sdv2_live.gpu.postprocess import Postprocessor
from sdv2_live.gpu.preprocess import Preprocessor

LOOKS = [
    Look(brightness=0.2),
    Look(contrast=1.7),
    Look(saturation=0.0),
    Look(hue=120.0, saturation=1.5),
    Look(-0.1, 0.6, 1.4, -75.0, mirror=True, flip=True),
]
MOVES = [
    Move(),
    Move(zoom=1.5, rotate=10, x=0.25, y=-0.2, hue=30, border="black"),
    Move(zoom=0.75, rotate=-7, x=-0.1, y=0.25, hue=-12, border="clamp"),
    Move(zoom=0.75, rotate=3, x=0.2, border="mirror"),
    Move(zoom=0.8, rotate=-10, y=-0.25, hue=5, border="wrap"),
]


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return (torch.rand(shape, generator=torch.Generator().manual_seed(seed)) - 0.5) * 2.4


def colored(rgb: np.ndarray, look: Look, matrix: ColorMatrix = ColorMatrix.BT709) -> np.ndarray:
    """R'G'B' (..., 3) in 0..1 with the look's colours, not clamped: by the colour difference of each pixel from its luma."""
    kr, kb = LUMA[matrix]
    luma = rgb @ np.array([kr, 1 - kr - kb, kb])
    blue, red = (rgb[..., 2] - luma) / (2 - 2 * kb), (rgb[..., 0] - luma) / (2 - 2 * kr)
    color = (blue + 1j * red) * look.saturation * np.exp(1j * np.radians(look.hue))
    red, blue = luma + color.imag * (2 - 2 * kr), luma + color.real * (2 - 2 * kb)
    green = (luma - kr * red - kb * blue) / (1 - kr - kb)
    return (np.stack([red, green, blue], -1) - 0.5) * look.contrast + 0.5 + look.brightness


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("format", PixelFormat)
@pytest.mark.parametrize("fit", Fit)
@pytest.mark.parametrize("matrix", [ColorMatrix.BT601, ColorMatrix.BT709])
def test_the_inputs_look(look: Look, format: PixelFormat, fit: Fit, matrix: ColorMatrix, kernels: Any) -> None:
    frame = random_frame(90, 160, format, color=ColorSpec(matrix))
    for each in (Preprocessor((48, 64), fit=fit), FusedPreprocessor((48, 64), kernels, fit=fit)):
        plan = each.plan(frame)
        rows, columns = (triangle_weights(*sides) for sides in zip(plan.source.size, plan.target.size, strict=True))
        rgb = np.einsum("hy,wx,yxc->hwc", rows, columns, to_rgb(cropped(frame, plan.source)), optimize=True)
        wanted = np.clip(2 * colored(rgb / 255, look, matrix) - 1, -1, 1)
        wanted = wanted[:: -1 if look.flip else 1, :: -1 if look.mirror else 1]
        made = each.chunk([frame], look)[0, :, 0].permute(1, 2, 0).numpy()
        assert np.abs(plan.target.of(made.transpose(2, 0, 1)).transpose(1, 2, 0) - wanted).max() < 1e-4
        bars = np.ones((48, 64), bool)
        plan.target.of(bars)[:] = False
        assert (made[bars] == -1).all()


def trilinear_free(lut: Lut, rgb: np.ndarray) -> np.ndarray:
    """R'G'B' (n, 3) in 0..1 through a table, pixel by pixel, by the textbook's six tetrahedra."""
    out = np.empty_like(rgb)
    table, last = lut.table.astype(np.float64), lut.size - 1
    for i, color in enumerate(rgb):
        at = np.clip((color - lut.low) / (np.array(lut.high) - lut.low), 0, 1) * last
        first = np.minimum(at.astype(int), last - 1)
        share = at - first
        if not lut.solid:
            out[i] = [np.interp(at[c], range(lut.size), table[:, c]) for c in range(3)]
            continue
        corner = lambda bits, first=first: table[tuple((first + bits)[::-1])]  # noqa: E731
        path, bits = [corner(np.zeros(3, int))], np.zeros(3, int)
        for axis in np.argsort(-share, kind="stable"):
            bits = bits + np.eye(3, dtype=int)[axis]
            path.append(corner(bits))
        shares = np.sort(share)[::-1]
        weights = [1 - shares[0], shares[0] - shares[1], shares[1] - shares[2], shares[2]]
        out[i] = sum(weight * one for weight, one in zip(weights, path, strict=True))
    return out


def lut(*shape: int, low: tuple[float, ...] = (0.0, 0.0, 0.0), high: tuple[float, ...] = (1.0, 1.0, 1.0)) -> Lut:
    return Lut(np.random.default_rng(1).random((*shape, 3), np.float32) * 1.2 - 0.1, low, high)


LUTS = [lut(2, 2, 2), lut(5, 5, 5), lut(9), lut(3, 3, 3, low=(-0.2, 0.1, 0.0), high=(1.5, 0.8, 1.0)), lut(2, high=(0.5, 1, 2))]


@pytest.mark.parametrize("table", [None, *LUTS], ids=lambda table: "none" if table is None else str(table.table.shape))
@pytest.mark.parametrize("look", [Look(), *LOOKS[3:]])
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_outputs_look(look: Look, table: Lut | None, dtype: torch.dtype, kernels: Any) -> None:
    look = Look(look.brightness, look.contrast, look.saturation, look.hue, look.mirror, look.flip, table)
    pixels = noise(2, 3, 6, 8).to(dtype)
    rgb = (np.clip(pixels.float().numpy().astype(np.float64), -1, 1) + 1) / 2
    wanted = np.clip(colored(rgb.transpose(0, 2, 3, 1), look), 0, 1)
    if table is not None:
        wanted = np.clip(trilinear_free(table, wanted.reshape(-1, 3)).reshape(wanted.shape), 0, 1)
    wanted = wanted.transpose(0, 3, 1, 2) * 2 - 1
    for each in (Postprocessor(), FusedPostprocessor(kernels)):
        assert np.abs(each._graded(pixels, look).numpy() - wanted).max() < 2e-5


def test_the_outputs_look_reaches_the_bytes_with_detail(kernels: Any) -> None:
    """A mirrored picture is the mirror image, detail included; and kernels and PyTorch agree."""
    frame = random_frame(36, 64, PixelFormat.UYVY)
    pixels = Preprocessor((32, 48))(frame) / 2
    for format in (PixelFormat.RGBX, PixelFormat.BGRX):
        for post in (Postprocessor(format, input_size=True), FusedPostprocessor(kernels, format, input_size=True)):
            guide = post.guide([frame], pixels[None, :, None])
            plain, mirrored = (post(pixels, [frame], guide, 1.0, look)[0].data for look in (Look(), Look(mirror=True, flip=True)))
            turned = mirrored.reshape(36, 64, 4)[::-1, ::-1].reshape(36, -1)
            assert np.abs(plain.astype(int) - turned).max() <= 1


@pytest.mark.parametrize("look", [Look(mirror=True), Look(0.1, 1.3, 0.5, 20.0, flip=True)])
@pytest.mark.parametrize("fit", Fit)
def test_the_guide_of_detail_has_the_inputs_look(look: Look, fit: Fit) -> None:
    """What is seen at full size is what the model sees, but for the resizing."""
    frame = random_frame(64, 96, PixelFormat.RGBX)
    frame.data[:] = 96 + frame.data // 4  # no channel of which reaches black or white
    pre, post = Preprocessor((64, 96), fit=fit), Postprocessor(input_size=True, fit=fit)
    guide = post.guide([frame], pre.chunk([frame], look), look)
    assert guide is not None
    assert np.abs(guide.full[0].numpy() * guide.scale + guide.offset - guide.small[0, 0].numpy()).max() <= 1.2  # rounded twice
    same = new_guide([frame], None, pre.chunk([frame], look), look)
    assert np.abs(same.full[0].numpy() - guide.small[0, 0].numpy()).max() <= 0.51


def test_no_look_at_all_is_bit_for_bit_what_it_was(kernels: Any) -> None:
    frame, pixels = random_frame(40, 60, PixelFormat.UYVY), noise(1, 3, 1, 32, 48)
    for pre in (Preprocessor((32, 48)), FusedPreprocessor((32, 48), kernels)):
        assert torch.equal(pre.chunk([frame], Look()), pre.chunk([frame]))
    for post in (Postprocessor(), FusedPostprocessor(kernels)):
        assert np.array_equal(post(pixels, [frame], look=Look())[0].data, post(pixels, [frame])[0].data)


def moved(picture: np.ndarray, move: Move, times: int) -> np.ndarray:
    """A picture (3, H, W) in [-1, 1], moved: place by place, in float64."""
    _, height, width = picture.shape
    y, x = np.mgrid[:height, :width].astype(np.float64)
    x, y = x - (width - 1) / 2, y - (height - 1) / 2
    for _ in range(times):  # back to where a pixel was a frame before
        x, y = x - move.x * width, y - move.y * height
        turn = np.radians(-move.rotate)
        x, y = (np.cos(turn) * x - np.sin(turn) * y) / move.zoom, (np.sin(turn) * x + np.cos(turn) * y) / move.zoom
    x, y = x + (width - 1) / 2, y + (height - 1) / 2
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    out = np.zeros_like(picture)
    for i, j in product((0, 1), repeat=2):
        column, row = left + i, top + j
        beyond = (column < 0) | (column >= width) | (row < 0) | (row >= height)
        column, row = (_inside(at, count, move.border) for at, count in ((column, width), (row, height)))
        value = np.where(beyond & (move.border == "black"), -1.0, picture[:, row, column])
        out += np.abs(1 - i - (x - left)) * np.abs(1 - j - (y - top)) * value
    turned = colored((out.transpose(1, 2, 0) + 1) / 2, Look(hue=move.hue * times)).transpose(2, 0, 1)
    return np.clip(turned * 2 - 1, -1, 1)


def _inside(at: np.ndarray, count: int, border: str) -> np.ndarray:
    if border == "wrap":
        return at % count
    if border == "mirror":
        return np.minimum(at % (2 * count), 2 * count - 1 - at % (2 * count))
    return np.clip(at, 0, count - 1)


@pytest.mark.parametrize("move", MOVES, ids=lambda move: move.border)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("times", [range(1, 5), range(5)])
def test_feedback(move: Move, dtype: torch.dtype, times: range, kernels: Any) -> None:
    pixels, last = noise(1, 3, len(times), 33, 48).clamp(-1, 1).to(dtype), noise(3, 33, 48, seed=1).to(dtype)
    picture = np.clip(last.float().numpy().astype(np.float64), -1, 1)
    step = {torch.float32: 0, torch.float16: 2**-11, torch.bfloat16: 2**-8}[dtype]
    for each in (Feedback(), FusedFeedback(kernels)):
        fed = each(pixels, last, move, 0.7, times)
        assert (fed.dtype, fed.shape) == (dtype, pixels.shape)
        for i, n in enumerate(times):
            wanted = 0.3 * pixels[0, :, i].float().numpy().astype(np.float64) + 0.7 * moved(picture, move, n)
            assert np.abs(fed[0, :, i].float().numpy() - wanted).max() < 2e-4 + step


def test_all_of_the_share_is_the_moved_picture_alone(kernels: Any) -> None:
    last = noise(3, 16, 32).clamp(-1, 1)
    for each in (Feedback(), FusedFeedback(kernels)):
        still = last[None, :, None].expand(-1, -1, 5, -1, -1)
        assert torch.allclose(each(still, last, Move(), 1.0, range(5)), still, atol=1e-6)


def cube(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_cube_file_is_read_as_grading_programs_write_it(tmp_path: Path) -> None:
    rows = "\n".join(f"{r} {g} {b}" for b in (0, 1) for g in (0, 1) for r in (0, 1))
    text = f'\ufeff# made by hand\nTITLE "Swap"\nLUT_3D_SIZE 2\nDOMAIN_MIN 0 0 0\nDOMAIN_MAX 1 1 1\n\n{rows}\n# the end\n'
    read = read_lut(cube(tmp_path / "same.cube", text))
    assert (read.size, read.solid) == (2, True)
    pixels = noise(1, 3, 4, 4).clamp(-1, 1)
    assert torch.allclose(read(pixels), pixels, atol=1e-6)  # red changes fastest
    curves = read_lut(cube(tmp_path / "curve.cube", "LUT_1D_SIZE 3\nLUT_1D_INPUT_RANGE 0.0 2.0\n0 0 0\n.5 1 0\n1e0 1 0\n"))
    assert (curves.size, curves.solid, curves.high) == (3, False, (2.0, 2.0, 2.0))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ":1: no LUT_1D_SIZE or LUT_3D_SIZE"),
        ("0 0 0\n", ":1: no LUT_1D_SIZE or LUT_3D_SIZE"),
        ("LUT_3D_SIZE 1\n", ":1: LUT_3D_SIZE must come once, with a number 2..129"),
        ("LUT_3D_SIZE 9999\n", "2..129"),
        ("LUT_1D_SIZE 2\nLUT_3D_SIZE 2\n", ":2: LUT_3D_SIZE must come once"),
        ("LUT_1D_SIZE 2\n0 0 0\n", ":2: the table has 1 lines of numbers and needs 2"),
        ("LUT_1D_SIZE 2\n0 0 0\n1 1\n", ":3: a line of the table needs 3 finite numbers"),
        ("LUT_1D_SIZE 2\n0 0 0\nnan 1 1\n", ":3: a line of the table needs 3 finite numbers"),
        ("LUT_1D_SIZE 2\n0 0 0\n1 one 1\n", ":3: a line of the table needs 3 finite numbers"),
        ("LUT_1D_SIZE 2\nDOMAIN_MIN 1 0 0\nDOMAIN_MAX 1 1 1\n", ":3: DOMAIN_MAX must be above DOMAIN_MIN"),
        ("LUT_1D_SIZE 2\nDOMAIN_MAX 1 1\n", ":2: DOMAIN_MAX needs 3 finite numbers"),
        ("LUT_3D_INPUT_RANGE 1 0\n", ":1: LUT_3D_INPUT_RANGE needs 2 finite numbers, the upper above the lower"),
        ("\x89PNG\n", ":1: "),
        ("hello world\n", ":1: 'HELLO' is no word of a .cube file"),
    ],
)
def test_a_broken_table_is_told_with_its_line_and_a_remedy(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(LutError) as told:
        read_lut(cube(tmp_path / "broken.cube", text))
    assert f"broken.cube{said}" in str(told.value) or said in str(told.value)
    assert str(told.value).endswith("export it again as a .cube file")


def test_the_shelf_says_once_what_it_cannot_give_and_reads_a_file_again_when_it_changes(tmp_path: Path, caplog: Any) -> None:
    shelf = LutShelf(tmp_path)
    good = "LUT_1D_SIZE 2\n0 0 0\n1 1 1\n"
    cube(tmp_path / "warm.cube", good)
    assert shelf.get("") is None
    assert shelf.get("warm") is shelf.get("warm") is not None
    assert not caplog.records
    for _ in range(2):
        assert shelf.get("wram") is None
    assert [record.getMessage() for record in caplog.records] == [
        f"output/lut: {tmp_path} holds no 'wram', but warm; put the .cube file there, or set output.luts. "
        "The picture goes on without it"
    ]
    cube(tmp_path / "warm.cube", good + "2 2 2\n")
    assert shelf.get("warm") is None
    assert len(caplog.records) == 2
    cube(tmp_path / "warm.cube", good)
    assert shelf.get("warm") is not None
