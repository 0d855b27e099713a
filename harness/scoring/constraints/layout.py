"""Constraints on the layout of an answer: lists, headings, marks, JSON, its division in parts."""

from __future__ import annotations

import json
import re

from harness.scoring.constraints.lengths import divided

_PLACEHOLDER = re.compile(r"\[[^\]\n]*\]")
_BULLET = re.compile(r"\s*・\s*[^・\s]")
_NUMBERED = re.compile(r"\s*\d+\.\s+\S")
_HIGHLIGHT = re.compile(r"《(?P<text>[^《》\n]*)》")
_TITLE = re.compile(r"『(?P<text>[^\n]+)』")
_FENCE = re.compile(r"```(?:json|Json|JSON)?")
_RESPONSE_RULE = "******"
_SPACED_MARKS = {"P.S.": r"p\.\s?s\.", "P.P.S": r"p\.\s?p\.\s?s"}


def number_placeholders(text: str, num_placeholders: int) -> bool:
    """At least this many places to fill in, each in square brackets: [名前]."""
    return len(_PLACEHOLDER.findall(text)) >= num_placeholders


def number_bullet_lists(text: str, num_bullets: int) -> bool:
    """Exactly this many lines that start with ・."""
    return _matching_lines(_BULLET, text) == num_bullets


def number_numbered_lists(text: str, num_items: int) -> bool:
    """Exactly this many lines that start with a number, a full stop and a space: 1."""
    return _matching_lines(_NUMBERED, text) == num_items


def number_highlighted_sections(text: str, num_highlights: int) -> bool:
    """At least this many passages marked 《like this》, each within one line."""
    marked = [one["text"] for one in _HIGHLIGHT.finditer(text)]
    return sum(bool(one.strip()) for one in marked) >= num_highlights


def multiple_sections(text: str, section_spliter: str, num_sections: int) -> bool:
    """At least this many headings 第1章, 第２章 and so on."""
    return len(re.findall(rf"第\d+{re.escape(section_spliter)}", text)) >= num_sections


def title(text: str) -> bool:
    """A title in 『』 somewhere in the answer."""
    return any(one["text"].strip("『』 \t　") for one in _TITLE.finditer(text))


def postscript(text: str, postscript_marker: str) -> bool:
    """The mark of a postscript somewhere, in upper or lower case; P.S. and P.P.S may have spaces
    behind their stops."""
    mark = _SPACED_MARKS.get(postscript_marker, re.escape(postscript_marker))
    return re.search(mark, text, re.IGNORECASE) is not None


def json_format(text: str) -> bool:
    """The whole answer is JSON, with or without one code fence around it."""
    body = text.strip()
    if opening := _FENCE.match(body):
        body = body[opening.end() :]
    try:
        json.loads(body.removesuffix("```").strip())
    except (ValueError, RecursionError):
        return False
    return True


def two_responses(text: str) -> bool:
    """Two different answers with ****** between them."""
    parts = divided(text, _RESPONSE_RULE)
    return parts is not None and len(parts) == 2 and parts[0] != parts[1]


def repeat_prompt(text: str, prompt_to_repeat: str) -> bool:
    """The answer starts by saying the request again, word for word."""
    return text.strip().startswith(prompt_to_repeat.strip())


def _matching_lines(pattern: re.Pattern[str], text: str) -> int:
    return sum(pattern.match(line) is not None for line in text.split("\n"))
