"""What the chunks of a loop were painted with."""

from __future__ import annotations

from typing import Any

from sdv2_live.chunk import Generated
from sdv2_live.engine.spec import Painting
from sdv2_live.frame import Frame
from sdv2_live.live.adaptation import Adaptation


class NotingAdaptation(Adaptation):
    """Keeps the recipe of every chunk that it is told of, in order."""

    def __init__(self, *args: Any, **keys: Any) -> None:
        super().__init__(*args, **keys)
        self.recipes: list[Painting] = []

    def finish(self, generated: Generated, input_fps: float) -> list[Frame]:
        self.recipes.append(generated.recipe)
        return super().finish(generated, input_fps)
