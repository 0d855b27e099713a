"""Reads what fine-tuning learns from: chats and preference pairs in JSONL, JSON of TRL's layouts,
and synthesis shards in Parquet; and splits off what is held out."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, Protocol, TypeVar

import msgspec

from harness.engines.types import Message
from harness.errors import HarnessError
from harness.fingerprint import file_digests
from harness.items.jsonl import LineError, decode, json_object, numbered_lines, raise_faults
from harness.items.schema import content_hash

_ROLES = ("system", "user", "assistant")
# ShareGPT's names for them.
_THEIR_ROLES = {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant"}
_SUFFIXES = (".jsonl", ".parquet")


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of `data`.

    path    a .jsonl or .parquet file, a directory of them, or a pattern with *
    weight  how often each sample is seen in an epoch: 2 is twice, 0.5 a drawn half
    name    what the lineage calls it [the file's or directory's name]
    """

    path: str
    weight: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    name: str = ""


class Row(Protocol):
    """What both kinds of samples have."""

    @property
    def genre(self) -> str: ...

    @property
    def place(self) -> str: ...

    @property
    def key(self) -> str: ...


@dataclass(frozen=True)
class Dialogue:
    """One sample to learn from: a chat that ends with the assistant, or plain text.

    messages  empty for plain text
    prompt, text  of plain text: what is given, and what is learned after it
    genre     "" where the row names none;  place: FILE:LINE
    """

    messages: tuple[Message, ...]
    genre: str
    place: str
    prompt: str = ""
    text: str = ""

    @property
    def key(self) -> str:
        return content_hash([_plain(self.messages), self.prompt, self.text])


@dataclass(frozen=True)
class Preference:
    """A dialogue up to the answer, and two answers to it, the better one first."""

    messages: tuple[Message, ...]
    chosen: str
    rejected: str
    genre: str
    place: str

    @property
    def key(self) -> str:
        return content_hash([_plain(self.messages), self.chosen, self.rejected])


R = TypeVar("R", bound=Row)


@dataclass(frozen=True)
class Data(Generic[R]):
    """What a run learns from, and what it is measured on.

    train     the samples of one epoch, drawn by the sources' weights
    held_out  by genre; never trained on
    mixture   each source's share of `train`
    shards    SHA-256 (hex) over each source's files
    """

    train: tuple[R, ...]
    held_out: Mapping[str, tuple[R, ...]]
    mixture: Mapping[str, float]
    shards: Mapping[str, str]


def dialogues(sources: Sequence[Source], *, held_out: float, seed: int) -> Data[Dialogue]:
    """Reads sources of chats. Raises HarnessError as `load` does."""
    return load(sources, read_dialogue, held_out=held_out, seed=seed)


def preferences(sources: Sequence[Source], *, held_out: float, seed: int) -> Data[Preference]:
    """Reads sources of pairs. Raises HarnessError as `load` does."""
    return load(sources, read_preference, held_out=held_out, seed=seed)


def load(
    sources: Sequence[Source],
    read: Callable[[Mapping[str, Any], str], R],
    *,
    held_out: float,
    seed: int,
) -> Data[R]:
    """Reads every source, holds out a share by content, and draws one epoch.

    A sample is held out by the hash of what it says, so that a copy of it in another source, or a
    later run with the same data, never trains on it.

    Raises HarnessError for a file that is missing, unreadable or empty, and for rows of another
    layout, up to twenty of them with file and line.
    """
    if not sources:
        raise HarnessError("`data` names no source; give a JSONL file or a synthesis shard")
    train: list[R] = []
    aside: dict[str, list[R]] = {}
    shares: dict[str, float] = {}
    shards: dict[str, str] = {}
    for source in sources:
        name = source.name or Path(source.path).name
        if name in shards:
            raise HarnessError(f"`data` names {name} twice; give one of them another `name`")
        files = _files(source.path)
        rows: list[R] = []
        for row in _read(files, read):
            if int(row.key[:12], 16) < held_out * 16**12:
                aside.setdefault(row.genre or "all", []).append(row)
            else:
                rows.append(row)
        drawn = _draw(rows, source.weight, f"{name}/{seed}")
        train += drawn
        shares[name] = len(drawn)
        digests = file_digests(files)
        shards[name] = content_hash(sorted((path.name, digests[path]) for path in files))
    if not train:
        raise HarnessError(
            f"nothing is left to train on: held_out is {held_out} and takes every sample; lower it"
        )
    return Data(
        tuple(train),
        {genre: tuple(rows) for genre, rows in sorted(aside.items())},
        {name: count / len(train) for name, count in shares.items()},
        shards,
    )


