"""Says whether a raw answer obeys the format that was asked for, without knowing the gold."""

from __future__ import annotations

import re

from harness.items.schema import FormatRule, Item, JsonType
from harness.scoring.compare import compare
from harness.scoring.json_object import InvalidObjectError, has_json_type, parse_object
from harness.scoring.normalise import is_quoted, trim, unify

# A list sign needs text after it, and a sign that may belong to a number needs a space: the
# entries -5, 1.5 and 2024.4 carry no bullet.
BULLET = re.compile(
    r"[ \t\u3000]*(?:[-*+–—][ \t\u3000]+|[•·・●○◦▪■□◆◇▶►★☆‣][ \t\u3000]*"
    r"|[0-9０-９]{1,3}[.．)）、](?![0-9０-９])[ \t\u3000]*"
    r"|[(（][0-9０-９]{1,3}[)）][ \t\u3000]*|[①-⑳][ \t\u3000]*)(?=[^ \t\u3000])"
)
_INTEGER = re.compile(r"-?[0-9]+")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_JSON_TYPES: dict[JsonType, str] = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "strings": "a list of strings",
    "integers": "a list of integers",
}


def format_fault(raw: str, rule: FormatRule, prompt: str = "") -> str | None:
    """What is wrong with the form of an answer, as a short phrase, or None.

    raw     the generation's text; leading and trailing ASCII white space is not looked at, all
            else counts: `Aです`, `Ａ` and `A。` are faults where one of A–D was asked for
    prompt  the item's last turn, which a `verbatim` span must be a part of

    A `pattern` is matched as it is written, so its own running time is the item author's care.
    """
    raw = trim(raw)
    if not raw:
        return "empty answer"
    match rule.kind:
        case "choice":
            return _choice_fault(raw, rule.labels)
        case "integer":
            return _number_fault(raw, _INTEGER, "an integer")
        case "number":
            return _number_fault(raw, _NUMBER, "a number")
        case "span":
            return _span_fault(raw, rule, prompt)
        case "line":
            return _line_fault(raw)
        case "json":
            return _json_fault(raw, rule.keys)
        case "lines":
            return _lines_fault(raw, rule.count)
        case "pattern":
            if re.fullmatch(rule.pattern or "", raw) is None:
                return "does not match the pattern"
            return None
        case "free":
            return None


def gold_fault(item: Item) -> str | None:
    """Why an item's own gold cannot be right, or None: `answer` and every entry of `accept` must
    obey the item's format rule and score 1.0 under its metric against itself alone. An item of
    constraints, of code or for a judge has no gold."""
    if item.constraints or item.code is not None or item.metric == "judge":
        return None
    for place, gold in (("answer", item.answer), *(("accept", text) for text in item.accept)):
        if gold != trim(gold):
            return f"`{place}` {gold!r}: white space at an end, which no raw answer keeps"
        fault = format_fault(gold, item.format, item.turns[-1])
        if fault is not None:
            return f"`{place}` {gold!r}: {fault}"
        if compare(item.metric, gold, item, golds=(gold,)) != 1.0:
            return f"`{place}` {gold!r}: does not score 1.0 against itself under {item.metric}"
    return None


def _choice_fault(raw: str, labels: tuple[str, ...]) -> str | None:
    if raw in labels:
        return None
    if unify(raw).strip() in labels:
        return "full-width or invisible characters around or in the label"
    if any(raw.startswith(label) for label in labels):
        return "trailing text after the label"
    if any(raw.endswith(label) for label in labels):
        return "text before the label"
    return "not one of the labels"


def _number_fault(raw: str, shape: re.Pattern[str], wanted: str) -> str | None:
    if shape.fullmatch(raw):
        return None
    plain = unify(raw)
    if plain != raw and shape.fullmatch(plain):
        return "full-width digits or sign"
    if shape is _INTEGER and _NUMBER.fullmatch(raw):
        return "decimal part where an integer was asked"
    if shape.fullmatch(plain.replace(",", "")):
        return "thousands separator"
    if any("0" <= character <= "9" for character in plain):
        return f"text beside the number, expected {wanted} alone"
    return f"not {wanted}"


def _line_fault(raw: str) -> str | None:
    if "\n" in raw or "\r" in raw:
        return f"{len(raw.splitlines())} lines, expected 1"
    return None


def _span_fault(raw: str, rule: FormatRule, prompt: str) -> str | None:
    if (fault := _line_fault(raw)) is not None:
        return fault
    if rule.max_chars is not None and len(raw) > rule.max_chars:
        return f"{len(raw)} characters, expected at most {rule.max_chars}"
    copied = rule.verbatim and raw in prompt
    if is_quoted(raw) and not copied:
        return "surrounding quotes"
    if rule.verbatim and not copied:
        return "not a verbatim part of the prompt"
    return None


def _json_fault(raw: str, keys: dict[str, JsonType]) -> str | None:
    if "```" in raw:
        return "code fence"
    try:
        found = parse_object(raw)
    except InvalidObjectError as fault:
        return str(fault)
    if missing := [key for key in keys if key not in found]:
        return f"missing key {missing[0]!r}"
    if extra := [key for key in found if key not in keys]:
        return f"unexpected key {extra[0][:40]!r}"
    for key, kind in keys.items():
        if not has_json_type(found[key], kind):
            return f"{key!r} is not {_JSON_TYPES[kind]}"
    return None


def _lines_fault(raw: str, count: int | None) -> str | None:
    lines = raw.split("\n")
    if any(not line.strip() for line in lines):
        return "blank line between entries"
    if count is not None and len(lines) != count:
        return f"{len(lines)} lines, expected {count}"
    if any(BULLET.match(line) for line in lines):
        return "bullet or numbering before an entry"
    return None
