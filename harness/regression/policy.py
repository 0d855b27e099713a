"""What a candidate is held to: margins, which metrics decide, and how sure one wants to be."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, Literal

from harness.items.schema import content_hash

Unproven = Literal["block", "pass"]


@dataclass(frozen=True)
class Settings:
    """How one metric is judged.

    margin     a drop smaller than this does not matter, in the unit of the score, 0 or more
    critical   whether a regression fails the gate; else it is shown only
    unproven   of a critical metric whose interval still allows a drop of the margin: block makes
               the gate inconclusive, pass lets it through
    min_items  paired items below which there is no verdict
    alpha      one-sided level, power of "items needed"
    tau        checkpoint noise: standard deviation of the score between neighbouring checkpoints
               that no real change explains, in the unit of the score; known on `tau_df` degrees of
               freedom, infinite where the policy states it
    """

    margin: float
    critical: bool
    unproven: Unproven
    min_items: int
    alpha: float
    power: float
    tau: float
    tau_df: float = math.inf


@dataclass(frozen=True)
class Rule:
    """Settings for the metrics that match; None leaves a setting to earlier rules.

    match  patterns of GENRE/DATASET/METRIC with * and ?;  suite: of suites
    """

    match: tuple[str, ...]
    suite: str = "*"
    margin: float | None = None
    critical: bool | None = None
    unproven: Unproven | None = None
    min_items: int | None = None
    alpha: float | None = None
    power: float | None = None
    tau: float | None = None

    def applies(self, suite: str, place: str) -> bool:
        return fnmatchcase(suite, self.suite) and any(
            fnmatchcase(place, pattern) for pattern in self.match
        )


_STATED = tuple(field.name for field in fields(Settings) if field.name != "tau_df")
_FIRST = Settings(0.05, False, "block", 10, 0.05, 0.8, 0.0)


@dataclass(frozen=True)
class Policy:
    """Rules in order, with what holds where none says otherwise.

    alpha, power  of every metric;  max_failed: share of requests that may fail
    name          where it came from; no part of its hash
    """

    rules: tuple[Rule, ...] = ()
    alpha: float = 0.05
    power: float = 0.8
    max_failed: float = 0.02
    name: str = "default"

    def settings(self, suite: str, place: str) -> Settings:
        """How a metric, named GENRE/DATASET/METRIC, is judged: of the rules that match it, the
        last to state a setting counts."""
        found = replace(_FIRST, alpha=self.alpha, power=self.power)
        for rule in self.rules:
            if rule.applies(suite, place):
                stated = {name: getattr(rule, name) for name in _STATED}
                found = replace(
                    found, **{name: value for name, value in stated.items() if value is not None}
                )
        return found

    def named(self) -> list[tuple[str, str]]:
        """(suite pattern, metric) of every metric that a critical rule names without a pattern: a
        gate on it cannot pass when it was not measured."""
        return [
            (rule.suite, place)
            for rule in self.rules
            if rule.critical
            for place in rule.match
            if not any(mark in place for mark in "*?[")
        ]

    def with_margin(self, match: str, margin: float) -> Policy:
        """The policy with one more rule, as `--margin` states it."""
        return replace(self, rules=(*self.rules, Rule((match,), margin=margin)))

    def to_dict(self) -> dict[str, Any]:
        """What its hash is made of."""
        rules = [
            {name: value for name, value in asdict(rule).items() if value is not None}
            for rule in self.rules
        ]
        return {
            "version": 1,
            "alpha": self.alpha,
            "power": self.power,
            "max_failed": self.max_failed,
            "rules": [rule | {"match": list(rule["match"])} for rule in rules],
        }

    @cached_property
    def hash(self) -> str:
        return content_hash(self.to_dict())
