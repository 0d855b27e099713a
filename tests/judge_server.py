"""A judge behind a real HTTP server whose faults a test chooses; it keeps the books of what it
delivered."""

from __future__ import annotations

import json
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# The judge, and a model to be measured, whose answers are made of the questions.
MODELS = ("judge-1", "model-1")
Fault = str | None  # 429, 500, empty, malformed, slow, cut, structure, key; None answers
# The nth request (from 0) and its body → what goes wrong with it.
Plan = Callable[[int, dict[str, Any]], Fault]


def never(number: int, body: dict[str, Any]) -> Fault:
    return None


class JudgeServer(ThreadingHTTPServer):
    """paid: how often a judgment was delivered whole, by the content of its messages.

    plan   what goes wrong; reply: what the judge says; before: called as a request arrives
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.plan: Plan = never
        self.reply: Callable[[dict[str, Any]], str] = lambda body: "よい回答です。\n評価：[[7]]"
        self.before: Callable[[dict[str, Any]], None] = lambda body: None
        self.pause = 0.0
        self.counts_tokens = True
        self.seconds_slow = 1.0
        self.paid: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.most_at_once = 0
        self.now_at_once = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is no news."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: JudgeServer

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.send(
            200, {"object": "list", "data": [{"id": one, "object": "model"} for one in MODELS]}
        )

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        with server.lock:
            number = len(server.bodies)
            server.bodies.append(body)
            server.now_at_once += 1
            server.most_at_once = max(server.most_at_once, server.now_at_once)
        try:
            server.before(body)
            time.sleep(server.pause)
            self.answer(body, server.plan(number, body) if body["model"] == MODELS[0] else None)
        finally:
            with server.lock:
                server.now_at_once -= 1

    def answer(self, body: dict[str, Any], fault: Fault) -> None:
        match fault:
            case "429":
                self.send(429, {"error": {"message": "slow down"}}, {"Retry-After": "0.05"})
            case "500":
                self.send(500, {"error": {"message": "out of order"}})
            case "empty":
                self.write(200, b"")
            case "malformed":
                self.write(200, b'{"choices": [')
            case "hollow":
                self.send(200, {"id": "x", "object": "chat.completion", "choices": []})
            case "structure":
                self.send(400, {"error": {"message": "response_format is not supported"}})
            case "key":
                self.send(401, {"error": {"message": "no such key"}})
            case "cut":
                self.close_connection = True
                self.connection.close()
            case _:
                if fault == "slow":
                    time.sleep(self.server.seconds_slow)
                self.deliver(body)

    def deliver(self, body: dict[str, Any]) -> None:
        judged = body["model"] == MODELS[0]
        asked = json.dumps(body["messages"], ensure_ascii=False)
        text = self.server.reply(body) if judged else f"お答えします。{zlib.crc32(asked.encode())}"
        size = sum(len(one["content"]) for one in body["messages"])
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "finish_reason": "stop",
        }
        reply = {
            "id": "x",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [choice],
            "usage": {
                "prompt_tokens": size,
                "completion_tokens": len(text),
                "total_tokens": size + len(text),
            },
        }
        if not self.server.counts_tokens:
            del reply["usage"]
        self.send(200, reply)
        if judged:
            with self.server.lock:
                self.server.paid[asked] += 1

    def send(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        self.write(status, json.dumps(body).encode(), headers)

    def write(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()


@contextmanager
def judge_server(port: int = 0) -> Iterator[JudgeServer]:
    server = JudgeServer(port)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
