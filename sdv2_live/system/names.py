"""Names of other machines."""

from __future__ import annotations

import os


def short_lookups() -> None:
    """Have this process, and those that it starts, wait for a name for a second at most.

    torch asks for the name of every machine that it speaks with. Where no name server answers, as in a network of cables and a
    switch, that takes ten seconds (resolv.conf(5), RES_OPTIONS). Call this before the first name is looked up. Systems without
    glibc have limits of their own.
    """
    os.environ.setdefault("RES_OPTIONS", "timeout:1 attempts:1")