def read_dialogue(row: Mapping[str, Any], place: str) -> Dialogue:
    """A row with `messages`, TRL's `prompt` and `completion` (chats or texts), ShareGPT's
    `conversations`, or `text`. Raises LineError for any other."""
    genre = _genre(row)
    if "messages" in row or "conversations" in row:
        messages = _messages(row.get("messages", row.get("conversations")))
    elif "prompt" in row and "completion" in row:
        prompt, completion = row["prompt"], row["completion"]
        if isinstance(prompt, str) and isinstance(completion, str):
            if not completion:
                raise LineError("`completion` is empty, so there is nothing to learn")
            return Dialogue((), genre, place, prompt, completion)
        messages = (*_messages(prompt), *_messages(completion))
    elif isinstance(row.get("text"), str) and row["text"]:
        return Dialogue((), genre, place, "", row["text"])
    else:
        raise LineError(
            f"no `messages`, `prompt` with `completion`, or `text` (it has {_names(row)}); "
            "rename its fields"
        )
    _check_turns(messages)
    if messages[-1].role != "assistant":
        raise LineError("the last message is not the assistant's, so there is nothing to learn")
    return Dialogue(messages, genre, place)


def read_preference(row: Mapping[str, Any], place: str) -> Preference:
    """A row with `prompt` (a chat or a text), `chosen` and `rejected` (one assistant's message
    each, or texts). Raises LineError for any other."""
    if not all(name in row for name in ("prompt", "chosen", "rejected")):
        raise LineError(
            f"expected `prompt`, `chosen` and `rejected` (it has {_names(row)}); rename its fields"
        )
    prompt = row["prompt"]
    messages = (Message("user", prompt),) if isinstance(prompt, str) else _messages(prompt)
    _check_turns(messages)
    if messages[-1].role == "assistant":
        raise LineError("`prompt` ends with the assistant; leave its answer to chosen and rejected")
    chosen, rejected = (_answer(row[name], name) for name in ("chosen", "rejected"))
    if chosen == rejected:
        raise LineError("`chosen` and `rejected` are the same, so there is nothing to prefer")
    return Preference(messages, chosen, rejected, _genre(row), place)


def _files(pattern: str) -> list[Path]:
    path = Path(pattern)
    if any(mark in pattern for mark in "*?["):
        root = Path(path.anchor or ".")
        files = sorted(root.glob(str(path.relative_to(path.anchor))))
    elif path.is_dir():
        files = sorted(each for each in path.iterdir() if each.suffix in _SUFFIXES)
    elif path.is_file():
        files = [path]
    else:
        raise HarnessError(f"{pattern}: no such file; correct `path` under `data`")
    if not files:
        raise HarnessError(f"{pattern}: holds no .jsonl or .parquet file; correct `path`")
    return files


def _read(files: Sequence[Path], read: Callable[[Mapping[str, Any], str], R]) -> Iterator[R]:
    faults: list[str] = []
    for path in files:
        count = 0
        for place, row in _rows(path):
            count += 1
            try:
                yield read(row() if callable(row) else row, place)
            except LineError as error:
                faults.append(f"{place}: {error}")
        if not count:
            raise HarnessError(f"{path}: holds no sample; write it again or leave it out of `data`")
    raise_faults(faults)


