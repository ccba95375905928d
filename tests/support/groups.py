"""An engine of the tests' own process, alone or with a group of ranks that it leads, and what it paints."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from fractions import Fraction
from itertools import islice

import numpy as np

from sdv2_live.chunk import Chunk
from sdv2_live.config.load import load_config
from sdv2_live.config.schema import Config
from sdv2_live.io.synthetic import TestSource
from sdv2_live.model.load import Models
from sdv2_live.pipeline.build import new_prompts, new_stream, start_params, with_room
from sdv2_live.pipeline.group import Group
from sdv2_live.pipeline.shared import load_shared
from sdv2_live.pipeline.stream import Stream
from sdv2_live.stats import StageTimer

TINY = ("model.profile=tiny", "model.device=cpu", "model.threads=1", "model.prompt_cache=off", "video.size=64x64")


def configured(*options: str) -> Config:
    config = load_config(None, [*TINY, *options])
    return config.replaced(params=start_params(config))


@contextmanager
def opened(*options: str) -> Iterator[tuple[Stream, Models, Group | None]]:
    config, models, group = load_shared(configured(*options), with_room)
    with closing(new_prompts(config, models)) as prompts:
        try:
            yield new_stream(config, models, prompts, StageTimer(), group), models, group
        finally:
            if group is not None:
                group.close()


def painted(stream: Stream, chunks: int = 4) -> list[np.ndarray]:
    params, found = configured().params, []
    with TestSource(64, 64, Fraction(30), realtime=False) as source:
        frames = iter(lambda: source.read(1.0), None)
        for _ in range(chunks):
            like = next(frames)
            needed = stream.prepare(like, params)
            chunk = Chunk.of([like, *islice(frames, needed - 1)], params)
            found += [picture.data.copy() for picture in stream.launch(chunk, wait_for_prompt=True).result().pictures]
    return found
