"""The evalset `if-ja`: sound, of its own making, and satisfiable."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from harness.items.load import find_evalset, load_evalset
from harness.scoring.constraints import RULES, follows, verdicts
from tests.if_ja_examples import EXAMPLES
from tests.shared_data import shared

EVALSET = load_evalset(find_evalset("if-ja"))
ITEMS = {item.id: item for item in EVALSET.items}
USED = {one.id for item in EVALSET.items for one in item.constraints}


def test_every_rule_without_a_tokenizer_is_used() -> None:
    assert {name for name, rule in RULES.items() if not rule.tokenizer} == USED


def test_the_card_counts_what_is_there() -> None:
    constraints = [len(item.constraints) for item in EVALSET.items]
    assert (len(constraints), sum(constraints)) == (102, 168)
    assert Counter(constraints) == {1: 42, 2: 54, 3: 6}
    assert (
        "102 prompts, 168 constraints: 42 prompts with one, 54 with two, 6 with three"
        in EVALSET.card
    )
    families = Counter(item.skill.removeprefix("instruction/") for item in EVALSET.items)
    for family, prompts in families.items():
        assert f"| {family} | {prompts} |" in EVALSET.card
    assert f"{len(EXAMPLES)} of the 102 prompts" in EVALSET.card


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_follows_all_and_its_counterexample_does_not(name: str) -> None:
    good, bad = EXAMPLES[name]
    constraints = ITEMS[name].constraints
    assert [one.id for one in constraints if not follows(one, good)] == []
    assert not all(one.strict for one in verdicts(constraints, bad))


def test_every_constraint_has_an_example() -> None:
    shown = {one.id for name in EXAMPLES for one in ITEMS[name].constraints}
    assert shown == USED


def test_every_constraint_fails_in_some_counterexample() -> None:
    failing = {
        one.id
        for name, (_, bad) in EXAMPLES.items()
        for one in verdicts(ITEMS[name].constraints, bad)
        if not one.strict
    }
    assert failing == USED


def test_no_prompt_is_of_m_ifeval() -> None:
    path = shared("m-ifeval") / "ja_input_data.jsonl"
    theirs = {json.loads(line)["prompt"] for line in path.read_text(encoding="utf-8").splitlines()}
    assert not theirs & {item.turns[0] for item in EVALSET.items}
