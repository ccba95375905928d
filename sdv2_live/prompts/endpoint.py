"""A client of servers that speak OpenAI's chat completions (llama.cpp, vLLM, Ollama, LM Studio, and the services).

http.client rather than urllib: it follows no redirect, which would carry the key to another server, and takes no proxy from
the environment.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import json
import logging
import os
import socket
import ssl
import threading
from typing import Any
from urllib.parse import SplitResult, urlsplit

from sdv2_live.errors import ExpandError
from sdv2_live.prompts.expand import to_last_phrase
from sdv2_live.system.clock import monotonic

KEY_VARIABLE = "SDV2_API_KEY"
MAX_TOKENS = 2000  # some models think aloud first
MAX_ANSWER = 1_000_000  # bytes
NO_WRITERS = ("embed", "rerank", "whisper", "tts", "moderation")  # in names of models that do something else

log = logging.getLogger("sdv2_live.expand")


class Endpoint:
    """A server at `url`, such as http://127.0.0.1:8080 or https://api.example.com/v1.

    model: the model to ask for; without it the first that the server lists and that writes. The key is read from the
    environment variable SDV2_API_KEY, sent to this server only, and shown nowhere.
    """

    def __init__(self, url: str, timeout_s: float, *, model: str | None = None, insecure: bool = False) -> None:
        """Check the URL; nothing is sent. Raises ExpandError. `insecure` permits plain http beyond this machine."""
        self._url = _checked(url, insecure)
        self._path = self._url.path.rstrip("/").removesuffix("/v1") + "/v1/"
        self._where = f"{self._url.hostname}:{self._url.port or (443 if self._url.scheme == 'https' else 80)}"
        self._model = model
        self._timeout_s = timeout_s

    def write(self, instruction: str, prompt: str) -> str:
        """Ask. Raises ExpandError for anything but a plain answer within the time."""
        deadline = monotonic() + self._timeout_s
        model = self._model or self._first_model(deadline)
        messages = [{"role": "system", "content": instruction}, {"role": "user", "content": prompt}]
        request = {"model": model, "messages": messages, "max_tokens": MAX_TOKENS, "stream": False}
        answer = self._request("POST", "chat/completions", deadline, request)
        try:
            choice = answer["choices"][0]
            message = choice["message"]
            text = message["content"] or ""
            refused = message.get("refusal") or choice.get("finish_reason") == "content_filter"
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise ExpandError(f"{self._where} answered with something else than a chat completion; check --endpoint") from error
        if refused:
            raise ExpandError(f"{self._where} refused the prompt; word it differently, or use another model")
        if not isinstance(text, str):
            raise ExpandError(f"{self._where} answered without text; check --endpoint-model")
        if choice.get("finish_reason") != "length":
            return text
        log.warning("%s was stopped at its limit of tokens: its last whole phrase ends the prompt", model)
        return to_last_phrase(text)

    def _first_model(self, deadline: float) -> str:
        """The first listed model that writes: servers list their other models too."""
        answer = self._request("GET", "models", deadline)
        try:
            names = [str(model["id"]) for model in answer["data"]]
        except (KeyError, TypeError) as error:
            raise ExpandError(f"{self._where} lists no models; name one with --endpoint-model") from error
        writers = [name for name in names if not any(word in name.lower() for word in NO_WRITERS)]
        if not writers:
            listed = f"no model that writes ({', '.join(names)[:200]})" if names else "no models"
            raise ExpandError(f"{self._where} lists {listed}; name one with --endpoint-model")
        log.info("%s: asking %s, the first that writes of %d models", self._where, writers[0], len(names))
        return writers[0]

    def _request(self, method: str, what: str, deadline: float, body: Any = None) -> Any:
        """The server's JSON."""
        status, data = self._exchange(method, what, deadline, body)
        if status != 200:
            meaning = {401: "; the key in SDV2_API_KEY is not valid there", 404: "; check --endpoint and --endpoint-model"}
            raise ExpandError(f"{self._where} answered {method} {self._path}{what} with status {status}{meaning.get(status, '')}")
        if len(data) > MAX_ANSWER:
            raise ExpandError(f"{self._where} answered with more than {MAX_ANSWER} bytes; check --endpoint")
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise ExpandError(f"{self._where} answered with something that is not JSON; check --endpoint") from error

    def _exchange(self, method: str, what: str, deadline: float, body: Any) -> tuple[int, bytes]:
        """The status and body of one request. The whole of it ends by the deadline, however slowly the server drips."""
        connection = self._connection(max(deadline - monotonic(), 0.001))
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if key := os.environ.get(KEY_VARIABLE, "").strip():
            headers["Authorization"] = f"Bearer {key}"
        late = threading.Event()
        timer = None
        try:
            connection.connect()
            timer = threading.Timer(max(deadline - monotonic(), 0.0), _cut, (connection.sock, late))
            timer.daemon = True
            timer.start()
            connection.request(method, self._path + what, json.dumps(body) if body is not None else None, headers)
            response = connection.getresponse()
            data = response.read(MAX_ANSWER + 1)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if late.is_set() or isinstance(error, TimeoutError):
                raise self._late() from error
            reason = "a key that cannot be sent" if isinstance(error, ValueError) else error or type(error).__name__
            raise ExpandError(f"{self._where} cannot be asked: {reason}; is the server running?") from None  # no key in a trace
        finally:
            if timer is not None:
                timer.cancel()
            connection.close()
        if late.is_set():
            raise self._late()
        return response.status, data

    def _connection(self, timeout_s: float) -> http.client.HTTPConnection:
        host = self._url.hostname or ""
        if self._url.scheme == "https":
            return http.client.HTTPSConnection(host, self._url.port, timeout=timeout_s, context=ssl.create_default_context())
        return http.client.HTTPConnection(host, self._url.port, timeout=timeout_s)

    def _late(self) -> ExpandError:
        return ExpandError(f"{self._where} did not answer within {self._timeout_s:g} s; raise --timeout, or use a smaller model")


def _cut(connected: socket.socket, late: threading.Event) -> None:
    """Abort the current read or write. Takes the socket itself: http.client lets go of it before the body is read."""
    late.set()
    with contextlib.suppress(OSError):  # it ended by itself at that moment
        connected.shutdown(socket.SHUT_RDWR)


def _checked(url: str, insecure: bool) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # read now: it may be no number
    except ValueError as error:
        raise ExpandError(f"--endpoint cannot be {url!r}: {error}; give a URL such as http://127.0.0.1:8080") from error
    if parts.username or parts.password:
        raise ExpandError(f"--endpoint: leave the password out of the URL; put the key into {KEY_VARIABLE}")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ExpandError(f"--endpoint cannot be {url!r}; give a URL such as http://127.0.0.1:8080")
    if parts.scheme == "http" and not insecure and not _loopback(parts.hostname):
        raise ExpandError(f"--endpoint {url}: prompt and key would cross the network in clear; use https, or --insecure")
    return parts


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
