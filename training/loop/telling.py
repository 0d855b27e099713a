"""A loop in sentences: what a stage came to, where the loop is, what it learned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.store.loops import StageRow
from training.loop.state import Next


def heading(owed: Next) -> str:
    """Above a stage that begins."""
    kind = "made" if owed.round.made else "given"
    return f"round {owed.round.number}, {owed.round.phase} ({kind}): {owed.stage}"


def sentence(row: StageRow) -> str:
    """What a finished stage came to."""
    return _SENTENCES[row.stage](row.outputs)


def _plan(outputs: Mapping[str, Any]) -> str:
    lagging = ", ".join(
        f"{genre} {100 * gap:.0f} points" for genre, (gap, _, _) in outputs["lagging"].items()
    )
    demand = ", ".join(f"{genre} {count:,}" for genre, count in outputs["demand"].items())
    return f"lags: {lagging or 'nothing beyond noise'}; demand: {demand or 'none'}"


def _synthesize(outputs: Mapping[str, Any]) -> str:
    return f"{outputs['samples']:,} verified samples in {len(outputs['shards'])} shard(s)"


def _mixture(outputs: Mapping[str, Any]) -> str:
    phase = outputs["phase"]
    total = sum(phase["weights"].values())
    parts = sorted(phase["weights"].items(), key=lambda one: -one[1])
    shown = ", ".join(f"{name} {weight / total:.0%}" for name, weight in parts[:5])
    more = f" and {len(parts) - 5} more" if len(parts) > 5 else ""
    size = f"{phase['steps']:,} steps" if phase["steps"] else f"{phase['tokens']:,} tokens"
    return f"{size} of {shown}{more}"


def _approve(outputs: Mapping[str, Any]) -> str:
    return f"{'approved' if outputs['approved'] else 'refused'} by {outputs['by']}"


def _train(outputs: Mapping[str, Any]) -> str:
    points = outputs["checkpoints"]
    return (
        f"{len(points)} checkpoint(s) to step {points[-1]['step']:,}, {outputs['tokens']:,} tokens"
    )


def _judge(outputs: Mapping[str, Any]) -> str:
    words = ", ".join(f"step {one['step']:,} {one['verdict']}" for one in outputs["verdicts"])
    if not outputs["critical"]:
        return words
    return f"{words}; CRITICAL: " + "; ".join(one["sentence"] for one in outputs["critical"])


def _measure(outputs: Mapping[str, Any]) -> str:
    paid = f" for ${outputs['dollars']:.2f} of judging" if outputs["dollars"] else ""
    return f"step {outputs['step']:,} asked what steers and what proves{paid}"


def _learn(outputs: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{genre} {100 * one['gain']:+.1f}±{100 * 1.96 * one['se']:.1f} for {one['samples']:,}"
        for genre, one in outputs["gains"].items()
    )


def _keep(outputs: Mapping[str, Any]) -> str:
    return f"kept; the next round builds on step {outputs['standing']['step']:,}"


def _roll_back(outputs: Mapping[str, Any]) -> str:
    marked = ", ".join(outputs["marked"]) or "nothing"
    return (
        f"rolled back to step {outputs['standing']['step']:,}, marked: {marked} ({outputs['why']})"
    )


_SENTENCES = {
    "plan": _plan,
    "synthesize": _synthesize,
    "mixture": _mixture,
    "approve": _approve,
    "train": _train,
    "judge": _judge,
    "measure": _measure,
    "learn": _learn,
    "keep": _keep,
    "roll back": _roll_back,
}
