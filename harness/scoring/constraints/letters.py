"""Constraints on the characters of an answer: its scripts, its kanji, its digits, one kana."""

from __future__ import annotations

import re
import unicodedata

from harness.scoring.constraints.relation import Relation, holds

# The unified ideographs of the Basic Multilingual Plane, as M-IFEval counts kanji: neither 々 nor
# the extensions, so that 人々 holds one kanji.
_KANJI = re.compile("[一-龯]")
_KANJI_WORD = re.compile("[一-龯]+(?P<reading>（[ぁ-ん]+）)?")
_LONG_VOWEL = "ー"
_TO_KATAKANA = ord("ア") - ord("あ")


def hiragana_only(text: str) -> bool:
    """Every letter is hiragana or ー; digits, signs and spaces are no letters."""
    return all("ぁ" <= one <= "ん" or one == _LONG_VOWEL for one in _letters(text))


def katakana_only(text: str) -> bool:
    """Every letter is katakana, full-width or half-width, or ー."""
    return all(
        "ァ" <= one <= "ン" or "ｦ" <= one <= "ﾟ" or one == _LONG_VOWEL for one in _letters(text)
    )


def no_hiragana(text: str) -> bool:
    return not any("ぁ" <= one <= "ゖ" for one in text)


def no_katakana(text: str) -> bool:
    """No katakana, full-width or half-width; ー and ・ are none."""
    return not any("ァ" <= one <= "ヺ" or "ｦ" <= one <= "ﾟ" for one in text)


def kanji(text: str, relation: Relation, kanji_limit: int) -> bool:
    return holds(len(_KANJI.findall(text)), relation, kanji_limit)


def kansuuji(text: str) -> bool:
    """Numbers are written in kanji: no decimal digit of any script, full-width ones included."""
    return not any(one.isdecimal() for one in text)


def furigana(text: str) -> bool:
    """Every run of kanji is followed by its reading in hiragana in full-width parentheses:
    漢字（かんじ）. True as well of a text without kanji."""
    return all(word["reading"] for word in _KANJI_WORD.finditer(text))


def letter_frequency(text: str, letter: str, let_relation: Relation, let_frequency: int) -> bool:
    """How often a hiragana and its katakana occur together; か does not count が."""
    return holds(
        text.count(letter) + text.count(chr(ord(letter) + _TO_KATAKANA)),
        let_relation,
        let_frequency,
    )


def _letters(text: str) -> list[str]:
    return [one for one in text if unicodedata.category(one).startswith("L")]