def _rows(path: Path) -> Iterator[tuple[str, Any]]:
    """(FILE:LINE, row) of a file; a row of JSONL is read when it is called."""
    if path.suffix == ".parquet":
        for number, values in enumerate(_parquet(path), start=1):
            yield f"{path}:row {number}", values
        return
    for number, line in numbered_lines(path):
        yield f"{path}:{number}", lambda line=line, number=number: json_object(decode(line, number))


def _parquet(path: Path) -> list[dict[str, Any]]:
    """The rows of a synthesis shard, of which the columns that fine-tuning reads. A chat is a list
    of {role, content}, or that list as JSON."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    wanted = ("messages", "prompt", "completion", "chosen", "rejected", "text", "genre")
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise HarnessError(
            f"{path}: not a readable Parquet file ({str(error).splitlines()[0]}); write it again"
        ) from None
    rows: list[dict[str, Any]] = table.to_pylist()
    if not set(wanted) & set(table.column_names):
        raise HarnessError(
            f"{path}: has no column `messages` (it has {', '.join(table.column_names)}); rename it"
        )
    names = [name for name in wanted if name in table.column_names]
    if "messages" in names and "chosen" in names:
        # A shard of pairs: its dialogue goes up to the answer.
        return [{**row, "prompt": row["messages"]} for row in rows]
    if "messages" in names:
        # A shard of samples says a second time what was asked; its messages hold that already.
        names = ["messages", *(name for name in names if name == "genre")]
    return [{name: row[name] for name in names} for row in rows]


def _messages(value: Any) -> tuple[Message, ...]:
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            raise LineError("the chat is text, expected a list of {role, content}") from None
    if not isinstance(value, list) or not value:
        raise LineError("the chat is empty or no list, expected {role, content} entries")
    found: list[Message] = []
    for entry in value:
        if not isinstance(entry, Mapping):
            raise LineError("a message is no object, expected {role, content}")
        role = entry.get("role", entry.get("from"))
        role = _THEIR_ROLES.get(str(role), role)
        content = entry.get("content", entry.get("value"))
        if role not in _ROLES or not isinstance(content, str):
            raise LineError(
                f"a message of role {role!r} with {type(content).__name__} content, expected one "
                f"of {', '.join(_ROLES)} with text"
            )
        found.append(msgspec.convert({"role": role, "content": content}, Message))
    return tuple(found)


def _check_turns(messages: Sequence[Message]) -> None:
    """A system message at the start at most, then user and assistant in turn."""
    turns = messages[1:] if messages[0].role == "system" else messages
    expected = ["user", "assistant"] * len(turns)
    if not turns or any(one.role != role for one, role in zip(turns, expected, strict=False)):
        raise LineError(
            f"roles are {', '.join(one.role for one in messages)}, expected user and assistant in "
            "turn after at most one system message"
        )


def _answer(value: Any, name: str) -> str:
    if not isinstance(value, str):
        messages = _messages(value)
        if len(messages) != 1 or messages[0].role != "assistant":
            raise LineError(f"`{name}` is not one message of the assistant")
        value = messages[0].content
    if not value:
        raise LineError(f"`{name}` is empty")
    return str(value)


def _genre(row: Mapping[str, Any]) -> str:
    genre = row.get("genre")
    return genre if isinstance(genre, str) else ""


def _names(row: Mapping[str, Any]) -> str:
    return ", ".join(map(str, row)) or "no fields"


def _plain(messages: Sequence[Message]) -> list[tuple[str, str]]:
    return [(one.role, one.content) for one in messages]


def _draw(rows: list[R], weight: float, seed: str) -> list[R]:
    """Each row `weight` times: whole times all of them, for the rest a drawn part."""
    whole = int(weight)
    rest = round((weight - whole) * len(rows))
    return rows * whole + random.Random(seed).sample(rows, rest)
