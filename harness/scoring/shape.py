"""Names the shape of a format fault, so that a report can group answers that err alike."""

from __future__ import annotations

import re

from harness.items.schema import FormatRule, Item
from harness.scoring.extract import find_answer
from harness.scoring.format import BULLET, format_fault
from harness.scoring.labels import leading_label, mentioned, option_texts, whole_label
from harness.scoring.language import is_japanese, letters
from harness.scoring.normalise import normalise, trim, unify
from harness.scoring.numerals import kanji_number
from harness.scoring.reading import asks_again, boxed, headed, marks, statement
from harness.scoring.repetition import is_repetitive

EMPTY = "empty"
THOUGHTS = "thoughts in the answer"
FENCE = "code fence"
LOOP = "a passage repeated over and over"
ECHO = "the question repeated"
NEW_QUESTION = "another question after the answer"
FOREIGN = "not Japanese"
CUT = "cut by the token limit"
HEADER = "答えは or another header before the answer"
SIGNS = "brackets, quotes or other signs around the answer"
AROUND = "text around the answer"
NOTHING = "no answer of the kind asked for"
WIDE_LABEL = "label in full width"
CASE = "label in the other case"
DESU = "label followed by です。"
OPTION = "label followed by the option's text"
TEXT_ONLY = "the option's text instead of the label"
AFTER = "explanation after the label"
BEFORE = "explanation before the label"
SEVERAL = "several labels"
WIDE_NUMBER = "number in full width or kanji"
THOUSANDS = "number with thousands separator"
UNIT = "number with a unit"
DECIMAL = "decimal part where an integer was asked"
LINES = "several lines where one was asked"
LONG = "longer than allowed"
NOT_COPIED = "not a part of the question"
BULLETS = "bullets or numbering before entries"
STRUCTURE = "another structure than was asked for"

# What each shape looks like: the whole vocabulary.
SHAPES: dict[str, str] = {
    EMPTY: "nothing but white space",
    THOUGHTS: "<think> … </think>, closed or not",
    FENCE: "```A```",
    LOOP: "答えは答えは答えは…",
    ECHO: "the question or a line of it, then perhaps an answer",
    NEW_QUESTION: "A, then 質問：… or ### 入力:",
    FOREIGN: "at least 20 letters, mostly not Japanese, to a Japanese question",
    CUT: "the beginning of a label, or no answer before the limit",
    HEADER: "答えはA, 回答：8, ### 応答:, 選択肢2",
    SIGNS: "「A」, (A), A。, **8**, \\boxed{8}",
    AROUND: "a sentence that holds the answer",
    NOTHING: "neither a label nor a number, where one was asked for",
    WIDE_LABEL: "Ａ",
    CASE: "Entailment",
    DESU: "Aです。, Aが正解です。",
    OPTION: "2.マザーボード",
    TEXT_ONLY: "マザーボード",
    AFTER: "A。なぜなら…",
    BEFORE: "…なので、答えはA",
    SEVERAL: "AまたはB",
    WIDE_NUMBER: "１２, 十二",
    THOUSANDS: "1,200",
    UNIT: "8個",
    DECIMAL: "8.0 for 8",
    LINES: "東京, then an explanation on the next line",
    LONG: "more characters than the rule allows",
    NOT_COPIED: "words of its own where a part of the passage was asked for",
    BULLETS: "- 東京, 1. 東京",
    STRUCTURE: "no JSON, other keys, too few lines, a line of another form",
}

# An answer is judged by this much of its beginning and its end.
_LOOKED_AT = 20_000
_LEAST_LETTERS = 20
_SIGNS = " 「」『』()[]{}【】〈〉《》<>*_`$\"'。.、,:;!\n\t　"
_NUMBER = re.compile(r"[-+]?[0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?")
_UNIT = re.compile(
    r"(?:約|およそ|¥|\$)?[ ]?" + _NUMBER.pattern + r"[ ]?(?![-+*/×÷=<>~^])[^0-9\n。、=]{0,8}?"
)
_ENDING = re.compile(r"(?:です|だ|である|でした|になります|となります)?[。.!]?$")
_PARTED = re.compile(r"[、,・/と\s]+")
_UNFINISHED = "length"


def wrong_shape(raw: str, rule: FormatRule, prompt: str = "", finish_reason: str = "") -> str:
    """The shape of an answer's format fault, one of `SHAPES`; "" for an answer that obeys.

    raw            the generation's text
    prompt         the item's last turn
    finish_reason  "length" when the token limit ended the generation, which names a fault only
                   where nothing else does

    The first that holds, from faults of any answer to those of one kind. Deterministic, and
    answers of any length are judged by their first and last 20,000 characters.
    """
    answer = trim(raw)
    if len(answer) > 2 * _LOOKED_AT:
        answer = answer[:_LOOKED_AT] + "\n" + answer[-_LOOKED_AT:]
    if format_fault(raw, rule, prompt) is None:
        return ""
    text = unify(answer).strip()
    shape = _general(answer, text, rule, prompt) or _by_kind(answer, text, rule, prompt)
    if shape in (NOTHING, STRUCTURE) and finish_reason == _UNFINISHED:
        return CUT
    return shape


def _general(answer: str, text: str, rule: FormatRule, prompt: str) -> str | None:
    if not text:
        return EMPTY
    if "<think>" in text or "</think>" in text:
        return THOUGHTS
    if "```" in text:
        return FENCE
    if is_repetitive(answer):
        return LOOP
    if _repeats(text, prompt):
        return ECHO
    if asks_again(text):
        return NEW_QUESTION
    if rule.kind not in ("json", "pattern") and _is_foreign(text, rule, prompt):
        return FOREIGN
    return None


