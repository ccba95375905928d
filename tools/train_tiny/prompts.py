"""Prompts for every look, in many phrasings: a few words, a sentence, or 60 to 120 words among other detail."""

from __future__ import annotations

from functools import cache
from pydoc_data.topics import topics

import numpy as np

from .styles import FAITHFUL, NAMES


def _phrases(text: str) -> tuple[str, ...]:
    """A comma-separated list."""
    return tuple(" ".join(phrase.split()) for phrase in text.split(","))


PHRASES = {
    "neon": _phrases("""
        neon edges, glowing neon tubes, neon lines, neon outlines on black, neon sign, neon light, neon glow, tron
        lines, glowing contours, luminous outlines, electric cyan and hot magenta lines, laser lines, glowing edges in
        the dark, cyberpunk neon, fluorescent tube light, thin luminous lines, acid green and magenta glow, neon
        drawing, neon tubes, drawn in neon, contours traced by light, cyberpunk city, cyberpunk, synthwave, laser
        show, disco, rave, blade runner, glow sticks, light painting, wireframe, electric light, led strips, glow in
        the dark, vaporwave, techno club lights, blacklight, sparks and halos
    """),
    "pencil": _phrases("""
        pencil sketch, graphite drawing, pencil drawing, sketched with a pencil, soft pencil strokes, cross-hatching,
        hatched graphite on paper, charcoal and pencil study, hand-drawn sketch, line drawing on white paper,
        sketchbook page, drawn in graphite, pencil lines, sketch, smudged graphite shading, black and white drawing,
        pencil strokes, graphite, charcoal, charcoal drawing, sketched, a drawing on paper, etching, engraving,
        blueprint lines, line art, chalk drawing, doodle, hatching, storyboard, a living graphite drawing, crayon,
        biro drawing, woodcut
    """),
    "watercolour": _phrases("""
        watercolour painting, watercolor, watercolour, watercolor painting, wet washes of colour, aquarelle,
        translucent washes, pigment blooms, soft wash painting, painted in watercolour, watercolor on cotton paper,
        delicate aquarelle painting, loose watercolour brush marks, pale watercolor washes, pastel washes, watercolour
        in motion, washes of pigment on white paper, oil painting, impressionist painting, a painting, gouache,
        acrylic painting, monet, van gogh, turner, painterly, fresco, pastel, canvas painting, soft pastel colours,
        brush strokes of colour, paint on cotton paper, renoir
    """),
    "comic": _phrases("""
        comic book, comic, comic book panel, bold ink outlines and flat colours, cartoon, manga panel, graphic novel,
        pop art, halftone comic print, cel shading, cel shaded cartoon, anime, superhero comic, flat saturated colours
        with black outlines, comic strip, heavy black ink outlines, comic panel, ink outlines, animation film, disney
        cartoon, studio ghibli, manga, anime girl, andy warhol, roy lichtenstein, spider-man, vector art, poster art,
        toon, simpsons, screen print, clip art, illustration with flat colours
    """),
    "pixel_art": _phrases("""
        pixel art, 8-bit, 8-bit video game, pixelated, retro game sprites, 16-bit game graphics, chunky pixels,
        pixels, low resolution pixel art, retro console graphics, arcade game screen, voxel blocks, blocky pixels,
        game boy graphics, minecraft, nintendo, super mario, tetris, sprite, 8 bit, 16 bit, retro gaming, video game,
        lo-fi pixels, low poly, glitch blocks, commodore 64, atari, gameboy, lego bricks
    """),
    "thermal": _phrases("""
        thermal camera, thermal imaging, heat map, infrared camera, thermal vision, false-colour heat, thermal imaging
        camera, heat signature, predator vision, thermography, heat palette, false-colour thermal palette, infrared
        heat glow, warm body in false colours, thermal imaging footage, heat, heat camera, infrared, lava, fire,
        volcano, flames, burning, hell, plasma, heatmap, magma, inferno, in flames, molten metal, explosion, hot and
        cold colours
    """),
    "night": _phrases("""
        night, at night, moonlight, moonlit night, dark blue night, midnight, night scene, under the moon, after dark,
        deep night with moonlight, dim blue moonlight, day for night, nocturnal, starless dark night, late at night,
        nighttime, dark, darkness, black forest, gothic, horror film, haunted, noir, film noir, shadow, winter night,
        space, galaxy, starry sky, lunar light, vampire, batman, blue hour, twilight, ice, frozen, snow at dusk
    """),
    "golden_hour": _phrases("""
        golden hour, sunset light, low sun, warm amber light, golden light, at sunset, sunset, sunrise, evening sun,
        soft amber light, golden hour photograph, warm golden glow, late afternoon sun, honey-coloured light, warm
        sunlight, low evening sun, dusk, dawn, warm sun, summer evening, autumn, desert, sand, honey, gold, golden,
        candlelight, amber, sahara, beach at sunset, warm tones, rim of warm sunlight, fields in low sun, savanna,
        egypt
    """),
    "underwater": _phrases("""
        underwater, under water, deep under the sea, ocean, submerged, under the sea, aquarium, turquoise water, deep
        under clear tropical water, underwater photography, coral reef, sunken, diving, caustics and bubbles, in the
        ocean, under the waves, sea, deep sea, swimming, mermaid, fish tank, clear tropical water, sunlight through
        water, lagoon, atlantis, jellyfish, shark, bubbles, turquoise haze, aquamarine, submarine, drowned, waves,
        flooded, blue water
    """),
    "vintage": _phrases("""
        vintage film, silent film, sepia, old photograph, old film, sepia photograph, nineteen-twenties film, 1920s
        movie, antique photograph, faded film, daguerreotype, black and white photography with sepia, retro film
        footage, old movie, film from the twenties, aged photo, archive footage, silent movie, a restored silent film,
        black and white film, western film, old west, charlie chaplin, victorian, antique, nostalgia, brown
        photograph, steampunk, world war footage, retro photo, grandmother's album, seventies film, kodak, parchment,
        coffee stain
    """),
    "negative": _phrases("""
        negative, photo negative, inverted colours, inverted, colour negative, film negative, invert, inverted colors,
        negative image, reversed colours, photographic negative, complementary colours, colour inversion, colours
        turned round, psychedelic, lsd, acid trip, surreal, alien planet, alien, trippy, hallucination, solarised,
        parallel world, upside down colours, weird colours, hypnotic
    """),
    "ink_wash": _phrases("""
        ink wash, sumi-e, chinese ink painting, japanese ink painting, ink on rice paper, ink wash painting, brush and
        ink, black ink brush strokes, sumi ink, calligraphy ink, shan shui, monochrome ink wash, india ink, suibokuga,
        ink, black ink, zen painting, japanese calligraphy, japanese painting, chinese scroll, hokusai, samurai,
        haiku, tusche, oriental painting, brush painting in black, wet ink, ink drawing, ink on wet paper, asian art,
        bamboo forest in ink
    """),
    "mosaic": _phrases("""
        mosaic, mosaic tiles, roman mosaic, tiled mosaic, ceramic tiles, byzantine mosaic, tesserae, made of tiles,
        glass tiles, mosaic of coloured stones, tile art, stained tile mosaic, square tiles with grout, stained glass,
        church window, tiles, tiled wall, bathroom tiles, patchwork, quilt, cubism, gaudi, puzzle, grid of tiles,
        chess board, klimt, azulejo, checkered, little squares
    """),
    "x_ray": _phrases("""
        x-ray, xray, x-ray scan, radiograph, x ray, medical x-ray, roentgen, x-ray film, radiography, skeletal scan,
        ct scan, x-ray photograph, hospital x-ray, bones, skeleton, skull, medical scan, mri, ultrasound, hospital
        scan, anatomy scan, see-through, ghost, ghostly, hologram, transparent body, airport scanner, spectral,
        electron microscope
    """),
}  # fmt: skip

SUBJECTS = _phrases("""
    a person, a woman, a man, a face, a portrait, a dancer, a cat, a dog, a city street, a landscape, a singer on stage, a
    crowd, a tree, a house, a car, hands, a bird, a mountain, a room, a flower, the figure, the scene, the picture,
    everything, a robot, a knight, a band playing, a forest, a portrait of a girl, an old man, someone waving
""")
DETAILS = _phrases("""
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
WORDS = _phrases("""
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
