"""Prints what the loop's experiments found, as Markdown, from their raw lines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from benchmarks.loop.analysis import (
    BASE,
    LAGGING,
    MEANS,
    NONE,
    TOTAL,
    UNIFORM,
    Line,
    Study,
    against,
    beyond_twice,
    gains,
    marks_of,
    regressions,
    study,
)
from benchmarks.loop.student import BATCH, RARE, share_of
from harness.statistics.paired import PairedDifference


def by_setting(lines: Iterable[Line]) -> Iterator[tuple[str, list[Line]]]:
    """Lines of equal settings, the settings as text."""
    grouped: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        told = ", ".join(f"{name} {value}" for name, value in line["settings"].items())
        grouped[told].append(line)
    yield from grouped.items()


def print_targeting(lines: Iterable[Line]) -> None:
    for told, own in by_setting(lines):
        found = study(own)
        every = [arm for arm in dict.fromkeys(line["arm"] for line in own) if arm != BASE]
        # Variants of a policy, such as `gap-rehearsed`, are in none of the families tested.
        arms = [arm for arm in every if "-" not in arm]
        variants = [arm for arm in every if "-" in arm]
        print(f"\n{told}; seeds {', '.join(map(str, found.seeds))}")
        lags = [f"{seed}: {', '.join(names)}" for seed, names in sorted(found.lagging.items())]
        print(f"Lagging by the steering items: {'; '.join(lags)}.\n")
        _levels(found, [BASE, *every])
        _gains(found, [arm for arm in arms if arm != NONE])
        _losses(found, arms, BASE)
        _losses(found, [arm for arm in arms if arm != NONE], NONE)
        _variants(found, variants)
        _skills(own, [BASE, *every])
        _shares(own, every)
        _doses(own)


def print_verification(lines: Iterable[Line], arms: Sequence[str], control: str) -> None:
    for told, own in by_setting(lines):
        found = study(own)
        present = [arm for arm in arms if arm in found.marks]
        print(f"\n{told}; seeds {', '.join(map(str, found.seeds))}\n")
        _teacher(own)
        _levels(found, [BASE, *present])
        rest = [arm for arm in present if arm != control]
        print(f"Against `{control}`, points with 95 % intervals over seeds:\n")
        print(
            table(
                ["arm", *MEANS],
                [[a, *(_change(against(found, a, control, p)) for p in MEANS)] for a in rest],
            )
        )


def _teacher(lines: Sequence[Line]) -> None:
    """How right the teacher was, and what of it was trained on; one line of a seed says it all."""
    told = {line["seed"]: line for line in lines if "teacher" in line}
    asked: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for line in told.values():
        for skill, one in line["teacher"].items():
            asked[skill].append((one["answers"], one["proven"], line["kept"].get(skill, 0)))
    rows = []
    for skill, counts in sorted(asked.items()):
        answers, proven, kept = (sum(column) for column in zip(*counts, strict=True))
        rows.append([skill, f"{answers:,}", f"{proven / answers:.0%}", f"{kept / len(told):,.0f}"])
    print("The teacher's answers, all seeds, and the samples of each arm, mean over seeds:\n")
    print(table(["skill", "answers", "proven", "samples"], rows))
    for seed, line in sorted(told.items()):
        kept, wrong = sum(line["kept"].values()), line["wrong_in_unverified"]
        print(f"Seed {seed}: {wrong:,} of {kept:,} samples of `unverified` are wrong.")
    print()


def _levels(found: Study, arms: Sequence[str]) -> None:
    places = [*MEANS, *found.genres]
    rows = [[arm, *(_points(found.mean(arm, place)) for place in places)] for arm in arms]
    print("Strict accuracy on proof items, mean over seeds, of 100:\n")
    print(table(["arm", *places], rows))


def _gains(found: Study, arms: Sequence[str]) -> None:
    print("Gain over `none`, points with 95 % intervals over seeds:\n")
    rows = [[arm, *(_change(against(found, arm, NONE, place)) for place in MEANS)] for arm in arms]
    print(table(["arm", *MEANS], rows))
    rivals = [arm for arm in arms if arm != UNIFORM]
    own = against(found, UNIFORM, NONE, LAGGING)
    rows = []
    for one in gains(found, rivals, UNIFORM):
        gain, twice = against(found, one.arm, NONE, LAGGING), beyond_twice(found, one.arm)
        ratio = f"{gain.change / own.change:.2f}" if gain and own and own.change > 0 else ""
        total = against(found, one.arm, UNIFORM, TOTAL)
        rows.append(
            [one.arm, _change(one.change), _p(one.p), ratio, _change(twice), _change(total)]
        )
    print("Against `uniform` (p one-sided, Holm over the arms):\n")
    head = ["arm", "lagging", "p", "gain / uniform's", "gain − 2 × uniform's", "total"]
    print(table(head, rows))


def _losses(found: Study, arms: Sequence[str], other: str) -> None:
    print(f"What was not meant to gain, against `{other}` (p of a drop, Holm over the table):\n")
    lost = regressions(found, arms, other)
    rows = [[one.arm, one.place, _change(one.change), _p(one.p)] for one in lost]
    print(table(["arm", "place", "change", "p"], rows))


def _variants(found: Study, variants: Sequence[str]) -> None:
    if not variants:
        return
    print("Variants against their policy, points with 95 % intervals over seeds:\n")
    rows = [
        [arm, *(_change(against(found, arm, arm.partition("-")[0], place)) for place in MEANS)]
        for arm in variants
    ]
    print(table(["arm", *MEANS], rows))


def _skills(lines: Sequence[Line], arms: Sequence[str]) -> None:
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for line in lines:
        for skill, marks in marks_of(line).items():
            found[skill][line["arm"]].append(float(marks.mean()))
    rows = [[skill, *(_points(_average(own[arm])) for arm in arms)] for skill, own in found.items()]
    print("By skill, mean over seeds:\n")
    print(table(["skill", *arms], rows))


def _shares(lines: Sequence[Line], arms: Sequence[str]) -> None:
    """Of each arm's kept samples the share of every skill, mean over seeds."""
    shares: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    runs: dict[str, int] = defaultdict(int)
    for line in lines:
        made = line.get("made")
        if not made:
            continue
        runs[line["arm"]] += 1
        kept = sum(one["kept"] for one in made)
        for one in made:
            name = one["skill"] or f"{one['genre']} {one['generator'].partition('@')[0]}"
            shares[name][line["arm"]] += one["kept"] / kept
    planned = [arm for arm in arms if runs[arm]]
    rows = [
        [name, *(f"{100 * own[arm] / runs[arm]:.0f}" for arm in planned)]
        for name, own in sorted(shares.items())
    ]
    print("Share of the samples, %, mean over seeds:\n")
    print(table(["skill", *planned], rows))


