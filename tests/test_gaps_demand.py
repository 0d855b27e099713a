"""From gaps to cells: bounds that add up, what is rated, and suites with genres of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.gaps.demand import LINE_GENRES, find_cells, make_plan
from harness.gaps.measure import Gaps, Rule, measure_gaps
from harness.gaps.policies import Cell
from harness.gaps.target import find_sides
from harness.items.schema import (
    GENRES,
    INSTRUCTION_GENRE,
    JASTER_ASIDE,
    JASTER_CATEGORIES,
)
from tests.comparison_store import MadeItem, MadeScores, keep, rate
from tests.gap_store import graded, pair_of_genres, strict


def _gaps(path: Path) -> Gaps:
    return measure_gaps(path, find_sides(path, "student", "target"), Rule())


def _spent(cells: list[Cell], genre: str) -> float:
    return sum(one.worth * one.low for one in cells if one.genre == genre)


def test_the_parts_of_a_bound_add_up(tmp_path: Path) -> None:
    path = tmp_path / "r.duckdb"
    keep(path, *pair_of_genres())
    gaps = _gaps(path)
    math = gaps.genres[0]
    cells = find_cells(gaps)
    assert _spent(cells, "math") == pytest.approx(math.sure_points)
    assert _spent(cells, "reasoning") == 0
    assert {(one.skill, one.level) for one in cells if one.genre == "math"} == {
        ("math/buy", 1),
        ("math/buy", 2),
        ("math/share", 1),
        ("math/share", 2),
    }
    # A skill that is not graded is one cell.
    assert [(one.skill, one.level) for one in cells if one.genre == "reasoning"] == [
        ("reasoning/order", None)
    ]
    assert {one.demands for one in cells if one.genre == "math"} == {True}


def test_a_skill_that_surely_lags_more_gets_more(tmp_path: Path) -> None:
    path = tmp_path / "r.duckdb"
    # Of 200 items in turn, those of the first skill are never right and the others always.
    student = [float(number % 2) for number in range(200)]
    keep(path, strict("student", graded(student)), strict("target", graded([1.0] * 200)))
    gaps = _gaps(path)
    cells = find_cells(gaps)
    by_skill = {
        skill: sum(one.worth * one.low for one in cells if one.skill == skill)
        for skill in ("math/buy", "math/share")
    }
    assert by_skill["math/buy"] > 5 * by_skill["math/share"]
    assert sum(by_skill.values()) == pytest.approx(gaps.genres[0].sure_points)


def test_what_a_judge_rates_is_one_cell_a_genre(tmp_path: Path) -> None:
    path = tmp_path / "r.duckdb"
    items = [
        MadeItem(f"{genre}/{n}", genre, skill=f"{genre}/{n % 3}", level=1)
        for genre in ("writing", "roleplay")
        for n in range(20)
    ]
    made = [
        MadeScores(name, {"length": {item: [100.0] for item in items}})
        for name in ("student", "target")
    ]
    keep(path, *made)
    rate(path, made[0], "judge", "prompts", lambda item, repeat: 4.0)
    rate(path, made[1], "judge", "prompts", lambda item, _: 7.0 if "writing" in item else 4.0)
    cells = find_cells(_gaps(path))
    assert [(one.genre, one.skill, one.level, one.demands) for one in cells] == [
        ("writing", "", None, True),
        ("roleplay", "", None, False),
    ]
    # Three points of nine, and 4 is a third of the way from 1 to 10.
    assert cells[0].gap == pytest.approx(3 / 9)
    assert cells[0].accuracy == pytest.approx(1 / 3)


def test_every_genre_of_every_suite_has_one_that_data_are_made_for() -> None:
    assert set(LINE_GENRES) == {*JASTER_CATEGORIES, *JASTER_ASIDE, INSTRUCTION_GENRE}
    assert set(LINE_GENRES.values()) <= {*GENRES, "format"}


def test_categories_of_jaster_are_asked_for_as_genres(tmp_path: Path) -> None:
    path = tmp_path / "r.duckdb"
    for name, value in (("student", 0.0), ("target", 1.0)):
        nli = {MadeItem(f"n{n}", "NLI", "jnli", skill="jnli"): [value] for n in range(30)}
        sts = {MadeItem(f"s{n}", "STS", "jsts", skill="jsts"): [value] for n in range(30)}
        keep(path, strict(name, nli, sts))
    gaps = _gaps(path)
    plan = make_plan(gaps, 1000, fingerprint="f")
    demand = [line for line in plan.lines if line.purpose == "gap"]
    # STS stands aside in the total, so closing its gap is worth nothing.
    assert [(line.genre, line.skill) for line in demand] == [("reasoning", "jnli")]
    with pytest.raises(ValueError, match="no policy 'best'"):
        make_plan(gaps, 1000, fingerprint="f", policy="best")


def test_a_suite_that_lags_as_a_whole_is_said(tmp_path: Path) -> None:
    path = tmp_path / "r.duckdb"
    student, target = [], []
    for genre in GENRES:
        # Two of twelve are lost in each genre: too few for one, not for all.
        student.append(graded([0] * 2 + [1] * 4 + [0] * 6, genre, (), 0))
        target.append(graded([1] * 6 + [0] * 6, genre, (), 0))
    keep(path, strict("student", *student), strict("target", *target))
    plan = make_plan(_gaps(path), 1000, fingerprint="f")
    assert not [line for line in plan.lines if line.purpose == "gap"]
    assert any("lags as a whole and no genre of it does alone" in one for one in plan.advice)
