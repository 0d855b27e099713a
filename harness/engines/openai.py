"""Served models: any server that speaks OpenAI's chat and completions endpoints."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from harness.engines.prompt import first_line
from harness.engines.task import failed
from harness.engines.types import (
    UNWANTED,
    FinishReason,
    Generation,
    Hear,
    Likelihood,
    Request,
    Sampling,
)
from harness.errors import HarnessError
from harness.masking import masked, masked_url, without_keys

# Local servers ask for no key, but the client insists on one.
NO_KEY = "none"


def sampling_settings(model: str, sampling: Sampling, limit: str) -> dict[str, Any]:
    """What a request says of model and sampling; `limit` is the name that this server has for the
    most new tokens. Greedy decoding names neither top-p nor seed: some servers refuse them."""
    settings: dict[str, Any] = {
        "model": model,
        "temperature": sampling.temperature,
        limit: sampling.max_tokens,
    }
    if sampling.temperature > 0:
        settings["top_p"] = sampling.top_p
        if sampling.seed is not None:
            settings["seed"] = sampling.seed
    return settings


class OpenAIEngine:
    """Answers requests through a server.

    url          base URL including the version, e.g. http://127.0.0.1:8000/v1
    model        name the server knows; when None, the only one it lists
    concurrency  requests in flight at once
    api_key      OPENAI_API_KEY when None
    timeout      seconds that one try may take
    retries      further tries after rate limits, server and connection faults (the client's own,
                 with exponential back-off)

    Messages go to chat completions, where the server applies its template; text goes to
    completions. Log-likelihoods need a server whose completions honour `echo` with `logprobs`
    (vLLM does, hosted models mostly do not); otherwise they become error generations.

    Raises HarnessError when nothing answers at `url`, it rejects the key or lacks the model.
    """

    def __init__(
        self,
        url: str,
        model: str | None = None,
        *,
        concurrency: int = 16,
        api_key: str | None = None,
        timeout: float = 600.0,
        retries: int = 4,
    ) -> None:
        try:
            import openai
        except ImportError as error:
            raise HarnessError(
                "served models need the openai package: pip install 'harness[judge]'"
            ) from error
        self.url = masked_url(url)
        self.concurrency = concurrency
        self._client = openai.OpenAI(
            base_url=url,
            api_key=api_key or os.environ.get("OPENAI_API_KEY") or NO_KEY,
            timeout=timeout,
            max_retries=retries,
        )
        self.model = find_model(self._client, self.url, model)
        # Newer hosted models take the limit by another name; learnt from the first refusal.
        self._limit = "max_tokens"

    @property
    def name(self) -> str:
        return f"openai {self.model}"

    @property
    def description(self) -> str:
        return f"{self.model} at {self.url}, {self.concurrency} requests at once"

    def generate(self, queue: deque[Request], hear: Hear | None = None) -> Iterator[Generation]:
        running: set[Future[Generation]] = set()
        with ThreadPoolExecutor(self.concurrency, thread_name_prefix="openai") as pool:
            try:
                while queue or running:
                    while queue and len(running) < self.concurrency:
                        running.add(pool.submit(self._answer, queue.popleft(), hear))
                    finished, running = wait(running, return_when=FIRST_COMPLETED)
                    while finished:
                        yield finished.pop().result()
            finally:
                for future in running:
                    future.cancel()

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def _answer(self, request: Request, hear: Hear | None) -> Generation:
        import openai

        started = time.monotonic()
        try:
            if request.continuations:
                return self._score(request, started)
            return self._complete(request, started, hear)
        except openai.APIError as error:
            return failed(request, sentence(error))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            return failed(request, f"the server's reply is malformed ({first_line(error)})")

    def _complete(self, request: Request, started: float, hear: Hear | None) -> Generation:
        import openai

        limit = self._limit
        try:
            reply = self._ask(request, limit, streamed=hear is not None)
        except openai.BadRequestError as error:
            if limit != "max_tokens" or "max_completion_tokens" not in str(error):
                raise
            self._limit = "max_completion_tokens"
            reply = self._ask(request, self._limit, streamed=hear is not None)
        if hear is not None:
            return _listen(request, reply, hear, started)
        choice = reply.choices[0]
        text = choice.text if isinstance(request.prompt, str) else choice.message.content
        return _generation(request, text or "", choice.finish_reason, reply.usage, started)

    def _ask(self, request: Request, limit: str, *, streamed: bool = False) -> Any:
        sampling = request.sampling
        settings = sampling_settings(self.model, sampling, limit)
        if streamed:
            settings["stream"] = True
        if stop := [text for text in sampling.stop if text]:
            settings["stop"] = stop
        extra: dict[str, Any] = {}
        if sampling.repetition_penalty != 1.0:
            extra["repetition_penalty"] = sampling.repetition_penalty
        if isinstance(request.prompt, str):
            if not request.special_tokens:
                extra["add_special_tokens"] = False
            settings["max_tokens"] = settings.pop(limit)  # completions know no other name
            return self._client.completions.create(
                prompt=request.prompt, extra_body=extra or None, **settings
            )
        messages: Any = [
            {"role": message.role, "content": message.content} for message in request.prompt
        ]
        return self._client.chat.completions.create(
            messages=messages, extra_body=extra or None, **settings
        )

    def _score(self, request: Request, started: float) -> Generation:
        """Log-likelihoods from echoed prompts.

        The server tokenises prompt and continuation together; the tokens behind those of the
        prompt alone are the continuation's. Where a token reaches over the boundary there is no
        such split, and the request becomes an error.
        """
        if not isinstance(request.prompt, str):
            return failed(request, "a chat endpoint gives no log-likelihood of a continuation")
        prompt, _ = self._echo(request, request.prompt)
        likelihoods = []
        for text in request.continuations:
            tokens, logprobs = self._echo(request, request.prompt + text)
            if tokens[: len(prompt)] != prompt:
                return failed(
                    request,
                    f"the server's tokenizer joins the prompt's end with {text[:20]!r}",
                    len(prompt),
                )
            behind = logprobs[len(prompt) :]
            likelihoods.append(Likelihood(float(sum(behind)), len(behind)))
        return Generation(
            key=request.key,
            text="",
            finish_reason="stop",
            prompt_tokens=len(prompt),
            latency=time.monotonic() - started,
            likelihoods=tuple(likelihoods),
        )

    def _echo(self, request: Request, text: str) -> tuple[list[str], list[float]]:
        """Tokens of a text and their log-probabilities; the first token's counts as 0."""
        extra = {} if request.special_tokens else {"add_special_tokens": False}
        reply: Any = self._client.completions.create(
            model=self.model,
            prompt=text,
            max_tokens=1,
            temperature=0.0,
            echo=True,
            logprobs=1,
            extra_body=extra or None,
        )
        found = reply.choices[0].logprobs
        if found is None or not found.tokens:
            raise ValueError("no echoed log-probabilities")
        # One token was generated as well, because not every server accepts none.
        size = reply.usage.prompt_tokens if reply.usage else len(found.tokens) - 1
        if len(found.tokens) < size:
            raise ValueError("no echoed log-probabilities")
        values = [0.0 if value is None else float(value) for value in found.token_logprobs]
        return list(found.tokens[:size]), values[:size]


