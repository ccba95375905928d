"""Measure the embedded model on clips it was not trained on.

    python tools/eval_tiny.py [--json] [--sheet out.png] [--weights FILE] CLIP...

Figures: autoencoder (psnr_db, flicker), looks (styles_separated, switch), content, noise_scale, stability, speed.
Every look is compared with its reference: the training filter of that look applied to the input frames.
"""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from sdv2_live.engine.spec import CHUNK_FRAMES, FIRST_FRAMES
from sdv2_live.model import load

from . import styles
from .measures import References, correlation, edge_map, measures
from .painter import Painter, chunks, read_clip

# One prompt a look, none of them a training phrase alone; presets are looked at separately with --prompt.
PROMPTS = {
    "neon": "A face drawn in glowing neon lines against the night",
    "pencil": "A quick pencil sketch of the scene",
    "watercolour": "a soft watercolour painting of a morning",
    "comic": "bold comic book art, strong outlines",
    "pixel_art": "an 8-bit pixel art game",
    "thermal": "seen through a thermal camera",
    "night": "the same place at night, moonlight",
    "golden_hour": "filmed at golden hour, warm amber light",
    "underwater": "deep underwater, turquoise",
    "vintage": "a vintage film from the twenties, sepia",
    "negative": "a photo negative, inverted colours",
    "ink_wash": "a chinese ink wash painting with a wide brush",
    "mosaic": "a roman mosaic of small tiles",
    "x_ray": "an x-ray picture",
}
STABILITY_LOOP = 8  # chunks of the looping clip
LOOK_CHUNKS = 4  # of a clip after the first, when looks are measured on its last frames


def autoencoder(painter: Painter, clip: Tensor) -> dict[str, float]:
    """PSNR in dB, and the ratio of frame-to-frame change to the input's, through encode and decode alone."""
    state = painter.state(clip.shape[-1])
    with torch.inference_mode():
        out = torch.cat([painter.code(part, state) for part in chunks(clip)]).clamp(0, 1)
    change = float(out.diff(dim=0).abs().mean() / clip.diff(dim=0).abs().mean().clamp_min(1e-6))
    return {"psnr_db": float(-10 * torch.log10((out - clip).square().mean())), "flicker": change}


def looks(painter: Painter, clip: Tensor) -> dict[str, dict[str, object]]:
    """Every look alone, at noise scales 0.4, 0.7 and 0.9: what it is nearest to, and how it keeps the layout."""
    rows: dict[str, dict[str, object]] = {}
    references = References(clip[-8:])
    for name, prompt in PROMPTS.items():
        cross = painter.cross(prompt)
        reference = styles.apply(name, clip)[-8:]
        row: dict[str, object] = {}
        for scale in (0.4, 0.7, 0.9):
            out = painter.paint(clip, cross, scale)
            end = out[-8:]
            row[f"nearest_{scale}"] = references.nearest(end)
            row[f"content_{scale}"] = correlation(edge_map(end), edge_map(reference))
            row[f"error_{scale}"] = float((end - reference).square().mean().sqrt())
            if scale == 0.7:
                row["measures"] = measures(end)
                row["frame"] = end[-1]
                row["change"] = float(out[8:].diff(dim=0).abs().mean())
        rows[name] = row
    return rows


def switches(painter: Painter, clip: Tensor) -> float:
    """One stream through all looks, three chunks each: share of looks that show in the second chunk."""
    state, hits, parts = painter.state(clip.shape[-1]), 0, list(chunks(clip))
    painter.chunk(parts[0], painter.cross(""), 0.7, state)
    references = References(parts[2])
    for name, prompt in PROMPTS.items():
        cross = painter.cross(prompt)
        for i in (1, 2, 3):
            out = painter.chunk(parts[i], cross, 0.7, state)
            hits += i == 2 and references.nearest(out) == name
    return hits / len(PROMPTS)


