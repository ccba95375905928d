"""Prompts for every look, in many phrasings: a few words, a sentence, or 60 to 120 words among other detail."""

from __future__ import annotations

from functools import cache
from pydoc_data.topics import topics

import numpy as np

from .phrases import PHRASES, listed
from .styles import FAITHFUL, NAMES

SUBJECTS = listed("""
    a person, a woman, a man, a face, a portrait, a dancer, a cat, a dog, a city street, a landscape, a singer on stage, a
    crowd, a tree, a house, a car, hands, a bird, a mountain, a room, a flower, the figure, the scene, the picture,
    everything, a robot, a knight, a band playing, a forest, a portrait of a girl, an old man, someone waving
""")
DETAILS = listed("""
    highly detailed, smooth continuous motion, steady camera, cinematic depth, fine detail in eyes and hair, clean
    composition, soft background, crisp contrast, stable framing, expressive face, the head turns slowly, consistent in
    every frame, fluid transitions between frames, rich texture, calm mood, dramatic mood, masterpiece, best quality, 4k,
    wide shot, close-up, shallow depth of field, sharp focus, careful anatomy, gentle movement, folds of cloth, elegant
    costume, hair moves in the wind, the camera does not move, a calm and quiet atmosphere, great sensitivity, strong
    shapes that read from afar, subtle reflections on glass, a thin haze hangs in the air, small particles drift past, the
    background stays simple, every movement leaves a soft trail, the face stays readable, the hands are clearly drawn, a
    slow and steady rhythm, balanced framing with room around the head, deep shadows, bright highlights, many small
    details, natural proportions, trending on artstation, award winning, shot on a full-frame camera, lifelike motion, the
    light changes slowly, long gentle shadows, energetic composition, dreamlike mood, serene and mysterious, nostalgic
    feeling, a touch of grain
""")
WORDS = listed("""
    banana, velocity, chair, hello, music, seven, window, paper, stone, number, quick, table, garden, letter, normal,
    original, unchanged, photo, realistic, video, camera, natural, colour, simple, river, train, coffee
""")
FRAMES = (
    "{p}", "{p}", "{p}", "{p} style", "in the style of {p}", "make it {p}", "{s} as {p}", "{s}, {p}", "{p} of {s}",
    "{s} in {p}", "turn {s} into {p}", "{p}, {d}", "{s}, {p}, {d}", "{d}, {p}", "{p} effect", "{p} look", "{s} like {p}",
    "{d}, {s}, {p}, {d}", "{p}, {q}",
)  # fmt: skip


def _pick(random: np.random.Generator, items: tuple[str, ...]) -> str:
    return items[random.integers(len(items))]


@cache
def _plain_words() -> tuple[str, ...]:
    """English running text that names no look: Python's own manual, words alone."""
    words = [word.strip(".,:;()\"'") for text in topics.values() for word in text.split()]
    return tuple(word.lower() for word in words if word.isalpha() and len(word) < 14)


def _filler(random: np.random.Generator) -> str:
    """A few words in a row that mean nothing here: a prompt says much that no phrase list holds."""
    words, count = _plain_words(), int(random.integers(2, 12))
    start = int(random.integers(len(words) - count))
    return " ".join(words[start : start + count])


def _mistyped(random: np.random.Generator, text: str) -> str:
    """One letter left out, doubled, or swapped with the next."""
    if len(text) < 6:
        return text
    at, kind = int(random.integers(1, len(text) - 2)), random.integers(3)
    middle = ("", text[at] * 2, text[at + 1] + text[at])[kind]
    return text[:at] + middle + text[at + (2 if kind == 2 else 1) :]


def _long(random: np.random.Generator, style: str, words: int) -> str:
    """So many words: most parts are detail, two to five name the look, the first of them within the first third."""
    parts = [_pick(random, SUBJECTS)]
    while sum(len(part.split()) for part in parts) < words:
        kind = random.random()
        if kind < 0.45:
            parts.append(_filler(random))
        else:
            parts.append(_pick(random, DETAILS) + (f" and {_pick(random, DETAILS)}" if kind < 0.6 else ""))
    if style != FAITHFUL:
        parts.insert(int(random.integers(0, len(parts) // 3 + 1)), _pick(random, PHRASES[style]))
        for _ in range(random.integers(1, 5)):
            parts.insert(int(random.integers(0, len(parts) + 1)), _pick(random, PHRASES[style]))
        if random.random() < 0.3:  # a word of another look, late: the one named first and most counts
            other = _pick(random, NAMES[1:])
            parts.insert(int(random.integers(2 * len(parts) // 3, len(parts) + 1)), _pick(random, PHRASES[other]))
    return ", ".join(parts)


def _short(random: np.random.Generator, style: str) -> str:
    if style == FAITHFUL:
        kind = random.random()
        if kind < 0.15:
            return ""
        if kind < 0.3:
            return " ".join(_pick(random, WORDS) for _ in range(random.integers(1, 6)))
        if kind < 0.45:
            return _filler(random)
        if kind < 0.58:
            return " ".join(
                "".join(chr(97 + c) for c in random.integers(0, 26, random.integers(2, 9))) for _ in range(random.integers(1, 5))
            )
        return ", ".join([_pick(random, SUBJECTS), *(_pick(random, DETAILS) for _ in range(random.integers(0, 4)))])
    p, q = _pick(random, PHRASES[style]), _pick(random, PHRASES[style])
    return _pick(random, FRAMES).format(p=p, q=q, s=_pick(random, SUBJECTS), d=_pick(random, DETAILS))


def prompt(random: np.random.Generator, style: str, long: float = 0.25, medium: float = 0.15) -> str:
    """A prompt for a look of NAMES; FAITHFUL gives words that name no look, or none at all.

    long, medium: shares of prompts of 60 to 120 and of 12 to 30 words; the others have a few.
    """
    kind = random.random()
    if kind < long + medium:
        text = _long(random, style, int(random.integers(60, 121) if kind < long else random.integers(12, 31)))
    else:
        text = _short(random, style)
    if random.random() < 0.06:
        text = _mistyped(random, text)
    case = random.random()
    if case < 0.15:
        return text.upper() if case < 0.03 else text.title()
    return text[:1].upper() + text[1:] if case < 0.5 else text
