"""Every gold answer that this project ships or generates obeys its own format rule and scores 1."""

from __future__ import annotations

import pytest

from harness.items.load import find_evalset, list_evalsets, load_evalset
from harness.items.probes.catalogue import FAMILIES
from harness.items.probes.family import Family
from harness.items.probes.generate import probes
from harness.scoring import gold_fault, score_answer


@pytest.mark.parametrize("name", list_evalsets())
def test_evalsets(name: str) -> None:
    faults = [(item.id, gold_fault(item)) for item in load_evalset(find_evalset(name)).items]
    assert [fault for fault in faults if fault[1]] == []


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
@pytest.mark.parametrize("seed", [0, 1])
def test_probes(family: Family, seed: int) -> None:
    items = probes([family], seed=seed)
    assert len(items) == 20
    for item in items:
        assert gold_fault(item) is None, (item.id, item.answer, gold_fault(item))
        scores = score_answer(item, item.answer, "stop")
        assert {score.value for score in scores} == {1.0}


def test_at_least_six_families_a_genre() -> None:
    genres = [family.genre for family in FAMILIES]
    assert {genre: genres.count(genre) >= 6 for genre in genres} == {
        "math": True,
        "reasoning": True,
        "coding": True,
        "extraction": True,
        "format": True,
    }
