"""Reads a judge's verdict, a rating or a preference, out of its reply, or says why it cannot."""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from harness.judge.own_words import BLANK, compact, own_words
from harness.judge.written import (
    BARE_LETTER,
    BARE_NUMBER,
    FINAL,
    LETTERS,
    RATING_LABEL,
    READING_FAILURES,
    STRICT,
    VERDICT_LABEL,
    WIDTH,
    Preference,
    ReadingFailure,
    Scale,
    Written,
    written_preference,
    written_rating,
)

__all__ = [
    "RATING_KEYS",
    "READER_VERSION",
    "READING_FAILURES",
    "VERDICT_KEYS",
    "PairReading",
    "Preference",
    "Reading",
    "ReadingFailure",
    "Scale",
    "Variant",
    "read_pairwise",
    "read_rating",
]

# Raised whenever a reply can be read differently: part of every prompt's hash.
READER_VERSION = 1

Variant = Literal["harness-1", "fastchat", "first-match"]
RATING_KEYS = ("rating", "score", "評価", "評点", "点数")
VERDICT_KEYS = ("verdict", "winner", "判定", "勝者")


@dataclass(frozen=True)
class Reading:
    """A rating, or why there is none. `span` is where in the reply it stood, end excluded."""

    rating: float | None
    failure: ReadingFailure | None = None
    span: tuple[int, int] | None = None


@dataclass(frozen=True)
class PairReading:
    """Which of two answers is better, or why that is not told. `span` as in Reading."""

    verdict: Preference | None
    failure: ReadingFailure | None = None
    span: tuple[int, int] | None = None


def read_rating(
    text: str,
    scale: Scale | None = (1, 10),
    variant: Variant = "harness-1",
    *,
    pattern: str | None = None,
    finish_reason: str = "stop",
    boundary: str | None = None,
    quoted: Sequence[str] = (),
) -> Reading:
    """The rating that a judge's reply gives.

    scale          lowest and highest rating, both allowed; None for no limits
    pattern        of harness-1 and first-match: a regular expression whose group 1 is the rating
                   as written; STRICT when left out
    finish_reason  "length" when the token limit cut the reply
    boundary, quoted
                   as `prompts.render` returns them: what tells the judge's own words from the
                   answers that it repeats

    `fastchat` is FastChat's rule (`llm_judge/common.py`): the first `[[n]]` anywhere, else the
    first `[n]` anywhere, `arr[0]` too; n in ASCII digits. Where FastChat stores −1, or fails over
    digits such as `[[05]]`, this is "no rating". FastChat has no scale; None reproduces it.

    `first-match` is llm-jp-judge's rule: the first match of `pattern`.

    `harness-1` looks at the judge's own words only (`own_words`), and there for:

    1. a JSON object that begins or ends the reply, by its key "rating" (RATING_KEYS); when it is
       the whole reply, nothing else counts;
    2. `[[n]]` in all widths of digits and brackets;
    3. where neither is found, a labelled rating (`評価：8`, `Rating: **8/10**`);
    4. where that is not found, a last line that is nothing but a number.

    n may be a decimal, may carry 点 or its own denominator, which must be the scale's top ([[8/10]]
    is 8; [[4/5]] is off the scale). A range ([[7-8]]) is no rating: its middle would be ours, not
    the judge's. A rating in quotation marks, a block quote or a code block is a mention, unless it
    is all that stands on its line, or ends the reply after a colon. Ratings said to be final go
    before labelled ones, these before bare ones. What is left must agree: two different ratings
    are a failure, not a choice. Never raises.
    """
    if variant != "harness-1":
        patterns = _FASTCHAT if variant == "fastchat" else (re.compile(pattern or STRICT),)
        return _first_match(text, scale, patterns)
    kind = _Kind(
        parse=lambda written: written_rating(written, scale),
        label=RATING_LABEL,
        bare=BARE_NUMBER,
        keys=RATING_KEYS,
        none="no rating",
        several="several ratings",
    )
    found, span = _read(text, kind, pattern, finish_reason, boundary, quoted)
    return Reading(found.value if isinstance(found.value, float) else None, found.failure, span)