def _repeats(text: str, prompt: str) -> bool:
    """Whether an answer begins with the question, or with a line of it that is no short option."""
    asked = unify(prompt).strip()
    first = text.split("\n", 1)[0].strip()
    return bool(asked) and (
        (len(asked) >= 10 and text.startswith(asked))
        or (len(first) >= 10 and first in {line.strip() for line in asked.split("\n")})
    )


def _is_foreign(text: str, rule: FormatRule, prompt: str) -> bool:
    if not letters(prompt) or not is_japanese(prompt):
        return False
    for label in rule.labels:
        text = text.replace(label, " ")
    return letters(text) >= _LEAST_LETTERS and not is_japanese(text)


def _by_kind(answer: str, text: str, rule: FormatRule, prompt: str) -> str:
    match rule.kind:
        case "choice":
            return _choice(text, rule, prompt)
        case "integer" | "number":
            return _number(answer, text, rule, prompt)
        case "span":
            return _span(answer, rule, prompt)
        case "line":
            return LINES
        case "lines":
            lines = [line for line in text.split("\n") if line.strip()]
            return BULLETS if any(BULLET.match(line) for line in lines) else STRUCTURE
        case "json":
            return AROUND if _found(answer, rule, prompt) and not _is_object(text) else STRUCTURE
        case "pattern":
            return _pattern(answer, rule, prompt)
        case "free":
            return EMPTY


def _choice(text: str, rule: FormatRule, prompt: str) -> str:
    plain = [unify(label) for label in rule.labels]
    folded = [label.casefold() for label in plain]
    if text in plain:
        return WIDE_LABEL
    if text.casefold() in folded:
        return CASE
    if text.strip(_SIGNS).casefold() in folded or (boxed(text) or "").casefold() in folded:
        return SIGNS
    options = option_texts(prompt, tuple(plain))
    if _names_option(text, plain, options):
        return OPTION
    if statement(text) in options.values() or normalise(text) in options.values():
        return TEXT_ONLY
    leading = leading_label(text, rule.labels)
    starts = leading is not None and text.lstrip(_SIGNS).casefold().startswith(
        unify(leading).casefold()
    )
    if whole_label(text, rule.labels):
        return DESU if starts else HEADER
    if _found(text, rule, prompt) is None:
        listed = {part for part in _PARTED.split(text.strip(_SIGNS)) if part}
        if len(mentioned(text, rule.labels)) > 1 or (len(listed) > 1 and listed <= set(plain)):
            return SEVERAL
        if any(label.startswith(text.casefold()) for label in folded):
            return CUT
        return NOTHING
    if starts:
        return AFTER
    return HEADER if _is_headed_label(text, rule.labels) else BEFORE


def _names_option(text: str, plain: list[str], options: dict[str, str]) -> bool:
    for label in plain:
        if label in options and text.lstrip("([【「").startswith(label):
            rest = text.lstrip("([【「")[len(label) :].lstrip(" .:)]】」、,の→-")
            if options[label] in (normalise(rest), statement(rest)):
                return True
    return False


def _is_headed_label(text: str, labels: tuple[str, ...]) -> bool:
    if "\n" in text and not text.startswith("#"):
        return False
    rest = headed(text)
    if rest is None and text.count("。") <= 1 and (stated := marks(text)):
        rest = stated[-1].value if text.find(stated[-1].value) <= 12 else None
    return rest is not None and whole_label(rest.strip(), labels) is not None


def _number(answer: str, text: str, rule: FormatRule, prompt: str) -> str:
    fault = format_fault(answer, rule, prompt) or ""
    if fault == "full-width digits or sign" or kanji_number(text):
        return WIDE_NUMBER
    if fault == DECIMAL:
        return DECIMAL
    if fault == "thousands separator":
        return THOUSANDS
    if _NUMBER.fullmatch(text.strip(_SIGNS)) or _NUMBER.fullmatch(boxed(text) or ""):
        return SIGNS
    if _NUMBER.fullmatch(_ENDING.sub("", text)):
        return AROUND
    if _UNIT.fullmatch(_ENDING.sub("", text)):
        return UNIT
    stated = marks(text)
    rest = headed(text) or (stated[-1].value if stated else None)
    if rest is not None and text.find(rest) <= 12 and _UNIT.fullmatch(_ENDING.sub("", rest)):
        return HEADER
    return AROUND if _found(answer, rule, prompt) is not None else NOTHING


def _span(answer: str, rule: FormatRule, prompt: str) -> str:
    if "\n" in answer or "\r" in answer:
        return LINES
    if rule.max_chars is not None and len(answer) > rule.max_chars:
        return LONG
    fault = format_fault(answer, rule, prompt)
    if fault == "surrounding quotes":
        return SIGNS
    read = _found(answer, rule, prompt)
    return AROUND if read and read != answer and read in unify(prompt) else NOT_COPIED


def _pattern(answer: str, rule: FormatRule, prompt: str) -> str:
    pattern = re.compile(rule.pattern or "")
    lines = [line for line in answer.split("\n") if line.strip()]
    if any(BULLET.match(line) for line in lines):
        return BULLETS
    first = lines[0].strip()
    if len(lines) > 1 and pattern.fullmatch(first) and not pattern.fullmatch(f"{first}\n{first}"):
        return LINES
    if pattern.fullmatch(answer.strip(_SIGNS)):
        return SIGNS
    return AROUND if _found(answer, rule, prompt) is not None else STRUCTURE


def _is_object(text: str) -> bool:
    return text.startswith("{") and text.endswith("}")


def _found(text: str, rule: FormatRule, prompt: str) -> str | None:
    return find_answer(text, Item("", "", (prompt,), "", rule, "exact"))
