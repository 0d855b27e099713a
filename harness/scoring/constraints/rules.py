"""The table of constraints: what each wants to know and the function that checks it.

Ids that start with `ja:` are those of M-IFEval's Japanese data and mean what its published
verdicts mean; ids that start with `harness:` are this project's own.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.scoring.constraints import endings, layout, lengths, letters, tongue, words
from harness.scoring.constraints.relation import RELATIONS

# count: a positive integer; text: a string that is not blank; texts: a list of those;
# letter: one hiragana; the others: one of a closed list.
Kind = Literal["count", "text", "texts", "letter", "relation", "language"]


@dataclass(frozen=True)
class Rule:
    """How one constraint is checked.

    check      takes the answer and, by name, every keyword argument
    kwargs     the arguments' kinds by name; all are needed
    tokenizer  whether the check needs M-IFEval's tokenizer, an optional dependency
    """

    check: Callable[..., bool]
    kwargs: Mapping[str, Kind] = field(default_factory=dict)
    tokenizer: bool = False


_WORDS: Mapping[str, Kind] = {"keywords": "texts"}
_FREQUENCY: Mapping[str, Kind] = {"keyword": "text", "relation": "relation", "frequency": "count"}
_FORBIDDEN: Mapping[str, Kind] = {"forbidden_words": "texts"}
_PARAGRAPHS: Mapping[str, Kind] = {
    "num_paragraphs": "count",
    "nth_paragraph": "count",
    "first_word": "text",
}
_LETTER: Mapping[str, Kind] = {
    "letter": "letter",
    "let_relation": "relation",
    "let_frequency": "count",
}

RULES: Mapping[str, Rule] = {
    "ja:combination:repeat_prompt": Rule(layout.repeat_prompt, {"prompt_to_repeat": "text"}),
    "ja:combination:two_responses": Rule(layout.two_responses),
    "ja:detectable_content:number_placeholders": Rule(
        layout.number_placeholders, {"num_placeholders": "count"}
    ),
    "ja:detectable_content:postscript": Rule(layout.postscript, {"postscript_marker": "text"}),
    "ja:detectable_format:constrained_response": Rule(endings.constrained_response),
    "ja:detectable_format:json_format": Rule(layout.json_format),
    "ja:detectable_format:multiple_sections": Rule(
        layout.multiple_sections, {"section_spliter": "text", "num_sections": "count"}
    ),
    "ja:detectable_format:nominal_ending": Rule(endings.nominal_ending, {"count": "count"}),
    "ja:detectable_format:number_bullet_lists": Rule(
        layout.number_bullet_lists, {"num_bullets": "count"}
    ),
    "ja:detectable_format:number_highlighted_sections": Rule(
        layout.number_highlighted_sections, {"num_highlights": "count"}
    ),
    "ja:detectable_format:number_numbered_lists": Rule(
        layout.number_numbered_lists, {"num_items": "count"}
    ),
    "ja:detectable_format:title": Rule(layout.title),
    "ja:keywords:existence": Rule(words.existence, _WORDS, tokenizer=True),
    "ja:keywords:forbidden_words": Rule(words.forbidden_words, _FORBIDDEN, tokenizer=True),
    "ja:keywords:frequency": Rule(words.frequency, _FREQUENCY, tokenizer=True),
    "ja:keywords:letter_frequency": Rule(letters.letter_frequency, _LETTER),
    "ja:language:response_language": Rule(tongue.response_language, {"language": "language"}),
    "ja:length_constraints:nth_paragraph_first_word": Rule(
        lengths.nth_paragraph_first_word, _PARAGRAPHS
    ),
    "ja:length_constraints:number_letters": Rule(
        lengths.number_letters, {"relation": "relation", "num_letters": "count"}
    ),
    "ja:length_constraints:number_paragraphs": Rule(
        lengths.number_paragraphs, {"num_paragraphs": "count"}
    ),
    "ja:length_constraints:number_sentences": Rule(
        lengths.number_sentences, {"relation": "relation", "num_sentences": "count"}
    ),
    "ja:letters:furigana": Rule(letters.furigana),
    "ja:letters:hiragana_only": Rule(letters.hiragana_only),
    "ja:letters:kanji": Rule(letters.kanji, {"relation": "relation", "kanji_limit": "count"}),
    "ja:letters:kansuuji": Rule(letters.kansuuji),
    "ja:letters:katakana_only": Rule(letters.katakana_only),
    "ja:letters:no_hiragana": Rule(letters.no_hiragana),
    "ja:letters:no_katakana": Rule(letters.no_katakana),
    "ja:punctuation:no_comma": Rule(endings.no_comma),
    "ja:punctuation:no_period": Rule(endings.no_period),
    "ja:startend:end_checker": Rule(endings.end_checker, {"end_phrase": "text"}),
    "ja:startend:quotation": Rule(endings.quotation),
    "ja:startend:sentence_unified_end": Rule(endings.sentence_unified_end, {"ending": "text"}),
    "harness:keywords:existence": Rule(words.contains, _WORDS),
    "harness:keywords:forbidden_words": Rule(words.lacks, _FORBIDDEN),
    "harness:keywords:frequency": Rule(words.occurrences, _FREQUENCY),
    "harness:startend:polite_endings": Rule(endings.polite_endings),
    "harness:startend:start_checker": Rule(endings.start_checker, {"start_phrase": "text"}),
}


def constraint_fault(name: str, kwargs: Mapping[str, Any]) -> str | None:
    """What is wrong with a constraint as it is written, as a phrase, or None."""
    rule = RULES.get(name)
    if rule is None:
        close = difflib.get_close_matches(name, RULES, n=1)
        hint = f"did you mean {close[0]!r}?" if close else "docs/protocols.md lists the known ones"
        return f"unknown instruction id {name!r}; {hint}"
    if missing := [key for key in rule.kwargs if key not in kwargs]:
        return (
            f"{name!r} lacks {', '.join(missing)} in kwargs, expected "
            f"{', '.join(rule.kwargs)}; add what is missing"
        )
    if extra := [key for key in kwargs if key not in rule.kwargs]:
        known = ", ".join(rule.kwargs) or "no kwargs"
        return f"{name!r} has {', '.join(extra)} in kwargs, expected {known}; remove the rest"
    for key, kind in rule.kwargs.items():
        if (expected := _expected(kwargs[key], kind)) is not None:
            return f"{name!r} has {key} {kwargs[key]!r}, expected {expected}"
    return None


def _expected(value: Any, kind: Kind) -> str | None:
    """What a keyword argument should have been, or None where it is that."""
    match kind:
        case "count":
            good = isinstance(value, int) and not isinstance(value, bool) and value > 0
            return None if good else "a positive integer"
        case "text":
            return None if _is_text(value) else "a text that is not blank"
        case "texts":
            good = isinstance(value, list) and bool(value) and all(map(_is_text, value))
            return None if good else "a list of one or more texts"
        case "letter":
            good = isinstance(value, str) and len(value) == 1 and "ぁ" <= value <= "ゖ"
            return None if good else "one hiragana"
        case "relation":
            return None if value in RELATIONS else f"one of {', '.join(RELATIONS)}"
        case "language":
            known = ", ".join(tongue.LANGUAGES)
            return None if value in tongue.LANGUAGES else f"one of {known}"


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())
