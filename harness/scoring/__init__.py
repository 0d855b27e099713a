"""Turns raw answers into scores: pure functions over text, no files, no clock, no model."""

from harness.scoring.extract import extract, find_answer
from harness.scoring.failure import FAILURES, Failure, classify
from harness.scoring.format import format_fault, gold_fault
from harness.scoring.json_object import InvalidObjectError, parse_object
from harness.scoring.language import is_japanese, japanese_share
from harness.scoring.metrics import (
    char_f1,
    compare,
    exact_match,
    json_fields,
    json_match,
    number_match,
    parse_number,
    set_f1,
)
from harness.scoring.normalise import nfkc, normalise, trim
from harness.scoring.repetition import is_repetitive, repetition
from harness.scoring.score import SCORING_VERSION, Score, score_answer, score_choice

__all__ = [
    "FAILURES",
    "SCORING_VERSION",
    "Failure",
    "InvalidObjectError",
    "Score",
    "char_f1",
    "classify",
    "compare",
    "exact_match",
    "extract",
    "find_answer",
    "format_fault",
    "gold_fault",
    "is_japanese",
    "is_repetitive",
    "japanese_share",
    "json_fields",
    "json_match",
    "nfkc",
    "normalise",
    "number_match",
    "parse_number",
    "parse_object",
    "repetition",
    "score_answer",
    "score_choice",
    "set_f1",
    "trim",
]
