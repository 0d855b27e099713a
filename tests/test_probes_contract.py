"""What every reasoning and extraction family promises: both splits, one problem a seed, brevity."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.items.probes.extraction import EXTRACTION
from harness.items.probes.family import Draw, Family
from harness.items.probes.reasoning import REASONING
from tests.probe_checks import SPLITS, accepted, check_family, golden, obeys, prompts

FAMILIES = REASONING + EXTRACTION

GOLDEN = {
    "reasoning/ordering": "f0cd7ba979741e7f",
    "reasoning/transitivity": "f54704d28f55a3c5",
    "reasoning/seating": "5657bcc735d057a4",
    "reasoning/schedule": "90a7534ec9332178",
    "reasoning/truth-tellers": "cf5b64cece8bfef6",
    "reasoning/syllogism": "a33d5f70985bbe9f",
    "reasoning/compound": "399fc0df7f77b02b",
    "reasoning/tracking": "e3b336ae652ffd25",
    "reasoning/direction": "0ee213bba13992f9",
    "reasoning/kinship": "f4ed4a939add59e3",
    "reasoning/rule": "da1a44eeaf87a66e",
    "extraction/field": "86629927b87e31c8",
    "extraction/contact": "b411d0315a50c9b3",
    "extraction/changes": "d0d564354ea49fe1",
    "extraction/date": "875b582f3f99e739",
    "extraction/amount": "ab43c55a4043fc4f",
    "extraction/table-cell": "c42f2ba3ecf6b478",
    "extraction/table-rows": "e1e61312920b5a7b",
    "extraction/people": "e329701b82bafa6b",
    "extraction/profile": "38fcc7174624634e",
    "extraction/event": "3fbdfed95101a38d",
    "extraction/order": "3e0eb57590adea2c",
}


@pytest.mark.parametrize("level", range(1, 6))
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_family_and_level_serves_both_splits(family: Family, level: int) -> None:
    check_family(family, level)


def test_names_are_of_the_genre_and_unique() -> None:
    assert len({family.name for family in FAMILIES}) == len(FAMILIES) >= 14
    assert {family.genre for family in FAMILIES} == {"reasoning", "extraction"}


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_golden_problems_never_change(family: Family) -> None:
    """A change here changes items that others have stored: raise the family's version."""
    assert (family.version, golden(family)) == (1, GOLDEN[family.name])


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(FAMILIES), st.integers(1, 5), st.text(max_size=8), st.sampled_from(SPLITS))
def test_a_seed_gives_one_problem(family: Family, level: int, seed: str, split: str) -> None:
    first = family.problem(Draw(seed, split), level)  # type: ignore[arg-type]
    again = family.problem(Draw(seed, split), level)  # type: ignore[arg-type]
    assert first == again
    assert all(obeys(first.answer, first, prompt) for prompt in prompts(family, first))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_level_one_is_short(family: Family) -> None:
    for problem in accepted(family, 1, "training", 20):
        lengths = sorted(len(prompt) for prompt in prompts(family, problem))
        assert lengths[0] <= 64
        assert lengths[len(lengths) // 2] <= 85
