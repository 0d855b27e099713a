"""Knowledge in both directions without a teacher: triples (subject, relation, object) asked from
either side by our own templates."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness.engines.types import Message
from harness.errors import HarnessError
from harness.items.jsonl import LineError, decode, json_object, numbered_lines, raise_faults
from harness.items.schema import content_hash
from training.synthesis import options
from training.synthesis.asked import Answer, Question, sample
from training.synthesis.draws import candidate
from training.synthesis.personas import data
from training.synthesis.types import Ask, Dropped, Order, Proof, Sample

NAME = "facts@1"

STYLES = ("ask", "cloze", "quiz", "claim", "dialogue")
_LABELS = ("A", "B", "C", "D")
_DIRECTIONS = ("forward", "backward")


@dataclass(frozen=True)
class Triple:
    """The relation of a subject is the object; `who` and `what` ask for the subject and object."""

    subject: str
    relation: str
    object: str
    who: str = "何"
    what: str = "何"


@dataclass(frozen=True)
class Knowledge:
    """Triples in file order, each once."""

    triples: tuple[Triple, ...]

    def objects(self, one: Triple) -> list[str]:
        """Every object of a triple's subject and relation: a question that has several answers is
        answered with all of them."""
        same = (t for t in self.triples if (t.subject, t.relation) == (one.subject, one.relation))
        return list(dict.fromkeys(t.object for t in same))

    def subjects(self, one: Triple) -> list[str]:
        """Every subject of a triple's relation and object."""
        same = (t for t in self.triples if (t.object, t.relation) == (one.object, one.relation))
        return list(dict.fromkeys(t.subject for t in same))

    def others(self, one: Triple, direction: str) -> list[str]:
        """Wrong answers of the right kind: objects (or subjects) of the same relation."""
        related = [t for t in self.triples if t.relation == one.relation]
        if direction == "forward":
            right = set(self.objects(one))
            return sorted({t.object for t in related} - right)
        right = set(self.subjects(one))
        return sorted({t.subject for t in related} - right)


