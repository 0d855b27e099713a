"""The verdict of a report in words: what broke, what held, and where the subject stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.report.page.curves import TOTAL, Panel, Subject
from harness.report.page.figures import Span

if TYPE_CHECKING:
    from harness.regression.compare import Comparison
    from harness.run_regressions import Account, Analysis
    from harness.store.regressions import Regression

Tone = Literal["good", "bad", "unsure"]
# Runs and metrics that one sentence names.
_NAMED = 3


@dataclass(frozen=True)
class Headline:
    """`verdict` is one sentence; `sentences` say what it rests on, most important first."""

    verdict: str
    tone: Tone
    sentences: tuple[str, ...]


def headline(
    subject: Subject,
    analysis: Analysis | None,
    comparison: Comparison | None,
    gone: Sequence[Regression] = (),
) -> Headline:
    """What a reader must know, from the whole trajectory where there is one, from what the run was
    taken back from (`gone`), and from the last comparison."""
    sentences: list[str] = []
    verdict, tone = f"{subject.name}, measured", "good"
    if analysis is not None:
        verdict, tone = _of_run(analysis, "that stand" if gone else "")
        sentences += [_told(account) for account in analysis.accounts]
    elif comparison is not None:
        verdict, tone = _of_comparison(comparison)
    sentences += [_taken_back(one) for one in gone]
    sentences += [one for panel in subject.panels for one in _standing(panel)]
    if analysis is not None and comparison is not None and comparison.gate.outcome != "pass":
        sentences += [f"Latest comparison: {reason}" for reason in comparison.gate.reasons]
    return Headline(verdict, tone, tuple(sentences))  # type: ignore[arg-type]


def _of_run(analysis: Analysis, which: str = "") -> tuple[str, Tone]:
    run = analysis.run
    steps = len({int(step) for one in run.series for step in one.steps})
    if not analysis.accounts:
        if all(one.steps.size < 3 for one in run.series):
            return f"{run.name}: too few checkpoints to tell", "unsure"
        return f"{run.name}: no regression in {steps} checkpoints {which}".rstrip(), "good"
    lasting = [one.incident for one in analysis.accounts if one.incident.recovered is None]
    incident = lasting[0] if lasting else analysis.accounts[0].incident
    seed = incident.findings[0]
    where = f"between steps {seed.before:,} and {seed.after:,}"
    if lasting:
        return f"{run.name} regressed {where}", "bad"
    return f"{run.name} broke {where} and recovered by step {incident.recovered:,}", "unsure"


def _told(account: Account) -> str:
    incident = account.incident
    seed = incident.findings[0]
    size = abs(seed.change) * 100
    others = [name for name in incident.metrics if name != seed.metric]
    more = f"; {', '.join(others[:_NAMED])} fell with it" if others else ""
    if len(others) > _NAMED:
        more = f"; {', '.join(others[:_NAMED])} and {len(others) - _NAMED} more fell with it"
    end = (
        f"back at step {incident.recovered:,}" if incident.recovered is not None else "not back yet"
    )
    why = "".join(f" Suspect: {one.sentence}." for one in account.suspicions[:2])
    signs = "".join(f" Symptom: {one.sentence}." for one in account.symptoms[:2])
    p = "p < 0.0001" if seed.p_run < 1e-4 else f"p = {seed.p_run:.4f}"
    return (
        f"{seed.metric} fell by {size:.1f} points between steps {seed.before:,} and "
        f"{seed.after:,} ({p} over the whole run), {end}{more}.{why}{signs}"
    )


def _taken_back(one: Regression) -> str:
    found = one.evidence
    unit = 1 if one.metric == "rating" else 100
    between = ""
    if "low" in found and "high" in found:  # not of what was found over a whole run
        between = f" ({-found['high'] * unit:.1f} to {-found['low'] * unit:.1f})"
    end = "rolled back" if one.fixed_at_step is None else f"rolled back to {one.fixed_at_step:,}"
    why = "".join(f" Suspect: {cause['sentence']}." for cause in one.cause[:2])
    signs = "".join(f" Symptom: {sign['sentence']}." for sign in found.get("symptoms", [])[:2])
    return (
        f"{one.suite} {TOTAL if one.genre == 'all' else one.genre} regressed by "
        f"{abs(found['change']) * unit:.1f} points{between} at step {one.step or 0:,}, "
        f"{end}.{why}{signs}"
    )


def _of_comparison(comparison: Comparison) -> tuple[str, Tone]:
    names = [pair.pair for pair in comparison.suites]
    base, cand = names[0].base.checkpoint, names[0].cand.checkpoint
    if comparison.gate.outcome == "regression":
        return f"{cand} regressed beside {base}", "bad"
    if comparison.gate.outcome == "inconclusive":
        return f"{cand} beside {base}: inconclusive", "unsure"
    return f"{cand} holds beside {base}", "good"


def _standing(panel: Panel) -> list[str]:
    if panel.unit not in ("%", "rating"):
        return []
    first, last = panel.total.points[0], panel.total.points[-1]
    unit = " %" if panel.unit == "%" else ""
    interval = f" ({last.low:.1f} to {last.high:.1f})" if last.high > last.low else ""
    told = f"{panel.suite}: {last.mean:.1f}{unit}{interval} at {last.checkpoint}"
    if len(panel.total.points) > 1:
        told += f", from {first.mean:.1f}{unit} at step {first.step:,}"
    return [told + "."]


def spans(subject: Subject, analysis: Analysis | None, panel: Panel, genre: str) -> list[Span]:
    """What is marked beneath a curve: phases of training, where this genre broke, and where it
    came back."""
    found = _phases(subject, panel)
    if analysis is None:
        return found
    here = {
        name
        for name, place in analysis.run.places.items()
        if name == genre or (place.suite, place.genre) == (panel.suite, genre)
    }
    for account in analysis.accounts:
        findings = account.incident.findings
        # The total shows where each incident broke; a genre its own findings.
        mine = findings[:1] if genre == TOTAL else [one for one in findings if one.metric in here]
        # Several metrics of a genre broke at one place: it is marked once.
        for before, after in dict.fromkeys((one.before, one.after) for one in mine):
            found.append(Span(before, after, "broke", "broke"))
        for at in dict.fromkeys(one.recovered for one in mine if one.recovered is not None):
            found.append(Span(at, at + _width(panel) * 0.006, "recovered", "recovered"))
    return found


def _phases(subject: Subject, panel: Panel) -> list[Span]:
    """Stretches of one phase, every other one tinted; nothing where there is only one."""
    marked: list[Span] = []
    stages = [stage for stage in subject.stages if stage.phase]
    begun: list[tuple[int, int, str]] = []
    before = panel.steps[0]
    for stage in stages:
        if begun and begun[-1][2] == stage.phase:
            begun[-1] = (begun[-1][0], stage.step, begun[-1][2])
        else:
            begun.append((before, stage.step, str(stage.phase)))
        before = stage.step
    if len(begun) < 2:
        return marked
    for number, (first, last, name) in enumerate(begun):
        kind = "dirty" if "dirty" in name.lower() else "phase" if number % 2 else "plain"
        if kind != "plain":
            marked.append(Span(first, last, name, kind))
    return marked


def _width(panel: Panel) -> float:
    return float(panel.steps[-1] - panel.steps[0]) or 1.0
