"""How fast, how near to what the machine allows, and how steady: measurements, whose results are in benchmarks.md."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as the command line does, before torch is loaded
os.environ.setdefault("GOMP_SPINCOUNT", "2000")
