"""Reads a policy from YAML and says, by file and line, what is wrong with one."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from harness.errors import HarnessError
from harness.regression.policy import Policy, Rule
from harness.yaml_file import (
    Check,
    compose,
    entries,
    fault,
    is_number,
    is_whole,
    mapping,
    read_text,
)


def _is_pattern(value: Any) -> bool:
    return isinstance(value, str) and value.count("/") == 2 and all(value.split("/"))


_LEVEL: Check = (lambda v: is_number(v) and 0 < v < 0.5, "a level between 0 and 0.5")
_POWER: Check = (lambda v: is_number(v) and 0 < v < 1, "a share between 0 and 1")
_AMOUNT: Check = (lambda v: is_number(v) and v >= 0, "a number, 0 or more")
_TOP: dict[str, Check] = {
    "version": (lambda v: v == 1 and not isinstance(v, bool), "1"),
    "alpha": _LEVEL,
    "power": _POWER,
    "max_failed": (lambda v: is_number(v) and 0 <= v <= 1, "a share from 0 to 1"),
    "rules": (lambda v: isinstance(v, list) and bool(v), "a list of rules"),
}
_RULE: dict[str, Check] = {
    "match": (
        lambda v: _is_pattern(v) or (isinstance(v, list) and bool(v) and all(map(_is_pattern, v))),
        "GENRE/DATASET/METRIC, or a list of such patterns, quoted",
    ),
    "suite": (lambda v: isinstance(v, str) and bool(v), "the name of a suite, or a pattern"),
    "margin": _AMOUNT,
    "critical": (lambda v: isinstance(v, bool), "true or false"),
    "unproven": (lambda v: v in ("block", "pass"), "block or pass"),
    "min_items": (lambda v: is_whole(v, 2), "a whole number, 2 or more"),
    "alpha": _LEVEL,
    "power": _POWER,
    "tau": _AMOUNT,
}


def default_policy_text() -> str:
    """The default policy as a file with comments, to be saved and changed."""
    return files("harness.regression").joinpath("default_policy.yaml").read_text(encoding="utf-8")


def load_policy(path: Path | None, margins: Sequence[str] = ()) -> Policy:
    """The policy of a YAML file, or the default one; `margins` as `--margin` takes them: VALUE, or
    PATTERN=VALUE for the metrics that match.

    Raises HarnessError, naming file and line, for what is not a policy.
    """
    if path is None:
        policy = read_policy(default_policy_text(), "default")
    else:
        text = read_text(path, "the policy", "name another with --policy")
        policy = read_policy(text, str(path))
    for margin in margins:
        policy = policy.with_margin(*_margin(margin))
    return policy


def _margin(text: str) -> tuple[str, float]:
    match, _, value = text.rpartition("=")
    try:
        margin = float(value)
    except ValueError:
        margin = -1.0
    if not 0 <= margin < float("inf"):
        raise HarnessError(
            f"--margin {text}: expected a drop of 0 or more in the unit of the score (0.02 is 2 "
            "points of 100), or PATTERN=VALUE such as '*/*/rating=0.5'"
        )
    return match or "*/*/*", margin


def read_policy(text: str, name: str) -> Policy:
    """The policy in a YAML text. Raises HarnessError `NAME:LINE: ...` for the first fault."""
    node = compose(text, name)
    if node is None:
        raise HarnessError(f"{name}:1: an empty policy; `harness compare --print-policy` shows one")
    top = mapping(node, name, _TOP, "a policy")
    if "version" not in top:
        fault(name, node, "a policy states its version: add `version: 1`")
    rules = tuple(_rule(entry, name) for entry in entries(node, "rules"))
    numbers = {key: float(top[key]) for key in ("alpha", "power", "max_failed") if key in top}
    return Policy(rules=rules, name=name, **numbers)


def _rule(node: yaml.Node, name: str) -> Rule:
    found = mapping(node, name, _RULE, "a rule")
    if "match" not in found:
        fault(name, node, 'a rule says which metrics it is for: add `match: "all/all/strict"`')
    match = found.pop("match")
    for key in ("margin", "alpha", "power", "tau"):
        if key in found:
            found[key] = float(found[key])
    return Rule(match=(match,) if isinstance(match, str) else tuple(match), **found)
