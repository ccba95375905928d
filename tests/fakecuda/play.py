"""Plays scenarios on the simulated device, in a process of its own, and writes what happened as JSON.

PYTHONPATH=.:tests python tests/fakecuda/play.py REPORT.json SCENARIO ...
"""

from __future__ import annotations

import gc
import json
import logging
import os
import sys
import tempfile
from pathlib import Path

CAPABILITY = (9, 0)


def main() -> None:
    """Play what the command line names."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    os.environ.pop("TRITON_INTERPRET", None)  # other tests' own
    from fakecuda import api, triton_stand_in

    api.install(CAPABILITY)
    triton_stand_in.install(CAPABILITY)
    from fakecuda.player import report  # now: what it imports takes functions of PyTorch's and Python's that have been replaced

    gc.disable()  # memory that only a collection frees would be freed too late on stage: it counts as leaked
    found = {}
    for name in sys.argv[2:]:
        with tempfile.TemporaryDirectory(prefix="sdv2-fakecuda-") as folder:
            found[name] = report(name, Path(folder))
        gc.collect()
    Path(sys.argv[1]).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
