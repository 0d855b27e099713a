"""Constraints on how long an answer is: characters, sentences, paragraphs."""

from __future__ import annotations

import re

from harness.scoring.constraints.relation import Relation, holds

ENDS = "。！？!?｡"
# Full stops inside a quotation or inside parentheses do not end the sentence around them.
_ENCLOSED = re.compile(r"「[^「」]*」|[(（][^()（）]*[)）]")
_PARAGRAPH_RULE = "***"
_OPENING_QUOTES = "「『"


def sentences(text: str) -> list[str]:
    """The sentences of a text. A line end ends a sentence, unless the line breaks off after の;
    so does each 。！？ outside 「」 and parentheses."""
    found: list[str] = []
    for line in _lines(text):
        start = 0
        blanked = _ENCLOSED.sub(lambda part: "・" * len(part[0]), line)
        for position, character in enumerate(blanked):
            if character in ENDS:
                found.append(line[start : position + 1])
                start = position + 1
        found.append(line[start:])
    return [one.strip() for one in found if one.strip()]


def number_sentences(text: str, relation: Relation, num_sentences: int) -> bool:
    return holds(len(sentences(text)), relation, num_sentences)


def number_letters(text: str, relation: Relation, num_letters: int) -> bool:
    """Counts every character, white space and line ends included."""
    return holds(len(text), relation, num_letters)


def number_paragraphs(text: str, num_paragraphs: int) -> bool:
    """Exactly this many paragraphs, with *** between them; one before the first or behind the
    last is allowed, an empty paragraph is not."""
    parts = divided(text, _PARAGRAPH_RULE)
    return parts is not None and len(parts) == num_paragraphs


def nth_paragraph_first_word(
    text: str, num_paragraphs: int, nth_paragraph: int, first_word: str
) -> bool:
    """Exactly this many paragraphs, with a blank line between them, of which the nth (from 1)
    starts with a word; an opening 「 or 『 before the word is not looked at."""
    blocks = text.split("\n\n")
    if len([block for block in blocks if block.strip()]) != num_paragraphs:
        return False
    if not 1 <= nth_paragraph <= num_paragraphs:
        return False
    # Empty blocks (three line ends in a row and more) keep their place in the numbering.
    block = blocks[nth_paragraph - 1].strip()
    return block.lstrip(_OPENING_QUOTES).startswith(first_word)


def divided(text: str, rule: str) -> list[str] | None:
    """The parts of a text between dividers, stripped; None when one between two is empty."""
    parts = [part.strip() for part in text.split(rule)]
    if parts and not parts[0]:
        parts = parts[1:]
    if parts and not parts[-1]:
        parts = parts[:-1]
    return parts if all(parts) else None


def _lines(text: str) -> list[str]:
    """The lines of a text; one that breaks off after の goes on in the next."""
    lines: list[str] = []
    joined = False
    for line in text.strip().splitlines():
        if joined:
            lines[-1] += line
        else:
            lines.append(line)
        joined = len(lines[-1]) > 1 and lines[-1].endswith("の")
    return lines
