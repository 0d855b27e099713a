"""Processes and scores answers to Jaster datasets exactly as llm-jp-eval 1.3 does.

Source: llm-jp-eval 1.3, `src/llm_jp_eval/utils.py`. What that code calls char_f1 and set_f1 is here
char_f1_llmjp and set_f1_llmjp; `metrics.char_f1` and `metrics.set_f1` are what the names say.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

from harness.scoring.metrics import char_f1, exact_match, parse_number, set_f1
from harness.scoring.normalise import nfkc

# What `parse_float_llmjp` makes of a text without a number.
UNREADABLE = -2.0
_NOT_OF_A_NUMBER = re.compile(r"[^0-9.]")


def llmjp_prediction(raw: str) -> tuple[str, str]:
    """The extracted and the normalised prediction of a raw answer.

    extracted   the text before the first blank line ("\\n\\n"), stripped of Unicode white space
    normalised  NFKC of that: what the metrics compare

    The cut comes before the strip, so an answer that begins with a blank line is an empty
    prediction, and one whose blank line holds a space is not cut. Store the raw text beside both.
    """
    extracted = raw.split("\n\n", 1)[0].strip()
    return extracted, nfkc(extracted)


def llmjp_gold(text: str) -> str:
    """NFKC of a gold answer. It is not stripped: " 英語" can never match a prediction exactly."""
    return nfkc(text)


def char_f1_llmjp(prediction: str, gold: str) -> float:
    """The token-sort ratio that llm-jp-eval calls char_f1, 0.0 to 1.0 in steps of 0.01.

    Signs become spaces and letters lower case, the words are sorted, and the similarity is the
    normalised insert-delete distance: order counts, `東京都中央区` against `中央区東京都` is 0.5.
    Two texts without letters or digits are equal, so `。` against an empty text is 1.0. Rounded
    half to even, as in fuzzywuzzy with python-Levenshtein, which that code calls; fuzzywuzzy
    differs in one thing, that an underscore is a letter there.
    """
    from rapidfuzz import fuzz, utils

    ratio = fuzz.token_sort_ratio(prediction, gold, processor=utils.default_process)
    return round(ratio) / 100


def set_f1_llmjp(prediction: str, gold: str) -> float:
    """F1 over lines as llm-jp-eval counts it, 0.0 to 1.0.

    Both texts are split on newlines and lines stripped. Predicted lines are de-duplicated, gold
    lines are not: precision is hits over different predicted lines, recall the same hits over all
    gold lines. A gold that holds a line twice, as chabsa's do, scores below 1.0 against itself
    (`metrics.set_f1` gives 1.0). Two empty texts are 1.0.
    """
    wanted = [line.strip() for line in gold.split("\n")]
    found = {line.strip() for line in prediction.split("\n")}
    hits = len(found & set(wanted))
    precision, recall = hits / len(found), hits / len(wanted)
    return 2 * precision * recall / (precision + recall) if hits else 0.0


def parse_float_llmjp(text: str) -> float:
    """The number that llm-jp-eval reads from an STS answer: everything but ASCII digits and dots
    is deleted, -2.0 when no number is left.

    For compatibility only: `-3` is 3.0, `3か4` is 34.0, `3.5.` is unreadable.
    """
    try:
        return float(_NOT_OF_A_NUMBER.sub("", text))
    except ValueError:
        return UNREADABLE


def float_match(prediction: str, gold: str, lenient: bool = False) -> float:
    """1.0 when both texts are floats of equal value: Nejumi's exact_match_figure, which it uses
    for mawps and mgsm. 12.0 equals 12; whatever Python's float() refuses is 0.0.

    lenient  also reads what `metrics.parse_number` reads leniently, such as 1,200
    """
    value, wanted = _float(prediction, lenient), _float(gold, lenient)
    return float(value is not None and value == wanted)


def _float(text: str, lenient: bool) -> float | None:
    try:
        return float(text)
    except ValueError:
        number = parse_number(text, lenient=True) if lenient else None
    try:
        return None if number is None else float(number)
    except OverflowError:
        return None


def pearson(values: Sequence[float], golds: Sequence[float]) -> float | None:
    """Pearson's correlation of predicted and gold values, -1.0 to 1.0.

    None where none is defined: fewer than two pairs, a constant side, or a value that is not
    finite. llm-jp-eval prints 0.0 for those. Raises ValueError when the lengths differ.
    """
    if not _correlates(values, golds):
        return None
    from scipy.stats import pearsonr

    return _finite(float(pearsonr(golds, values)[0]))


def spearman(values: Sequence[float], golds: Sequence[float]) -> float | None:
    """Spearman's rank correlation, -1.0 to 1.0; None and errors as in `pearson`."""
    if not _correlates(values, golds):
        return None
    from scipy.stats import spearmanr

    return _finite(float(spearmanr(golds, values)[0]))


def _correlates(values: Sequence[float], golds: Sequence[float]) -> bool:
    if len(values) != len(golds):
        raise ValueError(f"{len(values)} predicted values for {len(golds)} gold values")
    finite = all(math.isfinite(value) for value in (*values, *golds))
    return finite and len(set(values)) > 1 and len(set(golds)) > 1


def _finite(value: float) -> float | None:
    # Values that differ in the last bit only have a spread that rounds to nothing.
    return max(-1.0, min(1.0, value)) if math.isfinite(value) else None


# The metrics of one answer against one gold, by the names under which they are stored.
ANSWER_METRICS: dict[str, Callable[[str, str], float]] = {
    "exact_match": exact_match,
    "char_f1": char_f1,
    "char_f1_llmjp": char_f1_llmjp,
    "set_f1": set_f1,
    "set_f1_llmjp": set_f1_llmjp,
    "float_match": float_match,
}
