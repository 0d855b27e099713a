"""A local checkpoint as judge, through an engine that batches what several threads ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from harness.engines.prompt import Renderer
from harness.engines.serving import EngineThread
from harness.engines.types import Engine, Generation, Request
from harness.judge.calls import JudgeDownError


class LocalJudge:
    """A checkpoint that rates, asked like a served one.

    name         what its judgments are known by
    place        its directory, for the record
    render       turns messages into its chat format
    open_engine  called at the first call
    concurrency  calls that wait at once, for the engine to batch

    Its verdicts are read by pattern: engines are not asked for structured output. It does not
    overlap with generation, whose engine may need all the memory there is.
    """

    structured = False
    overlaps = False

    def __init__(
        self,
        name: str,
        place: str,
        render: Renderer,
        open_engine: Callable[[], Engine],
        concurrency: int = 64,
    ) -> None:
        self.name = name
        self.place = place
        self.concurrency = concurrency
        self._render = render
        self._engine = EngineThread(open_engine, "judge")

    def ask(self, request: Request, schema: Mapping[str, Any] | None = None) -> Generation:
        """The reply, whose key is the request's. Raises JudgeDownError where the engine fails."""
        future = self._engine.submit(lambda: rendered(request, self._render))
        try:
            return future.result()
        except Exception as error:
            raise JudgeDownError(f"{self.place}: the judge's engine failed ({error})") from error

    def close(self) -> None:
        """Ends the engine; nobody may be waiting."""
        self._engine.close()


def rendered(request: Request, render: Renderer) -> Request:
    """A request of messages as the text that a local engine takes, with its frame's stops."""
    messages = tuple(one for one in request.prompt if not isinstance(one, str))
    made = render(messages)
    sampling = replace(request.sampling, stop=(*request.sampling.stop, *made.stop))
    return Request(request.key, made.prompt, sampling, made.special_tokens)
