"""Base classes of things that are opened and closed, for use in a `with` statement."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Closing(ABC):
    """A holder of resources; a context manager that closes it."""

    @abstractmethod
    def close(self) -> None:
        """Release everything. Idempotent."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class Service(Closing):
    """A thing that runs from `start` to `close`; a context manager that does both."""

    @abstractmethod
    def start(self) -> None:
        """Start."""

    def __enter__(self) -> Self:
        self.start()
        return self
