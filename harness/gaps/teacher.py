"""Says when a student has come so near to its teacher that a stronger one is wanted."""

from __future__ import annotations

from harness.gaps.measure import Gap, Gaps

# Within five points of a hundred a teacher's mistakes are as frequent as what is left to learn.
MARGIN = 0.05


def teacher_advice(gaps: Gaps, margin: float = MARGIN) -> list[str]:
    """One sentence for each genre in which the student lies within a margin of its teacher.

    gaps    of the student, measured against the teacher;  margin: as a share of the scale

    By the estimate, which leans to neither side; the sentence says whether the interval lies within
    the margin too. A genre with too few items for a verdict says nothing.
    """
    found = [
        one
        for suite in gaps.suites
        for one in suite.of("genre")
        if one.verdict.note is None and one.gap <= margin * one.scale
    ]
    return [_sentence(one, gaps.target, margin) for one in found]


def _sentence(one: Gap, teacher: str, margin: float) -> str:
    unit = 100 / one.scale if one.scale == 1 else 1.0
    name = f"{one.place.genre} ({one.suite})"
    interval = f"[{unit * one.low:+.1f}, {unit * one.high:+.1f}]"
    if one.gap <= 0:
        return (
            f"{name}: the student is already {-unit * one.gap:.1f} points above the teacher "
            f"{teacher} (gap {interval}); take a stronger teacher for it"
        )
    sure = one.high <= margin * one.scale
    nearness = "is within" if sure else "seems to be within"
    return (
        f"{name}: the student {nearness} {unit * margin * one.scale:g} points of the teacher "
        f"{teacher} (gap {unit * one.gap:.1f} {interval}); take a stronger teacher for it"
    )
