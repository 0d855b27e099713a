"""Asks a served judge: retries with back-off, a rate limit, structured replies."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from harness.engines.openai import NO_KEY, sampling_settings, sentence, whole
from harness.engines.prompt import first_line
from harness.engines.task import failed
from harness.engines.types import FinishReason, Generation, Request
from harness.errors import HarnessError
from harness.judge.budget import Pace
from harness.masking import masked_url


class JudgeDownError(HarnessError):
    """Nothing more can be had of this judge now: a wrong key, no such model, no server."""


class NoStructureError(Exception):
    """The server refuses structured output; the same can be asked in words."""


class ServedJudge:
    """A judge behind any endpoint that speaks OpenAI's chat completions.

    url, model  as of `OpenAIEngine`; the model's name is the judge's
    concurrency calls in flight at once (whoever calls keeps to it)
    per_minute  calls started in a minute, retries among them; None: as many as come
    timeout     seconds that one try may take
    tries       tries of one call, with exponential back-off or as long as the server says; after
                rate limits, server and connection faults and replies that are not what they
                should be. None of these gave a reply to keep
    backoff     seconds of the first back-off, doubled each time up to a minute
    role        what messages call it

    Raises HarnessError as `OpenAIEngine` does when nothing answers at the URL.
    """

    def __init__(
        self,
        url: str,
        model: str | None = None,
        *,
        concurrency: int = 8,
        per_minute: float | None = None,
        timeout: float = 600.0,
        tries: int = 6,
        backoff: float = 1.0,
        api_key: str | None = None,
        role: str = "judge",
    ) -> None:
        try:
            import openai
        except ImportError as error:
            raise HarnessError(
                f"a served {role} needs the openai package: pip install 'harness[judge]'"
            ) from error
        from harness.engines.openai import find_model

        self.place = masked_url(url)
        self._role = role
        self.concurrency = concurrency
        self.structured = True
        self.overlaps = True
        self._client = openai.OpenAI(
            base_url=url,
            api_key=api_key or os.environ.get("OPENAI_API_KEY") or NO_KEY,
            timeout=timeout,
            max_retries=0,
        )
        self.name = find_model(self._client, self.place, model)
        self._pace = Pace(per_minute)
        self._tries = tries
        self._backoff = backoff
        # Newer hosted models take the limit by another name; learnt from the first refusal.
        self._limit = "max_tokens"

    def ask(self, request: Request, schema: Mapping[str, Any] | None = None) -> Generation:
        """The reply, as a generation; with finish_reason "error" where every try failed or the
        server refuses this one request.

        Raises NoStructureError where the server knows no `schema`, JudgeDownError where no further
        call can succeed either.
        """
        import openai
        from tenacity import RetryError, Retrying, retry_if_exception, stop_after_attempt

        started = time.monotonic()
        attempts = Retrying(
            retry=retry_if_exception(_passes),
            wait=_wait(self._backoff),
            stop=stop_after_attempt(self._tries),
        )
        try:
            reply: Generation = attempts(self._try, request, schema, started)
            return reply
        except RetryError as error:
            cause = error.last_attempt.exception()
            return failed(request, f"{self._tries} tries: {sentence(cause)}")  # type: ignore[arg-type]
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise JudgeDownError(
                f"{self.place}: the {self._role} rejects the key ({sentence(error)}); set "
                "OPENAI_API_KEY to one it knows and repeat the command"
            ) from error
        except (openai.NotFoundError, openai.RateLimitError) as error:
            raise JudgeDownError(
                f"{self.place}: no more replies of {self.name} ({sentence(error)}); mend that "
                "and repeat the command"
            ) from error
        except openai.BadRequestError as error:
            if schema is not None and _refuses_structure(error):
                self.structured = False
                raise NoStructureError from error
            return failed(request, sentence(error))
        except openai.APIStatusError as error:
            return failed(request, sentence(error))

    def _try(
        self, request: Request, schema: Mapping[str, Any] | None, started: float
    ) -> Generation:
        import openai

        self._pace.wait()
        limit = self._limit
        try:
            reply = self._create(request, schema, limit)
        except openai.BadRequestError as error:
            if limit != "max_tokens" or "max_completion_tokens" not in str(error):
                raise
            self._limit = "max_completion_tokens"
            reply = self._create(request, schema, self._limit)
        return _generation(request, reply, time.monotonic() - started)

    def _create(self, request: Request, schema: Mapping[str, Any] | None, limit: str) -> Any:
        settings = sampling_settings(self.name, request.sampling, limit)
        if schema is not None:
            settings["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "verdict", "strict": True, "schema": dict(schema)},
            }
        messages: Any = [
            {"role": one.role, "content": one.content}
            for one in request.prompt
            if not isinstance(one, str)
        ]
        return self._client.chat.completions.create(messages=messages, **settings)

    def close(self) -> None:
        self._client.close()


class _MalformedError(Exception):
    """A reply with success for its status that is no chat completion."""


def _generation(request: Request, reply: Any, latency: float) -> Generation:
    """Raises _MalformedError where the reply lacks what every reply has."""
    try:
        choice, usage = reply.choices[0], reply.usage
        text = choice.message.content
        if text is not None and not isinstance(text, str):
            raise TypeError("content is no text")
        reason: FinishReason = "length" if choice.finish_reason == "length" else "stop"
        return Generation(
            request.key,
            whole(text or ""),
            reason,
            usage.prompt_tokens if usage else 0,
            usage.completion_tokens if usage else 0,
            latency=latency,
        )
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise _MalformedError(f"the reply is malformed ({first_line(error)})") from error


def _passes(error: BaseException) -> bool:
    """Whether a fault may pass if the same is tried again."""
    import openai

    if isinstance(error, openai.RateLimitError):
        return error.code != "insufficient_quota"
    if isinstance(error, openai.APIStatusError):
        return error.status_code >= 500 or error.status_code in (408, 409)
    malformed = (_MalformedError, openai.APIResponseValidationError, ValueError)
    return isinstance(error, (openai.APIConnectionError, *malformed))


def _wait(backoff: float) -> Callable[[Any], float]:
    """Seconds until the next try: what the server asks for, else exponential with jitter."""
    from tenacity import wait_random_exponential

    exponential = wait_random_exponential(multiplier=backoff, max=60.0, min=backoff / 2)

    def seconds(state: Any) -> float:
        error = state.outcome.exception()
        headers = getattr(getattr(error, "response", None), "headers", None) or {}
        try:
            return min(600.0, max(0.0, float(headers["retry-after"])))
        except (KeyError, ValueError):
            return float(exponential(state))

    return seconds


def _refuses_structure(error: Exception) -> bool:
    text = str(error).lower()
    return any(
        word in text
        for word in ("response_format", "json_schema", "structured", "guided", "schema")
    )
