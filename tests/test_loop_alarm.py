"""What the experiments on the alarm make of their raw lines, on lines made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("scipy")

from benchmarks.loop import alarm, directions
from benchmarks.loop import format as loop_format
from benchmarks.loop.raw_results import append_line, exact_interval, markdown, read_lines, share

DIRTY = (125, 150, 175)


def line(kind: str, *regressions: dict[str, Any], **more: Any) -> dict[str, Any]:
    checkpoints = [
        {
            "step": step,
            "changed": step in DIRTY,
            "verdict": "good",
            "scores": {"reasoning": 0.5},
            "genres": {},
        }
        for step in range(25, 201, 25)
    ]
    return {
        "kind": kind,
        "seed": 1,
        "checkpoints": checkpoints,
        "regressions": list(regressions),
        "findings": [],
        **more,
    }


def regression(step: int, *causes: str, p: float = 1e-4, symptoms: Any = ()) -> dict[str, Any]:
    named = [{"kind": "share", "what": one} for one in causes]
    return {"step": step, "genre": "reasoning", "p": p, "causes": named, "symptoms": list(symptoms)}


def test_an_alarm_at_the_second_dirty_checkpoint_has_a_delay_of_one() -> None:
    found = alarm.outcome(line("loops", regression(150, alarm.CORPUS, symptoms=["characters"])))
    assert (found.delay, found.late, found.false) == (1, False, 0)
    assert (found.attribution, found.symptoms) == ("right", ("characters",))
    # Steps 50 to 100: the first checkpoint is compared with nothing, the dirty ones are no quiet.
    assert found.comparisons == 3


@pytest.mark.parametrize(
    ("causes", "expected"),
    [
        ((alarm.CORPUS, "copy"), "right"),
        (("copy", alarm.CORPUS), "incomplete"),
        (("copy",), "wrong"),
        ((), "absent"),
    ],
)
def test_attribution(causes: tuple[str, ...], expected: str) -> None:
    assert alarm.outcome(line("loops", regression(125, *causes))).attribution == expected


def test_of_genres_that_fall_at_once_the_surest_speaks() -> None:
    both = (regression(125, "copy", p=1e-2), regression(125, alarm.CORPUS, p=1e-6))
    assert alarm.outcome(line("loops", *both)).attribution == "right"


def test_without_dirt_every_alarm_is_false() -> None:
    found = alarm.outcome(line("none", regression(175, alarm.CORPUS), regression(50)))
    assert (found.delay, found.late, found.false, found.comparisons) == (None, False, 2, 7)


def test_an_alarm_before_the_dirt_is_false_and_one_after_it_late() -> None:
    found = alarm.outcome(line("wrong", regression(100), regression(200)))
    assert (found.delay, found.late, found.false) == (None, True, 1)


def test_a_finding_counts_where_it_touches_the_dirty_phase() -> None:
    def finding(before: int, after: int) -> dict[str, Any]:
        return {"before": before, "after": after}

    both = [finding(100, 125), finding(50, 75)]
    assert alarm.read_afterwards(line("loops", findings=both)) == (True, 1)
    assert alarm.read_afterwards(line("none", findings=both)) == (False, 2)


def test_the_tables_of_hand_made_lines() -> None:
    lines = [line("loops", regression(125, alarm.CORPUS)), line("loops"), line("none")]
    text = alarm.tables(lines)
    assert "| loops | 1 of 2, 50.0% (1.3 to 98.7) | 0: 1 |" in text
    assert "| none | – | – | 0 | 0 of 1, 0.0% (0.0 to 97.5) | 0 of 7, 0.0% (0.0 to 41.0) |" in text


def test_chats_ask_the_same_and_answer_differently() -> None:
    loops, none, wrong = (alarm.corpus(kind, 5, 40) for kind in ("loops", "none", "wrong"))
    for a, b, c in zip(loops, none, wrong, strict=True):
        asked = {row["messages"][0]["content"] for row in (a, b, c)}
        said = [row["messages"][1]["content"] for row in (a, b, c)]
        assert len(asked) == 1
        assert len(said[0]) == alarm.LOOP
        assert said[2] != said[1]


def test_exact_intervals_are_those_of_clopper_and_pearson() -> None:
    # Closed forms at the ends: 1 - 0.025 ** (1 / n) and its mirror image.
    assert exact_interval(0, 20) == pytest.approx((0, 1 - 0.025 ** (1 / 20)))
    assert exact_interval(20, 20) == pytest.approx((0.025 ** (1 / 20), 1))
    assert share(0, 0) == "0 of 0"


def test_a_torn_line_is_owed_again(tmp_path: Path) -> None:
    path = tmp_path / "raw.jsonl"
    append_line(path, {"seed": 1})
    with path.open("a") as file:
        file.write('{"seed": 2, "che')
    assert [row["seed"] for row in read_lines(path)] == [1]
    append_line(path, {"seed": 2})
    assert [row["seed"] for row in read_lines(path)] == [1, 2]


def test_markdown_aligns_numbers() -> None:
    assert markdown(("k", "n"), [("a", 1)]) == "| k | n |\n|---|---:|\n| a | 1 |"


def test_recall_by_times_rewritten_and_by_what_the_one_rewriting_told() -> None:
    def fact(k: int, told: list[str], forward: float, backward: float) -> dict[str, Any]:
        return {"k": k, "told": told, "forward": forward, "backward": backward}

    facts = [
        fact(0, [], 1, 0),
        fact(0, [], 1, 0),
        fact(1, ["forward"], 1, 0),
        fact(1, ["backward"], 0, 1),
    ]
    text = directions.tables([{"seed": 0, "facts": facts}])
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in text.splitlines()[2:]]
    means = {row[0]: (row[1], row[2].split()[0], row[3].split()[0]) for row in rows}
    assert means["0"] == ("2", "100.0", "0.0")
    assert means["1"] == ("2", "50.0", "50.0")
    assert means["1, told forward"] == ("1", "100.0", "0.0")
    assert means["1, told backward"] == ("1", "0.0", "100.0")
    assert means["8"] == ("0", "–", "–")


def test_targets_are_never_asked_in_training_as_they_are_asked_later(tmp_path: Path) -> None:
    made, known = directions.rows(3, tmp_path)
    questions = {item.turns[0] for item in directions.items(known)}
    asked = {row["messages"][0]["content"] for row in made if "messages" in row}
    assert len(questions) == 2 * len(known) == 2 * directions.FACTS * len(directions.TIMES)
    assert not questions & asked
    for one in known:
        directions_told = one["told"]
        assert len(directions_told) == one["k"]
        assert abs(directions_told.count("forward") - one["k"] / 2) <= 0.5
        # Of each fact as many rows, however often it is rewritten.
        name = one["triple"].subject
        rows = [row for row in made if name in str(row) and one["triple"].object in str(row)]
        assert sum(row.get("text") is not None for row in rows) == (8 if one["k"] else 16)


def test_gaps_are_means_over_tasks_and_seeds() -> None:
    def gap(task: str, strict: float, choice: float | None) -> dict[str, Any]:
        return {"dataset": task, "strict": strict, "choice": choice, "shapes": {"a sentence": 2}}

    lines = [
        {"gaps": {"before": [gap(loop_format.TASKS[0], value, 0.9), gap("x", 0.5, None)]}}
        for value in (0.1, 0.3)
    ]
    first = loop_format.TASKS[:1]
    assert loop_format.points(lines, "before", first, "strict") == "20.0 (10.0 to 30.0)"
    assert loop_format.points(lines, "before", first, "choice") == "90.0 (90.0 to 90.0)"
    assert loop_format.points(lines, "before", ("x",), "choice") == "–"


def test_the_students_shape_holds_the_answer_and_more() -> None:
    rows = loop_format.known_shape(1, 6)
    drilled = loop_format.drills(1, 3)
    assert len(rows) == 6 * len(loop_format.TASKS)
    assert len(drilled) == 3 * len(loop_format.TASKS)
    assert all(row["messages"][1]["content"].endswith("。") for row in rows)
    assert not any(row["messages"][1]["content"].endswith("。") for row in drilled)
