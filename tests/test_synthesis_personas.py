"""Personas: balanced draws, what they cover, and the words that they are drawn from."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.items.probes.catalogue import FAMILIES
from harness.items.schema import GENRES
from harness.scoring.language import is_japanese
from training.synthesis.personas import (
    DIMENSIONS,
    Covered,
    coverage,
    data,
    draw,
    entries,
    instruction,
    topic,
)

LEAST = {"roles": 200, "temperaments": 60, "keywords": 400, "settings": 80, "constraints": 60}
FIELDS = {
    "roles": "role",
    "temperaments": "temperament",
    "keywords": "keyword",
    "settings": "setting",
    "constraints": "constraint",
}


@pytest.mark.parametrize("name", DIMENSIONS)
def test_lists_are_long_japanese_and_without_repeats(name: str) -> None:
    words = entries(name)
    assert len(words) >= LEAST[name]
    assert len(set(words)) == len(words)
    assert all(is_japanese(word) and word == word.strip() for word in words)


def test_lengths_share_no_factor() -> None:
    wordings = {len(each) for each in data("genres").values()}
    assert len(wordings) == 1
    lengths = [*(len(entries(name)) for name in DIMENSIONS), *wordings]
    assert all(math.gcd(one, other) == 1 for one, other in combinations(lengths, 2))


@given(st.integers(0, 2**40), st.integers(0, 2**31))
def test_a_round_of_draws_holds_every_entry_once(start: int, seed: int) -> None:
    count = len(entries("constraints"))
    drawn = Counter(draw(start + place, seed).constraint for place in range(count))
    assert drawn == Counter(entries("constraints"))


def test_every_pair_of_two_lists_comes_once_in_their_product() -> None:
    roles, constraints = len(entries("roles")), len(entries("constraints"))
    drawn = Counter(
        (one.role, one.constraint) for one in (draw(i, 3) for i in range(roles * constraints))
    )
    assert len(drawn) == roles * constraints
    assert set(drawn.values()) == {1}


def test_the_second_keyword_is_another_one_and_changes_its_partner() -> None:
    count = len(entries("keywords"))
    partners: dict[str, set[str]] = {}
    for place in range(5 * count):
        one = draw(place, 1)
        assert one.keyword != one.other_keyword
        partners.setdefault(one.keyword, set()).add(one.other_keyword)
    assert {len(each) for each in partners.values()} == {5}


def test_draws_depend_on_index_and_seed_alone() -> None:
    assert draw(17, 5) == draw(17, 5)
    assert draw(17, 5) != draw(18, 5)
    orders = {tuple(draw(place, seed).role for place in range(20)) for seed in range(8)}
    assert len(orders) == 8
    with pytest.raises(ValueError, match="0 or more"):
        draw(-1, 0)


def test_coverage_of_a_full_round_is_even() -> None:
    count = len(entries("keywords"))
    found = coverage(draw(place, 0).fields() for place in range(count))
    assert found.draws == count
    keywords = found.single["keywords"]
    assert (keywords.used, keywords.fewest, keywords.most) == (count, 1, 1)
    assert keywords.evenness == pytest.approx(1)
    pairs = found.pairs["keywords", "settings"]
    assert (pairs.entries, pairs.used, pairs.fewest, pairs.most) == (409 * 83, 409, 0, 1)
    assert pairs.evenness == pytest.approx(1)


def test_coverage_of_lopsided_draws_says_so() -> None:
    first, second = entries("roles")[:2]
    found = coverage([{"role": first}] * 3 + [{"role": second}]).single["roles"]
    # Entropy of (3/4, 1/4) in bits over that of four equal ones: 0.811278 / 2.
    assert found == Covered(len(entries("roles")), 2, 0, 3, pytest.approx(0.811278 / 2, abs=1e-6))
    alone = coverage([{"role": first}] * 4).single["roles"]
    assert alone.evenness == 0


def test_coverage_of_nothing_and_of_samples_without_a_persona() -> None:
    assert coverage([]).draws == 0
    found = coverage([{}, {"style": "quiz"}])
    assert found.draws == 2
    assert all(one.used == one.most == 0 for one in found.single.values())


@pytest.mark.parametrize("genre", GENRES)
def test_every_genre_has_wordings_in_turn(genre: str) -> None:
    wordings = data("genres")[genre]
    assert {instruction(genre, place, 4) for place in range(len(wordings))} == set(wordings)


def test_a_genre_that_teachers_do_not_write_is_refused() -> None:
    with pytest.raises(HarnessError, match="another generator"):
        instruction("format", 0, 0)


def test_skills_and_levels_have_words() -> None:
    known = data("skills")["skills"]
    named = {one.name for one in FAMILIES if one.genre != "format"}
    assert set(known) == named
    assert topic("", None) == ""
    assert "割合と比" in topic("math/ratio", 2)
    assert "5段階の2" in topic("math/ratio", 2)
    assert "天気図" in topic("stem/天気図", None)
