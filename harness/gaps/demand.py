"""Turns gaps into demand: what each skill and difficulty asks for, and the plan of a round."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from harness.gaps.beliefs import beliefs, draw
from harness.gaps.measure import Gap, Gaps, SuiteGaps
from harness.gaps.plan import Line, Plan
from harness.gaps.policies import POLICIES, Cell, Share, plan_lines
from harness.items.schema import INSTRUCTION_GENRE
from harness.statistics.shrinkage import shrink
from harness.store.rounds import RoundGain

if TYPE_CHECKING:
    from harness.report.formats import FormatGap

# What synthesis calls the genres of suites that have other ones: Jaster's categories by what they
# ask for, and obedience to constraints.
LINE_GENRES = {
    "NLI": "reasoning",
    "QA": "humanities",
    "RC": "extraction",
    "MC": "reasoning",
    "HE": "stem",
    "EL": "extraction",
    "FA": "extraction",
    "MR": "math",
    "MT": "writing",
    "STS": "reasoning",
    "CL": "reasoning",
    "dev": "reasoning",
    "other": "reasoning",
    INSTRUCTION_GENRE: "format",
}
DRILL = "drill"
# Parts the names of wrong shapes in a line's settings; no shape's name holds it.
SHAPES_PART = "; "


def line_genre(genre: str) -> str:
    """The genre under which samples are made for an item's genre."""
    return LINE_GENRES.get(genre, genre)


def find_cells(gaps: Gaps, formats: Mapping[str, Sequence[FormatGap]] | None = None) -> list[Cell]:
    """What a policy may spend samples on, with what each is worth.

    formats  by suite: what `harness format` found of the student's evaluation

    A cell is a skill at one difficulty; a skill where it is not graded; a genre that has no skills
    or is rated by a judge. The lower bound of a genre's gap is divided among its cells in
    proportion to their own gaps, each drawn towards the genre's (`shrink`), for a cell has too few
    items for a bound of its own; weighed by worth, the parts add up to the genre's bound. Of that
    bound, what is lost to output format goes to drills of the shapes that were wrong.
    """
    found: list[Cell] = []
    for suite in gaps.suites:
        for genre in suite.of("genre"):
            if genre.worth > 0:
                drills = _drills(genre, suite, (formats or {}).get(suite.side.suite, ()))
                found += _cells(genre, _leaves(suite, genre), drills)
                found += drills
    return found


def make_plan(
    gaps: Gaps,
    samples: int,
    *,
    fingerprint: str,
    policy: str = "learnable",
    seed: int = 0,
    round: int = 1,
    share: Share | None = None,
    formats: Mapping[str, Sequence[FormatGap]] | None = None,
    gains: Iterable[RoundGain] = (),
    replayed: Sequence[Line] = (),
    advice: Sequence[str] = (),
) -> Plan:
    """The plan of a round of `samples` verified samples.

    gains     what past rounds bought;  replayed: lines of past rounds of this run
    advice    sentences that go before those of the plan itself

    Raises ValueError: a policy that is none of `POLICIES`.
    """
    if policy not in POLICIES:
        raise ValueError(f"no policy {policy!r}; there are {', '.join(POLICIES)}")
    cells = find_cells(gaps, formats)
    drawn = draw(beliefs(gains, {one.genre for one in cells}), seed, round)
    lines = plan_lines(
        cells,
        samples,
        policy,
        drawn=drawn,
        replayed=replayed,
        share=share,
        seed=seed + round,
    )
    return Plan(
        student=gaps.student,
        fingerprint=fingerprint,
        target=gaps.target,
        policy=policy,
        round=round,
        seed=seed,
        lines=lines,
        advice=(*advice, *_advice(gaps, cells, samples, sum(line.samples for line in lines))),
    )


def gap_phrase(one: Gap, name: str) -> str:
    """A gap in words and points: "math 31.0 [25.1, 36.9] below"."""
    unit = 100 if one.scale == 1 else 1
    return f"{name} {unit * one.gap:.1f} [{unit * one.low:.1f}, {unit * one.high:.1f}] below"


def _leaves(suite: SuiteGaps, genre: Gap) -> list[Gap]:
    own = [one for one in suite.gaps if one.place.genre == genre.place.genre]
    levels = [one for one in own if one.place.kind == "level"]
    graded = {one.place.skill for one in levels}
    skills = [one for one in own if one.place.kind == "skill" and one.place.skill not in graded]
    # What is rated by a judge has too few items a skill, and no verifier by skill.
    return [genre] if genre.scale != 1 else [*levels, *skills] or [genre]


