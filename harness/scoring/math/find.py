"""Finds the answer in the text that a model wrote round it."""

from __future__ import annotations

import re

from harness.scoring.math.notation import tidy_signs
from harness.scoring.math.reader import canonical, read
from harness.scoring.reading import clean, marks

_BOXED = re.compile(r"[\\¥](?:boxed|fbox)\s?\{")
_HASHES = re.compile(r"####[ \t]*([^\n]+)")
_FORMULA = re.compile(
    r"\$\$(.+?)\$\$|\\\[(.+?)\\\]|\\\((.+?)\\\)|(?<![\\$])\$([^$\n]+)\$", re.DOTALL
)
_CONCLUDED = re.compile(
    r"(?:です|である|となり|になり|となる|になる|でした|だ)(?:ます|ました)?(?=[。、,]|$)"
)
_QUANTITY = re.compile(
    r"(?:(?:午前|午後)\s?)?[-+±]?[¥]?(?:[0-9零〇一二三四五六七八九十百千万億兆][0-9零〇一二三四五六七八九十百千万億兆,./:]*)"
    r"(?:[ ]?(?:\*|\\times)[ ]?10\^(?:-?[0-9]+|\(-?[0-9]+\)|\{-?[0-9]+\}))?"
    r"(?:[ ]?(?!です|である|となり|になり|なの|だ)[A-Za-z%°Ωァ-ー一-龥/^0-9]{1,8})*"
)
_SPLIT_WORD = re.compile(r"[A-Za-z]{2}")
_THEREFORE = re.compile(
    r"(?:よって|したがって|従って|ゆえに|つまり|すなわち|以上より|これより)、?\s?"
)
_LONGEST = 20_000
_LONGEST_QUANTITY = 60
_MOST_CANDIDATES = 50


def extract_math_answer(text: str, prompt: str = "") -> str | None:
    """The answer of a text, as `math_equal` takes it; None when there is none.

    In this order: the last \\boxed{...}; what stands behind ####; the last text marked as the
    answer (答えは, 答え：); the last formula between $ signs; the whole of a short text that can be
    read; the last quantity of the last sentence that has one.
    """
    text = text[-_LONGEST:]
    if "</think>" in text:
        text = text.rpartition("</think>")[2]
    elif "<think>" in text:
        return None
    if (box := last_box(text)) is not None:
        return box or None
    if hashes := _HASHES.findall(text):
        return hashes[-1].strip() or None
    text = clean(tidy_signs(text), tidy_signs(prompt))
    marked = marks(text)
    final = [mark for mark in marked if mark.final] or marked
    if final:
        return _stated(final[-1].value)
    if len(text) <= 200 and read(canonical(text)):
        return text.strip()
    if formulas := list(_FORMULA.finditer(text)):
        inner = next(group for group in formulas[-1].groups() if group is not None)
        return _result(inner)
    for sentence in reversed([part for part in re.split(r"[\n。]", text) if part.strip()]):
        told = _CONCLUDED.sub("", _THEREFORE.sub("", sentence.strip(), count=1))
        if len(told) <= _LONGEST_QUANTITY and read(canonical(told)):
            return told.strip()
        if (found := _last_quantity(sentence)) is not None:
            return found
    return None


def last_box(text: str) -> str | None:
    """What the last closed \\boxed{...} holds, its LaTeX as it is."""
    for found in reversed(list(_BOXED.finditer(text))[-8:]):
        depth = 1
        for position in range(found.end(), len(text)):
            depth += {"{": 1, "}": -1}.get(text[position], 0)
            if not depth:
                return text[found.end() : position].strip()
    return None


def _stated(value: str) -> str | None:
    """The answer in a clause that states it: 12 円です。 or $x = 3$ である."""
    sentence = value.split("。", 1)[0].strip()
    if formulas := list(_FORMULA.finditer(sentence)):
        inner = next(group for group in formulas[-1].groups() if group is not None)
        rest = sentence[formulas[-1].end() :]
        unit = re.match(r"\s?([A-Za-z%°Ωァ-ー一-龥/]{1,6})", _CONCLUDED.sub("", rest))
        joined = f"{_result(inner)}{unit[1]}" if unit else _result(inner)
        return joined if read(canonical(joined)) else _result(inner)
    found = _CONCLUDED.search(sentence)
    if found is not None and found.start():
        sentence = sentence[: found.start()]
    if read(canonical(sentence)):
        return sentence
    result = _result(sentence)
    if read(canonical(result)):
        return result
    return _last_quantity(sentence) or sentence or None


def _result(formula: str) -> str:
    """12 of 3 × 4 = 12; x = 3 stays."""
    sides = re.split(r"(?<![<>!\\])=(?!>)", formula)
    if len(sides) > 2 or (len(sides) == 2 and len(sides[0].strip()) > 2 and sides[1].strip()):
        kept = sides[-1].strip()
        return kept if read(canonical(kept)) and not _is_equation(sides) else formula.strip()
    return formula.strip()


def _is_equation(sides: list[str]) -> bool:
    """Whether two sides relate variables: y = 2x + 1 and x + y = 1 are answers as they are."""
    return len(sides) == 2 and bool(re.search(r"(?<![\\A-Za-z])[a-z](?![A-Za-z])", sides[0]))


def _last_quantity(sentence: str) -> str | None:
    found = [match[0].strip(" ,.、:/") for match in _QUANTITY.finditer(sentence)]
    for candidate in reversed(found[-_MOST_CANDIDATES:]):
        if len(candidate) > _LONGEST_QUANTITY:
            return None
        for end in range(len(candidate), 0, -1):
            # 3 TWh is not 3 T: a word is taken whole or not at all.
            if _SPLIT_WORD.match(candidate, end - 1):
                continue
            if read(canonical(candidate[:end])):
                return candidate[:end]
    return None
