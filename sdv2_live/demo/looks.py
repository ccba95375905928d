"""The looks that the demo walks through."""

from __future__ import annotations

# Name and prompt of each, in words that the embedded model knows (assets/MODEL_CARD.md). Any number, at most 14 letters a name.
LOOKS = {
    "Neon": "neon edges, glowing neon tubes in the dark",
    "Comic": "a comic book panel, bold ink outlines and flat colours",
    "Thermal camera": "thermal camera, a heat map in false colours",
    "Golden hour": "golden hour, warm amber light of the low sun",
    "Underwater": "underwater, deep under clear tropical water",
    "Ink wash": "ink wash, black ink brush strokes on rice paper",
    "Vintage film": "vintage film, a faded sepia photograph",
    "Watercolour": "watercolour, wet washes of colour on white paper",
}
SECONDS = 6.0  # for each, where nobody says otherwise
SETTINGS = ("video.output_size=input",)  # of the show: its `detail` makes the picture as crisp as the input
