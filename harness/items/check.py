"""What a rule, not a judge, can decide about the answer to one turn: plain data."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from harness.items.code_task import CodeTask


@dataclass(frozen=True)
class Constraint:
    """One thing that an answer must keep to and a rule can verify.

    id      a name in `scoring.constraints.RULES`, e.g. "ja:letters:no_katakana"
    kwargs  what the rule wants to know, e.g. {"relation": "以下", "num_letters": 100}
    """

    id: str
    kwargs: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ChoiceCheck:
    """The label that must be chosen, of those the question offers."""

    labels: tuple[str, ...]
    answer: str


@dataclass(frozen=True)
class FieldGold:
    """The right value of one JSON field, and as what it is compared (`scoring.fields`)."""

    type: str
    value: Any


@dataclass(frozen=True)
class FieldsCheck:
    """The object that must be in the answer, by key; no other keys."""

    fields: dict[str, FieldGold]


@dataclass(frozen=True)
class Check:
    """How one turn is decided without a judge; exactly one field is filled.

    math         the answer must be mathematically equal to this
    choice       the answer must choose this label
    code         the answer's program must pass these hidden tests
    json         the answer must hold this object
    constraints  the answer must keep to all of these
    exact        the answer, or what it marks as its answer, must be one of these
    """

    math: str | None = None
    choice: ChoiceCheck | None = None
    code: CodeTask | None = None
    json: FieldsCheck | None = None
    constraints: tuple[Constraint, ...] = ()
    exact: tuple[str, ...] = ()

    @property
    def kinds(self) -> tuple[str, ...]:
        """Names of the fields that are filled."""
        return tuple(one.name for one in fields(self) if getattr(self, one.name))

    def scored(self) -> dict[str, Any]:
        """All that can change a score, for the item's hash."""
        return {
            name: self.code.scored() if name == "code" and self.code else getattr(self, name)
            for name in self.kinds
        }
