"""Tells people and programs of a verdict: a webhook, a command."""

from __future__ import annotations

import json
import shlex
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from harness.errors import HarnessError

_TIMEOUT = 10.0
_COMMAND_TIMEOUT = 60.0


def post(url: str, message: Mapping[str, Any], *, attempts: int = 5, longest: float = 10.0) -> None:
    """POSTs a message as JSON, again with growing pauses while the server fails or is away.

    longest  seconds that a pause may take

    Raises HarnessError where every attempt failed, or at once where the server refuses (4xx).
    """
    from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

    request = urllib.request.Request(
        url,
        data=json.dumps(message, ensure_ascii=False).encode(),
        headers={"Content-Type": "application/json; charset=utf-8"},
        method="POST",
    )

    def send() -> None:
        with urllib.request.urlopen(request, timeout=_TIMEOUT):
            pass

    retrying = Retrying(
        retry=retry_if_exception(_may_pass),
        stop=stop_after_attempt(attempts),
        wait=wait_random_exponential(multiplier=0.2, max=longest),
        reraise=True,
    )
    try:
        retrying(send)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise HarnessError(
            f"{url}: nobody took the message ({reason}); check --webhook. It is owed, and the next "
            "pass sends it again"
        ) from error


def _may_pass(error: BaseException) -> bool:
    if isinstance(error, urllib.error.HTTPError):
        return error.code >= 500 or error.code in (408, 429)
    return isinstance(error, OSError)


def run_command(command: str, message: Mapping[str, Any]) -> None:
    """Runs a command with the message as JSON on its standard input; no shell reads it.

    Raises HarnessError where it cannot be run, fails or takes longer than a minute.
    """
    try:
        done = subprocess.run(
            shlex.split(command),
            input=json.dumps(message, ensure_ascii=False).encode(),
            capture_output=True,
            timeout=_COMMAND_TIMEOUT,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise HarnessError(f"--command {command}: {error}; correct it") from error
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise HarnessError(
            f"--command {command}: exit status {done.returncode}"
            + (f" ({last[0]})" if last else "")
            + "; the message is owed, and the next pass sends it again"
        )
