"""What is heard in a loop, and how that compares with what is in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from sdv2_live.music.sound.features import Gain
from sdv2_live.music.sound.listener import HeardBeat, Listener
from support.drum_loops import RATE, Loop

START_NS = 5_000_000_000_000  # a machine's clock does not begin at 0
SETTLED_S = 1.0  # onsets are compared with the second before
NEAR_S = 0.03
LOW_BPM = 88.0


def blocks(
    sound: np.ndarray, rate: int = RATE, length: int = 1600, start_ns: int = START_NS
) -> Iterator[tuple[np.ndarray, int, int]]:
    """(samples, rate, captured_ns) of a sound of one channel, or of shape (channels, length)."""
    sound = np.atleast_2d(sound)
    for begin in range(0, sound.shape[1], length):
        yield sound[:, begin : begin + length], rate, start_ns + begin * 1_000_000_000 // rate


@dataclass
class Hearing:
    """What was heard: times in seconds of the loop."""

    onsets: np.ndarray
    kicks: np.ndarray
    beats: list[tuple[float, HeardBeat]] = field(default_factory=list)  # when it was said, and what

    def beat_errors(self, loop: Loop, ahead_s: float = 0.25) -> np.ndarray:
        """How late, in seconds, is the first beat that is expected `ahead_s` after it was said."""
        errors = []
        for said_s, beat in self.beats:
            tempo = beat.tempo
            expected = np.ceil(tempo.beat(START_NS + round((said_s + ahead_s) * 1e9)))
            at_s = (tempo.time_at(float(expected)) - START_NS) / 1e9
            if at_s < loop.beats[-1]:
                errors.append(at_s - loop.beats[np.abs(loop.beats - at_s).argmin()])
        return np.array(errors)


def listen(sound: np.ndarray, rate: int = RATE, length: int = 1600) -> Hearing:
    """Hear a sound from its beginning."""
    listener = Listener(LOW_BPM)
    onsets: dict[int, float] = {}
    kicks: dict[int, float] = {}
    beats = []
    for samples, _, captured_ns in blocks(sound, rate, length):
        beat = listener.hear(samples, rate, captured_ns, Gain())
        onsets |= dict(listener.memory.onsets)
        kicks |= dict(listener.memory.kicks)
        if beat is not None:
            beats.append(((captured_ns - START_NS) / 1e9 + samples.shape[1] / rate, beat))
    return Hearing(_seconds(onsets), _seconds(kicks), beats)


def _seconds(hits: dict[int, float]) -> np.ndarray:
    return (np.array(sorted(hits)) - START_NS) / 1e9


def found(heard: np.ndarray, true: np.ndarray) -> float:
    """The share of what is there that was heard."""
    true = true[true > SETTLED_S]
    return float((np.abs(heard[:, None] - true).min(axis=0, initial=np.inf) < NEAR_S).mean())


def false(heard: np.ndarray, true: np.ndarray) -> float:
    """The share of what was heard that is not there."""
    heard = heard[heard > SETTLED_S]
    return float((np.abs(heard[:, None] - true).min(axis=1, initial=np.inf) >= NEAR_S).mean()) if heard.size else 0.0


def errors(heard: np.ndarray, true: np.ndarray) -> np.ndarray:
    """How late each was heard that is there, in seconds."""
    heard = heard[heard > SETTLED_S]
    late = heard - true[np.abs(heard[:, None] - true).argmin(axis=1)]
    return late[np.abs(late) < NEAR_S]
