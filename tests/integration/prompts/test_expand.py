"""Prompt expansion: cleaning, a local model end to end, a server that answers well, badly, late or never."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdv2_live.control.params import MAX_PROMPT
from sdv2_live.errors import ExpandError
from sdv2_live.prompts.endpoint import MAX_ANSWER, Endpoint
from sdv2_live.prompts.expand import INSTRUCTION, MIN_WORDS, LocalModel, clean, expand

LONG = "A dancer painted in thick oil, " + ", ".join(f"detail number {n} in amber light" for n in range(12)) + ", steady camera."


class Says:
    """A writer that has its answer ready."""

    def __init__(self, text: str) -> None:
        self.text = text

    def write(self, instruction: str, prompt: str) -> str:
        return self.text


@pytest.mark.parametrize(
    "answer",
    [
        LONG,
        f'"{LONG}"',
        f"Prompt: {LONG}",
        f"Here is your expanded prompt:\n\n**{LONG}**",
        f"Sure, here you go:\n```text\n{LONG}\n```",
        f"<think>The user wants {LONG}\n</think>\n{LONG}",
        f"The user wants ink. {LONG}\n</think>\n\n{LONG}",
        f"So, {LONG} </THINKING> {LONG}",
        f"Ink. <think>No, </think> water? </think>\n{LONG}",
        f"[THINK]{LONG}[/THINK]{LONG}",
        f"{LONG}</reasoning>{LONG}",
        LONG.replace(", ", ",\n"),
        f"“{LONG}”\0",
    ],
)
def test_answer_is_freed_of_what_is_no_prompt(answer: str) -> None:
    assert expand("a dancer", Says(answer)) == LONG


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("", "the model's answer was empty"),
        (" \n``` ```", "the model's answer was empty"),
        ("<think>hm, what to say " * 30, "the model's answer was empty"),
        ("I'm sorry, but I can't help with that. " * 9, "the model refused: 'I'm sorry"),
        ("I cannot create this prompt because " + LONG, "the model refused: 'I cannot"),
        ("a nice dancer", "the model's answer is too short for a prompt: 'a nice dancer'"),
    ],
)
def test_answer_that_is_no_prompt_is_refused(answer: str, message: str) -> None:
    with pytest.raises(ExpandError, match=message):
        expand("a dancer", Says(answer))


def test_prompt_may_speak_of_prompts_and_apologies() -> None:
    text = f"a man who says sorry: {LONG}"
    assert expand("x", Says(text)) == text


def test_nothing_to_expand() -> None:
    with pytest.raises(ExpandError, match="there is no prompt to expand"):
        expand(" \n", Says(LONG))


def test_long_answer_ends_with_a_whole_phrase_and_is_told(caplog: pytest.LogCaptureFixture) -> None:
    answer = ", ".join(["thick amber brush strokes"] * 1000)
    text = expand("x", Says(answer))
    assert MAX_PROMPT - 30 < len(text) <= MAX_PROMPT
    assert text.endswith("strokes")
    said = f"the model's answer has {len(answer)} characters, and a prompt at most {MAX_PROMPT}: its first {len(text)} are taken"
    assert said in caplog.text


@given(st.text(max_size=6000))
def test_cleaning_takes_anything(text: str) -> None:
    cleaned = clean(text)
    assert cleaned.isprintable()
    cleaned.encode()


class Server:
    """Speaks chat completions. `answer` is what it does with a POST, `requests` what it got."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self.answer: Callable[[BaseHTTPRequestHandler], None] = lambda request: reply(request, completion(LONG))
        self.models: Any = {"data": [{"id": "first"}, {"id": "second"}]}
        self.over = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests.append((self.path, dict(self.headers), None))
                reply(self, outer.models)

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append((self.path, dict(self.headers), body))
                outer.answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                return

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def close(self) -> None:
        self.over.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


