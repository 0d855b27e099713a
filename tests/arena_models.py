"""Models behind a real HTTP server that streams; a test chooses what each says, how it fails."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class ModelServer(ThreadingHTTPServer):
    """say      of each model what it answers, from the messages it got; it is streamed in pieces
    gate     waited for once `shown` pieces were sent, so that a test can look in between
    breaks   models whose stream is cut in the middle
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, say: dict[str, Callable[[list[dict[str, str]]], str]]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.say = say
        self.gate = threading.Event()
        self.gate.set()
        self.shown = 1
        self.breaks: set[str] = set()
        self.refuses: set[str] = set()
        self.bodies: list[dict[str, Any]] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def target(self, model: str) -> str:
        """The model as the command line takes it."""
        return f"openai:{self.url}#{model}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is no news."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ModelServer

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        models = [{"id": one, "object": "model"} for one in self.server.say]
        self.write(json.dumps({"object": "list", "data": models}).encode(), "application/json")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.bodies.append(body)
        model = body["model"]
        if model in self.server.refuses:
            self.write(b'{"error": {"message": "no"}}', "application/json", 400)
            return
        text = self.server.say[model](body["messages"])
        if not body.get("stream"):
            self.whole(model, text)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        pieces = [text[at : at + 7] for at in range(0, len(text), 7)]
        for number, piece in enumerate(pieces):
            if number == self.server.shown:
                self.server.gate.wait(30)
            if number == len(pieces) // 2 and model in self.server.breaks:
                self.close_connection = True
                self.connection.close()
                return
            self.piece(model, {"content": piece}, None)
        self.piece(model, {}, "stop")
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def whole(self, model: str, text: str) -> None:
        """An answer in one piece, as evaluations ask for it."""
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "finish_reason": "stop",
        }
        usage = {
            "prompt_tokens": 10,
            "completion_tokens": len(text),
            "total_tokens": 10 + len(text),
        }
        reply = {
            "id": "x",
            "object": "chat.completion",
            "created": 0,
            "model": model,
            "choices": [choice],
            "usage": usage,
        }
        self.write(json.dumps(reply).encode(), "application/json")

    def piece(self, model: str, delta: dict[str, str], ended: str | None) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": ended}
        line = {
            "id": "x",
            "object": "chat.completion.chunk",
            "created": 0,
            "model": model,
            "choices": [choice],
        }
        self.wfile.write(f"data: {json.dumps(line)}\n\n".encode())
        self.wfile.flush()

    def write(self, data: bytes, kind: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def model_server(**say: Callable[[list[dict[str, str]]], str]) -> Iterator[ModelServer]:
    server = ModelServer(say)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.gate.set()
        server.shutdown()
        server.server_close()
