"""What a verdict looks like once it is found: ratings and preferences as judges write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from harness.scoring.normalise import unify

ReadingFailure = Literal[
    "empty",
    "truncated",
    "no rating",
    "several ratings",
    "range",
    "off scale",
    "quoted",
    "no verdict",
    "several verdicts",
]
READING_FAILURES: tuple[ReadingFailure, ...] = get_args(ReadingFailure)
Preference = Literal["A", "B", "tie"]
Scale = tuple[float, float]

# Group 1 is a verdict as written, in double brackets.
STRICT = r"(?:\[\s?\[|⟦|〚)([^\[\]⟦⟧〚〛\n]{1,30})(?:\]\s?\]|⟧|〛)"
# Full-width forms and lenticular brackets, one character for one so that offsets stay. The
# brackets of neutralised text, 〔〕, are not among them: they are never a judge's own.
WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {
    ord("【"): "[",
    ord("】"): "]",
    ord("\u3000"): " ",
}
LETTERS: dict[str, Preference] = {"A": "A", "B": "B", "C": "tie"}

RATING_LABEL = r"(?:評価(?:点|値)?|評点|点数|得点|採点|スコア|ratings?|scores?)"
# Of several labelled verdicts, one that is said to be the last word counts.
FINAL = r"(?:最終(?:的な)?|総合(?:的な)?|overall|final)"
VERDICT_LABEL = r"(?:判定|勝者|結論|評価|verdict|winner|judge?ment)"
_NUMBER = r"[+-]?[0-9]{1,6}(?:\.[0-9]{1,6})?"
# Verdicts that may stand without brackets, after a label or alone on the last line.
BARE_NUMBER = (
    rf"{_NUMBER}(?: ?点)?(?: ?/ ?{_NUMBER}(?: ?点)?)?"
    rf"|{_NUMBER} ?点(?:満点)?中[、,]? ?{_NUMBER} ?点?"
    rf"|{_NUMBER} ?点? ?[-~〜] ?{_NUMBER} ?点?"
)
BARE_LETTER = r"(?:アシスタント|回答|assistant )?[ABC]|引き分け|tie"

_LABELLED = rf"(?:{RATING_LABEL} ?[:=]? ?)?"
_RATING = re.compile(rf"{_LABELLED}({_NUMBER})(?: ?(?:点|points?))?", re.I)
_OUT_OF = re.compile(rf"{_LABELLED}({_NUMBER}) ?点? ?(?:/|out of) ?({_NUMBER}) ?点?", re.I)
_OF_TOP = re.compile(rf"{_LABELLED}({_NUMBER}) ?点(?:満点)?中[、,]? ?({_NUMBER}) ?点?", re.I)
_RANGE = re.compile(rf"{_LABELLED}{_NUMBER} ?点? ?(?:-|~|から|to) ?{_NUMBER} ?点?", re.I)
_LIST = re.compile(rf"{_NUMBER}(?: ?(?:,|、|;|or|または|and|と) ?{_NUMBER})+", re.I)
_KANJI = {kanji: float(value) for value, kanji in enumerate("一二三四五六七八九十", start=1)}
_PREFERENCE = re.compile(r"(?:アシスタント|回答|モデル|assistant|answer|model)? ?([abc])", re.I)
_ORDER = re.compile(r"a ?(>{1,2}|<{1,2}|=) ?b", re.I)
_ORDERS: dict[str, Preference] = {">": "A", "<": "B", "=": "tie"}
_TIE = re.compile(r"引き?分け|同等|互角|tie|draw", re.I)


@dataclass(frozen=True)
class Written:
    """The value of a verdict as written, or in what way it is none."""

    value: float | Preference | None
    failure: ReadingFailure | None = None


def written_rating(text: str, scale: Scale | None) -> Written | None:
    """What stands between the brackets as a rating; None when it is not meant as one."""
    text = _tidy(text)
    top = None
    if match := _RATING.fullmatch(text):
        value = float(match[1])
    elif match := _OUT_OF.fullmatch(text):
        value, top = float(match[1]), float(match[2])
    elif match := _OF_TOP.fullmatch(text):
        top, value = float(match[1]), float(match[2])
    elif text in _KANJI:
        value = _KANJI[text]
    elif _RANGE.fullmatch(text):
        return Written(None, "range")
    elif _LIST.fullmatch(text):
        return Written(None, "several ratings")
    else:
        return None
    if scale is not None and (not scale[0] <= value <= scale[1] or top not in (None, scale[1])):
        return Written(None, "off scale")
    return Written(value)


def written_preference(text: str) -> Written | None:
    """What stands between the brackets as a preference; None when it is not meant as one."""
    text = _tidy(text)
    if match := _PREFERENCE.fullmatch(text):
        return Written(LETTERS[match[1].upper()])
    if match := _ORDER.fullmatch(text):
        return Written(_ORDERS[match[1][0]])
    return Written("tie") if _TIE.fullmatch(text) else None


def is_verdict(text: str) -> bool:
    """Whether a text, were it in double brackets, would be read as a verdict of any kind. A list
    ([[0, 1]]) would not: it is a failure where a verdict was meant, and code elsewhere."""
    found = written_rating(text, None) or written_preference(text)
    return found is not None and found.failure != "several ratings"


def _tidy(text: str) -> str:
    return " ".join(unify(text).strip(" *_`'\"「」").split())
