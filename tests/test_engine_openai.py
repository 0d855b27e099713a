"""The client of served models, against a small HTTP server and (slow) against vLLM's own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter, deque
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.engines.openai import OpenAIEngine
from harness.engines.prompt import load_renderer
from harness.engines.transformers import TransformersEngine
from harness.engines.types import UNWANTED, Generation, Message, Request, Sampling
from harness.errors import HarnessError

pytest.importorskip("openai")


class Server(ThreadingHTTPServer):
    """Speaks the two endpoints. A token is a character; its log-probability is minus its code
    point over 1000. It answers with the request's last text, in capitals."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies: list[dict[str, Any]] = []
        self.busy = 0
        self.busiest = 0
        self.refusals = 0
        self.lock = threading.Lock()
        self.echoes = True
        self.modern = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.reply(200, {"object": "list", "data": [{"id": "tiny", "object": "model"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.bodies.append(body)
            self.server.busy += 1
            self.server.busiest = max(self.server.busiest, self.server.busy)
            refused = self.server.refusals > 0
            self.server.refusals -= refused
        time.sleep(0.005)
        if refused:
            self.reply(429, {"error": {"message": "slow down", "type": "rate"}})
        elif self.server.modern and "max_tokens" in body:
            self.reply(400, {"error": {"message": "use max_completion_tokens instead"}})
        elif self.path == "/v1/chat/completions":
            self.chat(body)
        else:
            self.complete(body)
        with self.server.lock:
            self.server.busy -= 1

    def chat(self, body: dict[str, Any]) -> None:
        text = body["messages"][-1]["content"]
        if len(text) > 100:
            self.reply(400, {"error": {"message": f"{len(text)} tokens exceed the context"}})
            return
        choice = {"message": {"role": "assistant", "content": text.upper()}, "index": 0}
        self.answer("chat.completion", choice, len(text))

    def complete(self, body: dict[str, Any]) -> None:
        prompt = body["prompt"]
        choice: dict[str, Any] = {"text": prompt.upper(), "index": 0}
        if body.get("echo") and self.server.echoes:
            # The character ! never stands alone: it joins the one before it.
            tokens: list[str] = []
            for character in prompt + "?":
                if character == "!" and tokens:
                    tokens[-1] += character
                else:
                    tokens.append(character)
            values: list[float | None] = [-sum(map(ord, token)) / 1000 for token in tokens]
            choice["logprobs"] = {"tokens": tokens, "token_logprobs": [None, *values[1:]]}
            self.answer("text_completion", choice, len(tokens) - 1)
        else:
            self.answer("text_completion", choice, len(prompt))

    def stream(self, kind: str, choice: dict[str, Any], size: int) -> None:
        """A character a piece, then the reason; "§" breaks the connection off, "¶" ends the stream
        without a reason."""
        chat = "message" in choice
        text = choice["message"]["content"] if chat else choice["text"]
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        if "§" in text:
            self.send_header("Content-Length", "100000")
        self.end_headers()
        self.close_connection = True
        for character in [*text, None]:
            if character == "¶":
                break
            if character == "§":
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            part: dict[str, Any] = {"content": character} if character else {}
            piece = {"index": 0, "finish_reason": None if character else "stop"}
            piece |= {"delta": part} if chat else {"text": character or ""}
            body = {
                "id": "x",
                "object": kind + ".chunk" if chat else kind,
                "created": 0,
                "model": "tiny",
                "choices": [piece],
            }
            try:
                self.wfile.write(f"data: {json.dumps(body)}\n\n".encode())
                self.wfile.flush()
            except OSError:  # nobody listens any more
                return
        self.wfile.write(b"data: [DONE]\n\n")

    def answer(self, kind: str, choice: dict[str, Any], size: int) -> None:
        if self.server.bodies[-1].get("stream"):
            self.stream(kind, choice, size)
            return
        usage = {
            "prompt_tokens": size,
            "completion_tokens": 3,
            "total_tokens": size + 3,
            "prompt_tokens_details": {"cached_tokens": 2},
        }
        body = {
            "id": "x",
            "object": kind,
            "created": 0,
            "model": "tiny",
            "choices": [choice | {"finish_reason": "stop"}],
            "usage": usage,
        }
        self.reply(200, body)

    def reply(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("retry-after-ms", "1")
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def ask(engine: OpenAIEngine, *requests: Request) -> dict[str, Generation]:
    return {generation.key: generation for generation in engine.generate(deque(requests))}


def test_messages_go_to_chat_and_text_to_completions(server: Server) -> None:
    engine = OpenAIEngine(server.url)
    assert engine.model == "tiny"
    sampling = Sampling(
        temperature=0.5, top_p=0.9, seed=3, max_tokens=7, stop=("。", ""), repetition_penalty=1.1
    )
    talk = (Message("system", "s"), Message("user", "abc"))
    answers = ask(
        engine,
        Request("chat", talk, sampling),
        Request("text", "def", Sampling(max_tokens=5), special_tokens=True),
        Request("raw", "ghi", Sampling(max_tokens=6)),
    )
    assert {key: answer.text for key, answer in answers.items()} == {
        "chat": "ABC",
        "text": "DEF",
        "raw": "GHI",
    }
    assert answers["chat"].finish_reason == "stop"
    assert (answers["chat"].prompt_tokens, answers["chat"].completion_tokens) == (3, 3)
    assert answers["chat"].cached_tokens == 2
    assert answers["chat"].latency > 0
    chat, raw, text = sorted(server.bodies, key=lambda body: -body["max_tokens"])
    assert chat["messages"] == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "abc"},
    ]
    assert (chat["temperature"], chat["top_p"], chat["seed"]) == (0.5, 0.9, 3)
    assert chat["stop"] == ["。"]
    assert chat["repetition_penalty"] == 1.1
    assert (text["prompt"], raw["prompt"]) == ("def", "ghi")
    assert text["temperature"] == 0
    assert "seed" not in text
    assert "add_special_tokens" not in text
    assert raw["add_special_tokens"] is False


def test_half_characters_do_not_reach_the_store(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def chat(handler: Handler, body: dict[str, Any]) -> None:
        text = "答\ud83d" if body["messages"][-1]["content"] == "half" else "答\ud83d\ude00"
        choice = {"message": {"role": "assistant", "content": text}, "index": 0}
        handler.answer("chat.completion", choice, 1)

    monkeypatch.setattr(Handler, "chat", chat)
    requests = (Request(name, (Message("user", name),)) for name in ("half", "two halves"))
    answers = ask(OpenAIEngine(server.url), *requests)
    assert answers["half"].text == "答\ufffd"
    assert answers["two halves"].text == "答😀"


def test_likelihoods_come_from_echoed_prompts(server: Server) -> None:
    engine = OpenAIEngine(server.url)
    answers = ask(engine, Request("k", "Q: ", continuations=("A", "BC")))
    values = answers["k"].likelihoods
    assert [value.tokens for value in values] == [1, 2]
    assert values[0].logprob == pytest.approx(-ord("A") / 1000)
    assert values[1].logprob == pytest.approx(-(ord("B") + ord("C")) / 1000)


def test_likelihoods_that_a_server_cannot_give_are_errors(server: Server) -> None:
    engine = OpenAIEngine(server.url)
    answers = ask(
        engine,
        Request("joined", "Q", continuations=("!",)),
        Request("chat", (Message("user", "Q"),), continuations=("A",)),
    )
    assert "joins" in (answers["joined"].error or "")
    assert "chat" in (answers["chat"].error or "")
    server.echoes = False
    assert "log-prob" in (ask(engine, Request("k", "Q", continuations=("A",)))["k"].error or "")


def test_a_refused_request_is_an_error_generation_with_the_servers_words(server: Server) -> None:
    engine = OpenAIEngine(server.url)
    answers = ask(
        engine,
        Request("long", (Message("user", "x" * 101),)),
        Request("short", (Message("user", "x"),)),
    )
    assert answers["long"].finish_reason == "error"
    assert "101 tokens exceed the context" in (answers["long"].error or "")
    assert answers["short"].text == "X"


def test_rate_limits_are_retried(server: Server) -> None:
    engine = OpenAIEngine(server.url, retries=3)
    server.refusals = 3
    assert ask(engine, Request("k", (Message("user", "a"),)))["k"].text == "A"
    assert len(server.bodies) == 4


def test_a_server_that_wants_the_newer_name_of_the_limit_gets_it(server: Server) -> None:
    engine = OpenAIEngine(server.url)
    server.modern = True
    requests = [Request(f"{i}", (Message("user", "a"),)) for i in range(3)]
    for request in requests:
        assert ask(engine, request)[request.key].text == "A"
    assert len(server.bodies) == 4  # one refusal, then it is known


def hear(
    engine: OpenAIEngine, request: Request, most: int = 10_000
) -> tuple[Generation, list[str]]:
    """The answer, and the pieces in which it was heard, up to `most` of them."""
    pieces: list[str] = []

    def told(key: str, new: str) -> bool:
        assert key == request.key
        pieces.append(new)
        return len(pieces) < most

    (answer,) = engine.generate(deque([request]), told)
    return answer, pieces


@pytest.mark.parametrize("prompt", [(Message("user", "ab漢"),), "ab漢"])
def test_an_answer_is_heard_as_it_comes(server: Server, prompt: Any) -> None:
    engine = OpenAIEngine(server.url)
    answer, pieces = hear(engine, Request("k", prompt, Sampling(max_tokens=7)))
    assert pieces == ["A", "B", "漢"]
    assert (answer.text, answer.finish_reason, answer.error) == ("AB漢", "stop", None)
    assert server.bodies[-1]["stream"] is True


def test_a_stream_that_breaks_off_is_no_answer(server: Server) -> None:
    engine = OpenAIEngine(server.url, retries=0)
    for text, words in (("abc§d", "onnection"), ("abc¶d", "the server ended with None")):
        answer, pieces = hear(engine, Request("k", (Message("user", text),)))
        assert pieces == ["A", "B", "C"]
        assert answer.finish_reason == "error"
        assert words in str(answer.error)


def test_who_wants_no_more_is_told_no_more(server: Server) -> None:
    engine = OpenAIEngine(server.url)
    answer, pieces = hear(engine, Request("k", (Message("user", "a" * 90),)), most=3)
    assert len(pieces) == 3
    assert (answer.finish_reason, answer.error) == ("error", UNWANTED)


def test_concurrency_is_used_and_bounded(server: Server) -> None:
    engine = OpenAIEngine(server.url, concurrency=4)
    answers = ask(engine, *(Request(f"{i}", (Message("user", "a"),)) for i in range(40)))
    assert len(answers) == 40
    assert 2 <= server.busiest <= 4


def test_a_vanished_server_yields_errors(server: Server) -> None:
    engine = OpenAIEngine(server.url, retries=0)
    engine._client = engine._client.with_options(base_url="http://127.0.0.1:9/v1")
    answers = ask(engine, *(Request(f"{i}", (Message("user", "a"),)) for i in range(3)))
    assert [answer.finish_reason for answer in answers.values()] == ["error"] * 3


def test_opening_faults_are_sentences(server: Server) -> None:
    with pytest.raises(HarnessError, match="no server answers"):
        OpenAIEngine("http://127.0.0.1:9/v1", retries=0)
    with pytest.raises(HarnessError, match="lists tiny"):
        OpenAIEngine(server.url, "other")


def test_every_request_yields_exactly_one_generation(server: Server) -> None:
    engine = OpenAIEngine(server.url, concurrency=3)

    @settings(max_examples=15, deadline=None)
    @given(first=st.integers(0, 9), later=st.integers(0, 9), long=st.integers(0, 18))
    def check(first: int, later: int, long: int) -> None:
        def request(index: int) -> Request:
            text = "x" * (101 if index == long else 3)
            return Request(f"{index}", (Message("user", text),))

        queue = deque(request(index) for index in range(first))
        waiting = [request(first + index) for index in range(later)]
        seen: Counter[str] = Counter()
        for generation in engine.generate(queue):
            seen[generation.key] += 1
            if waiting:
                queue.append(waiting.pop())
            if len(seen) >= first:
                queue.extend(waiting)
                waiting.clear()
        total = first + (later if first else 0)
        assert seen == Counter({f"{index}": 1 for index in range(total)})

    check()


@pytest.mark.slow
def test_against_vllms_own_server(tiny_checkpoint: Path, tmp_path: Path) -> None:
    """Chat, completions and likelihoods through a real server equal the transformers engine."""
    pytest.importorskip("vllm")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        *(sys.executable, "-m", "vllm.entrypoints.openai.api_server"),
        *("--model", str(tiny_checkpoint), "--served-model-name", "tiny"),
        *("--host", "127.0.0.1", "--port", str(port), "--dtype", "float32", "--enforce-eager"),
    ]
    environment = os.environ | {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1"}
    with (tmp_path / "server.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            for _ in range(300):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2)
                    break
                except OSError:
                    assert process.poll() is None, (tmp_path / "server.log").read_text()[-2000:]
                    time.sleep(1)
            compare_with_server(f"http://127.0.0.1:{port}/v1", tiny_checkpoint)
        finally:
            process.terminate()
            process.wait(timeout=60)


def compare_with_server(url: str, path: Path) -> None:
    served, local = OpenAIEngine(url), TransformersEngine(path, device="cpu")
    render = load_renderer(path)
    talks = [(Message("user", text),) for text in ("日本の山", "東京の大学", "あいう")]
    sampling = Sampling(max_tokens=16)
    chat = ask(served, *(Request(f"{i}", talk, sampling) for i, talk in enumerate(talks)))
    text = {
        answer.key: answer
        for answer in local.generate(
            deque(Request(f"{i}", render(t).prompt, sampling) for i, t in enumerate(talks))
        )
    }
    assert {k: a.text for k, a in chat.items()} == {k: a.text for k, a in text.items()}
    scored = Request("s", "日本の山", special_tokens=True, continuations=("が", "は大学"))
    [mine], [theirs] = local.generate(deque([scored])), served.generate(deque([scored]))
    for a, b in zip(mine.likelihoods, theirs.likelihoods, strict=True):
        assert a.tokens == b.tokens
        assert a.logprob == pytest.approx(b.logprob, abs=1e-3)
    long = Request("long", (Message("user", "あ" * 600),))
    assert ask(served, long)["long"].finish_reason == "error"
