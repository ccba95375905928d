"""How well the ears hear, and what that costs: `PYTHONPATH=.:tests python -m support.ears_table` prints the manual's table."""

from __future__ import annotations

import time

import numpy as np

from sdv2_live.music.sound.features import Gain
from sdv2_live.music.sound.listener import Listener
from sdv2_live.music.sound.tempo import estimate
from support.drum_loops import HOUSE, MADE, RATE, SECONDS, beatless, drums, free_clicks
from support.heard_loops import LOW_BPM, blocks, errors, false, found, listen

CASES = ((0.02, 0.5), (0.1, 0.5), (0.3, 0.5), (0.02, 0.02))  # noise, gain
TIMES = 200


def hearing() -> None:
    print("| loop | noise, gain | tempo at most off by | beat off by | drums found | all found | false | onset late by, ms |")
    print("|---|---|---|---|---|---|---|---|")
    for noise, gain in CASES:
        for name, make in MADE.items():
            loop = make(noise, gain)
            heard = listen(loop.sound)
            late = errors(heard.onsets, loop.hits) * 1e3
            bpm = [abs(beat.tempo.bpm - loop.bpm) for _, beat in heard.beats[6:]]
            beat = heard.beat_errors(loop)[6:] * 1e3
            cells = (
                name,
                f"{noise:g}, {gain:g}",
                f"{max(bpm):.2f} bpm" if bpm else "not believed",
                f"{np.abs(beat).max():.0f} ms" if len(beat) else "",
                f"{found(heard.onsets, loop.drums):.2f}",
                f"{found(heard.onsets, loop.hits):.2f}",
                f"{false(heard.onsets, loop.hits):.2f}",
                f"{late.mean():+.0f} ({late.min():+.0f} to {late.max():+.0f})" if late.size else "",
            )
            print(f"| {' | '.join(cells)} |")
    for loop in (free_clicks(), beatless("noise"), beatless("a pad", noise=1e-3, with_pad=True)):
        print(f"{loop.name}: {len(listen(loop.sound).beats)} beats believed")


def cost() -> None:
    loop = drums("house 120", 120, HOUSE)
    for length in (480, 1600):
        listener = Listener(LOW_BPM)
        began = time.process_time()
        for block in blocks(np.stack([loop.sound, loop.sound]), length=length):
            listener.hear(*block, Gain())
        seconds = time.process_time() - began
        print(f"stereo in blocks of {length}: {100 * seconds / SECONDS:.2f} % of a core, {1e4 * seconds / SECONDS:.0f} us a hop")
    flux = listener.memory.flux(800)
    began = time.process_time()
    for _ in range(TIMES):
        estimate(flux, LOW_BPM, 120.0)
    print(f"one estimate of the tempo: {1e3 * (time.process_time() - began) / TIMES:.2f} ms, twice a second")
    print(f"sound at {RATE} samples a second")


if __name__ == "__main__":
    hearing()
    cost()
