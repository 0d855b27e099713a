"""Says when a student has come so near to its teacher that a stronger one is wanted."""

from __future__ import annotations

from harness.gaps.measure import Gap, Gaps

# Within five points of a hundred a teacher's mistakes are as frequent as what is left to learn.
MARGIN = 0.05


def teacher_advice(gaps: Gaps, margin: float = MARGIN) -> list[str]:
    """At most two sentences: the genres in which the student has come within a margin of its
    teacher, or past it, surely (the interval lies below the margin) and by the estimate alone.

    gaps    of the student, measured against the teacher;  margin: as a share of the scale

    A genre with too few items for a verdict says nothing.
    """
    near = [
        one
        for suite in gaps.suites
        for one in suite.of("genre")
        if one.verdict.note is None and one.gap <= margin * one.scale
    ]
    sure = [one for one in near if one.high <= margin * one.scale]
    seeming = [one for one in near if one not in sure]
    reach = f"within {100 * margin:g} % of the scale of the teacher {gaps.target}, or past it"
    said = []
    if sure:
        said.append(
            f"The student has come {reach}: {_named(sure, gaps)}. Take a stronger teacher there."
        )
    if seeming:
        said.append(
            f"The student seems to have come {reach}: {_named(seeming, gaps)}. Take a stronger "
            "teacher there, or ask more items to be sure."
        )
    return said


def _named(genres: list[Gap], gaps: Gaps) -> str:
    several = len(gaps.suites) > 1
    parts = []
    for one in genres:
        unit = 100 if one.scale == 1 else 1
        suite = f" of {one.suite}" if several else ""
        interval = f"[{unit * one.low:.1f}, {unit * one.high:.1f}]"
        parts.append(f"{one.place.genre}{suite} (gap {unit * one.gap:.1f} {interval})")
    return ", ".join(parts)
