"""Reads one NAME.json in the layout of llm-jp-eval 1.3, and names the line of every fault."""

from __future__ import annotations

import bisect
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from harness.items.schema import (
    JASTER_ASIDE,
    JASTER_CATEGORIES,
    FormatRule,
    check_format,
)

_BOM = b"\xef\xbb\xbf"
_NEEDED = ("instruction", "output_length", "metrics", "samples")


@dataclass(frozen=True)
class Sample:
    """A question with its gold answer, and the line of the file on which it starts."""

    input: str
    output: str
    accept: tuple[str, ...]
    line: int


@dataclass(frozen=True)
class SplitFile:
    """One NAME.json. `metrics` are the file's own names; `hash` is SHA-256 (hex) of its bytes."""

    path: Path
    instruction: str
    output_length: int
    metrics: tuple[str, ...]
    category: str | None
    format: FormatRule | None
    samples: tuple[Sample, ...]
    hash: str


class _FileError(Exception):
    """`line: what is wrong, what was expected`, without the file's name."""


def read_split_file(path: Path, faults: list[str]) -> SplitFile | None:
    """One file, validated whole; None when it is faulty, and then every fault is appended to
    `faults` as `path:line: what is wrong, what was expected`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        faults.append(f"{path}: cannot be read ({error.strerror or error}); check the file")
        return None
    try:
        text = _decode(data)
        raw, lines, samples_at = _parse(text)
        found: list[_FileError] = []
        rows = raw["samples"] if samples_at else []
        checked = [
            sample
            for row, line in zip(rows, samples_at, strict=True)
            if (sample := _sample(row, line, found)) is not None
        ]
        found += list(_repeated_ids(rows, samples_at))
        header = _header(raw, lines, found)
        if found or header is None:
            faults.extend(f"{path}:{fault}" for fault in found)
            return None
    except _FileError as fault:
        faults.append(f"{path}:{fault}")
        return None
    instruction, output_length, metrics, category, rule = header
    return SplitFile(
        path,
        instruction,
        output_length,
        metrics,
        category,
        rule,
        tuple(checked),
        hashlib.sha256(data).hexdigest(),
    )


def _decode(data: bytes) -> str:
    if not data.strip():
        raise _FileError("1: the file is empty, expected one JSON object with its samples")
    if data.startswith(_BOM):
        raise _FileError(
            "1: the file starts with a byte order mark, expected plain UTF-8; save it as UTF-8 "
            "without BOM"
        )
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise _FileError(
            f"{line}: not UTF-8, expected UTF-8 text; convert the file, e.g. from Shift_JIS with "
            "`iconv -f CP932 -t UTF-8`"
        ) from None


def _parse(text: str) -> tuple[dict[str, Any], dict[str, int], list[int]]:
    """The file's object, the line of each of its keys, and of each sample."""
    starts = [0, *(position + 1 for position, sign in enumerate(text) if sign == "\n")]

    def line(position: int) -> int:
        return bisect.bisect_right(starts, position)

    try:
        raw = json.loads(text)
    except json.JSONDecodeError as error:
        raise _FileError(
            f"{error.lineno}: broken JSON at column {error.colno}: {error.msg}; expected one "
            "complete JSON object"
        ) from None
    except (RecursionError, ValueError) as error:  # endless nesting, endless digits
        raise _FileError(f"1: unreadable JSON: {error}") from None
    if not isinstance(raw, dict):
        raise _FileError(
            f"1: a JSON {type(raw).__name__}, expected an object with {', '.join(_NEEDED)}"
        )
    lines: dict[str, int] = {}
    samples: list[int] = []
    for key, key_at, value_at in _members(text):
        if key in lines:
            raise _FileError(f"{line(key_at)}: field {key!r} occurs twice, expected it once")
        lines[key] = line(key_at)
        if key == "samples" and text[value_at] == "[":
            samples = [line(position) for position in _elements(text, value_at)]
    return raw, lines, samples


_DECODER = json.JSONDecoder()
_SPACE = " \t\r\n"


def _skip(text: str, position: int, signs: str = _SPACE) -> int:
    while text[position] in signs:
        position += 1
    return position


