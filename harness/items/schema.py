"""The item: one evaluation question with its format rule, its gold answer and its content hash."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, get_args

from harness.items.check import Check as Check
from harness.items.check import Constraint as Constraint
from harness.items.code_task import CodeTask, code_fault

GENRES = (
    "writing",
    "roleplay",
    "reasoning",
    "math",
    "coding",
    "extraction",
    "stem",
    "humanities",
)
# Probes measure obedience to an output format as a genre of its own.
PROBE_GENRES = ("math", "reasoning", "coding", "extraction", "format")
# Jaster groups its datasets by what they ask for; an item's category stands in its `genre`. Only
# the first nine are part of the average: STS, CL and "other" (datasets that the protocol does not
# name) are reported beside it, and so is "dev" (Nejumi's small second split).
JASTER_CATEGORIES = ("NLI", "QA", "RC", "MC", "HE", "EL", "FA", "MR", "MT")
JASTER_ASIDE = ("STS", "CL", "other", "dev")

# Items whose answer is free but for verifiable constraints.
INSTRUCTION_GENRE = "instruction"

FormatKind = Literal[
    "choice", "integer", "number", "span", "line", "json", "lines", "pattern", "free"
]
Metric = Literal[
    "exact",
    "number",
    "char_f1",
    "set_f1",
    "json",
    "constraints",
    "char_f1_llmjp",
    "float",
    "pearson",
    "comet",
    "math",
    "code",
    "judge",
]
METRICS: tuple[Metric, ...] = get_args(Metric)
# Of these an item has no score by itself that a rule could decide: pearson correlates all answers
# of a dataset with their golds, comet and judge ask a model.
DATASET_METRICS: tuple[Metric, ...] = ("pearson", "comet", "judge")

JsonType = Literal["string", "integer", "number", "boolean", "strings", "integers"]


@dataclass(frozen=True)
class FormatRule:
    """What the raw answer must look like, checkable without knowing the gold answer.

    kind:
      choice   exactly one of `labels`
      integer  ASCII digits with an optional minus; no separators, no unit
      number   as integer, optionally with a decimal part
      span     one line of 1 to `max_chars` characters without surrounding quotes;
               with `verbatim` it must be a substring of the last turn, with quotes only where
               they stand there too
      line     one line of text, quotes or not
      json     one JSON object with exactly the keys of `keys`, each of the type named there
      lines    `count` lines (any positive number when None), one entry each, no bullets
      pattern  the whole answer matches the regular expression `pattern`
      free     any text; the item's constraints, or its code, say what is asked of it
    """

    kind: FormatKind
    labels: tuple[str, ...] = ()
    max_chars: int | None = None
    verbatim: bool = False
    keys: dict[str, JsonType] = field(default_factory=dict)
    count: int | None = None
    pattern: str | None = None


@dataclass(frozen=True)
class Item:
    """One evaluation question.

    id         unique within its set
    genre      one of GENRES, "format" for probes, "instruction" for items of constraints, or a
               Jaster category
    turns      user messages, asked in order; all present items have one or two
    answer     the gold answer exactly as a perfect model would print it (for `json` the object's
               text, for `lines` the entries joined by newlines)
    format     the rule that the raw answer must obey
    metric     how a processed answer is compared with `answer`
    accept     further answers that are as right as `answer`
    skill      what the item exercises, e.g. "math/ratio"
    level      difficulty 1 to 5, when graded
    template   surface template, for items that were generated
    seen       whether that template may also occur in training data; None for written items
    cluster    items of equal cluster share a passage or template and are not independent
    dataset    the dataset it is one of, where a suite has several ("jnli")
    instruction, shots, max_tokens
               of datasets that are asked few-shot: what is to be done, worked examples as
               (input, output) pairs, and the new tokens that an answer may take; the protocol
               puts them around `turns`
    copy       0, or which repetition this is of a question that its dataset asks more than once
               (a benchmark that repeats a question counts it each time)
    constraints  what the answer must keep to, all of it; such an item has no gold answer: its
               `answer` is empty, its format free, its metric "constraints"
    code       the program that is wanted and its hidden tests; such an item has no gold answer
               either: its `answer` is empty, its format free, its metric "code"
    references, rubric, checks
               of items that a judge rates (metric "judge", format free, no `answer`), each empty
               or with one entry a turn: a reference answer for the judge ("" for none), what a
               good answer does ("" for none), and how a rule decides the turn (None: it cannot)
    """

    id: str
    genre: str
    turns: tuple[str, ...]
    answer: str
    format: FormatRule
    metric: Metric
    accept: tuple[str, ...] = ()
    skill: str = ""
    level: int | None = None
    template: str | None = None
    seen: bool | None = None
    cluster: str | None = None
    dataset: str = ""
    instruction: str = ""
    shots: tuple[tuple[str, str], ...] = ()
    max_tokens: int | None = None
    copy: int = 0
    constraints: tuple[Constraint, ...] = ()
    code: CodeTask | None = None
    references: tuple[str, ...] = ()
    rubric: tuple[str, ...] = ()
    checks: tuple[Check | None, ...] = ()

    @cached_property
    def hash(self) -> str:
        """SHA-256 (hex) of everything that is asked or scored; the id and labels are not."""
        rare = {
            "instruction": self.instruction,
            "shots": self.shots,
            "max_tokens": self.max_tokens,
            "copy": self.copy,
            "constraints": self.constraints,
            "code": self.code.scored() if self.code else None,
            "references": self.references,
            "rubric": self.rubric,
            "checks": [one.scored() if one else None for one in self.checks],
        }
        return content_hash(
            {
                "turns": self.turns,
                "answer": self.answer,
                "accept": self.accept,
                "format": self.format,
                "metric": self.metric,
                # A field that an item does not use leaves its hash as it was before that field.
                **{name: value for name, value in rare.items() if value},
            }
        )


def content_hash(value: Any) -> str:
    """SHA-256 (hex) of a value's canonical JSON: sorted keys, no spaces, UTF-8, dataclasses as
    objects. Equal content gives an equal hash on every machine and version."""
    text = json.dumps(
        value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=fields_of
    )
    return hashlib.sha256(text.encode()).hexdigest()


def fields_of(value: Any) -> dict[str, Any]:
    """A dataclass as an object of JSON, for `json.dumps(default=...)`."""
    if hasattr(value, "__dataclass_fields__"):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    raise TypeError(f"no canonical JSON for {type(value).__name__}")


def check_item(item: Item) -> str | None:
    """What is wrong with an item by itself, as a phrase, or None.

    Whether the gold answer obeys its own format rule is `scoring.gold_fault`'s question.
    """
    rule = item.format
    if not item.id.strip():
        return "`id` is empty, expected a unique name"
    known = (*GENRES, *PROBE_GENRES, INSTRUCTION_GENRE, *JASTER_CATEGORIES, *JASTER_ASIDE)
    if item.genre not in known:
        return (
            f"`genre` is {item.genre!r}, expected one of {', '.join(GENRES)}, format or "
            f"{INSTRUCTION_GENRE}"
        )
    if not item.turns or any(not turn.strip() for turn in item.turns):
        return "`turns` holds no text, expected one or more user messages"
    if item.metric == "judge":
        return _judged_fault(item)
    if item.references or item.rubric or item.checks:
        return (
            "`references`, `rubric` or `checks` is filled, expected them only where `metric` is "
            "judge"
        )
    if item.code is not None or item.metric == "code":
        return _code_item_fault(item)
    constrained = bool(item.constraints)
    if constrained != (rule.kind == "free") or constrained != (item.metric == "constraints"):
        return (
            "`constraints`, `format.kind` free and `metric` constraints go together, expected "
            "all three or none"
        )
    if constrained:
        return _constrained_fault(item)
    if not item.answer.strip():
        return "`answer` is empty, expected the gold answer as a perfect model prints it"
    if item.level is not None and not 1 <= item.level <= 5:
        return f"`level` is {item.level}, expected 1 to 5"
    return check_format(rule)


def check_format(rule: FormatRule) -> str | None:
    """What is wrong with a format rule by itself, as a phrase, or None."""
    if rule.kind == "choice" and len(set(rule.labels)) < 2:
        return "`format.labels` needs two or more different labels for kind choice"
    if rule.kind == "json" and not rule.keys:
        return "`format.keys` is empty, expected the object's keys and their types for kind json"
    if rule.kind == "pattern":
        if rule.pattern is None:
            return "`format.pattern` is missing, expected a regular expression for kind pattern"
        try:
            re.compile(rule.pattern)
        except (re.error, OverflowError, RecursionError) as error:
            return f"`format.pattern` is not a regular expression: {error}"
    return None


def _code_item_fault(item: Item) -> str | None:
    if item.code is None or item.metric != "code" or item.format.kind != "free":
        return "`code`, `format.kind` free and `metric` code go together, expected all three"
    if item.constraints or item.answer or item.accept:
        return "`constraints`, `answer` or `accept` is filled, expected none of them beside `code`"
    if len(item.turns) != 1:
        return f"{len(item.turns)} `turns`, expected one user message beside `code`"
    if item.level is not None and not 1 <= item.level <= 5:
        return f"`level` is {item.level}, expected 1 to 5"
    return code_fault(item.code)


def _constrained_fault(item: Item) -> str | None:
    """Whether a rule knows the constraints is `scoring.constraints.constraint_fault`'s question."""
    if item.answer or item.accept:
        return "`answer` or `accept` is filled, expected no gold beside `constraints`"
    if len(item.turns) != 1:
        return f"{len(item.turns)} `turns`, expected one user message beside `constraints`"
    return None


def _judged_fault(item: Item) -> str | None:
    """Whether a check's own parts are sound is `scoring.verify.check_fault`'s question."""
    if item.format.kind != "free":
        return "`format.kind` is not free, expected free where `metric` is judge"
    if item.answer or item.accept or item.constraints or item.code:
        return (
            "`answer`, `accept`, `constraints` or `code` is filled, expected `references` and "
            "`checks` instead where `metric` is judge"
        )
    for name, entries in (
        ("references", item.references),
        ("rubric", item.rubric),
        ("checks", item.checks),
    ):
        if entries and len(entries) != len(item.turns):
            return f"{len(entries)} `{name}` for {len(item.turns)} turns, expected one a turn"
    if item.level is not None and not 1 <= item.level <= 5:
        return f"`level` is {item.level}, expected 1 to 5"
    return None
