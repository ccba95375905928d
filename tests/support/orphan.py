"""A program whose child ends with it, in one of the ways of `system.process`; it says its child's process id, and waits."""

from __future__ import annotations

import multiprocessing
import sys
import time

from sdv2_live.system.process import end_with_parent, ends_with_this, wait_for_parent


def child(way: str) -> None:
    """Compute, and look at nothing."""
    if way == "thread":
        import threading

        threading.Thread(target=wait_for_parent, daemon=True).start()
    else:
        end_with_parent()
    print("computing", flush=True)
    while True:
        sum(range(10_000))


if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=child, args=(sys.argv[1],))
    process.start()
    assert process.pid is not None
    ends_with_this(process.pid)
    print(process.pid, flush=True)
    time.sleep(600)
