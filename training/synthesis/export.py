"""Shards as the files that training reads: chats, plain text, preference pairs, Megatron's indexed
dataset. Each appears whole or not at all."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from harness.engines.types import Message
from harness.errors import HarnessError
from training.synthesis.shards import find_shards, read_pairs, samples_in

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Form = Literal["sft", "text", "dpo", "megatron"]
FORMS: tuple[Form, ...] = get_args(Form)

# Who speaks in plain dialogue text.
SPEAKERS: Mapping[str, str] = {"system": "設定", "user": "ユーザー", "assistant": "アシスタント"}


@dataclass(frozen=True)
class Exported:
    """What was written: files, rows, and for Megatron tokens."""

    paths: tuple[Path, ...]
    rows: int
    tokens: int | None = None


def export(
    shards: Path,
    form: Form,
    output: Path,
    tokenizer: Path | None = None,
    chat: bool = False,
) -> Exported:
    """Writes the shards that a path names (see `find_shards`) in a form:

    sft       JSONL of {"messages": [{"role", "content"}, ...]}, TRL's conversational format
    text      JSONL of {"text": ...}, or plain text with blank lines between dialogues where the
              output ends in .txt: `plain_dialogue`, all of which is learnt
    dpo       JSONL of {"prompt": [messages], "chosen": [message], "rejected": [message]}, TRL's
              conversational format of preferences
    megatron  OUTPUT.bin and OUTPUT.idx: a document for each dialogue, with the tokenizer of a
              checkpoint directory and its end-of-text token behind each

    chat   megatron: dialogues by the tokenizer's chat template, not as plain text

    Raises HarnessError where there are no shards of that kind, or the output cannot be written.
    """
    if form == "dpo":
        pairs = (pair for path in find_shards(shards, "pairs") for pair in read_pairs(path))
        return _jsonl(output, (dpo_row(one.messages, one.chosen, one.rejected) for one in pairs))
    dialogues = (row.sample.messages for row in samples_in(find_shards(shards)))
    if form == "sft":
        return _jsonl(output, ({"messages": list(map(_plain, one))} for one in dialogues))
    if form == "megatron":
        if tokenizer is None:
            raise HarnessError("--to megatron needs --tokenizer DIR, a checkpoint's directory")
        return _megatron(output, dialogues, tokenizer, chat)
    if output.suffix == ".txt":
        return _write(output, (plain_dialogue(one) + "\n\n" for one in dialogues))
    return _jsonl(output, ({"text": plain_dialogue(one)} for one in dialogues))


def plain_dialogue(messages: Sequence[Message]) -> str:
    """A dialogue as text for continued pretraining: each turn behind its speaker's name and a
    full-width colon, turns apart by a line break."""
    return "\n".join(f"{SPEAKERS[one.role]}：{one.content}" for one in messages)


def dpo_row(messages: Sequence[Message], chosen: str, rejected: str) -> dict[str, Any]:
    """One preference in TRL's conversational format."""
    return {
        "prompt": list(map(_plain, messages)),
        "chosen": [{"role": "assistant", "content": chosen}],
        "rejected": [{"role": "assistant", "content": rejected}],
    }


def _plain(message: Message) -> dict[str, str]:
    return {"role": message.role, "content": message.content}


def _jsonl(output: Path, rows: Iterable[Mapping[str, Any]]) -> Exported:
    return _write(output, (json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def _write(output: Path, texts: Iterator[str]) -> Exported:
    count = 0
    unfinished = output.with_name(f".{output.name}.unfinished")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("w", encoding="utf-8", newline="\n") as file:
            for text in texts:
                file.write(text)
                count += 1
        unfinished.replace(output)
    except OSError as error:
        raise _unwritable(output, error) from None
    finally:
        _discard(unfinished)
    return Exported((output,), count)


def _megatron(
    output: Path, dialogues: Iterable[Sequence[Message]], tokenizer: Path, chat: bool
) -> Exported:
    """The pair of files that `megatron.core.datasets.indexed_dataset.IndexedDataset(OUTPUT)` reads.

    The index is renamed last: without it the data are no dataset.
    """
    try:
        from megatron.core.datasets.indexed_dataset import DType, IndexedDatasetBuilder
    except ImportError as error:
        raise HarnessError(
            "--to megatron needs Megatron-Core: pip install 'harness[training]'"
        ) from error

    encode, size = _encoder(tokenizer, chat)
    prefix = output.with_suffix("") if output.suffix in (".bin", ".idx") else output
    data, index = (prefix.with_name(prefix.name + end) for end in (".bin", ".idx"))
    drafts = [path.with_name(f".{path.name}.unfinished") for path in (data, index)]
    documents = tokens = 0
    try:
        prefix.parent.mkdir(parents=True, exist_ok=True)
        builder = IndexedDatasetBuilder(str(drafts[0]), dtype=DType.optimal_dtype(size))
        for messages in dialogues:
            ids = encode(messages)
            builder.add_document(ids, [len(ids)])
            documents += 1
            tokens += len(ids)
        builder.finalize(str(drafts[1]))
        for draft, path in zip(drafts, (data, index), strict=True):
            draft.replace(path)
    except OSError as error:
        raise _unwritable(output, error) from None
    finally:
        _discard(*drafts)
    return Exported((data, index), documents, tokens)


def _encoder(
    directory: Path, chat: bool
) -> tuple[Callable[[Sequence[Message]], npt.NDArray[np.int32]], int]:
    """Token ids of a dialogue with the end token behind it, and the size of the vocabulary.

    Raises HarnessError for a tokenizer without an end token, and with `chat` without a template.
    """
    import numpy as np

    from harness.engines.prompt import load_tokenizer
    from training.chat_tokens import render_dialogue

    tokenizer = load_tokenizer(directory)
    end = tokenizer.eos_token_id
    if end is None:
        raise HarnessError(
            f"{directory}: the tokenizer has no end token, so documents could not be told apart; "
            "name a checkpoint whose tokenizer_config.json states `eos_token`"
        )
    if chat and not getattr(tokenizer, "chat_template", None):
        raise HarnessError(f"{directory}: the tokenizer has no chat template; leave --chat out")

    def encode(messages: Sequence[Message]) -> npt.NDArray[np.int32]:
        if chat:
            text = render_dialogue(messages, tokenizer, str(directory), open_answer=False)
        else:
            text = plain_dialogue(messages)
        ids = tokenizer.encode(text, add_special_tokens=False, verbose=False)
        # A chat template may have written the end token itself.
        return np.asarray(ids if ids and ids[-1] == end else [*ids, end], dtype=np.int32)

    return encode, len(tokenizer)


def _discard(*drafts: Path) -> None:
    for draft in drafts:
        with contextlib.suppress(OSError):
            draft.unlink()


def _unwritable(path: Path, error: OSError) -> HarnessError:
    reason = error.strerror or error
    return HarnessError(f"{path}: cannot be written ({reason}); name a file that can be")
