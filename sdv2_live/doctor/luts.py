"""Probe of the colour tables for the output."""

from __future__ import annotations

from collections.abc import Iterator

from sdv2_live.config.schema import Config
from sdv2_live.doctor.probe import Check, ok, warn
from sdv2_live.errors import LutError
from sdv2_live.gpu.lut import read_lut


def look_luts(config: Config) -> Iterator[Check]:
    """luts."""
    folder = config.output.luts_folder
    files = sorted(folder.glob("*.cube"))
    broken = []
    for file in files:
        try:
            read_lut(file)
        except LutError as error:
            broken.append(str(error))
    if broken:
        problem, _, remedy = broken[0].partition("; ")
        others = f", and {len(broken) - 1} more" if broken[1:] else ""
        yield warn("luts", f"{len(broken)} of {len(files)} colour tables cannot be read: {problem}{others}", remedy)
    elif files or folder.is_dir():
        yield ok("luts", f"{len(files)} colour tables in {folder}")
    else:
        yield ok("luts", f"no colour tables: there is no folder {folder}")
