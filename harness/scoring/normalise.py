"""Brings Japanese text into one form, so that a comparison sees words and not typography."""

from __future__ import annotations

import re
import unicodedata

ASCII_SPACE = " \t\r\n\v\f"

# Zero-width characters that a decoder may emit and no reader sees: ZWSP, ZWNJ, ZWJ, word joiner,
# byte-order mark, soft hyphen.
_INVISIBLE = re.compile("[\u200b\u200c\u200d\u2060\ufeff\u00ad]")
# One character for each family that NFKC leaves apart.
_FAMILIES = (
    (re.compile("[〜∼]"), "~"),
    (re.compile("[‐‑‒–—―−]"), "-"),
    (re.compile("[“”„‟]"), '"'),
    (re.compile("[‘’‚‛]"), "'"),
    (re.compile("\r\n?"), "\n"),
)
_TRAILING = "。.、,"
BRACKETS = {
    "「": "」",
    "『": "』",
    "【": "】",
    "〈": "〉",
    "《": "》",
    "〔": "〕",
    "(": ")",
    "[": "]",
    "{": "}",
    "<": ">",
}
_CLOSING = {closing: opening for opening, closing in BRACKETS.items()}
_QUOTES = "\"'"
_MARKUP = "*`$"
# NFKC sorts runs of combining marks in quadratic time; no language stacks this many (UAX #15,
# stream-safe text, allows 30).
_STACKED = re.compile(
    "([\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u064b-\u065f\u1ab0-\u1aff\u1dc0-\u1dff"
    "\u20d0-\u20ff\u3099\u309a\ufe20-\ufe2f]{30})"
    "[\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u064b-\u065f\u1ab0-\u1aff\u1dc0-\u1dff"
    "\u20d0-\u20ff\u3099\u309a\ufe20-\ufe2f]+"
)


def trim(text: str) -> str:
    """The raw answer: a generation without leading and trailing ASCII white space, which no
    format rule and no metric looks at. Everything else, a full-width space too, is kept."""
    return text.strip(ASCII_SPACE)


def nfkc(text: str) -> str:
    """Unicode NFKC: full-width letters and digits become ASCII, half-width kana full-width.

    Exactly `unicodedata.normalize`, which takes quadratic time over a long run of combining marks
    in disorder; such runs are put in canonical order first, which NFKC would do anyhow.
    """
    return unicodedata.normalize("NFKC", _STACKED.sub(_in_order, text))


def _in_order(stacked: re.Match[str]) -> str:
    return "".join(sorted(stacked[0], key=unicodedata.combining))


def unify(text: str) -> str:
    """NFKC without invisible characters, with one wave dash (~), one hyphen (-), straight quotes
    and \\n line ends. Lines and spaces stay as they are. Combining marks beyond 30 in a row are
    dropped."""
    if text.isascii():
        return text.replace("\r\n", "\n").replace("\r", "\n")
    text = nfkc(_STACKED.sub(r"\1", _INVISIBLE.sub("", text)))
    for family, character in _FAMILIES:
        text = family.sub(character, text)
    return text


def normalise(text: str) -> str:
    """The form in which lenient comparison sees a text. In this order:

    1. `unify`: NFKC, no invisible characters, 〜 and ～ to ~, dashes and the minus sign to -
       (the long-vowel mark ー stays), curly quotes to straight ones;
    2. runs of white space, line ends included, become one space, and none at either end;
    3. until nothing changes: drop trailing 。 . 、 , and white space; drop one pair that surrounds
       the whole text: 「」『』【】〈〉《》〔〕()[]{}<>, "" or '' when no third such quote is
       inside, and the markup signs * ` $.

    Nothing else changes: case, inner punctuation, inner spaces and kana stay.
    """
    return _peel(" ".join(unify(text).split()))


def normalise_lines(text: str) -> str:
    """`normalise` applied to each line; lines left empty are dropped."""
    lines = (_peel(" ".join(line.split())) for line in unify(text).split("\n"))
    return "\n".join(line for line in lines if line)


def _peel(text: str) -> str:
    """Step 3 of `normalise`, in linear time: partners of brackets are looked up once."""
    partner = _partners(text) if any(opening in text for opening in BRACKETS) else {}
    quotes = {quote: text.count(quote) for quote in _QUOTES}
    start, end = 0, len(text)
    while start < end:
        first, last = text[start], text[end - 1]
        if last.isspace() or last in _TRAILING:
            end -= 1
        elif first.isspace():
            start += 1
        elif end - start >= 2 and (
            partner.get(start) == end - 1
            or (first == last and first in _MARKUP)
            or (first == last and quotes.get(first) == 2)
        ):
            start, end = start + 1, end - 1
        else:
            break
    return text[start:end]


def _partners(text: str) -> dict[int, int]:
    """Position of each opening bracket's own closing bracket."""
    partner: dict[int, int] = {}
    open_at: dict[str, list[int]] = {opening: [] for opening in BRACKETS}
    for position, character in enumerate(text):
        if character in open_at:
            open_at[character].append(position)
        elif (opening := _CLOSING.get(character)) and open_at[opening]:
            partner[open_at[opening].pop()] = position
    return partner


def is_quoted(text: str) -> bool:
    """Whether one pair of quotation marks, 「」『』 or straight or curly quotes, surrounds the
    whole text (「本」と「紙」 is not quoted, 「本と紙」 is)."""
    if len(text) < 2:
        return False
    first, last = text[0], text[-1]
    if first in "「『":
        return _partners(text).get(0) == len(text) - 1
    pairs = {'"': '"', "'": "'", "“": "”", "‘": "’"}
    return pairs.get(first) == last and not set(text[1:-1]) & {first, last}
