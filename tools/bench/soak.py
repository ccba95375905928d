"""Play a show at random for a long time, and see whether it grows or slows: `python tools/soak.py --minutes 30`.

A real daemon with `tiny` on the CPU; sender and receiver by real NDI in this process. The sender changes its size, stops and
comes back; by OSC come faders, prompts, presets, seeds, steps and resets, all drawn from `--seed`. Compared are the first and the
last five minutes (a sixth of the time, if that is less) after a warm-up: memory of the daemon and its engine together, and the
99th percentile of latency (from the histogram of the metrics page). Every queue that the
metrics page tells of must keep within its bound. Prints JSON; exits with 1 when the verdict is bad.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
import uuid
from typing import Any

from sdv2_live.errors import EngineError

from .growth import Sample, judged, sample
from .live import READY_S, daemon
from .players import Camera, Player, Watcher

SAMPLE_S = 5.0
PLAY_S = 0.25
TOLD = 20  # warnings that are kept, the last ones


def soak(options: argparse.Namespace) -> dict[str, Any]:
    """Play, and look every five seconds."""
    seconds, tag = options.minutes * 60, uuid.uuid4().hex[:8]
    fixed = ("model.prompt_cache=off", f"video.size={options.size}", "model.threads=1", "oscquery.announce=false", "log.file=off")
    settings = [part for value in (*fixed, "state.dir=off", *options.set) for part in ("--set", value)]
    names = ("--input", f"ndi:soak-in-{tag}", "--output", f"ndi:soak-out-{tag}")
    samples: list[Sample] = []
    with Camera(f"soak-in-{tag}") as camera, daemon("--model", "tiny", "--device", "cpu", *names, *settings) as (process, lines):
        osc, http = (_found(lines, pattern) for pattern in (r"osc://[\d.]+:(\d+)", r"(http://\S+) describes"))
        player = Player(int(osc), camera, options.seed)
        with Watcher(f"soak-out-{tag}") as watcher:
            player.warm_up()
            begin = time.monotonic()
            due = begin
            while (now := time.monotonic()) < begin + seconds and process.poll() is None:
                if now >= due:
                    samples.append(sample(process.pid, http, begin))
                    due += SAMPLE_S
                player.play(now)
                time.sleep(PLAY_S)
            if process.poll() is not None:
                raise EngineError(f"the daemon ended: {''.join(lines[-3:])}")
            samples.append(sample(process.pid, http, begin))
        told = {level: [line.strip() for line in lines if f" {level} " in line] for level in ("ERROR", "WARNING")}
    return {
        "minutes": options.minutes,
        "size": options.size,
        "load": os.getloadavg(),
        "played": player.done,
        "frames_received": watcher.frames,
        "longest_without_frame_s": round(watcher.longest_s, 3),
        **judged(samples, min(300.0, seconds / 6)),
        "counters": samples[-1].counters,
        "errors": told["ERROR"],
        "warnings": told["WARNING"][-TOLD:],
        "samples": [[one.at, one.daemon_mb, one.engine_mb] for one in samples],
    }


def _found(lines: list[str], pattern: str) -> str:
    until = time.monotonic() + READY_S
    while not (found := re.findall(pattern, "".join(lines))):
        if time.monotonic() > until:
            raise EngineError(f"the daemon did not come up: {''.join(lines[-3:])}")
        time.sleep(0.05)
    return str(found[0])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--size", default="128x128", metavar="HEIGHTxWIDTH", help="of the model's frames")
    parser.add_argument("--seed", type=int, default=1, help="of what is played")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="any key of the configuration")
    result = soak(parser.parse_args())
    print(json.dumps(result, indent=1))
    return 0 if all(result["verdict"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
