"""Takes the answer that a model meant out of the text it wrote around it, and never invents one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from harness.items.schema import FormatRule, Item, JsonType
from harness.scoring.format import BULLET, format_fault
from harness.scoring.json_object import DECODER, checked_object, has_json_type
from harness.scoring.labels import read_label
from harness.scoring.math.find import extract_math_answer
from harness.scoring.normalise import normalise, normalise_lines, trim, unify
from harness.scoring.numerals import Number, kanji_number, numbers
from harness.scoring.reading import DENIAL, Marked, boxed, clean, marks, statement

# An opening brace is tried as the start of an object only this often.
_MOST_OBJECTS = 200
_MOST_CANDIDATES = 200
# No token limit in use allows a longer answer: what is longer is garbage, and is not searched.
LONGEST_READ = 1_000_000
# Stands for a number where an answer offers two: 12か13です.
_UNDECIDED = ""
_ALTERNATIVE = re.compile(r"[^0-9、,]{0,4}(?:か|または|又は|もしくは|あるいは|or)[ 、]?$")
_CONCLUDED = re.compile(r"です|となり|になり|である|であり|でした")
_PREAMBLE = re.compile(
    r"(?::|(?:以下|次|下記)の(?:通り|とおり)(?:です|になります|となります)?[。:]?)$"
)
_CLOSING_LINE = re.compile(
    r"以上|これら|これで|なお|※|\(?注|理由[は:]|説明[は:]|解説[は:]|補足|その他、"
)
_CIRCLED = re.compile(r"^[ 　]*[①-⑳]", re.MULTILINE)
# Words that open the sentence in which a calculation ends.
_SUMMED_UP = re.compile(r"(?:したがって|従って|よって|ゆえに|つまり|合計|合わせて|全部で|結局)")
_QUOTED = re.compile(r"[「『]([^「」『』]+)[」』]")
_OPERATOR = re.compile(r"[^0-9、。=]{0,6}[-+*/×÷~^]\s?")
# Between the parts of one quantity, of which neither is the answer: 2時間30分, 5月1日.
_COMPOUND = re.compile(r"(?:時間|分|年|か月|ヶ月|月|週間|日|キロ|km|kg|メートル|m)(?:と|、)?")
_TRAILING_COMMA = re.compile(r",([ \t\n]*)(?=[}\]])")


def extract(raw: str, item: Item) -> str:
    """The answer inside a raw answer, for the lenient score; without one, the normalised text.

    What already obeys the item's format comes back unchanged (spans and lists of any length,
    which nearly every text is, are still read). All else goes through `reading.clean` (thoughts,
    code fences, echoes of the prompt and self-asked questions removed), then, by format:

    choice           see `labels.read_label`
    integer, number  the box; the first sentence when it is one number with its unit, unless
                     another sentence is another number or sums up (合計, したがって), or a mark
                     disagrees; the last marked number (behind = where there is one); the last
                     number outside sentences of the prompt. Denied numbers do not count, 12か13
                     and 3+4 are no answers. Separators and units are dropped, 万 and 億 worked
                     out, kanji numerals read where one is the whole answer
    span             the box; the last marked text; else the first line. Of that the quoted part
                     or the first sentence without です and the like
    json             the one object in the text, with or without fences; several different ones
                     are no answer. Keys that the rule does not name are dropped, and values of
                     the wrong type are converted where nothing can be lost ("3個" → 3, 3 → "3")
    lines            behind the last mark or an introduction (以下の通りです。); lists by their
                     bulleted entries, bullets and numbers removed; one line is split (`_parts`)
    pattern          the box, the whole text, the marked text, or the one line that matches the
                     pattern; all such lines where the pattern allows several

    An item of metric `math` is read by `math.extract_math_answer`, whatever its format.
    """
    found = find_answer(raw, item)
    if found is not None:
        return found
    return normalise_lines(raw) if item.format.kind == "lines" else normalise(raw)


def find_answer(raw: str, item: Item) -> str | None:
    """As `extract`, but None where no answer can be told from the rest, which is not tried beyond
    a million characters."""
    raw, rule, prompt = trim(raw), item.format, item.turns[-1]
    if not raw:
        return None
    if item.metric == "math":
        return extract_math_answer(raw, prompt)
    # Nearly every line is a span, and any number of lines a list: those are always read.
    loose = rule.kind in ("span", "line") or (rule.kind == "lines" and rule.count is None)
    if not loose and format_fault(raw, rule, prompt) is None:
        return raw
    if len(raw) > LONGEST_READ:
        return None
    if rule.kind == "json":
        return _read_object(raw, rule)
    if rule.kind == "lines":
        raw = _CIRCLED.sub("・", raw)  # NFKC would make ①東京 into 1東京
    text = clean(raw, prompt)
    if not text:
        return None
    marked, box = marks(text), boxed(text)
    match rule.kind:
        case "choice":
            return read_label(text, marked, box, rule.labels, prompt)
        case "integer" | "number":
            return _read_number(text, marked, box, prompt, rule.kind == "integer")
        case "span" | "line":
            return _read_span(text, marked, box)
        case "lines":
            return _read_lines(text, marked, rule.count)
        case "pattern":
            return _read_pattern(text, marked, box, rule)
        case "free":
            return text


def _read_number(
    text: str, marked: list[Marked], box: str | None, prompt: str, integer: bool
) -> str | None:
    if box is not None and (value := _last_number(box)):
        return _canonical(value, integer)
    sentences = [sentence for sentence in re.split(r"[\n。]", text) if sentence.strip()]
    stated = [value for mark in marked if (value := _stated_number(mark.value)) is not None]
    alone = [_only_number(sentence) for sentence in sentences[:400]]
    summed_up = [_last_number(line) for line in sentences[1:] if _SUMMED_UP.match(line.strip())]
    if sentences and alone[0] is not None:
        rivals = {value for value in (*alone, *summed_up) if value is not None} - {alone[0]}
        if not rivals:
            agreed = not stated or stated[-1] == alone[0]
            return _canonical(alone[0], integer) if agreed else None
    if stated:
        return _canonical(stated[-1], integer) or None
    asked = {sentence.strip() for sentence in re.split(r"[\n。]", unify(prompt))}
    last = None
    for sentence in sentences:
        if sentence.strip() not in asked:
            number = _last_number(BULLET.sub("", sentence, count=1))
            last = last if number is None else number
    return _canonical(last, integer) or None if last else None


def _canonical(value: str, integer: bool) -> str:
    """Where an integer was asked, 12.0 becomes 12; 12.5 stays and will be wrong."""
    whole, _, part = value.partition(".")
    return whole if integer and part and not part.strip("0") else value


def _only_number(line: str) -> str | None:
    """The number that a line consists of, but for a unit or です of up to ten characters."""
    line = line.strip(" 「」『』\"'()[]【】*$")
    if not line or len(line) > 80:
        return None
    if kanji := kanji_number(line):
        return kanji
    found = list(numbers(line))
    if len(found) != 1:
        return None
    before, after = line[: found[0].start], line[found[0].end :].rstrip(" 。.!")
    if before.strip() not in ("", "約", "およそ", "+", "¥", "$", "="):
        return None
    # An operator, a list number (1. りんご) or a denial is not a unit.
    if len(after) > 10 or re.match(r"[ ]?[-+*/×÷=<>~.:)、,]", after) or DENIAL.match(after):
        return None
    return found[0].text


def _stated_number(value: str) -> str | None:
    """The number that a marked clause states, _UNDECIDED between two, or None."""
    clause = re.sub(r"\([^()]*\)", "", value.split("。", 1)[0])
    if "=" in clause:
        clause = clause.rpartition("=")[2]
    found: list[Number] = []
    for number in numbers(clause):
        # The statement ended where です, となり, ... follow the number before.
        if found and _CONCLUDED.search(clause, found[-1].end, number.start):
            break
        found.append(number)
    return _last_affirmed(clause, found) if found else kanji_number(clause)


def _last_number(sentence: str) -> str | None:
    """The last number of a sentence that is not denied, that of 12 in 12 = 3×4, _UNDECIDED between
    two or in a sum that is not worked out, or None."""
    if "=" in sentence:
        left, _, right = sentence.rpartition("=")
        if _is_sum(right) and (value := _only_number(left)):
            return value
    if _is_sum(sentence):
        return _UNDECIDED
    found = list(numbers(sentence))
    return _last_affirmed(sentence, found) if found else kanji_number(sentence)


def _is_sum(sentence: str) -> bool:
    """Whether a sentence ends in two numbers with nothing but an operator between: 3×4."""
    found = list(numbers(sentence))[-2:]
    return (
        len(found) == 2 and _OPERATOR.fullmatch(sentence, found[0].end, found[1].start) is not None
    )


def _last_affirmed(sentence: str, found: list[Number]) -> str | None:
    if len(found) > 1:
        between = found[-2].end, found[-1].start
        if _ALTERNATIVE.fullmatch(sentence, *between) or _COMPOUND.fullmatch(sentence, *between):
            return _UNDECIDED
    for number in reversed(found[-_MOST_CANDIDATES:]):
        # Four places, for a unit may stand before ではない.
        if not any(DENIAL.match(sentence, number.end + width) for width in range(4)):
            return number.text
    return None


def _read_span(text: str, marked: list[Marked], box: str | None) -> str | None:
    if box:
        return normalise(box)
    if marked:
        return statement(marked[-1].value) or None
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) > 1 and _PREAMBLE.search(lines[0][-20:]):
        lines = lines[1:]
    line = lines[0]
    if bullet := BULLET.match(line):
        line = line[bullet.end() :]
    return statement(line, marked=False) or None


def _read_lines(text: str, marked: list[Marked], count: int | None) -> str | None:
    if marked and marked[-1].rest:
        text = marked[-1].rest
    blocks = [block.strip("\n") for block in re.split(r"\n[ ]*\n", text) if block.strip()]
    lines = [line for line in "\n".join(blocks).split("\n") if line.strip()]
    if len(lines) > 1 and _PREAMBLE.search(lines[0].rstrip()[-20:]):
        lines = lines[1:]
        blocks = blocks if len(blocks[0].split("\n")) > 1 else blocks[1:]
    bulleted = [line for line in lines if BULLET.match(line)]
    if bulleted and (len(bulleted) > 1 or len(lines) == 1 or count == 1):
        lines = bulleted
    elif count is not None and len(lines) != count and blocks:
        first = [line for line in blocks[0].split("\n") if not _PREAMBLE.search(line[-20:])]
        lines = first if len(first) == count else lines
    while len(lines) > 1 and lines is not bulleted and _CLOSING_LINE.match(lines[-1].strip()):
        lines = lines[:-1]
    entries = [_entry(line) for line in lines]
    if len(entries) == 1 and count != 1:
        entries = [_entry(part) for part in _parts(lines[0], bool(marked), count)]
    return "\n".join(entry for entry in entries if entry) or None


def _parts(line: str, marked: bool, count: int | None) -> list[str]:
    """Entries that share one line: 「東京」「大阪」, or parted by 、 or commas; by spaces, ・ or /
    only where that makes the number of entries asked for."""
    quoted = _QUOTED.findall(line)
    if len(quoted) > 1 and not _QUOTED.sub("", line).strip(" 、,・と。です"):
        return quoted
    line = statement(line, marked)
    for separator in (r"[、,]", r"[・/]", r" "):
        parts = [part for part in re.split(separator, line) if part.strip()]
        if len(parts) > 1 and (len(parts) == count or separator == r"[、,]"):
            return parts
    return [line]


def _entry(line: str) -> str:
    bullet = BULLET.match(line)
    return normalise(line[bullet.end() :] if bullet else line)


def _read_pattern(text: str, marked: list[Marked], box: str | None, rule: FormatRule) -> str | None:
    pattern = re.compile(rule.pattern or "")

    def fitting(candidates: list[str]) -> str | None:
        forms = (form for text in candidates for form in _forms(text))
        return next((form for form in forms if pattern.fullmatch(form)), None)

    behind = [form for mark in reversed(marked) for form in (mark.rest, mark.value)]
    for sure in ([box] if box else [], [text], behind):
        if (found := fitting(sure)) is not None:
            return found
    lines = [line for line in text.split("\n") if line.strip()][:_MOST_CANDIDATES]
    lines = [BULLET.sub("", line, count=1) for line in lines]
    matching = list(dict.fromkeys(found for line in lines if (found := fitting([line]))))
    together = "\n".join(matching)
    return together if len(matching) == 1 or pattern.fullmatch(together) else None


def _forms(text: str) -> Iterator[str]:
    text = text.strip()
    yield text
    yield normalise_lines(text)
    if "\n" not in text:
        yield statement(text)


def _read_object(raw: str, rule: FormatRule) -> str | None:
    if "</think>" in raw:
        raw = raw.rpartition("</think>")[2]
    for text in (raw, _TRAILING_COMMA.sub(r"\1", raw), unify(raw)):
        objects = {
            json.dumps(read, ensure_ascii=False): None
            for found in objects_in(text)
            if (read := _as_asked(found, rule.keys)) is not None
        }
        if objects:
            return next(iter(objects)) if len(objects) == 1 else None
    return None


def objects_in(text: str) -> Iterator[dict[str, Any]]:
    """Well-formed objects of a text, outermost first, one behind the other."""
    position = text.find("{")
    for _ in range(_MOST_OBJECTS):
        if position < 0:
            return
        try:
            value, end = DECODER.raw_decode(text, position)
            yield checked_object(value)
        except (ValueError, RecursionError):
            end = position + 1
        position = text.find("{", end)


def _as_asked(found: dict[str, Any], keys: dict[str, JsonType]) -> dict[str, Any] | None:
    """The fields that were asked for, converted where nothing is lost; None without any."""
    named = {unify(key).strip(): value for key, value in found.items()}
    kept = {key: named[unify(key)] for key in keys if unify(key) in named}
    return {key: _converted(value, keys[key]) for key, value in kept.items()} or None


def _converted(value: Any, kind: JsonType) -> Any:
    if has_json_type(value, kind):
        return value
    if kind in ("integer", "number") and isinstance(value, str):
        text = _only_number(unify(value))
        if text is not None and "/" not in text and len(text) < 300:
            return float(text) if "." in text else int(text)
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind == "string" and has_json_type(value, "number"):
        return str(value)
    if kind == "strings" and isinstance(value, str):
        return [value]
    if kind == "boolean" and isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower(), value)
    return value
