"""The number of files and sockets that this process may have open."""

from __future__ import annotations

import sys


def allow_descriptors(count: int) -> None:
    """Ask for so many, as far as the system's limit for this user allows. Windows limits none of its handles."""
    if sys.platform != "win32":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def most_descriptors() -> int:
    """The number that no descriptor reaches: a new one has the lowest free number.

    On Windows a socket's descriptor is the value of a handle, which does not tell how many there are.
    """
    if sys.platform == "win32":
        return sys.maxsize
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft
