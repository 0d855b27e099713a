"""Judge prompts: loading them with the pattern that reads their verdict, rendering, reading."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args

from harness.engines.types import Message
from harness.errors import HarnessError
from harness.items.schema import content_hash
from harness.judge.framing import FRAMING_VERSION, boundary_of, neutralise, shortened
from harness.judge.reading import (
    READER_VERSION,
    PairReading,
    Reading,
    Scale,
    Variant,
    read_pairwise,
    read_rating,
)

PromptKey = Literal[
    "single",
    "single-reference",
    "single-multi-turn",
    "single-reference-multi-turn",
    "pairwise",
    "pairwise-reference",
    "pairwise-multi-turn",
    "pairwise-reference-multi-turn",
]
PROMPT_KEYS: tuple[PromptKey, ...] = get_args(PromptKey)
Framing = Literal["none", "quoted"]

_FIELD = re.compile(r"\{\{|\}\}|\{(\w+)\}")


@dataclass(frozen=True)
class VerdictRule:
    """How a verdict is asked for and read.

    reader   variant of `reading.read_rating` or `read_pairwise`
    pattern  regular expression whose group 1 is the verdict as written; None: the reader's own
    scale    lowest and highest rating; None for no limits, and for preferences
    ask      how the prompt asks for it, where the text is not part of the prompt itself; its last
             line is the form alone
    ask_json the same for a server that holds the reply to `schema`
    schema   JSON schema of a structured verdict; empty where the prompt has none
    """

    reader: Variant
    pattern: str | None = None
    scale: Scale | None = None
    ask: str = ""
    ask_json: str = ""
    schema: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class JudgePrompt:
    """One prompt with the rule that reads its verdict.

    system, user  texts with fields such as {question}, {answer_1}, {ref_answer_1}, {boundary}
    framing       quoted: answers are neutralised and stand between boundary lines; none: they are
                  put in as they are, which is how the official prompts work
    limit         characters of a quoted text that are shown
    rubric        how an item's rubric is introduced, with the field {rubric}
    """

    key: PromptKey
    system: str
    user: str
    verdict: VerdictRule
    framing: Framing
    limit: int = 20_000
    rubric: str = ""

    @property
    def is_pairwise(self) -> bool:
        return self.key.startswith("pairwise")

    @property
    def needs_reference(self) -> bool:
        return "reference" in self.key

    @property
    def turns(self) -> int:
        """How many turns the prompt shows; the last of them is judged."""
        return 2 if self.key.endswith("multi-turn") else 1

    @cached_property
    def hash(self) -> str:
        """SHA-256 (hex) of all that can change what is asked or read: the versions of framing and
        reading too."""
        return content_hash({"versions": [FRAMING_VERSION, READER_VERSION], **asdict(self)})


@dataclass(frozen=True)
class PromptSet:
    """Prompts of one origin by key. `id` and `version` name it; the hash is what counts."""

    id: str
    version: int
    prompts: Mapping[PromptKey, JudgePrompt]

    @cached_property
    def hash(self) -> str:
        return content_hash({key: prompt.hash for key, prompt in self.prompts.items()})

    def prompt(self, turn: int = 0, reference: bool = False, pairwise: bool = False) -> JudgePrompt:
        """The prompt that judges a turn (from 0). Raises HarnessError when the set has none."""
        key = (
            ("pairwise" if pairwise else "single")
            + ("-reference" if reference else "")
            + ("-multi-turn" if turn else "")
        )
        found = self.prompts.get(key)  # type: ignore[call-overload]
        if found is None or turn > 1:
            raise HarnessError(
                f"judge prompts {self.id}: none for {key}, turn {turn + 1}; it has "
                f"{', '.join(self.prompts)}"
            )
        return found  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Rendered:
    """What a judge is asked, and what it takes to tell its words from those it was shown: the
    boundary of our own framing, the answers, and our own instructions."""

    messages: tuple[Message, ...]
    boundary: str | None
    quoted: tuple[str, ...]
    schema: Mapping[str, Any] | None = None


def render(
    prompt: JudgePrompt,
    questions: Sequence[str],
    answers: Sequence[Sequence[str]],
    references: Sequence[str] = (),
    rubric: Sequence[str] = (),
    structured: bool = False,
) -> Rendered:
    """The messages that ask a judge about answers.

    questions   user messages of an item, by turn
    answers     for each candidate, one or (pairwise) two, its answers by turn
    references  reference answers by turn, "" for none
    rubric      what a good answer does, by turn, "" for none; official prompts do not show it
    structured  ask for JSON after the prompt's schema, for a server that can enforce it

    A prompt of one turn shows the first turn only. Raises ValueError for a wrong number of
    candidates or turns, and HarnessError for a reference that is needed and not there, or a
    structured verdict that the prompt does not offer.
    """
    turns = prompt.turns
    if len(answers) != 1 + prompt.is_pairwise:
        raise ValueError(f"{len(answers)} candidates for the prompt {prompt.key}")
    if len(questions) < turns or any(len(one) < turns for one in answers):
        raise ValueError(f"the prompt {prompt.key} shows {turns} turns, fewer were given")
    if prompt.needs_reference and (len(references) < turns or not references[turns - 1].strip()):
        raise HarnessError(
            f"judge prompt {prompt.key}: the item has no reference answer for turn {turns}; "
            "add it, or judge with the prompt that needs none"
        )
    if structured and not prompt.verdict.schema:
        raise HarnessError(
            f"judge prompt {prompt.key}: no schema for a structured verdict; use the pattern"
        )
    fields = _fields(prompt, questions, answers, references)
    boundary = None
    if prompt.framing == "quoted":
        fields = {
            name: neutralise(shortened(text, prompt.limit)) or "（なし）"
            for name, text in fields.items()
        }
        boundary = boundary_of(list(fields.values()))
        own_rubric = rubric[turns - 1] if len(rubric) >= turns else ""
        heading = fill(prompt.rubric, {"rubric": own_rubric.strip()}) if own_rubric.strip() else ""
        ask = prompt.verdict.ask_json if structured else prompt.verdict.ask
        fields |= {"boundary": boundary, "rubric": heading, "verdict": ask}
    system, user = (fill(text, fields) for text in (prompt.system, prompt.user))
    shown = [text[: prompt.limit] for candidate in answers for text in candidate[:turns]]
    if boundary:  # the form alone may be repeated, with a verdict in it
        words = fields["verdict"] if structured else fields["verdict"].rpartition("\n")[0]
        shown.append(fill(prompt.user, fields | {"verdict": words}))
    messages = (Message("system", system),) if system else ()
    return Rendered(
        (*messages, Message("user", user)),
        boundary,
        tuple(shown),
        prompt.verdict.schema if structured else None,
    )


def read(
    prompt: JudgePrompt, rendered: Rendered, reply: str, finish_reason: str = "stop"
) -> Reading | PairReading:
    """The verdict of a reply to `rendered`, by the prompt's own rule; a PairReading for pairwise
    prompts. Never raises."""
    rule = prompt.verdict
    if prompt.is_pairwise:
        return read_pairwise(
            reply,
            rule.reader,
            pattern=rule.pattern,
            finish_reason=finish_reason,
            boundary=rendered.boundary,
            quoted=rendered.quoted,
        )
    return read_rating(
        reply,
        rule.scale,
        rule.reader,
        pattern=rule.pattern,
        finish_reason=finish_reason,
        boundary=rendered.boundary,
        quoted=rendered.quoted,
    )


def load_prompts(name: str = "harness-1") -> PromptSet:
    """The project's own prompts of that name. Raises HarnessError when there are none."""
    from harness.judge.prompt_files import own_prompts

    path = Path(str(resources.files("harness.judge"))) / "prompts" / f"{name}.yaml"
    if not path.is_file():
        raise HarnessError(f"judge prompts {name!r}: not known; official ones are loaded by path")
    return own_prompts(path)


def load_official_prompts(path: Path) -> PromptSet:
    """Prompts of FastChat's `judge_prompts.jsonl` layout (Stability's, Nejumi's and Swallow's files
    have it) or of llm-jp-judge's YAML. Texts, FastChat's rule of reading and `framing` none are
    faithful to their projects: an instruction inside an answer may work on the judge.

    Raises HarnessError that names the file and line of a fault.
    """
    from harness.judge.prompt_files import official_prompts

    return official_prompts(path)


def field_names(text: str) -> set[str]:
    """Names of the fields of a template."""
    return {match[1] for match in _FIELD.finditer(text) if match[1]}


def _fields(
    prompt: JudgePrompt,
    questions: Sequence[str],
    answers: Sequence[Sequence[str]],
    references: Sequence[str],
) -> dict[str, str]:
    """FastChat's names for what a template shows."""
    turns = range(1, prompt.turns + 1)
    names = ("answer_a", "answer_b") if prompt.is_pairwise else ("answer",)
    fields: dict[str, str] = {}
    if prompt.turns == 1:
        fields |= {"question": questions[0]}
        fields |= {name: one[0] for name, one in zip(names, answers, strict=True)}
    else:
        fields |= {f"question_{turn}": questions[turn - 1] for turn in turns}
        fields |= {
            f"{name}_{turn}": one[turn - 1]
            for name, one in zip(names, answers, strict=True)
            for turn in turns
        }
    if prompt.needs_reference:
        fields |= {f"ref_answer_{turn}": references[turn - 1] for turn in turns}
    return fields


def fill(template: str, fields: Mapping[str, str]) -> str:
    """`str.format` for plain names: one pass, so a value that looks like a field stays a text."""

    def value(match: re.Match[str]) -> str:
        return fields[match[1]] if match[1] else match[0][0]

    return _FIELD.sub(value, template)
