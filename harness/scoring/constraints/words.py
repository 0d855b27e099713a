"""Constraints on words: keywords and forbidden words, as M-IFEval finds them and as readers do."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

from harness.scoring.constraints.relation import Relation, holds

TOKENIZER = "janome"
_SURROGATE = re.compile("[\ud800-\udfff]")


def existence(text: str, keywords: Sequence[str]) -> bool:
    """Every keyword is a word of the answer, as M-IFEval's tokenizer cuts it into words."""
    return set(keywords) <= set(_words(text))


def frequency(text: str, keyword: str, relation: Relation, frequency: int) -> bool:
    """How often the keyword is a word of the answer, as M-IFEval's tokenizer cuts it."""
    return holds(_words(text).count(keyword), relation, frequency)


def forbidden_words(text: str, forbidden_words: Sequence[str]) -> bool:
    """None of the words is a word of the answer, as M-IFEval's tokenizer cuts it: 森林 does not
    hold 森."""
    return set(forbidden_words).isdisjoint(_words(text))


def contains(text: str, keywords: Sequence[str]) -> bool:
    """Every keyword occurs, inside a longer word too: 創造性 holds 創造."""
    return all(word in text for word in keywords)


def occurrences(text: str, keyword: str, relation: Relation, frequency: int) -> bool:
    """How often the keyword occurs, inside longer words too."""
    return holds(text.count(keyword), relation, frequency)


def lacks(text: str, forbidden_words: Sequence[str]) -> bool:
    """None of the words occurs, not even inside a longer word."""
    return not any(word in text for word in forbidden_words)


def has_tokenizer() -> bool:
    """Whether the words of M-IFEval's keyword constraints can be told here."""
    return importlib.util.find_spec(TOKENIZER) is not None


@cache
def _tokenizer() -> Any:
    from janome.tokenizer import Tokenizer

    return Tokenizer()


@lru_cache(maxsize=16)
def _words(text: str) -> tuple[str, ...]:
    # The dictionary is searched in UTF-8, which has no lone surrogates.
    whole = _SURROGATE.sub("\ufffd", text)
    return tuple(_tokenizer().tokenize(whole, wakati=True))
