"""Turns dialogues and pairs into token ids, with the loss where it belongs.

Each answer is tokenized apart from what comes before it, because that is how a model is asked: the
prompt alone, ending on a token boundary. Tokenized together, a token may straddle the border, and
the model learns to continue prompts that it never sees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from harness.checkpoint_files import inspect
from harness.engines.prompt import first_line, load_tokenizer, render_chat
from harness.engines.template import EndlessTemplateError, TemplateError
from harness.engines.types import Message
from harness.errors import HarnessError
from training.chat_data import Dialogue, Preference

Loss = Literal["answers", "all"]
# The label of a token without loss, in torch's and transformers' words.
IGNORED = -100
# Share of unknown tokens from which the tokenizer is taken for another language's.
MOST_UNKNOWN = 0.05

T = TypeVar("T")
E = TypeVar("E")


@dataclass(frozen=True)
class Encoded:
    """One sample: token ids, and labels of the same length, IGNORED where there is no loss."""

    input_ids: list[int]
    labels: list[int]


@dataclass(frozen=True)
class EncodedPair:
    """A prompt and its two answers, end tokens included."""

    prompt_ids: list[int]
    chosen_ids: list[int]
    rejected_ids: list[int]


def open_tokenizer(model: Path, chat_template: Path | None) -> Any:
    """The checkpoint's tokenizer, with another chat template if a file is given.

    Raises HarnessError where either cannot be read, or the tokenizer has no end token.
    """
    import copy

    tokenizer = copy.deepcopy(load_tokenizer(model))
    if chat_template is not None:
        try:
            tokenizer.chat_template = chat_template.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise HarnessError(
                f"{chat_template}: cannot read the chat template ({error}); give a Jinja file"
            ) from None
    if tokenizer.eos_token_id is None:
        raise HarnessError(
            f"{model}: its tokenizer has no end token, so no answer would learn to stop; set "
            "eos_token in tokenizer_config.json"
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    # What is masked is said by labels, never by the padding side; TRL pads on the right.
    tokenizer.padding_side = "right"
    return tokenizer


def encode_dialogue(sample: Dialogue, tokenizer: Any, loss: Loss) -> Encoded:
    """Tokens and labels of one sample.

    loss  "answers": every assistant turn with the end token that the template puts after it;
          "all": every token but the first

    Where a template renders an earlier turn differently once another follows (some drop past
    reasoning), only the last answer has loss. Raises HarnessError, naming the sample's place, where
    the template does not show the prompt as the beginning of the whole, or writes no end token.
    """
    if not sample.messages:
        return _plain_text(sample, tokenizer, loss)
    parts = _segments(sample.messages, tokenizer, sample.place)
    ids: list[int] = []
    labels: list[int] = []
    for text, is_answer in parts:
        tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
        if is_answer:
            _check_end(tokens, tokenizer, sample.place)
        ids += tokens
        labels += tokens if is_answer or loss == "all" else [IGNORED] * len(tokens)
    return Encoded(ids, labels)


def encode_pair(sample: Preference, tokenizer: Any) -> EncodedPair:
    """Tokens of a pair. Raises HarnessError as `encode_dialogue` does."""
    prompt = render_dialogue(sample.messages, tokenizer, sample.place, open_answer=True)
    answers = []
    for text in (sample.chosen, sample.rejected):
        whole = render_dialogue(
            (*sample.messages, Message("assistant", text)),
            tokenizer,
            sample.place,
            open_answer=False,
        )
        tokens = tokenizer(_after(whole, prompt, sample.place), add_special_tokens=False)[
            "input_ids"
        ]
        _check_end(tokens, tokenizer, sample.place)
        answers.append(tokens)
    return EncodedPair(tokenizer(prompt, add_special_tokens=False)["input_ids"], *answers)


def render_dialogue(
    messages: Sequence[Message], tokenizer: Any, place: str, *, open_answer: bool
) -> str:
    """Messages by the tokenizer's chat template, open for the next answer where `open_answer`: as
    when it is asked (harness.engines.prompt), in a sandbox and under its limits.

    Raises HarnessError, naming the place, where there is no template, or it rejects the messages or
    does not end.
    """
    if not tokenizer.chat_template:
        raise HarnessError(
            f"{place}: a chat, and the checkpoint has no chat template; name one with chat_template"
        )
    try:
        return render_chat(tokenizer, messages, open_answer=open_answer)
    except EndlessTemplateError as error:
        raise HarnessError(
            f"{place}: the chat template {error} and was stopped; mend the template"
        ) from None
    except (TemplateError, ValueError) as error:
        raise HarnessError(
            f"{place}: the chat template rejects the dialogue ({first_line(error)}); mend either"
        ) from None


def encode_all(
    samples: Sequence[T],
    encode: Callable[[T], E],
    length: Callable[[E], int],
    *,
    max_length: int,
) -> tuple[list[E], int]:
    """Every sample that fits into `max_length` tokens, and how many did not: a cut answer would
    teach to stop in the middle. Raises HarnessError where none fits."""
    encoded = [encode(sample) for sample in samples]
    kept = [one for one in encoded if length(one) <= max_length]
    if not kept and encoded:
        raise HarnessError(
            f"all {len(encoded):,} samples are longer than max_length {max_length} (the shortest "
            f"has {min(map(length, encoded)):,} tokens); raise max_length"
        )
    return kept, len(encoded) - len(kept)


def longest_sample(model: Path, max_length: int) -> int:
    """Tokens that a sample may have: `max_length`, or the checkpoint's context where that is less.
    Raises HarnessError for a directory that is no complete checkpoint."""
    context = inspect(model).context_length
    return max_length if context is None else min(max_length, context)


def check_known(tokens: Sequence[Sequence[int]], tokenizer: Any, model: Path) -> None:
    """Raises HarnessError where more than one token in twenty is unknown to the tokenizer: it does
    not belong to these data."""
    unknown = tokenizer.unk_token_id
    total = sum(map(len, tokens))
    if unknown is None or not total:
        return
    share = sum(row.count(unknown) for row in map(list, tokens)) / total
    if share > MOST_UNKNOWN:
        raise HarnessError(
            f"{model}: {share:.0%} of the data's tokens are unknown to its tokenizer; give a "
            "checkpoint whose tokenizer knows the language"
        )


def _plain_text(sample: Dialogue, tokenizer: Any, loss: Loss) -> Encoded:
    prompt = tokenizer(sample.prompt, add_special_tokens=False)["input_ids"]
    if tokenizer.bos_token_id is not None:
        prompt = [tokenizer.bos_token_id, *prompt]
    text = tokenizer(sample.text, add_special_tokens=False)["input_ids"]
    text = [*text, tokenizer.eos_token_id]
    given = prompt if loss == "all" else [IGNORED] * len(prompt)
    return Encoded(prompt + text, given + text)


def _segments(messages: Sequence[Message], tokenizer: Any, place: str) -> list[tuple[str, bool]]:
    """The rendered dialogue in pieces: (text, whether it is an answer)."""
    turns = [index for index, one in enumerate(messages) if one.role == "assistant"]
    parts: list[tuple[str, bool]] = []
    done = ""
    for index in turns:
        prompt = render_dialogue(messages[:index], tokenizer, place, open_answer=True)
        whole = render_dialogue(messages[: index + 1], tokenizer, place, open_answer=False)
        if not prompt.startswith(done):
            parts, done = [], ""
        parts += [(prompt[len(done) :], False), (_after(whole, prompt, place), True)]
        done = whole
    return parts


def _after(whole: str, prompt: str, place: str) -> str:
    if not whole.startswith(prompt):
        raise HarnessError(
            f"{place}: the chat template renders a prompt that is not the beginning of prompt and "
            "answer, so training would differ from asking; give a template that does"
        )
    return whole[len(prompt) :]


def _check_end(tokens: Sequence[int], tokenizer: Any, place: str) -> None:
    if tokenizer.eos_token_id not in tokens:
        raise HarnessError(
            f"{place}: the chat template writes no {tokenizer.eos_token} after an answer, so the "
            "model would not learn to stop; give a chat_template that does"
        )
