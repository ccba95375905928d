"""Plays a scenario on the simulated device, which must be in place before this is imported.

The path is the engine process's own: `bring_up`, then for each chunk `prepare`, `push` and `launch`, with two in flight.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from fakecuda import cupy_stand_in, files, triton_stand_in
from fakecuda.device import device
from fakecuda.mutations import mutated
from fakecuda.scenarios import SCENARIOS, Act, Scenario
from sdv2_live.chunk import AHEAD, Chunk, Generated
from sdv2_live.config.load import load_config
from sdv2_live.config.schema import Config
from sdv2_live.control.params import Params, updated
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.gpu.backend import find_kernels
from sdv2_live.pipeline.build import start_params
from sdv2_live.stats import StageTimer
from sdv2_live.worker.bring_up import bring_up


class Player:
    """Plays one scenario."""

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self.reserved: list[int] = []  # bytes of the device after each act
        self._scenario = scenario
        config = self._config(folder)
        self._params: Params = config.params
        with device.setting_up():
            self._stream, self._prompts, self.hello = bring_up(config, StageTimer(), config.params)
        self._size, self._scale = scenario.source, 1.0
        self._frames = self._all_frames()
        self._launched: deque[Future[Generated]] = deque()
        self._mark_set_ups()

    def _config(self, folder: Path) -> Config:
        scenario = self._scenario
        name = scenario.settings[0].partition("=")[2]
        files.write_weights(folder, name)
        files.write_prompts(folder / "prompts", name, scenario.prompts)
        loras = files.write_loras(folder, name, scenario.loras)
        cupy_stand_in.install(there=scenario.cupy)
        find_kernels.cache_clear()
        settings = ["model.device=cuda", f"model.weights_dir={folder}", f"model.prompt_cache={folder / 'prompts'}"]
        settings += [f"model.loras=[{', '.join(map(str, loras))}]", f"params.prompt={scenario.prompts[0]}"]
        config = load_config(None, [*settings, *scenario.settings])
        return config.replaced(params=start_params(config))

    def _mark_set_ups(self) -> None:
        begin = self._stream.begin

        def marked(*args: Any) -> Any:
            with device.setting_up():
                return begin(*args)

        vars(self._stream)["begin"] = marked

    def _all_frames(self) -> Iterator[Frame]:
        for index in count():
            height, width = self._size
            rows = np.broadcast_to(np.uint8(index % 256), (height, 4 * width)).copy()
            yield Frame(rows, width, height, PixelFormat.BGRX, captured_ns=index, index=index)

    def play(self) -> None:
        """Play all acts and wait for their pictures."""
        for act in self._scenario.acts:
            device.phase = act.name
            self._params = updated(self._params, act.changes)
            self._size, self._scale = act.source or self._size, act.scale or self._scale
            with mutated(act.mutation):
                for number in range(act.chunks):
                    self._chunk(act, reset=act.reset and number == 0)
                if act.mutation:
                    self._finish()
            self.reserved.append(device.reserved)
        self._finish()

    def _chunk(self, act: Act, *, reset: bool) -> None:
        stream, frames = self._stream, [next(self._frames)]
        needed = stream.prepare(frames[0], self._params, reset=reset, render_scale=self._scale)
        while len(frames) < needed:
            if act.ahead:
                stream.push(frames)
            frames.append(next(self._frames))
        self._launched.append(stream.launch(Chunk.of(frames, self._params), wait_for_prompt=True))
        self._finish(but=AHEAD)

    def _finish(self, but: int = 0) -> None:
        """Wait for the pictures of all chunks in flight, or all but the last ones."""
        while len(self._launched) > but:
            for picture in self._launched.popleft().result().pictures:
                assert picture.data.dtype == np.uint8

    def close(self) -> None:
        """End it."""
        self._stream.discard()
        self._prompts.close()


def report(name: str, folder: Path) -> dict[str, Any]:
    """Play a scenario and say what happened."""
    scenario = SCENARIOS[name]
    device.forget()
    with files.shallow(scenario.settings[0].partition("=")[2], scenario.layers, scenario.kind):
        player = Player(scenario, folder)
        player.play()
    device.phase = "the end"
    player.close()
    return {
        "kernels": player.hello.kernels,
        "notes": [asdict(note) | {"count": times} for note, times in device.notes.items()],
        "met": [asdict(note) for note in device.met.values()],
        "faults": [{"phase": phase, "what": what} for phase, what in device.faults],
        "reserved": player.reserved,
        "launches": [compiled.about for key, compiled in triton_stand_in.Compiled.made.items() if key in device.met],
    }
