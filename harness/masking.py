"""Keeps keys and passwords out of whatever is stored, logged or shown."""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import traceback
from collections.abc import Iterator
from typing import Any

MASK = "***"
# Whose values are secrets by their names, for us or for a library.
_SECRET_NAME = re.compile(r"(?:API_?KEY|TOKEN|SECRET|PASSWORD)$")
# Shorter values ("none", "true") are no secrets, and masking them would garble texts.
_SHORTEST = 8
_USER = re.compile(r"(?<=://)[^\s/@:\[\]]*(?::[^\s/@]*)?@")
_PARAMETER = re.compile(
    r"([?&](?:[\w-]*(?:key|token|secret|password|signature|sig))=)[^&#\s]+", re.IGNORECASE
)
_BEARER = re.compile(r"(\b(?:Bearer|Basic)\s+)[\w.~+/=-]{8,}")


def masked(text: str) -> str:
    """A text with `***` for every secret in it: values of environment variables named like
    `*_API_KEY`, `*_TOKEN`, `*_SECRET`, `*_PASSWORD`; `user:password@` and parameters such as
    `?key=` in addresses; and what follows `Bearer` or `Basic`."""
    return _BEARER.sub(rf"\1{MASK}", masked_url(without_keys(text)))


def without_keys(text: str) -> str:
    """A text with `***` for the values of the environment's secrets alone."""
    for secret in _secrets():
        text = text.replace(secret, MASK)
    return text


def masked_url(url: str) -> str:
    """An address, or a text with addresses in it, without passwords and keys."""
    if "://" not in url:
        return url
    return _PARAMETER.sub(rf"\1{MASK}", _USER.sub(f"{MASK}@", url))


def without_user(url: str) -> tuple[str, str | None]:
    """An address without `user:password@`, and that part."""
    found = _USER.search(url)
    if found is None:
        return url, None
    return url[: found.start()] + url[found.end() :], found[0].removesuffix("@")


def mask_logs() -> None:
    """Masks every log record of this process from now on, a library's too, and the tracebacks of
    threads that nobody waits for."""
    make = logging.getLogRecordFactory()

    def record(*given: Any, **named: Any) -> logging.LogRecord:
        made = make(*given, **named)
        made.msg, made.args = masked(made.getMessage()), ()
        if made.exc_info and made.exc_info[0] is not None:
            made.exc_text = masked("".join(traceback.format_exception(*made.exc_info)).rstrip())
        return made

    def thread_fault(fault: threading.ExceptHookArgs) -> None:
        lines = traceback.format_exception(fault.exc_type, fault.exc_value, fault.exc_traceback)
        print(masked("".join(lines)), end="", file=sys.stderr)

    logging.setLogRecordFactory(record)
    threading.excepthook = thread_fault


def _secrets() -> Iterator[str]:
    for name, value in os.environ.items():
        if len(value) >= _SHORTEST and _SECRET_NAME.search(name):
            yield value
