"""Colour look-up tables: the .cube files that grading programs write, of one dimension and of three.

As Adobe's Cube LUT Specification 1.0 has them: DOMAIN_MIN and DOMAIN_MAX say which inputs the first and last entries belong to,
and of a table of three dimensions the red index changes fastest. LUT_1D_INPUT_RANGE and LUT_3D_INPUT_RANGE, as DaVinci Resolve
writes, mean the same for all channels.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NoReturn

import numpy as np
import torch

from sdv2_live.errors import LutError
from sdv2_live.gpu.staging import upload
from sdv2_live.wording import shown

log = logging.getLogger("sdv2_live.gpu")

MOST_1D, MOST_3D = 65536, 129  # entries along an axis
MAX_BYTES = 128 << 20
KEPT = 8  # tables that are in memory
_HEAD = re.compile(r"\s*([A-Za-z_0-9]+)\s*(.*)")
_NUMBER = re.compile(r"\s*[-+.0-9]")


@dataclass(frozen=True, eq=False)
class Lut:
    """A table: float32 (n, 3), a curve for each channel, or (n, n, n, 3) by blue, green, red. Its inputs go from low to high.

    Inputs and outputs are R'G'B' in 0..1; inputs beyond the ends take the ends' entries.
    """

    table: np.ndarray
    low: tuple[float, ...] = (0.0, 0.0, 0.0)
    high: tuple[float, ...] = (1.0, 1.0, 1.0)

    @property
    def size(self) -> int:
        """Entries along an axis."""
        return len(self.table)

    @property
    def solid(self) -> bool:
        """True for three dimensions."""
        return self.table.ndim == 4

    def scales(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Factor and offset of each channel, from [-1, 1] to 0..size - 1."""
        last = self.size - 1
        factors = tuple(last / (2 * (high - low)) for low, high in zip(self.low, self.high, strict=True))
        return factors, tuple(factor * (1 - 2 * low) for factor, low in zip(factors, self.low, strict=True))

    @lru_cache(maxsize=4)  # noqa: B019 (tables live as long as the shelf that keeps them)
    def on(self, device: torch.device) -> torch.Tensor:
        """The table on a device, flat."""
        return upload(self.table.reshape(-1, 3), device)

    def __call__(self, rgb: torch.Tensor) -> torch.Tensor:
        """Pictures (T, 3, h, w) in [-1, 1] through the table, float32 in [-1, 1]."""
        factors, offsets = self.scales()
        at = torch.stack([rgb[:, i].float() * factors[i] + offsets[i] for i in range(3)]).clamp_(0, self.size - 1)
        first = at.floor().clamp_(max=max(self.size - 2, 0))
        share, first = at.sub_(first), first.to(torch.int64)
        table = self.on(rgb.device)
        out = _solid(table, self.size, first, share) if self.solid else _curves(table, first, share)
        return out.movedim(0, 1).mul_(2).sub_(1).clamp_(-1, 1)


