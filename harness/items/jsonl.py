"""Reads JSONL line by line, so that every fault can be told with its file, line and fix."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.items.schema import content_hash

MAX_FAULTS = 20
_BOM = b"\xef\xbb\xbf"


class LineError(Exception):
    """What is wrong with one line; becomes a line of the HarnessError."""


def raise_faults(faults: Sequence[str]) -> None:
    """Raises one HarnessError with all faults of a file, up to MAX_FAULTS; none, no error."""
    if not faults:
        return
    shown = list(faults[:MAX_FAULTS])
    if len(faults) > MAX_FAULTS:
        shown.append(f"... and {len(faults) - MAX_FAULTS} more faults")
    raise HarnessError("\n".join(shown))


def numbered_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Line number (from 1) and bytes of each line that is not blank. Splits at LF alone: JSON
    strings may hold U+2028 and its like."""
    for number, line in enumerate(read_bytes(path).split(b"\n"), start=1):
        if line.strip():
            yield number, line


def read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise HarnessError(f"{path}: no such file; check the path") from None
    except IsADirectoryError:
        raise HarnessError(f"{path}: is a directory, expected a file") from None
    except (OSError, ValueError) as error:
        raise HarnessError(f"{path}: cannot be read ({error}); check the path") from None


def decode(line: bytes, number: int) -> str:
    """A line's text. Raises LineError for a byte order mark and for what is not UTF-8."""
    if number == 1 and line.startswith(_BOM):
        raise LineError(
            "the file starts with a byte order mark, expected plain UTF-8; "
            "save it as UTF-8 without BOM"
        )
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise LineError(
            f"byte {error.start + 1} of the line is not UTF-8, expected UTF-8 text; "
            "convert the file, e.g. from Shift_JIS with `iconv -f CP932 -t UTF-8`"
        ) from None


def json_object(text: str) -> dict[str, Any]:
    """The JSON object of a line. Raises LineError for anything else, and for a repeated key."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, value in pairs:
            if key in result:
                raise LineError(f"field {key!r} occurs twice, expected it once")
            result[key] = value
        return result

    try:
        raw = json.loads(text, object_pairs_hook=once)
        content_hash(raw)  # cannot encode half of a surrogate pair, written as an escape
    except json.JSONDecodeError as error:
        raise LineError(
            f"broken JSON at column {error.colno}: {lower_first(error.msg)}; "
            "expected one complete JSON object on the line"
        ) from None
    except UnicodeEncodeError:
        raise LineError(
            "a string holds half of a surrogate pair, expected whole characters; "
            "write the character itself instead of its \\u escape"
        ) from None
    except (ValueError, RecursionError) as error:  # endless digits, endless nesting
        raise LineError(f"unreadable JSON: {error}; expected one item") from None
    if not isinstance(raw, dict):
        raise LineError(f"a JSON {type(raw).__name__} is no item, expected a JSON object")
    return raw


def lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