def read_pairwise(
    text: str,
    variant: Variant = "harness-1",
    *,
    pattern: str | None = None,
    finish_reason: str = "stop",
    boundary: str | None = None,
    quoted: Sequence[str] = (),
) -> PairReading:
    """Which answer a judge's reply prefers: [[A]], [[B]], or [[C]] for a tie.

    `fastchat` and `first-match` take [[A]] wherever it stands, else [[B]], else [[C]], and no
    pattern. `harness-1` reads as
    `read_rating` does, and [[アシスタントA]], [[引き分け]], [[A>B]], 判定：B and {"verdict": "A"}
    too; two different verdicts are a failure. Never raises.
    """
    if variant != "harness-1":
        for letter, verdict in LETTERS.items():
            if (at := text.find(f"[[{letter}]]")) >= 0:
                return PairReading(verdict, span=(at, at + 5))
        return PairReading(None, "no verdict" if text.strip() else "empty")
    kind = _Kind(
        parse=written_preference,
        label=VERDICT_LABEL,
        bare=BARE_LETTER,
        keys=VERDICT_KEYS,
        none="no verdict",
        several="several verdicts",
    )
    found, span = _read(text, kind, pattern, finish_reason, boundary, quoted)
    return PairReading(None if isinstance(found.value, float) else found.value, found.failure, span)


# FastChat's `\d+\.?\d*`, written so that a long run of digits takes linear time.
_FASTCHAT = (
    re.compile(r"\[\[(\d+(?:\.\d*)?)\]\]"),
    re.compile(r"\[(\d+(?:\.\d*)?)\]"),
)
# Around a verdict: quotation marks, markup, and what ends a sentence.
_MARKS = r"[\s*_~`\"'“”「」『』()#:：=>。.!、,\-–—]"
_QUOTATION = re.compile(r"「[^「」\n]*」|『[^『』\n]*』|“[^“”\n]*”|\"[^\"\n]*\"|`[^`\n]*`")
_FENCE = re.compile(r"```.*?(?:```|\Z)", re.S)
_CUT = re.compile(r"(?:\[\s?\[|⟦|〚)[^\[\]\n]{0,30}\]?\s*\Z")
_PAIRS = json.JSONDecoder(object_pairs_hook=list, strict=False)  # line ends in strings pass

_NEAR = 80  # characters in which a label or frame of a verdict is looked for

_Span = tuple[int, int]


@dataclass(frozen=True)
class _Kind:
    """What is looked for, a rating or a preference, and how it is written."""

    parse: Callable[[str], Written | None]
    label: str
    bare: str
    keys: tuple[str, ...]
    none: ReadingFailure
    several: ReadingFailure


@dataclass(frozen=True)
class _Found:
    written: Written
    span: _Span


def _read(
    text: str,
    kind: _Kind,
    pattern: str | None,
    finish_reason: str,
    boundary: str | None,
    quoted: Sequence[str],
) -> tuple[Written, _Span | None]:
    is_cut = finish_reason == "length"
    if not text.strip():
        return Written(None, "truncated" if is_cut else "empty"), None
    own = own_words(text, boundary, quoted).translate(WIDTH)
    strict = re.compile(pattern or STRICT)
    found, alone = _json(own, kind)
    hidden = any(_stands_in(own[slice(*one.span)], quoted) for one in found)
    if hidden:
        found = []
    if not alone:
        bracketed, passed_over = _counted(own, strict, kind)
        found, hidden = found + bracketed, hidden or passed_over
    for loose in (_labelled(kind), _last_line(kind)):
        if not found and not hidden and not _CUT.search(own):
            found, hidden = _counted(own, loose, kind)
            if is_cut:  # a number at the very end may have lost digits
                found = [one for one in found if one.span[1] < len(own.rstrip())]
    if found:
        if len({one.written for one in found}) > 1:
            return Written(None, kind.several), None
        return found[-1].written, found[-1].span
    spoken = own_words(text).translate(WIDTH)  # with what it quotes and copies
    if is_cut or _CUT.search(own) or not spoken.replace(BLANK, "").strip():
        return Written(None, "truncated"), None
    if hidden or any(kind.parse(one[1]) is not None for one in strict.finditer(spoken)):
        return Written(None, "quoted"), None
    return Written(None, kind.none), None


def _counted(own: str, looked_for: re.Pattern[str], kind: _Kind) -> tuple[list[_Found], bool]:
    """The verdicts that count, final ones before labelled ones before bare ones; and whether any
    was passed over as quoted."""
    fences, quotations = (
        [one.span() for one in pattern.finditer(own)] for pattern in (_FENCE, _QUOTATION)
    )
    ranked: dict[int, list[_Found]] = {}
    hidden = False
    for match in looked_for.finditer(own):
        written = kind.parse(match[1])
        if written is None:
            continue
        span = match.span()
        if _is_quoted(own, span, _around(fences, span), _around(quotations, span), kind):
            hidden = True
            continue
        label = re.search(
            rf"({FINAL}\s?(?:の)?)?{kind.label}\s*(?:は|が)?(?:{_MARKS}|[\[\]⟦〚])*\Z",
            own[max(_line_start(own, span[0]), match.start(1) - _NEAR) : match.start(1)],
            re.I,
        )
        rank = 0 if label is None else 2 if label[1] else 1
        if label is None and written.failure == "several ratings":
            rank = -1  # [[0, 1]] in a sentence is code
        ranked.setdefault(rank, []).append(_Found(written, span))
    return ranked[max(ranked)] if ranked else [], hidden