def stability(painter: Painter, clip: Tensor, count: int) -> float:
    """Largest change of a colour's mean, against the mean of all, and of contrast, between the loop at chunk 20 and the last."""
    small = F.interpolate(clip[: 1 + CHUNK_FRAMES * (STABILITY_LOOP // 2)], (64, 64), mode="bilinear", antialias=True)
    parts = list(small[1:].split(CHUNK_FRAMES))
    loop = [*parts, *(part.flip(0) for part in reversed(parts))]
    state, cross = painter.state(64), painter.cross(PROMPTS["golden_hour"])
    painter.chunk(small[:FIRST_FRAMES], cross, 0.7, state)
    early, late = [], []
    for i in range(count):
        out = painter.chunk(loop[i % len(loop)], cross, 0.7, state)
        if 16 <= i < 16 + len(loop):
            early.append(out)
        if i >= count - count % len(loop) - len(loop) and len(late) < len(loop):
            late.append(out)
    a, b = torch.cat(early), torch.cat(late)
    colour = (a.mean((0, 2, 3)) - b.mean((0, 2, 3))).abs().max() / a.mean()
    contrast = (a.std() - b.std()).abs() / a.std()
    return float(torch.maximum(colour, contrast))


def stability_alone(weights: Path, path: Path, size: int, count: int) -> float:
    """`stability` of a clip, for a process of its own: its many small chunks keep one core busy, and no more than one."""
    torch.set_num_threads(1)
    return stability(Painter.load(weights), read_clip(path, size, LOOK_CHUNKS), count)


def still_flicker(painter: Painter, clip: Tensor) -> float:
    """Mean frame-to-frame change (0..255) that the model adds to a still picture, noise scale 0.7, averaged over four looks."""
    still = clip[:1].expand(29, -1, -1, -1)
    names = ("golden_hour", "comic", "pencil", "thermal")
    return float(
        np.mean([255 * float(painter.paint(still, painter.cross(PROMPTS[n]), 0.7)[9:].diff(dim=0).abs().mean()) for n in names])
    )


def speed(painter: Painter) -> float:
    """Frames a second at 256x256, two steps, encode to pixels, with the cache full."""
    clip = torch.rand(1 + 4 * 14, 3, 256, 256)
    state, cross, begun = painter.state(256), painter.cross("speed"), 0.0
    for i, part in enumerate(chunks(clip)):
        if i == 7:
            begun = time.monotonic()
        painter.chunk(part, cross, 0.7, state)
    return CHUNK_FRAMES * 7 / (time.monotonic() - begun)


def evaluate(
    weights: Path, paths: list[Path], size: int, stability_chunks: int
) -> tuple[dict[str, object], list[dict[str, dict[str, object]]]]:
    """All figures over all clips."""
    beside = ProcessPoolExecutor(1, get_context("spawn"))
    stable = beside.submit(stability_alone, weights, paths[0], size, stability_chunks)
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, threads - 1))
    painter = Painter.load(weights)
    coded = [autoencoder(painter, read_clip(path, 256, 11)) for path in paths]
    clips = [read_clip(path, size, LOOK_CHUNKS) for path in paths]
    tables = [looks(painter, clip) for clip in clips]
    named = {name: all(table[name]["nearest_0.7"] == name for table in tables) for name in PROMPTS}
    content = {name: float(np.mean([table[name]["content_0.4"] for table in tables])) for name in PROMPTS}
    meaning = {name: all(table[name]["error_0.9"] > table[name]["error_0.4"] for table in tables) for name in PROMPTS}  # type: ignore[operator]
    figures: dict[str, object] = {
        "psnr_db": min(row["psnr_db"] for row in coded),
        "psnr_db_clips": [row["psnr_db"] for row in coded],
        "flicker": max((row["flicker"] for row in coded), key=lambda v: abs(v - 1)),
        "still_flicker": still_flicker(painter, clips[0]),
        "styles": len(PROMPTS),
        "styles_separated": sum(named.values()),
        "styles_confused": {n: [t[n]["nearest_0.7"] for t in tables] for n, ok in named.items() if not ok},
        "switch": float(np.mean([switches(painter, clip) for clip in clips])),
        "content": min(content.values()),
        "content_looks": content,
        "noise_scale_meaning": sum(meaning.values()),
        "stability": stable.result(),
    }
    beside.shutdown()
    torch.set_num_threads(threads)
    figures["fps"] = speed(painter)  # when nothing else runs
    return figures, tables


def show(figures: dict[str, object], tables: list[dict[str, dict[str, object]]]) -> None:
    """The figures as text: a line each, then a line a look."""
    for key, value in figures.items():
        if key != "content_looks":
            print(f"{key:20} {value:.3f}" if isinstance(value, float) else f"{key:20} {value}")
    names = list(measures(torch.rand(1, 3, 32, 32)))
    print(f"\n{'look (first clip)':18}" + "".join(f"{n:>11}" for n in names) + "  content 0.4/0.7/0.9   error 0.4/0.7/0.9")
    for look, row in tables[0].items():
        values = "".join(f"{v:11.3f}" for v in row["measures"].values())  # type: ignore[attr-defined]
        numbers = "  ".join("/".join(f"{row[f'{key}_{s}']:.2f}" for s in (0.4, 0.7, 0.9)) for key in ("content", "error"))
        print(f"{look:18}{values}  {numbers}")


def sheet(painter: Painter, paths: list[Path], file: Path, prompts: list[str], size: int = 256) -> None:
    """A row a clip: input, reconstruction, then every look at 0.4 and, below, at 0.7; `prompts` replace the looks."""
    rows = []
    for path in paths:
        clip = read_clip(path, size, 5)
        state = painter.state(size)
        with torch.inference_mode():
            coded = [painter.code(part, state) for part in chunks(clip)]
        plain = [clip[-1], coded[-1][-1]]
        for scale in (0.4, 0.7):
            crosses = [painter.cross(prompt) for prompt in prompts]
            rows.append(torch.cat([*plain, *(painter.paint(clip, cross, scale)[-1] for cross in crosses)], -1))
    pixels = (torch.cat(rows, -2).clamp(0, 1) * 255).byte().permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path, metavar="CLIP", help="videos or pictures")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    parser.add_argument("--size", type=int, default=128, help="side in pixels for the looks (the autoencoder is measured at 256)")
    parser.add_argument("--stability-chunks", type=int, default=1000)
    parser.add_argument("--sheet", type=Path, help="write only a contact sheet (PNG) of all looks")
    parser.add_argument("--prompt", action="append", default=[], help="with --sheet: these prompts instead of the looks")
    parser.add_argument("--weights", type=Path, default=load.EMBEDDED, help="another file than the package's")
    options = parser.parse_args()
    if options.sheet:
        sheet(Painter.load(options.weights), options.clips, options.sheet, options.prompt or list(PROMPTS.values()))
        return
    figures, tables = evaluate(options.weights, options.clips, options.size, options.stability_chunks)
    if options.json:
        print(json.dumps(figures))
    else:
        show(figures, tables)


if __name__ == "__main__":
    main()