def _curves(table: torch.Tensor, first: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """(3, ...) from a curve for each channel."""
    curves = [curve.contiguous() for curve in table.unbind(1)]
    below, above = (torch.stack([curves[i].take(first[i] + step) for i in range(3)]) for step in (0, 1))
    return below.lerp_(above, share)


def _solid(table: torch.Tensor, size: int, first: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """(3, ...) by tetrahedra: from the corner at the black end along the axes, that of the largest share first."""
    steps = torch.tensor([1, size, size * size], device=table.device)
    largest, to_second = share.max(0)
    least, from_last = share.min(0)
    middle = share.sum(0) - largest - least
    corner = first[0] + size * (first[1] + size * first[2])
    last = corner + 1 + size + size * size
    corners = corner, corner + steps.take(to_second), last - steps.take(from_last), last
    weights = 1 - largest, largest - middle, middle - least, least
    out = sum(
        table.index_select(0, corner.flatten()) * weight.reshape(-1, 1) for corner, weight in zip(corners, weights, strict=True)
    )
    assert isinstance(out, torch.Tensor)
    return out.view(*corner.shape, 3).movedim(-1, 0)


def read_lut(path: Path) -> Lut:
    """The table of a .cube file. Raises LutError, which names the line and what to do."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise LutError(f"{path}: is larger than {MAX_BYTES >> 20} MB; give a table of at most {MOST_3D} entries an axis")
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise LutError(f"{path}: cannot be read: {error.strerror}; check the file and its permissions") from error
    return _Reader(path, text).lut()


class _Reader:
    """One .cube file."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._lines = text.splitlines()
        self._size, self._solid = 0, False
        self._low: tuple[float, ...] = (0.0, 0.0, 0.0)
        self._high: tuple[float, ...] = (1.0, 1.0, 1.0)

    def lut(self) -> Lut:
        begin = self._heads()
        if not self._size:
            self._wrong(begin, "no LUT_1D_SIZE or LUT_3D_SIZE comes before the numbers")
        wanted = self._size**3 if self._solid else self._size
        rows = self._rows(begin)
        if len(rows) != wanted:
            self._wrong(len(self._lines) - 1, f"the table has {len(rows)} lines of numbers and needs {wanted}")
        shape = (self._size,) * (3 if self._solid else 1)
        return Lut(np.ascontiguousarray(rows.reshape(*shape, 3)), self._low, self._high)

    def _heads(self) -> int:
        """Read what comes before the numbers. Returns the place of their first line."""
        for place, line in enumerate(self._lines):
            if _NUMBER.match(line):
                return place
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            if (found := _HEAD.match(line)) is None:
                self._wrong(place, f"{shown(line.strip()[:40])} is no line of a .cube file")
            self._head(place, found[1].upper(), found[2].split("#")[0])
        return len(self._lines)

    def _head(self, place: int, key: str, rest: str) -> None:
        match key:
            case "TITLE":
                pass
            case "LUT_1D_SIZE" | "LUT_3D_SIZE":
                most = MOST_3D if key == "LUT_3D_SIZE" else MOST_1D
                if self._size or not rest.strip().isdecimal() or not 2 <= int(rest) <= most:
                    self._wrong(place, f"{key} must come once, with a number 2..{most}")
                self._size, self._solid = int(rest), key == "LUT_3D_SIZE"
            case "DOMAIN_MIN":
                self._low = self._numbers(place, key, rest, 3)
            case "DOMAIN_MAX":
                self._high = self._numbers(place, key, rest, 3)
            case "LUT_1D_INPUT_RANGE" | "LUT_3D_INPUT_RANGE":
                low, high = self._numbers(place, key, rest, 2)
                self._low, self._high = (low,) * 3, (high,) * 3
            case _:
                self._wrong(place, f"{shown(key[:40])} is no word of a .cube file")
        if any(high - low < 1e-6 for low, high in zip(self._low, self._high, strict=True)) and key == "DOMAIN_MAX":
            self._wrong(place, "DOMAIN_MAX must be above DOMAIN_MIN in each channel")

    def _numbers(self, place: int, key: str, rest: str, count: int) -> tuple[float, ...]:
        try:
            numbers = tuple(map(float, rest.split()))
        except ValueError:
            numbers = ()
        if len(numbers) != count or not np.isfinite(numbers).all() or (count == 2 and numbers[1] - numbers[0] < 1e-6):
            self._wrong(place, f"{key} needs {count} finite numbers, the upper above the lower")
        return numbers

    def _rows(self, begin: int) -> np.ndarray:
        """float32 (lines, 3): the numbers from a line on."""
        lines = [line for line in self._lines[begin:] if line.strip() and not line.lstrip().startswith("#")]
        if not lines:
            return np.empty((0, 3), np.float32)
        try:
            numbers = np.loadtxt(lines, np.float32, comments=None, ndmin=2)
            if numbers.shape[1] == 3 and np.isfinite(numbers).all():
                return numbers
        except ValueError:
            pass
        for place, line in enumerate(self._lines[begin:], begin):
            if line.strip() and not line.lstrip().startswith("#"):
                self._numbers(place, "a line of the table", line, 3)
        raise LutError(f"{self._path}: its numbers cannot be read; export it again as a .cube file")

    def _wrong(self, place: int, problem: str) -> NoReturn:
        raise LutError(f"{self._path}:{place + 1}: {problem}; export it again as a .cube file")


class LutShelf:
    """The tables of a folder by name. What cannot be read is said once, and is none: the picture goes on without it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: dict[str, tuple[tuple[int, int] | None, Lut | None]] = {}  # the one asked for last at the end

    def get(self, name: str) -> Lut | None:
        """The table of this name; read again when its file is another, None for none."""
        if not name:
            return None
        path = self._folder / f"{name}.cube"
        stamp = _stamp(path)
        known = self._kept.pop(name, None)
        if known is None or known[0] != stamp:
            known = stamp, self._read(name, path)
        self._kept[name] = known
        while len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]
        return known[1]

    def _read(self, name: str, path: Path) -> Lut | None:
        try:
            if not path.is_file():
                there = sorted(file.stem for file in self._folder.glob("*.cube"))
                listed = f", but {', '.join(there[:20])}" if there else ""
                raise LutError(f"{self._folder} holds no {shown(name)}{listed}; put the .cube file there, or set output.luts")
            return read_lut(path)
        except LutError as error:
            log.warning("output/lut: %s. The picture goes on without it", error)
            return None


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        told = path.stat()
    except OSError:
        return None
    return told.st_mtime_ns, told.st_size