def _members(text: str) -> Iterator[tuple[str, int, int]]:
    """(key, position of the key, position of its value) of a valid JSON object's text."""
    position = _skip(text, _skip(text, 0) + 1)
    while text[position] != "}":
        key, end = _DECODER.raw_decode(text, position)
        value = _skip(text, end, _SPACE + ":")
        yield key, position, value
        _, end = _DECODER.raw_decode(text, value)
        position = _skip(text, end, _SPACE + ",")


def _elements(text: str, position: int) -> Iterator[int]:
    position = _skip(text, position + 1)
    while text[position] != "]":
        yield position
        _, end = _DECODER.raw_decode(text, position)
        position = _skip(text, end, _SPACE + ",")


def _header(
    raw: dict[str, Any], lines: dict[str, int], found: list[_FileError]
) -> tuple[str, int, tuple[str, ...], str | None, FormatRule | None] | None:
    before = len(found)
    found += [
        _FileError(f"1: `{name}` is missing, expected {_EXPECTED[name]}")
        for name in _NEEDED
        if name not in raw
    ]
    checks: dict[str, Callable[[Any], bool]] = {
        "instruction": lambda value: isinstance(value, str) and _whole(value),
        "output_length": lambda value: type(value) is int and value > 0,
        "metrics": lambda value: (
            isinstance(value, list) and bool(value) and all(isinstance(one, str) for one in value)
        ),
        "samples": lambda value: isinstance(value, list) and bool(value),
        "category": lambda value: value in (*JASTER_CATEGORIES, *JASTER_ASIDE),
    }
    for name, holds in checks.items():
        if name in raw and not holds(raw[name]):
            shown = json.dumps(raw[name], ensure_ascii=True)[:60]
            found.append(
                _FileError(f"{lines[name]}: `{name}` is {shown}, expected {_EXPECTED[name]}")
            )
    rule = None
    if "format" in raw:
        try:
            rule = msgspec.convert(raw["format"], FormatRule, strict=True)
            fault = check_format(rule)
        except msgspec.ValidationError as error:
            fault = f"`format`: {error}"
        if fault is not None:
            found.append(_FileError(f"{lines['format']}: {fault}"))
    if len(found) > before:
        return None
    return (
        raw["instruction"],
        raw["output_length"],
        tuple(raw["metrics"]),
        raw.get("category"),
        rule,
    )


_EXPECTED = {
    "instruction": "the task's text",
    "output_length": "the number of new tokens that an answer may take, e.g. 15",
    "metrics": 'a list of names such as ["exact_match"]',
    "samples": "a list of one or more {input, output} objects",
    "category": f"one of {', '.join((*JASTER_CATEGORIES, *JASTER_ASIDE))}",
}


def _sample(raw: Any, line: int, found: list[_FileError]) -> Sample | None:
    if not isinstance(raw, dict):
        found.append(_FileError(f"{line}: a sample is no object, expected {{input, output}}"))
        return None
    for name in ("input", "output"):
        value = raw.get(name)
        if not isinstance(value, str):
            what = "is missing" if name not in raw else f"is {type(value).__name__}"
            found.append(_FileError(f"{line}: the sample's `{name}` {what}, expected a string"))
            return None
    accept = raw.get("accept", [])
    if not isinstance(accept, list) or not all(isinstance(one, str) for one in accept):
        found.append(_FileError(f"{line}: the sample's `accept` is no list of strings"))
        return None
    if not raw["input"].strip():
        found.append(_FileError(f"{line}: the sample's `input` is empty, expected a question"))
        return None
    if not all(map(_whole, (raw["input"], raw["output"], *accept))):
        found.append(
            _FileError(
                f"{line}: the sample holds half of a surrogate pair, expected whole characters; "
                "write the character itself instead of its \\u escape"
            )
        )
        return None
    return Sample(raw["input"], raw["output"], tuple(accept), line)


def _whole(text: str) -> bool:
    return not any("\ud800" <= sign <= "\udfff" for sign in text)


def _repeated_ids(samples: Sequence[Any], lines: Sequence[int]) -> Iterator[_FileError]:
    """Samples need no id; where they have one, it must be theirs alone."""
    first: dict[str, int] = {}
    for raw, line in zip(samples, lines, strict=True):
        if isinstance(raw, dict) and isinstance(raw.get("id"), str | int):
            key = str(raw["id"])
            if key in first:
                yield _FileError(
                    f"{line}: duplicate id {key!r}, first seen on line {first[key]}; expected a "
                    "unique id"
                )
            first.setdefault(key, line)
