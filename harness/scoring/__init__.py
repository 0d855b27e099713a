"""Turns raw answers into scores: pure functions over text, no files, no clock, no model."""

from harness.scoring.compare import compare
from harness.scoring.extract import extract, find_answer
from harness.scoring.failure import FAILURES, Failure, classify
from harness.scoring.format import format_fault, gold_fault
from harness.scoring.jaster import (
    char_f1_llmjp,
    float_match,
    llmjp_prediction,
    parse_float_llmjp,
    pearson,
    set_f1_llmjp,
    spearman,
)
from harness.scoring.json_object import InvalidObjectError, parse_object
from harness.scoring.language import is_japanese, japanese_share
from harness.scoring.math import MathVerdict, extract_math_answer, math_equal
from harness.scoring.metrics import (
    char_f1,
    exact_match,
    json_fields,
    json_match,
    number_match,
    parse_number,
    set_f1,
)
from harness.scoring.nejumi import nejumi_format, nejumi_prediction
from harness.scoring.normalise import nfkc, normalise, trim
from harness.scoring.repetition import is_repetitive, repetition
from harness.scoring.score import SCORING_VERSION, Score, score_answer, score_choice

__all__ = [
    "FAILURES",
    "SCORING_VERSION",
    "Failure",
    "InvalidObjectError",
    "MathVerdict",
    "Score",
    "char_f1",
    "char_f1_llmjp",
    "classify",
    "compare",
    "exact_match",
    "extract",
    "extract_math_answer",
    "find_answer",
    "float_match",
    "format_fault",
    "gold_fault",
    "is_japanese",
    "is_repetitive",
    "japanese_share",
    "json_fields",
    "json_match",
    "llmjp_prediction",
    "math_equal",
    "nejumi_format",
    "nejumi_prediction",
    "nfkc",
    "normalise",
    "number_match",
    "parse_float_llmjp",
    "parse_number",
    "parse_object",
    "pearson",
    "repetition",
    "score_answer",
    "score_choice",
    "set_f1",
    "set_f1_llmjp",
    "spearman",
    "trim",
]
