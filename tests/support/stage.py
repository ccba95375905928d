"""A show as the page's tests play it: the demo clip, presets of which one is broken, folders of its own."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

from support.daemon import Daemon
from support.waiting import eventually

CLIP = Path(__file__).resolve().parents[2] / "sdv2_live" / "assets" / "demo.mp4"
PRESETS = {
    "01-thermal.yaml": "params:\n  prompt: thermal camera\n  noise_scale: 0.3\n  seed: 7\n",
    "02-underwater.yaml": "params:\n  prompt: underwater\n  noise_scale: 0.4\n",
    "03-broken.yaml": "params:\n  prompt: golden hour\n  noise_scale: 1.8\n",
}

TIMELINE = """
duration: 10
loop: true
events:
  - {at: 0, marker: calm, set: {prompt: thermal camera, noise_scale: 0.2}}
  - {at: 5, marker: storm, set: {prompt: golden hour, noise_scale: 0.6}}
"""


class Stage:
    """A running show and what a program knows of it by OSCQuery."""

    def __init__(self, daemon: Daemon, folder: Path) -> None:
        self.daemon, self.folder = daemon, folder
        self.address = daemon.http()

    def __getitem__(self, name: str) -> Any:
        """The value of a parameter or a status."""
        with urllib.request.urlopen(f"{self.address}/sdv2/{name}?VALUE", timeout=10) as answer:
            return json.load(answer)["VALUE"][0]

    def until(self, name: str, value: Any) -> None:
        eventually(f"{name} to be {value}", lambda: self[name] == value)

    def set(self, name: str, value: Any) -> None:
        self.daemon.client.send_message(f"/sdv2/{name}", value)


def options(folder: Path) -> tuple[str, ...]:
    presets, timelines = folder / "presets", folder / "timelines"
    presets.mkdir(exist_ok=True)
    timelines.mkdir(exist_ok=True)
    for name, text in PRESETS.items():
        (presets / name).write_text(text, encoding="utf-8")
    (timelines / "two-looks.yaml").write_text(TIMELINE, encoding="utf-8")
    keys = (f"presets.dir={presets}", f"timeline.dir={timelines}", f"takes.dir={folder / 'takes'}", "takes.min_free_mb=0")
    settings = [part for key in (*keys, "video.size=128x192", "state.dir=off") for part in ("--set", key)]
    return ("--input", f"file:{CLIP}", *settings)
