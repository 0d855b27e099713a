"""A comparison for GitHub: the summary of a workflow step, and annotations of its run."""

from __future__ import annotations

from collections.abc import Iterator

from harness.regression.compare import MetricVerdict, SuiteComparison
from harness.regression.flips import Flip
from harness.regression.measure import ALL
from harness.report.comparison import Report
from harness.report.comparison_table import is_share, p_value, settling, shown, signed
from harness.visible import visible

_SIGNS = {"regressed": "🔴", "improved": "🟢", "held": "⚪", "inconclusive": "🟡"}
_ANSWER = 600


def summary(report: Report) -> str:
    """Markdown: the outcome and its reasons, a table for each suite, flipped items folded."""
    comparison = report.comparison
    gate = comparison.gate
    lines = [f"## harness compare: {gate.outcome}", ""]
    lines += [f"- {_inline(reason)}" for reason in gate.reasons]
    for compared, flips, causes, symptoms in zip(
        comparison.suites, report.flips, report.causes, report.symptoms, strict=True
    ):
        lines += ["", *_table(compared), ""]
        lines += [f"- suspect: {_inline(str(cause))}" for cause in causes]
        lines += [
            f"- with it: {_inline(symptom.name)} ({symptom.genre}) {symptom.base:.3g} → "
            f"{symptom.cand:.3g}"
            for symptom in symptoms
        ]
        lines += [part for flip in flips for part in _flip(flip)]
    policy = comparison.policy
    lines += ["", f"Policy {_inline(policy.name)}, `{policy.hash[:12]}`. Bold: critical.", ""]
    return "\n".join(lines)


def workflow_commands(report: Report) -> list[str]:
    """Annotations, one a line: errors for critical metrics that regressed, warnings for what
    keeps the gate from passing, notices for regressions that do not decide."""
    gate = report.comparison.gate
    lines = []
    for one in report.comparison.verdicts:
        if one.verdict == "regressed":
            level = "error" if one.settings.critical else "notice"
            lines.append(_command(level, f"{one.measured.suite} regressed", _told(one)))
    if gate.outcome == "inconclusive":
        lines += [_command("warning", "inconclusive", reason) for reason in gate.reasons]
    return lines


def _table(compared: SuiteComparison) -> Iterator[str]:
    pair = compared.pair
    bases = " + ".join(row.checkpoint for row in pair.bases)
    yield f"### {_inline(pair.suite)}: {_inline(bases)} → {_inline(pair.cand.checkpoint)}"
    yield ""
    yield "| metric | n | base | cand | change | interval | p | verdict | would settle it |"
    yield "|---|--:|--:|--:|--:|--:|--:|---|---|"
    for one in shown(compared):
        unit = 100 if is_share(one) else 1
        measured, decision = one.measured, one.decision
        place = [part for part in (measured.genre, measured.dataset) if part != ALL]
        name = _inline(" / ".join([measured.metric, *place]))
        cells = [
            f"**{name}**" if one.settings.critical else name,
            f"{measured.change.n}",
            f"{unit * measured.base:.1f}",
            f"{unit * measured.cand:.1f}",
            signed(unit * decision.change),
            f"{signed(unit * decision.low)} … {signed(unit * decision.high)}",
            p_value(one.p),
            f"{_SIGNS[one.verdict]} {one.verdict}",
            _inline(settling(one)),
        ]
        yield f"| {' | '.join(cells)} |"


def _flip(flip: Flip) -> Iterator[str]:
    kind = "broken" if flip.is_broken else "mended"
    yield f"<details><summary>{kind}: {_html(flip.item)} ({_html(flip.genre)})</summary>"
    yield ""
    for label, text in (
        ("question", flip.question),
        ("gold", flip.gold),
        (f"base, {flip.base:.2f}", flip.base_answer),
        (f"cand, {flip.cand:.2f}", flip.cand_answer),
    ):
        yield f"<p>{label}</p><pre>{_html(text[:_ANSWER]) or ' '}</pre>"
    yield ""
    yield "</details>"


def _told(one: MetricVerdict) -> str:
    decision = one.decision
    return (
        f"{one.measured.place}: {decision.change:+.4f} ({decision.low:+.4f} to "
        f"{decision.high:+.4f}), p {one.p:.3g}, {one.measured.change.n} items"
    )


def _command(level: str, title: str, message: str) -> str:
    """As GitHub reads workflow commands: line breaks and % escaped, in the title also : and ,."""
    name = _escape(title).replace(":", "%3A").replace(",", "%2C")
    return f"::{level} title={name}::{_escape(message)}"


def _escape(text: str) -> str:
    return visible(text).replace("%", "%25").replace("\n", "%0A")


def _inline(text: str) -> str:
    return visible(text).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def _html(text: str) -> str:
    """Model output is not to be trusted: nothing in it is markup. An empty line would end the
    HTML block that it stands in."""
    escaped = (
        visible(text.replace("\r", ""))
        .replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
    )
    return escaped.replace("\n", "&#10;")