def _is_quoted(
    own: str, span: _Span, fence: _Span | None, quotation: _Span | None, kind: _Kind
) -> bool:
    """Whether a verdict, in a code block or quotation if it is in one, is only spoken of."""
    start, end = span
    line = _line_start(own, start)
    if own[line : line + _NEAR].lstrip().startswith(">"):
        return True
    if fence is not None:
        around = own[fence[0] : start] + own[end : fence[1]]
        return not _is_frame(re.sub(r"```\w*", "", around), kind)
    if quotation is None:
        return False
    line_end = own.find("\n", end)
    after = own[end : line_end if line_end >= 0 else len(own)]
    if _is_frame(own[line:start] + after, kind):
        return False
    # 私の評価は次のとおりです："評価：[[2]]"。 A colon introduces it and it ends the reply.
    introduced = own[line : quotation[0]].rstrip().endswith(":")
    return not (introduced and _is_frame(own[quotation[0] : start] + own[end:], kind))


def _line_start(text: str, at: int) -> int:
    return text.rfind("\n", 0, at) + 1


def _around(spans: Sequence[_Span], span: _Span) -> _Span | None:
    """The one of some spans, in order and apart, that another lies in."""
    place = bisect_right(spans, span[0], key=lambda one: one[0]) - 1
    return spans[place] if place >= 0 and span[1] <= spans[place][1] else None


def _is_frame(text: str, kind: _Kind) -> bool:
    """Whether a text around a verdict is but its label, quotation marks and markup."""
    if len(text) > 2 * _NEAR:
        return False
    frame = rf"(?:{_MARKS}|{kind.label}|{FINAL}|です|は)*"
    return re.fullmatch(frame, text, re.I) is not None


def _labelled(kind: _Kind) -> re.Pattern[str]:
    """A label, a sign that it is one (`：`, は, a closing bracket), and the verdict, at the end of
    its clause: 評価：5つの観点 is none."""
    return re.compile(
        rf"{kind.label}\s?(?:(?:は|が)|[\])*_\"'」』`]*\s?[:=]|[\])][*_]*)[ *_\"'「『`\[(]*"
        rf"({kind.bare})(?=[ *_\"'」』`\])]*(?:$|[。、,;!(]|です|だ|と|で|\.$)|[ \"]*\}})",
        re.I | re.M,
    )


def _last_line(kind: _Kind) -> re.Pattern[str]:
    return re.compile(rf"(?:^|(?<=\n))[ *_`\"'\[(]*({kind.bare})[ *_`\"'\])。]*\s*\Z", re.I)


def _json(own: str, kind: _Kind) -> tuple[list[_Found], bool]:
    """The verdicts under the keys of a JSON object that the reply begins or ends with; and whether
    that object is the whole reply."""
    opened = re.match(r"\s*(?:```(?:json)?\s*)?(?=\{)", own)
    ending = re.search(r"\{[^{}]*\}(?=\s*(?:```)?\s*\Z)", own)
    starts = [opened.end()] if opened else []
    for start in starts + ([ending.start()] if ending else []):
        try:
            pairs, end = _PAIRS.raw_decode(own, start)
        except (ValueError, RecursionError):
            continue
        found = [
            _Found(written, (start, end))
            for key, value in pairs
            if str(key).strip().lower() in kind.keys
            and (written := _json_value(value, kind)) is not None
        ]
        if found:
            return found, bool(opened and start == opened.end() and not own[end:].strip("` \n"))
    return [], False


def _json_value(value: Any, kind: _Kind) -> Written | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        return kind.parse(str(value))
    except ValueError:  # more digits than Python prints
        return None


def _stands_in(passage: str, quoted: Sequence[str]) -> bool:
    return any(compact(passage)[0] in compact(answer)[0] for answer in quoted)


def _first_match(text: str, scale: Scale | None, patterns: Sequence[re.Pattern[str]]) -> Reading:
    if not text.strip():
        return Reading(None, "empty")
    match = next((one for pattern in patterns if (one := pattern.search(text))), None)
    if match is None or not _is_literal(match[1]):
        return Reading(None, "no rating")
    rating = float(match[1])
    if math.isinf(rating) or (scale is not None and not scale[0] <= rating <= scale[1]):
        return Reading(None, "off scale", match.span())
    return Reading(rating, span=match.span())


def _is_literal(digits: str) -> bool:
    """Whether Python reads the digits as a number: no full-width ones, no leading zero."""
    whole, dot, _ = digits.partition(".")
    if not re.fullmatch(r"[0-9]+(?:\.[0-9]*)?", digits):
        return False
    return bool(dot) or not whole.startswith("0") or not whole.strip("0")
