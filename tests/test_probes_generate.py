"""The probe generator: the same items for ever, and evaluation apart from training."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.items import check_item, content_hash
from harness.items.probes.catalogue import FAMILIES
from harness.items.probes.family import Draw, Family, Problem, in_evaluation
from harness.items.probes.format import FORMAT
from harness.items.probes.generate import (
    LEVELS,
    probes,
    seen_templates,
    training_samples,
    unseen_templates,
)
from harness.items.probes.math import MATH
from harness.items.probes.words import PEOPLE, PLACES
from harness.items.schema import FormatRule

families = st.sampled_from(FAMILIES)
levels = st.sampled_from(LEVELS)
seeds = st.integers(0, 10_000)
_MARK = "\x1f"


def revealing(family: Family) -> Family:
    """The family with the content and the drawn entities of each problem as its text."""

    def problem(draw: Draw, level: int) -> Problem:
        drawn: list[str] = []
        original = draw.entities

        def entities(pool: Sequence[str], count: int) -> list[str]:
            chosen = original(pool, count)
            drawn.extend(chosen)
            return chosen

        draw.entities = entities  # type: ignore[method-assign]
        made = family.problem(draw, level)
        return dataclasses.replace(made, slots={"text": _MARK.join([made.content, *drawn])})

    return dataclasses.replace(family, templates=("{text}",) * 6, problem=problem)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_parts_share_no_problem(family: Family) -> None:
    shown = [revealing(family)]
    contents = [
        {item.turns[0].split(_MARK)[0] for item in probes(shown, LEVELS, 4, part=part, parts=2)}
        for part in (0, 1)
    ]
    assert min(map(len, contents)) > 1
    assert not contents[0] & contents[1]


def test_parts_are_evaluation_items_with_ids_of_their_own() -> None:
    lists = [probes(MATH, (1,), 6, part=part, parts=3) for part in range(3)]
    assert len({item.id for found in lists for item in found}) == 3 * 6 * len(MATH)
    assert all(item.seen == (index % 2 == 0) for found in lists for index, item in enumerate(found))
    assert probes(MATH, (1,), 2, part=1, parts=3) == [
        item for item in lists[1] if item.id.endswith(("/0", "/1"))
    ]
    with pytest.raises(HarnessError, match="part is 3 of 3"):
        probes(MATH, (1,), 1, part=3, parts=3)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_evaluation_and_training_share_no_content_and_no_entity(family: Family) -> None:
    shown = [revealing(family)]
    evaluation = [
        item.turns[0].split(_MARK) for seed in range(20) for item in probes(shown, LEVELS, 2, seed)
    ]
    training = [item.turns[0].split(_MARK) for item in training_samples(shown, LEVELS, 300)]
    assert all(in_evaluation(content) for content, *_ in evaluation)
    assert not any(in_evaluation(content) for content, *_ in training)
    assert {content for content, *_ in evaluation}.isdisjoint(content for content, *_ in training)
    entities = {entity for _, *drawn in evaluation for entity in drawn}
    assert entities.isdisjoint(entity for _, *drawn in training for entity in drawn)


def test_people_and_places_of_evaluation_never_appear_in_training_text() -> None:
    names = [f"{person}さん" for person in PEOPLE] + [f"{place}の店" for place in PLACES]
    # Longest first: 小林さん is not 林さん.
    pattern = re.compile("|".join(sorted(names, key=len, reverse=True)))
    asked = {name for item in probes(MATH + FORMAT) for name in pattern.findall(item.turns[0])}
    taught = {
        name
        for item in training_samples(MATH + FORMAT, count=1500)
        for name in pattern.findall(item.turns[0])
    }
    assert len(asked) > 5
    assert len(taught) > 20
    assert asked.isdisjoint(taught)


@settings(deadline=None)
@given(families, levels, seeds)
def test_items_are_well_formed_and_repeatable(family: Family, level: int, seed: int) -> None:
    items = probes([family], [level], 4, seed)
    assert items == probes([family], [level], 4, seed)
    assert [item.id for item in items] == [f"{family.name}/L{level}/{seed}/{k}" for k in range(4)]
    assert [item.seen for item in items] == [True, False, True, False]
    for item in items:
        assert check_item(item) is None
        assert (item.skill, item.genre, item.level) == (family.name, family.genre, level)
        name, index = (item.template or "").split("#")
        assert name == f"{family.name}@{family.version}"
        allowed = seen_templates(family) if item.seen else unseen_templates(family)
        assert int(index) in allowed
        assert item.cluster == item.template


@settings(deadline=None)
@given(families, levels, seeds)
def test_more_items_families_or_levels_change_no_other_item(
    family: Family, level: int, seed: int
) -> None:
    few = probes([family], [level], 2, seed)
    assert probes([family], [level], 6, seed)[:2] == few
    other = FAMILIES[0] if family is not FAMILIES[0] else FAMILIES[1]
    wide = probes([other, family], LEVELS, 2, seed)
    assert [item for item in wide if item.skill == family.name and item.level == level] == few


@settings(deadline=None)
@given(families, levels, seeds)
def test_training_uses_seen_templates_only(family: Family, level: int, seed: int) -> None:
    items = list(training_samples([family], [level], 5, seed))
    assert items == list(itertools.islice(training_samples([family], [level], None, seed), 5))
    for item in items:
        assert check_item(item) is None
        assert item.seen is True
        assert int((item.template or "").split("#")[1]) in seen_templates(family)


def test_a_long_list_holds_no_equal_items_and_shares_none_with_training() -> None:
    items = probes(per_level=12)
    assert len(items) == 12 * 5 * len(FAMILIES)
    asked = {item.hash for item in items}
    assert len(asked) == len({item.id for item in items}) == len(items)
    taught = list(training_samples(count=1500, seed=3))
    assert asked.isdisjoint(item.hash for item in taught)
    assert {item.skill for item in taught} == {family.name for family in FAMILIES}
    assert len({item.id for item in taught}) == len(taught)


def test_seeds_give_different_lists() -> None:
    family = [FAMILIES[0]]
    first, second = (probes(family, per_level=4, seed=seed) for seed in (0, 1))
    assert {item.hash for item in first} != {item.hash for item in second}


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_families_have_varied_templates(family: Family) -> None:
    assert len(set(family.templates)) == len(family.templates) >= 6
    assert len(unseen_templates(family)) == len(family.templates) // 3
    assert [*seen_templates(family), *unseen_templates(family)] == [*range(len(family.templates))]


def test_catalogue_names_are_unique_and_of_probe_genres() -> None:
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
    assert len(MATH) >= 7
    assert len(FORMAT) >= 6
    assert {family.genre for family in MATH} == {"math"}
    assert {family.genre for family in FORMAT} == {"format"}


def tiny(size: int) -> Family:
    def problem(draw: Draw, level: int) -> Problem:
        number = draw.randrange(size)
        return Problem({"n": str(number)}, f"{number}", "1", FormatRule("integer"), "number")

    return Family("math/tiny", 1, tuple(f"{k}:{{n}}" for k in range(6)), problem)


def test_an_exhausted_level_is_an_error_that_says_how_many_fit() -> None:
    fits = sum(in_evaluation(str(n)) for n in range(40))
    with pytest.raises(HarnessError, match=r"math/tiny level 2 .* at most \d+ per level"):
        probes([tiny(40)], [2], 12 * fits)


def test_a_split_that_cannot_be_reached_is_an_error_that_names_the_family() -> None:
    only_training = next(n for n in range(1, 50) if not any(map(in_evaluation, map(str, range(n)))))
    with pytest.raises(HarnessError, match="math/tiny level 1 drew no content of the evaluation"):
        probes([tiny(only_training)], [1])
    assert len(list(training_samples([tiny(only_training)], [1], 9))) == 9


def test_equal_items_across_levels_are_an_error() -> None:
    with pytest.raises(HarnessError, match="are equal"):
        probes([tiny(30)], LEVELS, 6)


@pytest.mark.parametrize("bad", [[0], [6], []])
def test_levels_outside_one_to_five_are_errors(bad: list[int]) -> None:
    with pytest.raises(HarnessError, match="expected one or more of 1 to 5"):
        probes(levels=bad)
    with pytest.raises(HarnessError, match="expected one or more of 1 to 5"):
        training_samples(levels=bad)


def test_counts_and_families_are_checked_at_the_call() -> None:
    with pytest.raises(HarnessError, match="per_level is 0"):
        probes(per_level=0)
    with pytest.raises(HarnessError, match="count is -1"):
        training_samples(count=-1)
    with pytest.raises(HarnessError, match="no probe family"):
        training_samples([])
    few = dataclasses.replace(FAMILIES[0], templates=FAMILIES[0].templates[:5])
    with pytest.raises(HarnessError, match="has 5 templates"):
        probes([few])


# Of the ids and item hashes of evaluation items and training samples. Another hash means
# that items changed: raise the family's version, then write its new line.
PINNED: dict[str, str] = {
    "math/arithmetic@1": "b3247a33c7b7c73f",
    "math/decimal@1": "2f4c185297cef4a0",
    "math/equation@1": "8579f2f9eb756abd",
    "math/sequence@1": "8060c581c5413fa1",
    "math/average@1": "9c1be1c141c50e76",
    "math/counting@1": "936a8a19520cdd48",
    "math/ratio@1": "bb1500aa85b5f687",
    "math/unit@1": "b83fb4c6ba57a55c",
    "math/word_problem@1": "33b01358b0267bf2",
    "math/weekday@1": "4a43a1255edbe52e",
    "math/days@1": "e2289ba85576aa87",
    "math/era@1": "74617f4e9ecdd9cb",
    "format/copy@1": "8f1820b0a3e4c464",
    "format/choice@1": "7546beec06d3e2a8",
    "format/digit_label@1": "9b38e7cf1c128608",
    "format/yes_no@1": "19c5d2e6fa5a8689",
    "format/entailment@1": "44aa37b029c2f2dd",
    "format/bare_number@1": "53927b4474eac61b",
    "format/lines@1": "0835ecce7c89109a",
    "format/json@1": "e1bcf330e6989fd2",
    "format/date@1": "7377ca50ab30befe",
    "format/bracket@1": "2b62de74b31f31d8",
    "format/times@1": "3c6a8ead209a45ca",
    "format/letter_case@1": "bc1260990a5a59c9",
}


@pytest.mark.parametrize("family", MATH + FORMAT, ids=lambda family: family.name)
def test_items_never_change_without_a_new_version(family: Family) -> None:
    items = probes([family], per_level=4, seed=0) + list(training_samples([family], count=5))
    digest = content_hash([[item.id, item.hash] for item in items])[:16]
    assert PINNED[f"{family.name}@{family.version}"] == digest
