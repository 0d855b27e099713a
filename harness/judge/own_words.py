"""Tells a judge's own words from what it thinks aloud, quotes or copies."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

# Stands for each character that is not the judge's own: no space, no letter, in no pattern.
BLANK = "\ufffc"
# A passage of this many characters (white space aside) that the judge shares with an answer is a
# copy. The verdict asked for is shorter, so a judge's own verdict never is one by itself.
SHARED = 20

OPENING, CLOSING = "開始", "終了"

_THOUGHT_END = re.compile(
    r"</(?:think|thinking|thought|reasoning)>|\[/THINK\]|<\|channel\|>\s*final\s*<\|message\|>",
    re.I,
)
_THOUGHT_START = re.compile(
    r"\s*(?:<(?:think|thinking|thought|reasoning)>|\[THINK\]|<\|channel\|>\s*analysis)", re.I
)
_IGNORED = re.compile(r"[\s\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
# What framing writes in place of a sign, and full-width forms, are read as the sign itself.
FOLD = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {
    ord("〔"): "[",
    ord("〕"): "]",
    ord("‹"): "<",
    ord("›"): ">",
    ord("♯"): "#",
    ord("【"): "[",
    ord("】"): "]",
}


def own_words(reply: str, boundary: str | None = None, quoted: Sequence[str] = ()) -> str:
    """The reply, character for character, with BLANK for all that is not the judge's own words:

    - thoughts, up to the last closing tag, or all of it where one was opened and never closed;
    - what stands between two boundary lines that the judge repeats; a boundary that is opened and
      not closed (or the reverse) takes everything to that end of the reply;
    - passages of SHARED or more characters that stand in one of the `quoted` texts, whatever their
      white space, width or neutralised signs; and a shorter reply that as a whole, with brackets
      or braces of its own, stands in one.

    Line ends stay, so that lines and offsets are those of the reply.
    """
    # Copies go first: a closing tag that the judge copied closes no thought of its own.
    text = _blank(reply, _copies(reply, quoted)) if quoted else reply
    if boundary:
        text = _blank(text, _between(text, boundary))
    return _blank(text, _thoughts(text))


def _blank(text: str, spans: Iterator[tuple[int, int]]) -> str:
    parts: list[str] = []
    done = 0
    for start, end in spans:
        parts += text[done:start], re.sub(r"[^\n]", BLANK, text[max(start, done) : end])
        done = max(done, end)
    return "".join((*parts, text[done:]))


def _thoughts(text: str) -> Iterator[tuple[int, int]]:
    if closed := list(_THOUGHT_END.finditer(text)):
        yield 0, closed[-1].end()
    elif _THOUGHT_START.match(text):
        yield 0, len(text)


def _between(text: str, boundary: str) -> Iterator[tuple[int, int]]:
    opened: int | None = None
    closed = 0
    for mark in re.finditer(rf"{re.escape(boundary)}\s*({OPENING}|{CLOSING})?", text):
        if mark[1] == CLOSING:
            yield closed if opened is None else opened, mark.end()
            opened, closed = None, mark.end()
        elif mark[1] == OPENING and opened is None:
            opened = mark.start()
    if opened is not None:
        yield opened, len(text)


def _copies(text: str, quoted: Sequence[str]) -> Iterator[tuple[int, int]]:
    whole, places = compact(text)
    known = set[str]()
    for answer in quoted:
        shown, _ = compact(answer)
        if whole in shown and re.search(r"\[\[|\{", whole):
            yield 0, len(text)
        known.update(shown[i : i + SHARED] for i in range(len(shown) - SHARED + 1))
    start = end = -1  # of the copy in hand, in places
    for i in range(len(whole) - SHARED + 1):
        if whole[i : i + SHARED] not in known:
            continue
        if i > end:
            if end > 0:
                yield places[start], places[end - 1] + 1
            start = i
        end = i + SHARED
    if end > 0:
        yield places[start], places[end - 1] + 1


def compact(text: str) -> tuple[str, list[int]]:
    """A text folded and without what no reader sees, and where each character of it stood."""
    places = [i for i, character in enumerate(text) if not _IGNORED.match(character)]
    return "".join(text[i] for i in places).translate(FOLD), places
