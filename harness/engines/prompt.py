"""Turns messages into the text a checkpoint was trained to continue, by its own files alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from harness.checkpoint_files import has_chat_template
from harness.engines.template import EndlessTemplateError, TemplateError, TemplateProcess
from harness.engines.types import Message
from harness.errors import HarnessError
from harness.loading import FILES_ONLY
from harness.masking import masked

# A base model goes on to write the next instruction itself; its answer ends before that.
PLAIN_STOP = ("\n### ",)
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "chat_template.jinja",
    "special_tokens_map.json",
)


@dataclass(frozen=True)
class Rendered:
    """What goes into a Request.

    prompt          text, or the messages themselves for a served model
    special_tokens  whether the tokenizer still has to add its own (see Request)
    stop            strings that end an answer in this frame, besides the protocol's own
    """

    prompt: str | tuple[Message, ...]
    special_tokens: bool
    stop: tuple[str, ...] = ()


Renderer = Callable[[Sequence[Message]], Rendered]


def load_renderer(path: Path) -> Renderer:
    """The renderer of a checkpoint: its chat template, or a plain frame when it has none.

    A pure function of the checkpoint's files and the messages. The tokenizer is loaded at the
    first call. A template that refuses system messages gets the system text as the beginning of
    the first user message. Templates run in a sandbox, in a process under limits.

    Raises HarnessError when the directory holds no readable tokenizer or the template fails.
    """
    process: TemplateProcess | None = None
    tokenizer: Any = None

    @lru_cache(maxsize=4096)
    def render(messages: tuple[Message, ...]) -> Rendered:
        nonlocal process, tokenizer
        if tokenizer is None:
            # The process starts while the tokenizer is loaded.
            process = TemplateProcess() if has_chat_template(path) else None
            tokenizer = load_tokenizer(path)
        if not getattr(tokenizer, "chat_template", None):
            return Rendered(plain_frame(messages), special_tokens=True, stop=PLAIN_STOP)
        process = process or TemplateProcess()
        return Rendered(_by_template(process, tokenizer, messages, path), special_tokens=False)

    return lambda messages: render(tuple(messages))


def render_served(messages: Sequence[Message]) -> Rendered:
    """The renderer of a served model: messages pass through, the server applies its template."""
    return Rendered(tuple(messages), special_tokens=False)


def plain_frame(messages: Sequence[Message]) -> str:
    """The completion frame of a checkpoint without a chat template, open for the next answer.

    The system text, then `### 指示:` and `### 応答:` blocks, separated by blank lines.
    """
    blocks = []
    for message in messages:
        if message.role == "user":
            blocks.append(f"### 指示:\n{message.content}")
        elif message.role == "assistant":
            blocks.append(f"### 応答:\n{message.content}")
        else:
            blocks.append(message.content)
    return "\n\n".join([*blocks, "### 応答:\n"])


def render_chat(tokenizer: Any, messages: Sequence[Message], *, open_answer: bool) -> str:
    """A dialogue by the tokenizer's chat template, in a process under limits, which is one for all.

    Raises TemplateError where the template rejects the messages, EndlessTemplateError where it was
    stopped, and ValueError where the tokenizer has none.
    """
    template, tokens = tokenizer.get_chat_template(), tokenizer.special_tokens_map
    return _shared_process().render(template, tokens, messages, open_answer=open_answer)


@cache
def _shared_process() -> TemplateProcess:
    return TemplateProcess()


def load_tokenizer(path: Path) -> Any:
    """The Hugging Face tokenizer of a checkpoint directory, loaded once while its files stay.

    Raises HarnessError when there is none that transformers can read.
    """
    stamp = tuple(
        (path / name).stat().st_mtime_ns if (path / name).is_file() else 0
        for name in TOKENIZER_FILES
    )
    return _load_tokenizer(path, stamp)


@lru_cache(maxsize=8)
def _load_tokenizer(path: Path, stamp: tuple[int, ...]) -> Any:
    from transformers import AutoTokenizer

    if not path.is_dir():
        raise HarnessError(f"{path}: no such directory; expected a Hugging Face checkpoint")
    try:
        return AutoTokenizer.from_pretrained(path, **FILES_ONLY)
    except Exception as error:  # transformers raises whatever its parsers do
        raise HarnessError(
            f"{path}: the tokenizer cannot be loaded ({first_line(error)}); expected "
            "tokenizer.json and tokenizer_config.json beside the weights, as "
            "`tokenizer.save_pretrained` writes them"
        ) from error


def first_line(error: BaseException) -> str:
    """An exception as one short line, for messages; keys and passwords are masked."""
    lines = str(error).strip().splitlines()
    return masked(lines[0] if lines else type(error).__name__)[:300]


def _by_template(
    process: TemplateProcess, tokenizer: Any, messages: Sequence[Message], path: Path
) -> str:
    attempts = [list(messages)]
    if messages and messages[0].role == "system":
        attempts.append(_without_system(messages))
    failure: Exception | None = None
    for attempt in attempts:
        try:
            template = tokenizer.get_chat_template()
            return process.render(template, tokenizer.special_tokens_map, attempt)
        except EndlessTemplateError as error:
            raise HarnessError(
                f"{path}: its chat template {error} and was stopped; mend the template in "
                "tokenizer_config.json or chat_template.jinja"
            ) from None
        except (TemplateError, ValueError) as error:  # the first reason is shown
            failure = failure or error
    assert failure is not None
    raise HarnessError(
        f"{path}: its chat template rejects these messages ({first_line(failure)}); roles were "
        f"{', '.join(message.role for message in messages) or 'none'}; mend the template in "
        "tokenizer_config.json or chat_template.jinja"
    ) from failure


def _without_system(messages: Sequence[Message]) -> list[Message]:
    system, rest = messages[0].content, list(messages[1:])
    if rest and rest[0].role == "user":
        rest[0] = Message("user", f"{system}\n\n{rest[0].content}")
    return rest
