"""Mixtures: what a file may say, and what a run reads by it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError
from training.mixture import (
    Component,
    Mixture,
    Phase,
    Rollback,
    load_mixture,
    phase_steps,
    segments,
    single,
)

GOOD = """\
components:
  web: {path: web.jsonl, genre: web}
  talk: {path: talk.parquet, loss: answers}
phases:
  - {name: web, tokens: 1_000, weights: {web: 3, talk: 1}}
  - name: last
    steps: 4
    weights: {talk: 1e0}
"""


def test_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "mixture.yaml"
    file.write_text(GOOD, encoding="utf-8")
    mixture = load_mixture(file)
    assert mixture.components["talk"] == Component(path="talk.parquet", loss="answers")
    assert [phase.name for phase in mixture.phases] == ["web", "last"]
    assert mixture.phases[0].shares == {"web": 0.75, "talk": 0.25}
    assert phase_steps(mixture, 64) == [16, 4]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "loss: answers",
            "loss: half",
            r"mixture\.yaml:2: components.*loss: Invalid enum value 'half'",
        ),
        ("web: 3", "wobble: 3", r":5: .*no such component, expected one of web, talk"),
        ("web: 3, talk: 1", "talk: 1", r":2: components\.web: no phase gives it a weight"),
        ("tokens: 1_000, ", "", r":5: phases\[0\]: a phase lasts as long as"),
        ("name: last", "name: web", r":6: .*is the name of an earlier phase"),
        ("talk: 1e0", "talk: -1", r":8: .*Expected `float` >= 0"),
        ("talk: 1e0", "talk: 0", r":8: .*no component has a weight above 0"),
        ("path: web.jsonl, ", "", r":2: components\.web: expected either a path or a probe"),
        ("phases:", "fazes:", r":4: 'fazes' is no setting here"),
        ("steps: 4", "steps: four", r":7: .*Expected `int`, got `str`"),
    ],
)
def test_a_fault_is_told_with_its_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    file = tmp_path / "mixture.yaml"
    assert old in GOOD
    file.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(HarnessError, match=message):
        load_mixture(file)


def test_a_plain_mixture_is_one_phase() -> None:
    mixture = single({"math/arithmetic": 1.0, "a/b.jsonl": 3.0}, steps=5)
    assert mixture.components["math/arithmetic"].probe == "math/arithmetic"
    assert mixture.components["a/b.jsonl"].path == "a/b.jsonl"
    assert [(each.start, each.steps) for each in segments(mixture, [5])] == [(0, 5)]


NAMES = ("a", "b", "c")
PHASES = st.lists(
    st.tuples(
        st.integers(1, 9),
        st.dictionaries(st.sampled_from(NAMES), st.floats(0.1, 5), min_size=1),
    ),
    min_size=1,
    max_size=4,
)


def mixture_of(phases: list[tuple[int, dict[str, float]]]) -> tuple[Mixture, list[int]]:
    components = {name: Component(probe="text") for name in NAMES}
    made = [
        Phase(f"p{number}", weights, steps=steps) for number, (steps, weights) in enumerate(phases)
    ]
    return Mixture(components, tuple(made)), [steps for steps, _ in phases]


@given(PHASES, st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=3))
def test_a_rollback_reads_on_and_changes_nothing_read(
    phases: list[tuple[int, dict[str, float]]], turns: list[tuple[float, float]]
) -> None:
    mixture, steps = mixture_of(phases)
    total = sum(steps)
    rollbacks: list[Rollback] = []
    done = 0
    for at_share, to_share in turns:
        at = done + round(at_share * (total - done))
        to = round(to_share * at)
        before = each_step(segments(mixture, steps, rollbacks))
        rollbacks.append(Rollback(at, to))
        after = each_step(segments(mixture, steps, rollbacks))
        # The data of the steps until now stays, that of the steps after `to` follows it.
        read = sum(one.at - one.to for one in rollbacks[:-1]) + at
        assert after[:read] == before[:read]
        assert after[read:] == each_step(segments(mixture, steps))[to:]
        done = to
    found = segments(mixture, steps, rollbacks)
    assert len(each_step(found)) == total + sum(one.at - one.to for one in rollbacks)
    assert [one.start for one in found] == list(np.cumsum([0, *(s.steps for s in found)])[:-1])
    assert all(sum(one.weights.values()) == pytest.approx(1) for one in found)


def each_step(found: tuple[object, ...]) -> list[tuple[str, tuple[tuple[str, float], ...]]]:
    return [
        (one.phase, tuple(sorted(one.weights.items())))  # type: ignore[attr-defined]
        for one in found
        for _ in range(one.steps)  # type: ignore[attr-defined]
    ]


def test_a_rollback_leaves_out_what_it_is_told_to() -> None:
    mixture, steps = mixture_of([(4, {"a": 1, "b": 1}), (4, {"b": 1, "c": 3})])
    found = segments(mixture, steps, [Rollback(6, 2, ("b",))])
    assert [(one.phase, one.steps, dict(one.weights)) for one in found] == [
        ("p0", 4, {"a": 0.5, "b": 0.5}),
        ("p1", 2, {"b": 0.25, "c": 0.75}),
        ("p0", 2, {"a": 1.0}),
        ("p1", 4, {"c": 1.0}),
    ]
    skipped = segments(mixture, steps, [Rollback(3, 2, ("p0",))])
    assert [(one.phase, one.steps) for one in skipped] == [("p0", 3), ("p1", 6)]
    with pytest.raises(HarnessError, match="all that phase 'p1' has"):
        segments(mixture, steps, [Rollback(6, 2, ("b", "c"))])


@given(PHASES, st.integers(1, 16))
@settings(max_examples=40, deadline=None)
def test_weights_asked_are_weights_got(
    phases: list[tuple[int, dict[str, float]]], batch_size: int
) -> None:
    """Packed blocks: at every row what was taken is within a block a component of what was asked;
    for n components the greedy choice strays by less than n."""
    pytest.importorskip("megatron.core")
    from training.stream import blend

    mixture, steps = mixture_of(phases)
    for segment in segments(mixture, steps):
        rows = segment.steps * batch_size
        names, which, index = blend(segment.weights, rows)
        taken: Counter[str] = Counter()
        for row in range(rows):
            name = names[which[row]]
            assert index[row] == taken[name], "blocks of a component come in their order"
            taken[name] += 1
            for other in names:
                assert abs(taken[other] - segment.weights[other] * (row + 1)) < len(names)


@given(st.dictionaries(st.sampled_from(NAMES), st.floats(0.1, 5), min_size=1))
@settings(deadline=None)
def test_a_longer_blend_begins_as_a_shorter_one(shares: dict[str, float]) -> None:
    pytest.importorskip("megatron.core")
    from training.stream import blend

    _, short, _ = blend(shares, 20)
    _, long, _ = blend(shares, 50)
    assert long[:20].tolist() == short.tolist()
