"""Keys and passwords stay out of the store, the output, the logs and the written files."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from harness.checkpoint import discover
from harness.cli.main import BUG, harness, main
from harness.engines.openai import OpenAIEngine
from harness.engines.types import Message, Request, Sampling
from harness.errors import HarnessError
from harness.masking import masked, masked_url, without_user
from tests.judge_server import Handler, JudgeServer, judge_server

KEY = "sk-planted-4f9a1c7e2b"
PASSWORD = "hunter2planted"


@pytest.fixture(autouse=True)
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("HF_TOKEN", "hf_planted_88aa77")


@pytest.fixture
def server() -> Iterator[JudgeServer]:
    with judge_server() as started:
        yield started


def with_password(url: str) -> str:
    return url.replace("://", f"://team:{PASSWORD}@")


def run(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def call(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """The command line in this process: its status and all that it printed."""
    factory, hook = logging.getLogRecordFactory(), threading.excepthook
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["harness", *arguments])
        try:
            with pytest.raises(SystemExit) as ended:
                main()
        finally:
            logging.setLogRecordFactory(factory)
            threading.excepthook = hook
    return int(ended.value.code or 0), "".join(capfd.readouterr())


def nowhere(place: Path, *texts: str) -> None:
    """No secret is in the texts, nor in any byte of any file below a directory."""
    for secret in (KEY, PASSWORD, "hf_planted_88aa77"):
        for text in texts:
            assert secret not in text, text
        for file in place.rglob("*"):
            if file.is_file():
                assert secret.encode() not in file.read_bytes(), file


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://a:b@host:1/v1", "http://***@host:1/v1"),
        ("see https://user@host/v1 and http://h/v1", "see https://***@host/v1 and http://h/v1"),
        ("http://h/v1?api-key=abc&n=1", "http://h/v1?api-key=***&n=1"),
        ("http://h/v1?token=abc#m", "http://h/v1?token=***#m"),
        (f"Incorrect API key provided: {KEY}.", "Incorrect API key provided: ***."),
        ("Authorization: Bearer abcdefgh.ijk", "Authorization: Bearer ***"),
        ("http://h/v1/a@b is fine", "http://h/v1/a@b is fine"),
        ("答えは http://[::1]:8000/v1 です", "答えは http://[::1]:8000/v1 です"),
        ("bearer of news", "bearer of news"),
    ],
)
def test_what_is_masked(text: str, shown: str) -> None:
    assert masked(text) == shown
    assert masked(shown) == shown


def test_an_address_is_split_from_its_user() -> None:
    assert without_user("http://a:b@h/v1") == ("http://h/v1", "a:b")
    assert without_user("http://h/v1") == ("http://h/v1", None)
    assert masked_url("no address: a:b@c") == "no address: a:b@c"


def test_records_of_libraries_are_masked(tmp_path: Path) -> None:
    script = (
        "import logging, threading\n"
        "from harness.masking import mask_logs\n"
        "mask_logs()\n"
        "logging.basicConfig(level=logging.DEBUG)\n"
        f"logging.getLogger('x').info('asking %s', {with_password('http://h/v1')!r})\n"
        "try:\n"
        f"    raise ValueError({'key ' + KEY!r})\n"
        "except ValueError:\n"
        "    logging.getLogger('y').exception('fault')\n"
        "def fall():\n"
        f"    raise ValueError({'thread ' + KEY!r})\n"
        "one = threading.Thread(target=fall); one.start(); one.join()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "http://***@h/v1" in done.stderr
    assert "key ***" in done.stderr
    assert "thread ***" in done.stderr
    nowhere(tmp_path, done.stdout, done.stderr)


class Telling(Handler):
    """A server that repeats the caller's key in faults and answers."""

    def answer(self, body: dict[str, Any], fault: str | None) -> None:
        told = f"rejected: {self.headers['Authorization']}"
        if fault == "key":
            self.send(401, {"error": {"message": told}})
        elif fault == "500":
            self.send(500, {"error": {"message": told}})
        elif fault == "400":
            self.send(400, {"error": {"message": told}})
        else:
            super().answer(body, fault)

    def deliver(self, body: dict[str, Any]) -> None:
        self.server.reply = lambda body: f"鍵は {KEY} です。評価：[[7]]"
        super().deliver(body)


@pytest.mark.parametrize("fault", ["400", "401", "500", "none"])
def test_a_server_that_tells_the_key_is_not_repeated(server: JudgeServer, fault: str) -> None:
    from collections import deque

    server.RequestHandlerClass = Telling
    server.plan = lambda number, body: {"401": "key", "none": None}.get(fault, fault)
    engine = OpenAIEngine(server.url, "judge-1", retries=0)
    request = Request("k", (Message("user", "一"),), Sampling(), False)
    (answer,) = engine.generate(deque([request]))
    assert KEY not in (answer.error or "") + answer.text
    assert "***" in (answer.error or "") + answer.text


