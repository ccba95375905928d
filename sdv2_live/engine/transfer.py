"""Between host and device without waiting: through page-locked memory, which a GPU copies on its own."""

from __future__ import annotations

import torch
from torch import Tensor


def upload(host: Tensor, device: torch.device) -> Tensor:
    """A CPU tensor on the device. The copy is only launched; PyTorch keeps the page-locked memory until it is done."""
    if device.type != "cuda":
        return host.to(device)
    return host.pin_memory().to(device, non_blocking=True)


class Fetched:
    """One number on its way from the device: asked for at construction, waited for in `read`."""

    def __init__(self, value: Tensor) -> None:
        self._event: torch.cuda.Event | None = None
        self._value = value
        if value.device.type == "cuda":
            self._value = torch.empty(value.shape, dtype=value.dtype, pin_memory=True)
            self._value.copy_(value, non_blocking=True)
            self._event = torch.cuda.Event(blocking=True)  # sleep: a spinning wait would take a core from the video threads
            self._event.record(torch.cuda.current_stream(value.device))

    def read(self) -> float:
        """The number. Waits for what was launched before it was asked for, not for what came after."""
        if self._event is not None:
            self._event.synchronize()
        return float(self._value)