def _doses(lines: Sequence[Line]) -> None:
    """How often rows of a rare skill's samples were read, and what came of it, fewest first."""
    rows: dict[tuple[str, str], list[tuple[float, float, float]]] = defaultdict(list)
    before = {line["seed"]: marks_of(line) for line in lines if line["arm"] == BASE}
    for line in lines:
        made = line.get("made", [])
        kept = sum(one["kept"] for one in made)
        if not kept:
            continue
        reached = marks_of(line)
        for skill in RARE:
            own = sum(one["kept"] for one in made if one["skill"] == skill)
            read = share_of(line["arm"]) * BATCH * line["settings"]["steps"] * own / kept
            means = [float(one[skill].mean()) for one in (before[line["seed"]], reached)]
            rows[skill, line["arm"]].append((read, means[0], means[1]))
    shown = []
    for (skill, arm), told in rows.items():
        read, first, last = (sum(column) / len(told) for column in zip(*told, strict=True))
        shown.append((skill, read, [arm, f"{read:,.0f}", _points(first), _points(last)]))
    print("Rows read of a rare skill's samples, and its accuracy before and after:\n")
    head = ["skill", "arm", "rows", "before", "after"]
    print(
        table(head, [[skill, *told] for skill, _, told in sorted(shown, key=lambda one: one[:2])])
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column to the left, all others to the right."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _average(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _points(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"


def _change(one: PairedDifference | None) -> str:
    if one is None:
        return ""
    return f"{100 * one.change:+.1f} [{100 * one.low:+.1f}, {100 * one.high:+.1f}]"


def _p(value: float) -> str:
    return "<.001" if value < 0.001 else f"{value:.3f}"