def facts(order: Order, ask: Ask) -> Iterator[Sample | Dropped]:
    """One sample for each candidate, in order, up to `per_fact` (8) for each triple of the setting
    `triples` (`knowledge_of`); beyond them nothing is yielded. `ask` is never called.

    Triples take turns; each is asked forward and backward in turn, in one style after another:
    plain, with a gap, with choices, as a claim to be confirmed or denied, and as a dialogue that
    asks both ways. A style whose wrong answers a relation does not offer becomes a plain question.
    Wordings are drawn for each candidate, so a large `per_fact` repeats some: the filter of
    near-duplicates decides about them.
    """
    line = order.line
    known = knowledge_of(options.path(line, "triples", "a file of subject, relation and object"))
    count = len(known.triples)
    most = count * options.integer(line, "per_fact", 8)
    for index in range(order.start, min(order.start + order.count, most)):
        place, turn = index % count, index // count
        direction = _DIRECTIONS[(place + turn) % 2]
        style = STYLES[(place + turn // 2) % len(STYLES)]
        yield _sample(order, index, known, known.triples[place], direction, style)


def _sample(
    order: Order, index: int, known: Knowledge, one: Triple, direction: str, style: str
) -> Sample:
    draw = candidate(order, index, "facts")
    if len(known.others(one, direction)) < {"quiz": 2, "claim": 1}.get(style, 0):
        style = "ask"
    if style == "dialogue":
        other = _DIRECTIONS[1 - _DIRECTIONS.index(direction)]
        again = data("recall")["again"]
        turns = [_ask(draw, known, one, direction), _ask(draw, known, one, other, again)]
    else:
        turns = [_MAKERS[style](draw, known, one, direction)]
    (*earlier, (question, text, bare)) = turns
    messages = [
        message
        for asked, said, _ in earlier
        for message in (Message("user", asked), Message("assistant", said))
    ]
    how = {"style": style, "direction": direction}
    parent = content_hash([one.subject, one.relation, one.object])
    made = Question(index, (*messages, Message("user", question)), "recall", how, (parent,))
    answer = Answer(text, bare, Proof("document", True, "the triple itself"), "")
    return sample(order, NAME, made, answer)


# Question, answer and bare answer.
_Made = tuple[str, str, str]


def _ask(
    draw: random.Random, known: Knowledge, one: Triple, direction: str, opener: str | None = None
) -> _Made:
    words, fields, bare = _words(known, one, direction)
    question = draw.choice(words["questions"]).format(**fields)
    text = draw.choice(words["answers"]).format(**fields)
    opener = draw.choice(data("recall")["openers"]) if opener is None else opener
    return opener + question, text, bare


def _cloze(draw: random.Random, known: Knowledge, one: Triple, direction: str) -> _Made:
    words, fields, bare = _words(known, one, direction)
    question = draw.choice(words["cloze"]).format(**fields)
    return question, draw.choice(words["cloze_answers"]).format(**fields), bare


def _quiz(draw: random.Random, known: Knowledge, one: Triple, direction: str) -> _Made:
    words, fields, _ = _words(known, one, direction)
    right = one.object if direction == "forward" else one.subject
    others = known.others(one, direction)
    choices = [right, *draw.sample(others, min(len(others), len(_LABELS) - 1))]
    draw.shuffle(choices)
    shown = "\n".join(f"{label}　{choice}" for label, choice in zip(_LABELS, choices, strict=False))
    label = _LABELS[choices.index(right)]
    question = draw.choice(words["quiz"]).format(options=shown, **fields)
    text = draw.choice(data("recall")["quiz_answers"]).format(label=label, a=right)
    return question, text, label


def _claim(draw: random.Random, known: Knowledge, one: Triple, direction: str) -> _Made:
    words, fields, _ = _words(known, one, direction)
    holds = draw.random() < 0.5
    right = one.object if direction == "forward" else one.subject
    claimed = right if holds else draw.choice(known.others(one, direction))
    question = draw.choice(words["claim"]).format(c=claimed, **fields)
    text = draw.choice(words["confirmed" if holds else "denied"]).format(**fields)
    return question, text, "はい" if holds else "いいえ"


_MAKERS = {"ask": _ask, "cloze": _cloze, "quiz": _quiz, "claim": _claim}


def _words(known: Knowledge, one: Triple, direction: str) -> tuple[Any, dict[str, str], str]:
    """The templates of a direction, what fills them, and the answer: all there are."""
    fields = {"r": one.relation, "who": one.who, "what": one.what}
    if direction == "forward":
        bare = _listed(known.objects(one))
        fields |= {"s": one.subject, "o": bare}
    else:
        bare = _listed(known.subjects(one))
        fields |= {"s": bare, "o": one.object}
    return data("recall")[direction], fields, bare


def _listed(names: Sequence[str]) -> str:
    return "と".join(names)


def knowledge_of(path: Path) -> Knowledge:
    """The triples of a file: JSONL with `subject`, `relation`, `object` and perhaps `who` and
    `what` (誰, どこ, いつ: the words that ask for the subject and the object), or lines of three
    to five fields in that order with tabs between.

    Raises HarnessError that names the line of a fault, and for a file without a triple.
    """
    return _load(path, path.stat().st_mtime_ns if path.is_file() else 0)


@lru_cache(maxsize=4)
def _load(path: Path, stamp: int) -> Knowledge:
    faults: list[str] = []
    found: dict[Triple, None] = {}
    for number, line in numbered_lines(path):
        try:
            found[_triple(decode(line, number).rstrip("\r"), path.suffix)] = None
        except LineError as fault:
            faults.append(f"{path}:{number}: {fault}")
    raise_faults(faults)
    if not found:
        raise HarnessError(f"{path}: holds no triple, expected subject, relation and object a line")
    return Knowledge(tuple(found))


def _triple(line: str, suffix: str) -> Triple:
    names = ("subject", "relation", "object", "who", "what")
    if suffix == ".jsonl":
        raw = json_object(line)
        fields = {name: raw[name] for name in names if name in raw}
    else:
        cells = line.split("\t")
        if len(cells) > len(names):
            raise LineError(f"{len(cells)} fields, expected three to five with tabs between")
        fields = {name: cell for name, cell in zip(names, cells, strict=False) if cell.strip()}
    for name in names[:3]:
        if not isinstance(fields.get(name), str) or not fields[name].strip():
            raise LineError(f"`{name}` is missing or no text")
    if not all(isinstance(value, str) for value in fields.values()):
        raise LineError("`who` or `what` is no text, expected 誰, どこ, いつ or the like")
    return Triple(**{name: value.strip() for name, value in fields.items()})
