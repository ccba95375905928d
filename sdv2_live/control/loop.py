"""The control loop: one thread and one event loop for all network services, OSC and HTTP with all its routes.

No service delays the others for long: OSC reads for 10 ms at a stretch at most (`osc.reception`), HTTP answers one request in
each round of the loop (`http.server`), and a WebSocket passes on one message (`oscquery.websockets`).
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any

from sdv2_live import threads
from sdv2_live.system.sockets import Loop

log = logging.getLogger("sdv2_live.control")

START_S = 10.0  # until a server counts as one that does not serve


class ControlLoop:
    """Runs servers on one thread, which begins with the first that joins and ends when the last has left.

    `join` and `leave` are for one thread at a time, `call` for any. `failed` is called for each internal error that the loop
    survives.
    """

    def __init__(self, failed: Callable[[], None]) -> None:
        self._failed = failed
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running = threading.Event()
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)
        self._joined: set[object] = set()
        self._tasks: dict[object, asyncio.Task[None]] = {}  # the loop's

    def join(self, server: object, name: str, serving: AbstractAsyncContextManager[Any]) -> bool:
        """Serve: enter `serving` on the loop until `server` leaves. Returns False if it does not serve within START_S."""
        if self._thread.ident is None:
            self._thread.start()
        self._joined.add(server)
        up: Future[bool] = Future()
        if self._running.wait(START_S) and self.call(self._begin, server, self._serve(name, serving, up)):
            with suppress(TimeoutError):
                return up.result(START_S)
        return False

    def leave(self, server: object) -> None:
        """Stop serving; the last server ends the loop. Returns when that is done or has taken too long: see `threads.ended`."""
        if server not in self._joined:
            return
        self._joined.remove(server)
        over: Future[None] = Future()
        self.call(self._end, server, over, not self._joined)
        if not self._joined:
            threads.ended(self._thread)
        else:
            with suppress(TimeoutError):  # the last one tells of a loop that hangs
                over.result(threads.END_S)

    def call(self, function: Callable[..., Any], *args: Any) -> bool:
        """Call a function on the loop, from any thread. Returns False when the loop does not run."""
        if self._loop is not None:
            with suppress(RuntimeError):  # it has closed: there is nobody left to tell
                self._loop.call_soon_threadsafe(function, *args)
                return True
        return False

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=Loop) as runner:
                runner.run(self._main())
        except Exception:  # the thread's top
            self._failed()
            log.exception("the control loop stopped")

    async def _main(self) -> None:
        self._stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._report_bug)
        self._running.set()
        await self._stop.wait()

    def _begin(self, server: object, serve: Coroutine[Any, Any, None]) -> None:
        self._tasks[server] = asyncio.get_running_loop().create_task(serve)

    async def _serve(self, name: str, serving: AbstractAsyncContextManager[Any], up: Future[bool]) -> None:
        try:
            async with serving:
                up.set_result(True)
                await asyncio.Event().wait()  # until it is cancelled
        except Exception:  # a server's top: the other servers and the show go on
            self._failed()
            log.exception("%s stopped; the show goes on without it", name)
        finally:
            if not up.done():
                up.set_result(False)

    def _end(self, server: object, over: Future[None], last: bool) -> None:
        def ended(task: asyncio.Task[None]) -> None:
            del self._tasks[server]
            over.set_result(None)
            if last:
                self._stop.set()

        self._tasks[server].add_done_callback(ended)
        self._tasks[server].cancel()

    def _report_bug(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._failed()
        log.error("%s", context.get("message"), exc_info=context.get("exception"))