def test_eval_with_a_password_and_a_judge(
    server: JudgeServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The whole way: a served model, a judge, faults on the way, the store, reports, debug logs."""
    server.RequestHandlerClass = Telling
    server.plan = lambda number, body: "400" if number % 3 == 2 else None
    address = with_password(server.url)
    done = run(
        *("eval", f"openai:{address}#model-1", "--suite", "mt-bench-ja", "--limit", "3"),
        *("--judge", f"{address}#judge-1", "--no-canary", "--store", "s.duckdb"),
        cwd=tmp_path,
        OPENAI_LOG="debug",
    )
    assert "planned" in done.stdout, done.stderr
    assert server.bodies
    outputs = [done.stdout, done.stderr]
    monkeypatch.chdir(tmp_path)
    for command in (
        ("leaderboard", "--store", "s.duckdb", "--json"),
        ("sql", "--store", "s.duckdb", "--json", "SELECT * FROM checkpoints"),
        ("sql", "--store", "s.duckdb", "--json", "SELECT error, text, engine FROM generations"),
        ("sql", "--store", "s.duckdb", "--json", "SELECT * FROM judgments"),
    ):
        status, shown = call(capfd, *command)
        assert status == 0, shown
        outputs.append(shown)
    (row,) = json.loads(outputs[3])
    assert row["url"].startswith("http://***@127.0.0.1:")
    nowhere(tmp_path, *outputs)


def test_identity_does_not_hang_on_the_password(server: JudgeServer) -> None:
    (plain,) = discover(f"openai:{server.url}#model-1")
    (secret,) = discover(f"openai:{with_password(server.url)}#model-1")
    assert secret.fingerprint == plain.fingerprint
    assert PASSWORD not in secret.name


def test_faults_of_an_address_are_masked(
    server: JudgeServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    gone = with_password("http://127.0.0.1:9/v1")
    for arguments in (
        ("eval", f"openai:{gone}#m"),
        ("eval", f"openai:ftp://team:{PASSWORD}@host"),
        ("eval", f"openai:{with_password(server.url)}#absent"),
        ("eval", f"openai:{with_password(server.url)}"),
        ("eval", f"openai:{server.url}#model-1", "--judge", f"{gone}#m", "--suite", "mt-bench-ja"),
        ("synthesize", "absent.yaml", "--teacher", f"openai:{gone}#m", "-o", "out"),
    ):
        status, shown = call(capfd, *arguments)
        assert status == 3, (arguments, shown)
        nowhere(tmp_path, shown)


class Pointing(BaseHTTPRequestHandler):
    """Sends whoever asks to another server, and notes what came along."""

    seen: ClassVar[list[tuple[str, str | None]]] = []
    target = ""

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.seen.append((self.path, self.headers["Authorization"]))
        if self.target:
            self.send_response(302)
            self.send_header("Location", self.target)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = b'{"data": [{"id": "m"}]}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def test_the_key_does_not_follow_a_redirect() -> None:
    class First(Pointing):
        seen: ClassVar[list[tuple[str, str | None]]] = []

    class Second(Pointing):
        seen: ClassVar[list[tuple[str, str | None]]] = []

    servers = [ThreadingHTTPServer(("127.0.0.1", 0), one) for one in (First, Second)]
    for one in servers:
        threading.Thread(target=one.serve_forever, args=(0.02,), daemon=True).start()
    try:
        First.target = f"http://127.0.0.1:{servers[1].server_address[1]}/elsewhere"
        discover(f"openai:http://127.0.0.1:{servers[0].server_address[1]}/v1")
    finally:
        for one in servers:
            one.shutdown()
            one.server_close()
    assert First.seen == [("/v1/models", f"Bearer {KEY}")]
    assert Second.seen == [("/elsewhere", None)]


def test_a_bug_keeps_its_traceback_and_loses_the_key(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fall(*given: object, **named: object) -> None:
        raise RuntimeError(f"{KEY} at {with_password('http://h/v1')}")

    monkeypatch.setattr(harness, "main", fall)
    status, told = call(capfd)
    assert status == BUG
    assert "RuntimeError: *** at http://***@h/v1" in told
    assert KEY not in told


def test_a_fault_of_the_client_is_masked() -> None:
    with pytest.raises(HarnessError) as caught:
        OpenAIEngine(with_password("http://127.0.0.1:9/v1"), "m", retries=0)
    assert "http://***@127.0.0.1:9/v1: no server answers" in str(caught.value)
