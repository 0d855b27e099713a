"""Renders chat templates, which are programs of strangers, in a process under limits."""

from __future__ import annotations

import datetime
import threading
import weakref
from collections.abc import Mapping, Sequence

from harness.engines.types import Message
from harness.line_worker import LineWorker

# Templates may print today's date. A prompt that changes overnight would change every content
# key, so all templates read this day (a model's own default is often near it).
TEMPLATE_DAY = datetime.datetime(2024, 7, 26)
# A template takes a millisecond; this much is for a machine that is very busy.
SECONDS = 20.0
_ENDLESS = {
    "timeout": f"did not end within {SECONDS:g} s",
    "memory": "took more than 1 GiB of memory",
    "long": "wrote more than 16 million characters",
    "crashed": "brought its process down",
}


class TemplateError(Exception):
    """A template rejects these messages; its own words."""


class EndlessTemplateError(Exception):
    """A template took more time, memory or room than any template needs."""


class TemplateProcess:
    """Renders in one process, which starts at once and ends with this object. Safe to call from
    several threads."""

    def __init__(self) -> None:
        self._start()
        self._lock = threading.Lock()

    def _start(self) -> None:
        self._worker = LineWorker("harness.engines.template_worker")
        weakref.finalize(self, self._worker.kill)

    def render(
        self,
        template: str,
        tokens: Mapping[str, str],
        messages: Sequence[Message],
        *,
        open_answer: bool = True,
    ) -> str:
        """The prompt, open for the next answer where `open_answer`. `tokens` are the tokenizer's
        special ones by name.

        Raises TemplateError, or EndlessTemplateError where the template was stopped.
        """
        question = {
            "template": template,
            "tokens": dict(tokens),
            "messages": [{"role": one.role, "content": one.content} for one in messages],
            "open": open_answer,
        }
        with self._lock:
            if not self._worker.alive:
                self._start()
            reply = self._worker.ask(question, SECONDS)
        if "error" in reply:
            raise TemplateError(reply["error"])
        if "text" not in reply:
            raise EndlessTemplateError(_ENDLESS[reply["reason"]])
        text: str = reply["text"]
        return text
