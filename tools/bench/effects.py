"""Feedback, looks and moved pictures on a CPU: processor time of a chunk, and how near moved pictures come to the true ones.

python -m tools.bench.effects [--size HxW] [CLIP...]: of each clip every second frame is left out, and made again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from time import process_time

import numpy as np
import torch

from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.gpu.between import Between
from sdv2_live.gpu.feedback import Feedback, Move
from sdv2_live.gpu.look import Look
from sdv2_live.gpu.lut import Lut
from sdv2_live.gpu.motion import between, movement
from sdv2_live.gpu.postprocess import Postprocessor
from sdv2_live.gpu.preprocess import Preprocessor
from sdv2_live.io.files.source import FileSource

FRAMES, ROUNDS = 4, 10
FULL_HD = (1080, 1920)
SECOND_NS = 1_000_000_000


def cost(work: Callable[[], object]) -> float:
    """Milliseconds of processor time, the least of several."""
    work()
    took = []
    for _ in range(ROUNDS):
        begin = process_time()
        work()
        took.append((process_time() - begin) * 1e3)
    return min(took)


def frames(size: tuple[int, int], format: PixelFormat) -> list[Frame]:
    """A chunk of noise."""
    rows = np.random.default_rng(0).integers(0, 256, (size[0], size[1] * format.bytes_per_pixel), np.uint8)
    return [Frame(rows, size[1], size[0], format, captured_ns=i * SECOND_NS // 30, index=i) for i in range(FRAMES)]


def costs(size: tuple[int, int]) -> dict[str, float]:
    """Milliseconds of a chunk of four frames; of looks what they add."""
    seen = frames(FULL_HD, PixelFormat.UYVY)
    pixels = Preprocessor(size).chunk(seen)
    colors, turned = Look(0.1, 1.2, 0.8, 30.0), Look(mirror=True, flip=True)
    axis = np.linspace(0, 1, 33, dtype=np.float32)
    solid = Lut(np.stack(np.meshgrid(axis, axis, axis, indexing="ij")[::-1], -1))
    pre, post, like = Preprocessor(size), Postprocessor(), frames(size, PixelFormat.BGRX)
    plain_in, plain_out = cost(lambda: pre.chunk(seen)), cost(lambda: post(pixels, like))
    found = {"preprocess 1080p": plain_in, "postprocess": plain_out}
    for name, look in (("colours", colors), ("mirror and flip", turned)):
        found[f"input {name}"] = cost(lambda look=look: pre.chunk(seen, look)) - plain_in  # type: ignore[misc]
        found[f"output {name}"] = cost(lambda look=look: post(pixels, like, look=look)) - plain_out  # type: ignore[misc]
    for name, lut in (("33x33x33", solid), ("of curves", Lut(axis[:, None].repeat(3, 1)))):
        found[f"output LUT {name}"] = cost(lambda lut=lut: post(pixels, like, look=Look(lut=lut))) - plain_out  # type: ignore[misc]
    feedback, move = Feedback(), Move(1.05, 2.0, hue=5.0)
    found["feedback"] = cost(lambda: feedback(pixels, pixels[0, :, -1], move, 0.7, range(1, 1 + FRAMES)))
    for shape, name in ((size, "painted size"), (FULL_HD, "1080p")):
        pictures = torch.from_numpy(np.stack([frame.data for frame in frames(shape, PixelFormat.BGRX)]))
        found[f"output.fps 30 to 60, {name}"] = cost(lambda: Between(60, PixelFormat.BGRX)(pictures, like))  # noqa: B023
    return found


def nearness(path: Path) -> str:
    """What moved, repeated and mixed pictures are to the true ones, in decibels."""
    source = FileSource(path, realtime=False, loop=False)
    read: list[Frame] = []
    while not source.ended and len(read) < 61:
        if (frame := source.read(timeout=1.0)) is not None:
            read.append(frame)
    source.close()
    rgb = torch.cat([Preprocessor(frame.size)(frame)[None] for frame in read]).add_(1).div_(2)
    known, true = rgb[::2], rgb[1::2]
    moves = movement((rgb[::2] * torch.tensor([0.2126, 0.7152, 0.0722])[:, None, None]).sum(1, keepdim=True))
    pairs = range(min(len(known) - 1, len(true)))
    made = {
        "moved": [between(known[i], known[i + 1], moves, i, 0.5) for i in pairs],
        "repeated": [known[i] for i in pairs],
        "mixed": [(known[i] + known[i + 1]) / 2 for i in pairs],
    }
    told = [f"{name} {np.mean([psnr(one, true[i]) for i, one in enumerate(pictures)]):.1f} dB" for name, pictures in made.items()]
    better = sum(psnr(made["moved"][i], true[i]) > psnr(made["repeated"][i], true[i]) for i in pairs)
    return f"{path.name}: {', '.join(told)}; moved is nearer in {better} of {len(pairs)}"


def psnr(one: torch.Tensor, true: torch.Tensor) -> float:
    """Peak signal to noise, of pictures in 0..1."""
    return float(-10 * torch.log10((one - true).square().mean().clamp(min=1e-9)))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="192x336", help="painted size, height first")
    parser.add_argument("clips", nargs="*", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    height, width = map(int, args.size.split("x"))
    with torch.inference_mode():
        for name, ms in costs((height, width)).items():
            sys.stdout.write(f"{name}: {ms:.1f} ms a chunk\n")
        for clip in args.clips:
            sys.stdout.write(f"{nearness(clip)}\n")


if __name__ == "__main__":
    main()
