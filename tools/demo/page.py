"""Remake examples/page.png, the picture of the control page: `python -m tools.demo.page`.

A show with the embedded model restyles the bundled clip; each of its looks is a preset whose picture is taken from the output, as
`/sdv2/preset/picture` does. Chromium with its driver shows the page.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from PIL import Image
from pythonosc.udp_client import SimpleUDPClient
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from sdv2_live.demo.children import Child
from sdv2_live.demo.demo import CLIP
from sdv2_live.demo.tap import Tap

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "examples" / "page.png"
TIMELINE = ROOT / "examples" / "timelines" / "beat-drop.yaml"
LOOKS = (
    *("Neon edges", "Pencil sketch", "Watercolour", "Comic", "Thermal camera", "Golden hour", "Underwater", "Vintage film"),
    *("Ink wash", "Mosaic", "X-ray", "Negative"),
)
LIVE = "Thermal camera"
CUE = "golden hour, warm amber light of the low sun over the lake, long soft shadows"
WIDTH, HEIGHT = 1440, 900
COLOURS = 256  # of the palette: the file is a third of the full one
MAX_BYTES = 300_000
SETTLED_S = 4.0  # after which a look is in the picture, on two cores
PATIENCE_S = 120.0


class Said:
    """What the show said of where it is."""

    def __init__(self) -> None:
        self.osc, self.page, self.output = 0, "", ""
        self.painted = threading.Event()

    def __call__(self, line: str) -> None:
        if found := re.search(r"control osc://\S+:(\d+)/", line):
            self.osc = int(found[1])
        if found := re.search(r"the page: (http://\S+)", line):
            self.page = found[1]
        if found := re.search(r"publishing '(.+)'$", line):
            self.output = found[1]
        if re.search(r"painted +[1-9]", line):
            self.painted.set()


def main() -> int:
    """Write the picture; the exit status is 1 when it came out too large."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "presets").mkdir()
        for number, look in enumerate(LOOKS, start=1):
            text = f"name: {look}\nparams:\n  prompt: {look.lower()}\n  noise_scale: 0.4\n"
            (folder / "presets" / f"{number:02}-{look.lower().replace(' ', '-')}.yaml").write_text(text, encoding="utf-8")
        (folder / "timelines").mkdir()
        shutil.copy(TIMELINE, folder / "timelines")
        said, log = Said(), stack.enter_context((folder / "log").open("w", encoding="utf-8"))
        keys = (f"presets.dir={folder / 'presets'}", f"timeline.dir={folder / 'timelines'}", "state.dir=off", "osc.port=0")
        settings = [part for key in keys for part in ("--set", key)]
        show = Child(("run", "--input", f"file:{CLIP}", "--output", "ndi:sdv2-live", "--model", "tiny", *settings), log, said)
        stack.callback(show.stop)
        if not said.painted.wait(PATIENCE_S):
            print(f"nothing is painted: {show.last_words}")
            return 1
        stack.callback(Tap(said.output).close)  # a receiver
        play(SimpleUDPClient("127.0.0.1", said.osc))
        photograph(said.page, folder / "page.png")
        image = Image.open(folder / "page.png").convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        image.save(TARGET, optimize=True)
    print(f"{TARGET}: {TARGET.stat().st_size // 1000} kB")
    return int(TARGET.stat().st_size > MAX_BYTES)


def play(osc: SimpleUDPClient) -> None:
    """Picture each look, then set a scene."""
    for look in LOOKS:
        osc.send_message("/sdv2/preset", look)
        time.sleep(SETTLED_S)
        osc.send_message("/sdv2/preset/picture", look)
    osc.send_message("/sdv2/timeline/load", TIMELINE.name)
    time.sleep(1.0)
    osc.send_message("/sdv2/timeline/seek", 18.4)
    time.sleep(1.0)
    osc.send_message("/sdv2/preset", LIVE)
    osc.send_message("/sdv2/cue_prompt", CUE)


def photograph(address: str, path: Path) -> None:
    """What Chromium shows of the page, when both pictures run."""
    options = webdriver.ChromeOptions()
    for switch in ("headless=new", "no-sandbox", "hide-scrollbars", f"window-size={WIDTH},{HEIGHT}"):
        options.add_argument(f"--{switch}")
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        metrics = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        driver.get(address)
        time.sleep(20.0)  # for a while of sparklines
        driver.save_screenshot(str(path))
    finally:
        driver.quit()


if __name__ == "__main__":
    sys.exit(main())
