"""The time a training has had."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch


def worked(device: torch.device) -> Callable[[], float]:
    """A function that gives the minutes of work from now on.

    On a CPU that other programs use, these are the minutes that its threads were given: a training at lowest priority then
    ends with as many steps as one on an idle machine.
    """
    if device.type == "cpu":
        begun = time.process_time()
        return lambda: (time.process_time() - begun) / 60 / torch.get_num_threads()
    started = time.monotonic()
    return lambda: (time.monotonic() - started) / 60