def _listen(request: Request, pieces: Any, hear: Hear, started: float) -> Generation:
    """The answer that a server streams, heard as it comes. A stream that breaks off, or that ends
    without saying why, is an error: half an answer is not an answer."""
    text, reason, usage = "", None, None
    with pieces:
        for piece in _unbroken(pieces):
            usage = piece.usage or usage
            if not piece.choices:
                continue
            choice = piece.choices[0]
            new = choice.text if isinstance(request.prompt, str) else choice.delta.content
            reason = choice.finish_reason or reason
            text += new or ""
            if new and not hear(request.key, new):
                return failed(request, UNWANTED)
    return _generation(request, text, reason, usage, started)


def _unbroken(pieces: Any) -> Iterator[Any]:
    """The pieces of a stream. Once it has begun the client lets its transport's own errors
    through; they become connection errors here."""
    import openai

    try:
        yield from pieces
    except openai.APIError:
        raise
    except Exception as error:
        raise openai.APIConnectionError(
            message=f"the connection broke off ({first_line(error)})",
            request=pieces.response.request,
        ) from error


def _generation(
    request: Request, text: str, ended: str | None, usage: Any, started: float
) -> Generation:
    reason: FinishReason = "length" if ended == "length" else "stop"
    error = None
    if ended not in ("stop", "length"):
        reason, error = "error", f"the server ended with {ended!r}"
    details = getattr(usage, "prompt_tokens_details", None)
    return Generation(
        key=request.key,
        text=whole(text),
        finish_reason=reason,
        prompt_tokens=usage.prompt_tokens if usage else 0,
        completion_tokens=usage.completion_tokens if usage else 0,
        cached_tokens=getattr(details, "cached_tokens", None) or 0,
        latency=time.monotonic() - started,
        error=error,
    )


def find_model(client: Any, url: str, model: str | None) -> str:
    """The name under which the server at `url` knows its model: `model`, else the only one that it
    lists. Raises HarnessError when nothing answers, the key is rejected or there is no such model.
    """
    import openai

    try:
        listed: list[str] = [entry.id for entry in client.models.list()]
    except openai.APIConnectionError as error:
        raise HarnessError(
            f"{url}: no server answers ({first_line(error)}); start it, or mend the URL, "
            "which includes the version, e.g. http://127.0.0.1:8000/v1"
        ) from error
    except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
        raise HarnessError(
            f"{url}: the server rejects the key ({sentence(error)}); "
            "set OPENAI_API_KEY to one it knows"
        ) from error
    except openai.APIStatusError:
        listed = []  # some servers list nothing, yet answer
    if model is None and len(listed) == 1:
        return listed[0]
    if model is None:
        raise HarnessError(
            f"{url}: the server lists {len(listed)} models, so name one: "
            f"{', '.join(listed[:10]) or '--model NAME'}"
        )
    if listed and model not in listed:
        raise HarnessError(f"{url}: no model {model!r}; the server lists {', '.join(listed[:10])}")
    return model


def whole(text: str) -> str:
    """A text whose halves of surrogate pairs, which JSON can carry and no store can keep, are
    joined or replaced by U+FFFD, and in which no key of ours is repeated."""
    return without_keys(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def sentence(error: Exception) -> str:
    """What a server says is wrong, in one line."""
    body = getattr(error, "body", None)
    if isinstance(body, dict):
        inner = body.get("error", body)
        message = inner.get("message") if isinstance(inner, dict) else inner
        if isinstance(message, str) and message.strip():
            status = getattr(error, "status_code", None)
            line = masked(message.strip().splitlines()[0])[:300]
            return f"the server answers {status}: {line}" if status else line
    return first_line(error)
