"""Run the tests in parts under the Wine of a folder: what `tools/test_windows.sh` does once that is set up."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHORT = (
    "tests/system/test_daemon.py::test_killed_on_stage",  # OSC in and out, NDI out, the engine killed and back, Ctrl-C
    "tests/system/test_daemon.py::test_a_show_that_is_killed_takes_its_engine_with_it_and_the_next_goes_on",  # on the same port
    "tests/system/test_show.py",  # NDI in and out, painted; a source that goes and comes, the metrics, a port in use
    "tests/integration/takes/test_replay.py::test_a_whole_performance_is_painted_again_bit_by_bit",
    "tests/system/test_cli.py::test_render_repeats_itself_and_follows_its_seed_and_prompt",
    "tests/integration/show/test_control_plane.py",  # presets and the timeline, by OSC
    "tests/integration/control/oscquery/test_oscquery.py",
)
TIERS = ("unit", "integration", "system")
COUNTS = ("passed", "failed", "skipped")

# Killed at its end: when PyTorch is unloaded it may wait for a lock of a thread that has been ended before. Windows ends such a
# process, Wine does not.
PYTEST = "import psutil, pytest, sys; pytest.main(sys.argv[1:]); psutil.Process().kill()"


def parts() -> dict[str, list[str]]:
    """Each part's paths, by its name: a folder of the tests, of whatever tier, or `loose` for the files beside those folders."""
    parts: dict[str, list[str]] = {}
    for tier in TIERS:
        for place in sorted((ROOT / "tests" / tier).iterdir()):
            if place.is_dir() and any(place.rglob("test_*.py")):
                parts.setdefault(place.name, []).append(place.relative_to(ROOT).as_posix())
            elif place.match("test_*.py"):
                parts.setdefault("loose", []).append(place.relative_to(ROOT).as_posix())
    return parts | {"faults": ["tests/faults"]}


def run(folder: Path, name: str, paths: list[str], limit_s: float) -> Path:
    """Run a part; what it said. It is cut off after `limit_s`, which is a failure."""
    log = folder / "logs" / f"{name}.log"
    log.parent.mkdir(exist_ok=True)
    pytest = ["python", "-u", "-c", PYTEST, "-vv", "-p", "no:cacheprovider", "-rsfE", *paths]
    with log.open("wb") as out:
        try:
            command = ["bash", str(ROOT / "tools/windows/wine.sh"), str(folder), *pytest]
            subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, timeout=limit_s, check=False)
        except subprocess.TimeoutExpired:
            out.write(f"\nERROR cut off after {limit_s:g} s\n".encode())
    return log


def counted(said: list[str]) -> Counter[str]:
    """How many passed, failed and were skipped, from pytest's last line. A part that has not come to its end failed."""
    counts = Counter({kind: int(number) for number, kind in re.findall(r"(\d+) (passed|failed|skipped|error)", said[-1])})
    counts["failed"] += counts.pop("error", 0)
    if not re.search(r" in [\d.]+s", said[-1]):
        counts["failed"] += 1
    return counts


def row(name: str, counts: Counter[str], took_s: float) -> str:
    return f"{name:16}" + "".join(f"{counts[kind]:6} {kind}" for kind in COUNTS) + f"{took_s:7.0f} s"


def main() -> int:
    """The exit code: 1 when anything failed."""
    known = parts()
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", metavar="PART", help=f"one of {', '.join(known)}")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--limit", type=float, metavar="SECONDS")
    args = parser.parse_args()
    if unknown := [name for name in args.names if name not in known]:
        parser.error(f"there is no part {unknown[0]!r}; the parts are {', '.join(known)}")
    chosen = {"short": list(SHORT)} if args.short else {name: known[name] for name in args.names or known}

    everything: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    begun = time.monotonic()
    for name, paths in chosen.items():
        began = time.monotonic()
        log = run(args.folder, name, paths, args.limit)
        said = log.read_text(encoding="utf-8", errors="replace").splitlines() or [""]
        counts = counted(said)
        everything += counts
        print(row(name, counts, time.monotonic() - began), flush=True)
        for line in said:
            if re.match(r"(FAILED|ERROR) \S", line):
                print(f"    {line}", flush=True)
            elif skip := re.match(r"SKIPPED \[(\d+)\] \S+: (.*)", line):
                reasons[skip[2]] += int(skip[1])
        if not counts["passed"] and counts["failed"]:
            print(f"    see {log}", flush=True)
    print(row("in all", everything, time.monotonic() - begun))
    for reason, count in reasons.most_common():
        print(f"{count:6} skipped: {reason}")
    return everything["failed"] > 0


if __name__ == "__main__":
    sys.exit(main())