def reply(request: BaseHTTPRequestHandler, data: Any, status: int = 200) -> None:
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    request.send_response(status)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def completion(text: Any, **choice: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"} | choice]}


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def test_server_is_asked_as_the_protocol_wants(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDV2_API_KEY", "secret")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert expand("a dancer", Endpoint(server.url, 10)) == LONG
    (models, _, _), (path, headers, body) = server.requests
    assert (models, path) == ("/v1/models", "/v1/chat/completions")
    assert headers["Authorization"] == "Bearer secret"
    assert body["model"] == "first"
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert [message["content"] for message in body["messages"]] == [INSTRUCTION, "a dancer"]


@pytest.mark.parametrize(
    ("suffix", "path"), [("/", "/v1/"), ("/v1", "/v1/"), ("/v1/", "/v1/"), ("/api/v1", "/api/v1/"), ("/api", "/api/v1/")]
)
def test_url_may_or_may_not_name_the_version(server: Server, suffix: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SDV2_API_KEY", raising=False)
    expand("a dancer", Endpoint(server.url + suffix, 10, model="mine"))
    assert server.requests[0][0] == f"{path}chat/completions"
    assert server.requests[0][2]["model"] == "mine"
    assert "Authorization" not in server.requests[0][1]


def test_answer_that_was_cut_off_ends_with_a_whole_phrase(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    server.answer = lambda request: reply(request, completion(LONG + " A half-finish", finish_reason="length"))
    assert expand("a dancer", Endpoint(server.url, 10)) + "." == LONG
    assert "first was stopped at its limit of tokens" in caplog.text


def redirect(request: BaseHTTPRequestHandler) -> None:
    request.send_response(302)
    request.send_header("Location", "http://127.0.0.1:9/v1/chat/completions")
    request.send_header("Content-Length", "0")
    request.end_headers()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda request: reply(request, {"error": "overloaded"}, 500), r"/v1/chat/completions with status 500"),
        (lambda request: reply(request, {}, 401), r"with status 401; the key in SDV2_API_KEY is not valid there"),
        (lambda request: reply(request, {}, 404), r"with status 404; check --endpoint and --endpoint-model"),
        (redirect, r"with status 302"),
        (lambda request: reply(request, b"<html>hello</html>"), r"something that is not JSON; check --endpoint"),
        (lambda request: reply(request, b"\xff\xfe{"), r"something that is not JSON"),
        (lambda request: reply(request, b"[" * 100_000), r"something that is not JSON"),
        (lambda request: reply(request, {"choices": []}), r"something else than a chat completion"),
        (lambda request: reply(request, [1]), r"something else than a chat completion"),
        (lambda request: reply(request, completion(["x"])), r"answered without text"),
        (lambda request: reply(request, completion(None)), r"the model's answer was empty"),
        (lambda request: reply(request, completion("x", finish_reason="content_filter")), r"refused the prompt"),
        (lambda request: reply(request, completion(None, message={"content": None, "refusal": "No."})), r"refused the prompt"),
        (lambda request: reply(request, b" " * (MAX_ANSWER + 1)), r"answered with more than 1000000 bytes"),
        (lambda request: request.wfile.write(b"garbage\r\n\r\n"), r"cannot be asked: garbage"),
        (lambda request: request.connection.close(), r"cannot be asked|did not answer"),
    ],
)
def test_server_that_answers_badly(server: Server, answer: Any, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDV2_API_KEY", "secret")
    server.answer = answer
    with pytest.raises(ExpandError, match=message) as failed:
        expand("a dancer", Endpoint(server.url, 10, model="m"))
    assert "secret" not in str(failed.value)


def test_server_that_never_answers(server: Server) -> None:
    server.answer = lambda request: server.over.wait() and None  # type: ignore[assignment]
    with pytest.raises(ExpandError, match=r"did not answer within 0\.2 s; raise --timeout"):
        expand("a dancer", Endpoint(server.url, 0.2))


def test_server_that_drips_is_cut_off(server: Server) -> None:
    def drip(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "100000")
        request.end_headers()
        while not server.over.wait(0.02):  # always something within any time between two reads
            try:
                request.wfile.write(b" ")
            except OSError:
                return

    server.answer = drip
    with pytest.raises(ExpandError, match=r"did not answer within 0\.3 s"):
        expand("a dancer", Endpoint(server.url, 0.3))


def test_models_that_do_not_write_are_passed_over(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "sdv2_live")
    names = ["text-embedding-nomic-embed-text-v1.5", "BGE-Reranker-v2", "qwen3-thinking"]
    server.models = {"data": [{"id": name} for name in names]}
    assert expand("a dancer", Endpoint(server.url, 10)) == LONG
    assert server.requests[-1][2]["model"] == "qwen3-thinking"
    assert "asking qwen3-thinking, the first that writes of 3 models" in caplog.text
    server.models = {"data": [{"id": name} for name in names[:2]]}
    with pytest.raises(ExpandError, match=r"lists no model that writes \(text-embedding-.*; name one with --endpoint-model"):
        expand("a dancer", Endpoint(server.url, 10))
    expand("a dancer", Endpoint(server.url, 10, model=names[0]))  # whoever names one gets it
    assert server.requests[-1][2]["model"] == names[0]


def test_server_without_models(server: Server) -> None:
    server.models = {"data": []}
    with pytest.raises(ExpandError, match="lists no models; name one with --endpoint-model"):
        expand("a dancer", Endpoint(server.url, 10))


def test_server_that_is_not_there(server: Server) -> None:
    url = server.url
    server.close()
    with pytest.raises(ExpandError, match=r"127\.0\.0\.1:\d+ cannot be asked: .*(refused|reset).*; is the server running\?"):
        expand("a dancer", Endpoint(url, 10, model="m"))


def test_key_that_cannot_be_sent_is_not_shown(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDV2_API_KEY", "sec\nret")
    with pytest.raises(ExpandError, match="a key that cannot be sent") as failed:
        expand("a dancer", Endpoint(server.url, 10, model="m"))
    assert "sec" not in str(failed.value).replace("cannot be sent", "")
    assert failed.value.__suppress_context__


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://x", "give a URL such as"),
        ("localhost:8080", "give a URL such as"),
        ("http://[x", "give a URL such as"),
        ("http://127.0.0.1:port", "give a URL such as"),
        ("https://user:pass@x", "leave the password out"),
        ("http://example.com", "would cross the network in clear; use https, or --insecure"),
        ("http://127.0.0.1.example.com", "would cross the network in clear"),
        ("http://192.168.1.2:8080", "would cross the network in clear"),
    ],
)
def test_url_that_is_refused(url: str, message: str) -> None:
    with pytest.raises(ExpandError, match=message) as failed:
        Endpoint(url, 10)
    assert "pass@" not in str(failed.value)


def test_url_that_is_permitted() -> None:
    for url in ("http://localhost:1", "http://[::1]:1", "http://127.8.9.1", "https://example.com/v1"):
        Endpoint(url, 10)
    Endpoint("http://192.168.1.2:8080", 10, insecure=True)


TEMPLATE = "{% for message in messages %}{{ message['role'] }} {{ message['content'] }} {% endfor %}assistant "
NO_SYSTEM = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}" + TEMPLATE


