"""A web server on loopback that answers as the Hub does: HEAD tells of a file, GET is sent on to a store with ranges."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


@dataclass
class HubServer:
    """files: (repository, path) to content. Everything that was asked is in `requests`: method, path, Range header."""

    files: dict[tuple[str, str], bytes] = field(default_factory=dict)
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    errors: dict[str, tuple[int, dict[str, str]]] = field(default_factory=dict)  # repository to status and headers
    cut_after: int | None = None  # bytes after which a GET breaks off, once; after that the store answers 503 while `broken`
    broken: bool = False
    ranges: bool = True
    keys: dict[str, str] = field(default_factory=dict)  # host to the last Authorization that was sent to it
    stored: dict[str, bytes] = field(default_factory=dict)  # what the store gives in place of the right content

    def __enter__(self) -> Self:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                hub.answer(self, body=False)

            def do_GET(self) -> None:
                hub.answer(self, body=True)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """The server is gone: nothing listens on its port."""
        if self.thread.is_alive():
            self.server.shutdown()
            self.thread.join()
            self.server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def gets(self) -> list[tuple[str, str | None]]:
        """Path and Range of what was asked of the store."""
        return [(path, span) for method, path, span in self.requests if method == "GET" and path.startswith("/store/")]

    def answer(self, request: BaseHTTPRequestHandler, *, body: bool) -> None:
        if key := request.headers.get("Authorization"):
            self.keys[request.headers["Host"].partition(":")[0]] = key
        self.requests.append((request.command, request.path, request.headers.get("Range")))
        if request.path.startswith("/store/"):
            self._store(request, request.path.removeprefix("/store/"))
            return
        repo, _, rest = request.path.lstrip("/").partition("/resolve/")
        path = rest.partition("/")[2]
        status, headers = self.errors.get(repo, (404, {"X-Error-Code": "EntryNotFound"}))
        content = self.files.get((repo, path))
        if repo not in self.errors and content is not None:
            sha256 = hashlib.sha256(content).hexdigest()
            status, headers = 302, {
                "Location": f"{self.url}/store/{sha256}".replace("127.0.0.1", "localhost"),  # the Hub's store is another host
                "X-Repo-Commit": "0" * 40,
                "X-Linked-Etag": f'"{sha256}"',
                "X-Linked-Size": str(len(content)),
            }  # fmt: skip
        _send(request, status, headers)

    def _store(self, request: BaseHTTPRequestHandler, sha256: str) -> None:
        content = next(c for c in self.files.values() if hashlib.sha256(c).hexdigest() == sha256)
        content = self.stored.get(sha256, content)
        if self.broken and self.cut_after is None:
            _send(request, 503, {})
            return
        span, begin = request.headers.get("Range"), 0
        if span and self.ranges:
            begin = int(span.removeprefix("bytes=").rstrip("-"))
        headers = {"Content-Length": str(len(content) - begin), "ETag": '"x"'}
        if begin:
            headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        request.send_response(206 if begin else 200)
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        if request.command == "GET":
            end, self.cut_after = self.cut_after, None
            request.wfile.write(content[begin:] if end is None else content[begin:end])
            if end is not None:
                request.close_connection = True


def _send(request: BaseHTTPRequestHandler, status: int, headers: dict[str, str]) -> None:
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name, value)
    request.send_header("Content-Length", "0")
    request.end_headers()
