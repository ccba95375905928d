"""The doctor reads the colour tables before a show names one."""

from __future__ import annotations

from pathlib import Path

from sdv2_live.config.load import load_config
from sdv2_live.doctor.luts import look_luts
from sdv2_live.doctor.probe import Status


def test_colour_tables(tmp_path: Path) -> None:
    config = load_config(None, [f"output.luts={tmp_path}"])
    (none,) = look_luts(config)
    assert (none.status, none.detail) == (Status.OK, f"0 colour tables in {tmp_path}")
    (tmp_path / "warm.cube").write_text("LUT_1D_SIZE 2\n0 0 0\n1 1 1\n")
    (tmp_path / "cold.cube").write_text("LUT_1D_SIZE 2\n0 0 0\n1 1\n")
    (bad,) = look_luts(config)
    assert bad.status is Status.WARN
    assert bad.detail.startswith(f"1 of 2 colour tables cannot be read: {tmp_path / 'cold.cube'}:3: a line of the table needs 3")
    assert bad.remedy == "export it again as a .cube file"