def save_model(folder: Path, template: str | None = TEMPLATE) -> Path:
    """A randomly initialised Llama over a vocabulary of colour words, without an end-of-text token."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = [
        "[UNK]",
        "user",
        "system",
        "assistant",
        "amber",
        "violet",
        "deep",
        "light",
        "over",
        "painted",
        "dancer,",
        "silk,",
        "slow,",
    ]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]")
    fast.chat_template = template
    fast.save_pretrained(folder)
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=0,
    )
    model = LlamaForCausalLM(config)
    model.generation_config.do_sample = True
    model.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("template", [TEMPLATE, NO_SYSTEM])
def test_local_model_end_to_end(tmp_path: Path, template: str) -> None:
    text = expand("amber dancer", LocalModel(str(save_model(tmp_path, template)), 60))
    words = set(text.split())
    assert len(text.split()) >= MIN_WORDS
    assert words <= {
        "user",
        "system",
        "assistant",
        "amber",
        "violet",
        "deep",
        "light",
        "over",
        "painted",
        "dancer,",
        "silk,",
        "slow,",
        "dancer",
        "silk",
        "slow",
    }
    assert not text.endswith(",")


def test_local_model_whose_time_is_up(tmp_path: Path) -> None:
    with pytest.raises(ExpandError, match=r"was not done within 0\.001 s; raise --timeout"):
        expand("amber dancer", LocalModel(str(save_model(tmp_path)), 0.001))


def test_local_model_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ExpandError, match=r"gpt2: not a folder"):
        LocalModel("gpt2", 10)
    with pytest.raises(ExpandError, match=r"cannot be loaded: .*; is it a whole causal language model\?"):
        LocalModel(str(tmp_path), 10)
    with pytest.raises(ExpandError, match="has no chat template, so it is not instruction-tuned"):
        LocalModel(str(save_model(tmp_path, None)), 10)
