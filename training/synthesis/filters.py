"""The filters of synthesis: pure functions that say why a sample is not fit to learn from.

Each takes a sample and returns one phrase, or None. They look at every turn of the assistant. An
answer may be bare ("42", "B", a JSON object) where the item's format rule or the question asks for
exactly that; that is then no fault of style, length or language.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from harness.items.schema import Item
from harness.scoring.format import format_fault
from harness.scoring.language import is_japanese, letters
from harness.scoring.normalise import trim, unify
from harness.scoring.repetition import is_repetitive
from harness.scoring.style import ending, sentences, without_code
from training.synthesis import filter_patterns as words
from training.synthesis.types import Dropped, Filter, Sample

# Least share of kana and kanji among the letters of an answer outside code, JSON and formulas;
# code and formulas leave identifiers and variables behind in the prose of the first two.
LEAST_JAPANESE = {"coding": 0.3, "math": 0.3, "stem": 0.4}
LEAST_JAPANESE_ELSEWHERE = 0.6
# Questions show programs and tables without fences, so theirs is lower: probes go down to .1.
LEAST_JAPANESE_QUESTION = 0.05
# Fewer letters than this are names and signs, of which no language can be told.
LEAST_LETTERS = 10
# Share of sentences in plain style from which an answer is not です・ます. Good answers quote, and
# list, and end on a noun: the references of mt-bench-ja stay below a tenth.
MOST_PLAIN = 0.3
# An answer of fewer letters without any predicate is a word thrown at the asker.
FEWEST_WITHOUT_PREDICATE = 25
# Katakana from which a string without any other script is gibberish and no loan word.
LONGEST_LOAN_WORD = 5
# Characters of a free answer, (least, most). The least is one short sentence, for writing a haiku
# or a slogan, for roleplay a retort; the most is what fits in a context of 4,096 tokens with its
# question (about 1.3 characters a token).
LENGTHS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "writing": (8, 4000),
        "roleplay": (5, 3000),
        "coding": (10, 5000),
        "format": (1, 3000),
        "instruction": (1, 3000),
    }
)
LENGTHS_ELSEWHERE = (5, 4000)
# A question below this asks nothing, one above leaves no room for an answer.
QUESTION_LENGTHS = (3, 6000)

_JSON = re.compile(r"\{[^{}]*\}")
_FORMULA = re.compile(r"\$[^$\n]+\$|\\\(.*?\\\)")
_FENCE = re.compile(r"(?m)^[ \t]*(```+|~~~+)")


@dataclass(frozen=True)
class Exchange:
    """One question and its answer; `item` is known of the last one alone, where it can be scored.

    `before` is what was said to set the scene: the system message and earlier questions.
    """

    question: str
    answer: str
    item: Item | None
    before: str


def exchanges(sample: Sample) -> Iterator[Exchange]:
    """The turns of a sample, oldest first."""
    question, before = "", ""
    for position, message in enumerate(sample.messages):
        if message.role == "assistant":
            last = position == len(sample.messages) - 1
            yield Exchange(question, message.content, sample.item if last else None, before)
        else:
            before = f"{before}\n{question}"
            question = message.content
            if message.role == "system":
                before, question = f"{before}\n{question}", ""


def is_bare(exchange: Exchange) -> bool:
    """Whether an answer is exactly what its question asks for and nothing around it: it obeys the
    item's format rule, or without an item the question wants the answer alone, a letter, or
    katakana."""
    if exchange.item is None or exchange.item.format.kind == "free":
        asked, answer = unify(exchange.question), trim(unify(exchange.answer))
        shapes = ((words.LABEL, words.ASKS_LABEL), (words.KATAKANA_ONLY, words.ASKS_KATAKANA))
        return words.ASKS_BARE.search(asked) is not None or any(
            shape.fullmatch(answer) and asks.search(asked) for shape, asks in shapes
        )
    rule = exchange.item.format
    return format_fault(trim(exchange.answer), rule, exchange.item.turns[-1]) is None


def verification(sample: Sample) -> str | None:
    """The answer was shown to be wrong, or could not be shown to be right."""
    if sample.proof.passed:
        return None
    return f"{sample.proof.method}: {sample.proof.detail or 'did not pass'}"


def markup(sample: Sample) -> str | None:
    """Broken text: a code fence left open, mojibake, control characters, HTML outside code."""
    for message in sample.messages:
        text = message.content
        if _open_fence(text):
            return "a code fence is not closed"
        if words.MOJIBAKE.search(text):
            return "mojibake"
        if found := words.CONTROL.search(text):
            return f"control character U+{ord(found[0]):04X}"
        if sample.genre != "coding" and message.role == "assistant":
            tag = words.HTML.search(without_code(text))
            if tag and tag[0] not in sample.prompt:
                return f"HTML in the text: {tag[0]}"
    return None


def refusal(sample: Sample) -> str | None:
    """The teacher refuses, speaks of itself, thinks aloud or shows how it was asked."""
    staged = sample.genre in ("writing", "roleplay")  # where people in a text may decline
    for message in sample.messages:
        if message.role == "system":
            continue
        text = message.content
        found = words.THOUGHTS.search(without_code(text)) or words.LEAK.search(text)
        if found and (message.role == "user" or not _in(found[0], sample.prompt)):
            return f"leaks its prompt or thoughts: {_shown(found[0])}"
    for one in exchanges(sample):
        asked = f"{one.before}\n{one.question}"
        for own in words.SELF.finditer(one.answer):
            if not _in(own[0], asked):
                return f"speaks of itself: {_shown(own[0])}"
        apology, refused = words.APOLOGY.search(one.answer), words.REFUSAL.search(one.answer)
        if (apology and refused and sample.genre != "roleplay") or (
            (apology or refused) and not staged
        ):
            return f"refuses: {_shown((apology or refused or [''])[0])}"
        heading = words.HEADING.match(one.answer)
        if heading and not words.HAS_OPTIONS.search(one.question) and not is_bare(one):
            return f"begins with {_shown(heading[0])}"
    return None


def repetition(sample: Sample) -> str | None:
    """A passage that comes round again and again."""
    for one in exchanges(sample):
        if is_repetitive(one.answer) and not (one.item is not None and is_bare(one)):
            return "a passage repeats over and over"
    return None


def length(sample: Sample) -> str | None:
    """Too short or too long for the genre, or cut before its end."""
    least, most = LENGTHS.get(sample.genre, LENGTHS_ELSEWHERE)
    seen = False
    for one in exchanges(sample):
        seen = True
        asked, answer = trim(one.question), trim(one.answer)
        if not QUESTION_LENGTHS[0] <= len(asked) <= QUESTION_LENGTHS[1]:
            return f"a question of {len(asked)} characters"
        if not answer:
            return "an empty answer"
        if len(answer) > most:
            return f"{len(answer)} characters, at most {most}"
        if is_bare(one):
            continue
        if len(answer) < least:
            return f"{len(answer)} characters, at least {least}"
        free = sample.genre == "writing" or words.ASKS_CREATIVE.search(asked) is not None
        if fault := _cut(answer, free):
            return fault
    return None if seen else "no answer"


def language(sample: Sample) -> str | None:
    """Not Japanese: too few kana and kanji among the letters outside code, JSON and formulas, or
    Chinese. Answers in another language pass where the question asks for one."""
    least = LEAST_JAPANESE.get(sample.genre, LEAST_JAPANESE_ELSEWHERE)
    for one in exchanges(sample):
        asked = _prose(one.question)
        if letters(asked) >= LEAST_LETTERS and not is_japanese(asked, LEAST_JAPANESE_QUESTION):
            return "the question is not Japanese"
        answered = _prose(one.answer)
        if letters(answered) < LEAST_LETTERS or is_japanese(answered, least):
            continue
        if not is_bare(one) and not words.ASKS_FOREIGN.search(one.before + one.question):
            return "the answer is not Japanese"
    return None


def politeness(sample: Sample) -> str | None:
    """Plain style where です・ます is due. Free are writing, casual characters of roleplay, all
    that was proven to obey rules, and questions that ask for another style. Entries of lists and
    sentences of the question do not count: even polite texts put those in short form."""
    if sample.genre == "writing" or _by_rules(sample):
        return None
    for one in exchanges(sample):
        scene = f"{one.before}\n{one.question}"
        if is_bare(one) or words.ASKS_PLAIN.search(scene) or words.ASKS_CREATIVE.search(scene):
            continue
        if sample.genre == "roleplay" and _is_casual(sample, scene):
            continue
        lines = without_code(one.answer).split("\n")
        prose = "\n".join(line for line in lines if not words.LIST_LINE.match(line))
        own = [text for text in sentences(prose) if text not in one.question]
        ends = [ending(text) for text in own]
        polite, plain = ends.count("polite"), ends.count("plain")
        if plain > MOST_PLAIN * (polite + plain):
            return f"{plain} of {polite + plain} sentences are not です・ます"
    return None


def bluntness(sample: Sample) -> str | None:
    """A letter, a word or a string of katakana thrown at the asker where a sentence is due."""
    for one in exchanges(sample):
        if is_bare(one) or (_by_rules(sample) and one.item is not None):
            continue
        text = trim(unify(one.answer))
        if words.LABEL.fullmatch(text):
            return f"only {_shown(text)}, where a letter alone was not asked for"
        said = words.HEADING.sub("", text).rstrip("。.!? ")
        if words.KATAKANA_ONLY.fullmatch(said) and len(said) > LONGEST_LOAN_WORD:
            return f"katakana alone: {_shown(said)}"
        if sample.genre in ("writing", "roleplay") or words.STRUCTURED.search(text):
            continue
        if letters(said) < FEWEST_WITHOUT_PREDICATE and not any(
            ending(sentence) != "neither" for sentence in sentences(text)
        ):
            return f"no sentence: {_shown(said)}"
    return None


# In this order; a sample is counted under the first that drops it. What is certain comes before
# what is a matter of style: wrong answers, then broken texts, then what a reader would mind.
FILTERS: Mapping[str, Filter] = MappingProxyType(
    {
        "verification": verification,
        "markup": markup,
        "refusal": refusal,
        "repetition": repetition,
        "length": length,
        "language": language,
        "bluntness": bluntness,
        "politeness": politeness,
    }
)


def first_fault(sample: Sample) -> Dropped | None:
    """The first filter of FILTERS that drops a sample, and its reason; None for one to keep."""
    for name, reason in ((name, check(sample)) for name, check in FILTERS.items()):
        if reason is not None:
            return Dropped(name, reason, sample.text)
    return None


def _open_fence(text: str) -> bool:
    """Whether a fence is opened and never closed by one of its kind at least as long."""
    opened = ""
    for mark in (found[1] for found in _FENCE.finditer(text)):
        if not opened:
            opened = mark
        elif mark[0] == opened[0] and len(mark) >= len(opened):
            opened = ""
    return bool(opened)


def _cut(answer: str, free: bool) -> str | None:
    """How the end of an answer shows that it was cut; verse and letters are `free` in it."""
    line = answer.rsplit("\n", 1)[-1]
    if _FENCE.match(line) or words.LIST_LINE.match(line):
        return None
    end = unify(line).rstrip(" *_")
    if words.OPEN.search(end) or (not free and words.CUT.search(end)):
        return f"ends in the middle of a sentence: {_shown(line[-12:])}"
    for opening, closing in ("「」", "『』", "（）"):
        if answer.count(opening) > answer.count(closing):
            return f"{opening} is not closed"
    return None


def _prose(text: str) -> str:
    """A text without code, formulas and JSON."""
    text = _FORMULA.sub(" ", without_code(text))
    while (shorter := _JSON.sub(" ", text)) != text:
        text = shorter
    return text


def _is_casual(sample: Sample, scene: str) -> bool:
    persona = " ".join(sample.origin.persona.values())
    return words.CASUAL.search(f"{persona}\n{scene}") is not None


def _by_rules(sample: Sample) -> bool:
    """Whether the answer was proven to keep constraints, which may ask for any style."""
    return sample.proof.proven and sample.proof.method == "rules"


def _in(words_found: str, asked: str) -> bool:
    """Whether the question itself speaks of it."""
    return words_found.strip("はの、です").casefold() in asked.casefold()


def _shown(text: str) -> str:
    return f"「{text.strip()[:24]}」"
