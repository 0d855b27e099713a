"""Reads a teacher's reply strictly: fields by name, or a phrase that says why it is unreadable."""

from __future__ import annotations

import re

from harness.scoring.code.extract import own_text
from harness.scoring.language import is_japanese, letters
from harness.scoring.normalise import trim
from harness.scoring.repetition import is_repetitive
from harness.scoring.style import without_code
from training.synthesis.teacher_prompts import Form, TeacherPrompt
from training.synthesis.types import Dropped, Reply

STAGE = "unreadable"

# A longer reply is a loop, and no form asks for one.
_LONGEST = 20_000
# Fewer letters than this do not show a language.
_LEAST_LETTERS = 4
# What a form puts where the teacher's own words are to stand.
_PLACEHOLDER = re.compile(r"（[^（）\n]{4,}）")


def read(prompt: TeacherPrompt, reply: Reply) -> dict[str, str] | Dropped:
    """The fields of a reply to `prompt`, without white space around each, or why there are none.

    Thoughts up to </think> are no part of a reply. Nothing else is passed over: the rest matches
    the form's pattern from its first to its last character, has every label once, and every field
    within its limits; none of them repeats the form's placeholders, and those that have to be
    Japanese are, and do not loop. A reply that was cut by the token limit is unreadable, whatever
    it says. Never raises.
    """
    if reply.finish != "stop":
        why = "cut by the token limit" if reply.finish == "length" else "the teacher failed"
        return Dropped(STAGE, why, reply.text)
    fields = _fields(prompt.form, reply.text)
    return fields if isinstance(fields, dict) else Dropped(STAGE, fields, reply.text)


def _fields(form: Form, raw: str) -> dict[str, str] | str:
    if len(raw) > _LONGEST:
        return "too long"
    try:
        raw.encode()
    except UnicodeEncodeError:
        return "half of a surrogate pair"
    text = trim(own_text(raw))
    if not text:
        return "thoughts without an end" if "<think>" in raw else "empty"
    for once in form.once:
        if (times := len(re.findall(once, text))) != 1:
            return "a label is missing" if not times else "a label occurs twice"
    found = form.compiled.fullmatch(text)
    if found is None:
        return "not in the form asked for"
    fields = {name: (value or "").strip() for name, value in found.groupdict().items()}
    placeholders = set(_PLACEHOLDER.findall(form.ask))
    for name, value in fields.items():
        least, most = form.limits[name]
        if any(one in value for one in placeholders):
            return f"{name} repeats the form"
        if not least <= len(value) <= most:
            return f"{name} is too {'short' if len(value) < least else 'long'}"
        if name in form.japanese:
            if is_repetitive(value):
                return f"{name} loops"
            prose = without_code(value)
            if letters(prose) < _LEAST_LETTERS or not is_japanese(prose):
                return f"{name} is not Japanese"
    return fields
