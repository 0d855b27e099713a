"""Compares a processed answer with the gold: exact match, numbers, character and set F1, JSON."""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction
from typing import Any

from harness.scoring.json_object import InvalidObjectError, parse_object
from harness.scoring.normalise import normalise, unify

_PLAIN_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+|/[0-9]+)?")
_GROUPED = re.compile(r"(-?[0-9]{1,3}(?:,[0-9]{3})+)(\.[0-9]+)?")
# No gold is longer, and Python refuses to read integers of more than 4300 digits.
_LONGEST_NUMBER = 1000


def exact_match(prediction: str, gold: str) -> float:
    """1.0 when the two strings are equal, character by character."""
    return float(prediction == gold)


def parse_number(text: str, lenient: bool = False) -> Fraction | None:
    """The exact value of `-12`, `12.50` or `3/4`; None for anything else.

    lenient  also reads full-width digits, the minus sign −, a leading +, surrounding white space
             and thousands separators (1,234; not 12,34)
    """
    if lenient:
        text = unify(text[: 2 * _LONGEST_NUMBER]).strip().removeprefix("+")
        if grouped := _GROUPED.fullmatch(text):
            text = grouped[1].replace(",", "") + (grouped[2] or "")
    if len(text) > _LONGEST_NUMBER or not _PLAIN_NUMBER.fullmatch(text):
        return None
    try:
        return Fraction(text)
    except ZeroDivisionError:
        return None


def number_match(prediction: str, gold: str, lenient: bool = False) -> float:
    """1.0 when both texts are numbers of exactly equal value (12 equals 12.0, 0.1 + 0.2 never
    matters). No separators and no units, unless `lenient` as `parse_number` says."""
    value = parse_number(prediction, lenient)
    return float(value is not None and value == parse_number(gold, lenient))


def char_f1(prediction: str, gold: str) -> float:
    """F1 over the multisets of characters; 1.0 when both are empty.

    Not the token-sort ratio that llm-jp-eval calls char_f1: `東京都中央区` against `中央区東京都`
    is 1.0 here and 0.5 there.
    """
    if not prediction and not gold:
        return 1.0
    shared = (Counter(prediction) & Counter(gold)).total()
    return 2 * shared / (len(prediction) + len(gold))


def set_f1(prediction: str, gold: str) -> float:
    """F1 over lines: both texts are split on newlines, lines are stripped, predictions
    de-duplicated; precision is over predictions, recall over gold lines.

    A blank line inside the prediction is a wrong entry. Both texts empty is 1.0. llm-jp-eval
    counts a line that the gold holds twice otherwise: see `jaster.set_f1_llmjp`.
    """
    wanted = [line.strip() for line in gold.split("\n")]
    found = {line.strip() for line in prediction.split("\n")}
    precision = len(found & set(wanted)) / len(found)
    recall = sum(line in found for line in wanted) / len(wanted)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def json_match(prediction: str, gold: str, lenient: bool = False) -> float:
    """1.0 when both texts are JSON objects of equal value; this is the item metric `json`.

    Key order and white space are nothing, list order counts, 1 equals 1.0, true is no number. A
    text that is not exactly one object without duplicate keys scores 0.0. `lenient` compares
    strings after `normalise`.
    """
    left, right = _object(prediction), _object(gold)
    return float(left is not None and right is not None and _equal(left, right, lenient))


def json_fields(prediction: str, gold: str, lenient: bool = False) -> float:
    """Share of the gold object's fields that the prediction has with an equal value.

    Graded companion of `json_match`, not an item metric; unexpected fields cost nothing here.
    """
    left, right = _object(prediction), _object(gold)
    if left is None or not right:
        return json_match(prediction, gold, lenient)
    return sum(
        key in left and _equal(left[key], value, lenient) for key, value in right.items()
    ) / len(right)


def _object(text: str) -> dict[str, Any] | None:
    try:
        return parse_object(text)
    except InvalidObjectError:
        return None


def _equal(left: Any, right: Any, lenient: bool) -> bool:
    """Equality of two parsed JSON values."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(
            _equal(left[key], right[key], lenient) for key in left
        )
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(
            _equal(a, b, lenient) for a, b in zip(left, right, strict=True)
        )
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if lenient and isinstance(left, str) and isinstance(right, str):
        return normalise(left) == normalise(right)
    return bool(left == right)
