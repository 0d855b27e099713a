"""Reads a text as exactly one JSON object, more strictly than the standard library does."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from harness.items.schema import JsonType

# Format rules know flat objects with lists; the limit keeps later recursion shallow.
_DEEPEST = 20


class InvalidObjectError(ValueError):
    """A text that is not exactly one well-formed JSON object; the message is a short phrase."""


def parse_object(text: str) -> dict[str, Any]:
    """The one JSON object that a text is.

    Raises InvalidObjectError for what `json.loads` refuses and also for a key given twice, NaN,
    infinities and numbers beyond float, lone surrogates, and nesting of more than 20 levels.
    """
    try:
        value = DECODER.decode(text)
    except InvalidObjectError:
        raise
    except (ValueError, RecursionError):
        raise InvalidObjectError("not valid JSON") from None
    return checked_object(value)


def checked_object(value: Any) -> dict[str, Any]:
    """The same value, when it is an object of sound strings and bounded depth."""
    if not isinstance(value, dict):
        raise InvalidObjectError("JSON, but not an object")
    if not _is_shallow(value, _DEEPEST):
        raise InvalidObjectError(f"nested deeper than {_DEEPEST} levels")
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except ValueError:  # a lone surrogate, which no file or table can hold
        raise InvalidObjectError("not valid JSON") from None
    return value


def has_json_type(value: Any, kind: JsonType) -> bool:
    """Whether a parsed JSON value is of a type; true and false are no integers."""
    match kind:
        case "string":
            return isinstance(value, str)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "strings":
            return isinstance(value, list) and all(has_json_type(v, "string") for v in value)
        case "integers":
            return isinstance(value, list) and all(has_json_type(v, "integer") for v in value)


def _is_shallow(value: Any, levels: int) -> bool:
    if not isinstance(value, (dict, list)):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_is_shallow(v, levels - 1) for v in inner)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InvalidObjectError("a key is given twice")
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError("number out of range")
    return value


DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite)
