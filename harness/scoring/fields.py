"""Verifies an extracted JSON object field by field, each value compared as what it is: a date, a
number, a name, an address."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, get_args

from harness.errors import HarnessError
from harness.scoring.dates import Day, read_date
from harness.scoring.json_object import InvalidObjectError, parse_object
from harness.scoring.math.equality import exactly_equal
from harness.scoring.normalise import unify
from harness.scoring.numerals import japanese_number

FieldType = Literal[
    "date", "number", "name", "address", "string", "boolean",
    "date[]", "number[]", "name[]", "address[]", "string[]", "boolean[]",
]  # fmt: skip
FIELD_TYPES: tuple[FieldType, ...] = get_args(FieldType)
FieldVerdict = Literal["equal", "unequal", "missing", "unexpected", "wrong type"]

_HONORIFIC = re.compile(r"(?<=.)(?:様|さま|さん|氏|殿|くん|ちゃん)$")
_POSTAL = re.compile(r"^〒?\s?[0-9]{3}-?[0-9]{4}\s?(?=\D)")
_KANJI = "[零〇一二三四五六七八九十百千]+"
# 三番町 and 一番町 are names of towns.
_LOT_WORD = r"(?:丁目|番地の?|番(?!町|街|館)|号(?!室|館|線)|号室)"
_KANJI_LOT = re.compile(rf"({_KANJI})(?={_LOT_WORD})")
_LOT = re.compile(rf"(?<=[0-9]){_LOT_WORD}(?:の(?=[0-9]))?")
_BETWEEN_DIGITS = re.compile(r"(?<=[0-9])(?:\s?[-ー‐]\s?|の|\s+)(?=[0-9])")
_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True)
class FieldsVerdict:
    """What became of each field.

    fields  the verdict on every key of the schema and on every key of the answer beside them
    fault   why the answer is no JSON object, when it is none; all fields are then missing
    """

    fields: Mapping[str, FieldVerdict]
    fault: str | None = None

    @property
    def equal(self) -> bool:
        return self.fault is None and all(v == "equal" for v in self.fields.values())

    @property
    def share(self) -> float:
        """The share of fields that are equal, those that nobody asked for counted as wrong."""
        return sum(v == "equal" for v in self.fields.values()) / max(1, len(self.fields))


def verify_fields(
    answer_json: str, gold_json: str, schema: Mapping[str, FieldType]
) -> FieldsVerdict:
    """Compares the object of an answer with the gold's, by the declared type of each key:

    date     令和6年4月1日, R6.4.1, 2024-04-01, 2024/4/1 and 20240401 are one day
    number   as `math_equal` without sympy: 1,200円 is 1200, 1.5時間 is 90分
    name     spaces (between family and given name), full width and a final 様, さん, 氏, 殿 aside
    address  3丁目2番1号 is 3-2-1, full width, spaces and a postal code aside; 都道府県 counts
    string   through NFKC, runs of white space as one space
    boolean  true or false, perhaps as a string
    X[]      a list of X in any order

    The order of keys is free. null equals null alone. Raises HarnessError when the gold is no
    JSON object, lacks a key of the schema, or has a value that its type cannot be read from.
    """
    try:
        gold = parse_object(gold_json)
    except InvalidObjectError as fault:
        raise HarnessError(f"gold fields {gold_json[:60]!r}: {fault}; expected an object") from None
    for key, kind in schema.items():
        if kind not in FIELD_TYPES:
            raise HarnessError(
                f"field {key!r} has type {kind!r}, expected one of {', '.join(FIELD_TYPES)}"
            )
        if key not in gold:
            raise HarnessError(f"gold fields {gold_json[:60]!r}: no key {key!r}, which is declared")
        if _compared(gold[key], gold[key], kind) != "equal":
            raise HarnessError(f"gold field {key!r}: {gold[key]!r} is no {kind}")
    try:
        answer = parse_object(answer_json)
    except InvalidObjectError as fault:
        return FieldsVerdict(dict.fromkeys(schema, "missing"), str(fault))
    verdicts: dict[str, FieldVerdict] = {
        key: _compared(answer[key], gold[key], kind) if key in answer else "missing"
        for key, kind in schema.items()
    }
    verdicts |= {key: "unexpected" for key in answer if key not in schema}
    return FieldsVerdict(verdicts)


def _compared(answer: Any, gold: Any, kind: FieldType) -> FieldVerdict:
    if answer is None or gold is None:
        return "equal" if answer is gold else "unequal"
    compare = _COMPARE[kind.removesuffix("[]")]
    if not kind.endswith("[]"):
        return compare(answer, gold)
    if not isinstance(answer, list):
        return "wrong type"
    if not isinstance(gold, list) or len(answer) != len(gold):
        return "unequal"
    rest = list(answer)
    for wanted in gold:
        match = next((n for n, one in enumerate(rest) if compare(one, wanted) == "equal"), None)
        if match is None:
            return "unequal"
        rest.pop(match)
    return "equal"


def _texts(normal: Callable[[str], str]) -> Callable[[Any, Any], FieldVerdict]:
    def compare(answer: Any, gold: Any) -> FieldVerdict:
        if not isinstance(answer, str) or not isinstance(gold, str):
            return "wrong type"
        return "equal" if normal(answer) == normal(gold) else "unequal"

    return compare


def _dates_equal(answer: Any, gold: Any) -> FieldVerdict:
    found, wanted = _date(answer), _date(gold)
    if found is None:
        return "unequal" if isinstance(answer, str) else "wrong type"
    return "equal" if found == wanted else "unequal"


def _date(value: Any) -> Day | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return read_date(value, compact=True) if isinstance(value, str) else None


def _numbers_equal(answer: Any, gold: Any) -> FieldVerdict:
    found, wanted = _number_text(answer), _number_text(gold)
    if found is None or wanted is None:
        return "wrong type"
    return "equal" if exactly_equal(found, wanted) is True else "unequal"


def _number_text(value: Any) -> str | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value) if abs(value) < 10**300 else None
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")
    return value if isinstance(value, str) else None


def _booleans_equal(answer: Any, gold: Any) -> FieldVerdict:
    found, wanted = (
        _BOOLEANS.get(value.strip().lower()) if isinstance(value, str) else value
        for value in (answer, gold)
    )
    if not isinstance(found, bool) or not isinstance(wanted, bool):
        return "wrong type"
    return "equal" if found is wanted else "unequal"


def normal_string(text: str) -> str:
    return " ".join(unify(text).split())


def normal_name(text: str) -> str:
    """佐藤　太郎 様 as 佐藤太郎."""
    return _HONORIFIC.sub("", "".join(unify(text).split()))


def normal_address(text: str) -> str:
    """〒100-0001 東京都千代田区千代田１丁目１番１号 as 東京都千代田区千代田1-1-1."""
    text = _POSTAL.sub("", " ".join(unify(text).split())).strip()
    text = _KANJI_LOT.sub(lambda found: japanese_number(found[1]) or found[1], text)
    text = re.sub(r"(?<=[0-9])号室", " ", text).strip()
    # After a lot word digits continue the number; else it ends there.
    text = re.sub(rf"{_LOT.pattern}\s?(?=[0-9])", "-", text)
    text = _LOT.sub(" ", text)
    text = _BETWEEN_DIGITS.sub("-", text)
    return text.replace(" ", "")


_COMPARE: dict[str, Callable[[Any, Any], FieldVerdict]] = {
    "date": _dates_equal,
    "number": _numbers_equal,
    "boolean": _booleans_equal,
    "name": _texts(normal_name),
    "address": _texts(normal_address),
    "string": _texts(normal_string),
}