def _cells(genre: Gap, leaves: Sequence[Gap], drills: Sequence[Cell]) -> list[Cell]:
    demands, scale = genre.state == "lags", genre.scale
    drawn = shrink(
        [one.gap / scale for one in leaves],
        [one.verdict.measured.change.se / scale for one in leaves],
        genre.gap / scale,
    )
    own = [max(0.0, float(value)) for value in drawn.mean]
    worth = sum(one.worth for one in leaves)
    mean = sum(one.worth * part for one, part in zip(leaves, own, strict=True)) / worth
    bound = max(0.0, genre.low / scale) if demands else 0.0
    lost = sum(one.worth * one.low for one in drills) / genre.worth
    rest = max(0.0, bound - lost)
    return [
        Cell(
            genre=line_genre(one.place.genre),
            skill=one.place.skill,
            level=one.place.level,
            demands=demands,
            gap=part,
            low=rest * part / mean if mean > 0 else rest,
            worth=one.worth,
            learnable=one.learnable.share if one.learnable else 0.5,
            accuracy=_accuracy(one),
            why=_why(genre, one, part) if demands else "",
        )
        for one, part in zip(leaves, own, strict=True)
    ]


def _accuracy(one: Gap) -> float:
    return one.student if one.scale == 1 else min(1.0, max(0.0, (one.student - 1) / one.scale))


def _why(genre: Gap, one: Gap, part: float) -> str:
    unit = 100 if one.scale == 1 else one.scale
    said = gap_phrase(genre, genre.place.genre)
    if one is not genre:
        said += f", {unit * part:.1f} here"
    if one.learnable is None:
        return said
    guess = "" if one.learnable.known else " by guess"
    return f"{said}; {100 * one.learnable.share:.0f} % learnable{guess}"


def _drills(genre: Gap, suite: SuiteGaps, formats: Sequence[FormatGap]) -> list[Cell]:
    """Drills for the datasets of a lagging genre that lose points to format."""
    if genre.state != "lags":
        return []
    own = [
        one
        for one in formats
        if one.category == genre.place.genre
        and one.lost is not None
        and one.examples
        and one.shapes
    ]
    return [
        Cell(
            genre=line_genre(genre.place.genre),
            skill="",
            level=None,
            demands=True,
            gap=one.lost.mean,
            # No more than the genre surely lacks: the rest of the loss is the target's too.
            low=min(one.lost.low, max(0.0, genre.low)),
            worth=_dataset_worth(genre, suite, one.dataset),
            learnable=1.0,
            accuracy=one.scores["strict"].mean if "strict" in one.scores else 0.0,
            cap=one.examples,
            generator=DRILL,
            settings={
                "dataset": one.dataset,
                "wants": one.target,
                "shapes": SHAPES_PART.join(shape.shape for shape in one.shapes),
            },
            why=f"{100 * one.lost.mean:.1f} points lost to format in {one.dataset}",
        )
        for one in own
        if one.lost is not None
    ]


def _dataset_worth(genre: Gap, suite: SuiteGaps, dataset: str) -> float:
    for one in suite.of("dataset"):
        if (one.place.genre, one.place.dataset) == (genre.place.genre, dataset):
            return one.worth
    return genre.worth


def _advice(gaps: Gaps, cells: Sequence[Cell], samples: int, planned: int) -> list[str]:
    said = []
    quiet = [one for one in gaps.genres if one.state == "within noise"]
    if quiet:
        several = len(gaps.suites) > 1
        names = [
            one.place.genre
            + (f" of {one.suite}" if several else "")
            + (f" ({one.settled_by:,})" if one.settled_by else "")
            for one in quiet
        ]
        said.append(
            f"Within noise, so no demand: {', '.join(names)}. In brackets the items that would "
            f"show a gap of {100 * gaps.rule.margin:g} % of the scale."
        )
    said += [
        f"{suite.side.suite} lags as a whole and no genre of it does alone: more items would say "
        "which."
        for suite in gaps.suites
        if suite.whole.state == "lags" and not any(one.state == "lags" for one in suite.of("genre"))
    ]
    if planned < samples and not any(one.demands for one in cells):
        said.append(
            f"Nothing lags {gaps.target} beyond chance: only the uniform share and replay are "
            f"planned, {planned:,} of {samples:,} samples."
        )
    elif planned < samples:
        said.append(f"Every demand is at its cap: {planned:,} of {samples:,} samples are planned.")
    guessed = [
        one
        for suite in gaps.suites
        for one in suite.of("suite")
        if one.learnable is not None and not one.learnable.known
    ]
    if guessed:
        suites = ", ".join(one.suite for one in guessed)
        said.append(
            f"Learnable fractions of {suites} are guesses from accuracy; evaluate with --samples 4 "
            "or more to know them."
        )
    return said
