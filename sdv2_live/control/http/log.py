"""Limited logging of the HTTP library's reports: others choose their text and their number."""

from __future__ import annotations

import logging
from typing import Any

from aiohttp.http import HttpProcessingError

from sdv2_live.control.http.door import HttpCounters
from sdv2_live.control.throttle import Throttle, ThrottledLog

log = logging.getLogger("sdv2_live.oscquery")

_BUGS_A_SECOND, _BUGS_AT_ONCE = 0.1, 3


class RequestLog(logging.Logger):
    """Passes on the reports of aiohttp's server: one line for a malformed request, the server's own errors in full."""

    def __init__(self, counters: HttpCounters) -> None:
        super().__init__("sdv2_live.oscquery.http")
        self._counters = counters
        self._malformed = ThrottledLog(log)
        self._bugs = Throttle(_BUGS_A_SECOND, _BUGS_AT_ONCE)

    def debug(self, msg: object, *args: object, exc_info: Any = None, **_: Any) -> None:
        """Log only reports with an exception: a request that begins with no HTTP method."""
        if exc_info is not None:
            self.exception(msg, *args, exc_info=exc_info)

    def exception(self, msg: object, *args: object, exc_info: Any = True, **_: Any) -> None:
        """Log a request that could not be answered. args: the sender's address comes first."""
        if isinstance(exc_info, HttpProcessingError):
            self._counters.malformed += 1
            self._malformed.warning("%s sent what is no HTTP request: %s", args[0] if args else "somebody", _first_line(exc_info))
            return
        self._counters.failures += 1
        if self._bugs.allow():
            log.error(str(msg), *args, exc_info=exc_info)


def _first_line(error: HttpProcessingError) -> str:
    return error.message.partition("\n")[0][:100].rstrip(": ")
