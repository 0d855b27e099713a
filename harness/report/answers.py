"""Draws one evaluation in the terminal: its counts, its failures, its answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.store.queries import AnswerRow, EvaluationRow
from harness.visible import clipped, visible

# Characters of one text that are printed; --json has all of them.
_LONGEST = 20_000


def print_answers(
    console: Console,
    evaluation: EvaluationRow,
    every: Sequence[AnswerRow],
    found: Sequence[AnswerRow],
    limit: int,
) -> None:
    _print_head(console, evaluation, every)
    for one in found[:limit]:
        console.print()
        console.print(_heading(one))
        for label, text in (
            ("asked", Text(clipped(one.question, _LONGEST))),
            ("gold", Text(clipped(one.gold, _LONGEST), style="green")),
            ("answer", _answer(one)),
        ):
            if label == "gold" and not one.gold:
                continue  # items of constraints have none
            # Two columns, so that a question of many lines keeps its indent.
            grid = Table.grid(padding=(0, 1))
            grid.add_column(width=8, style="dim")
            grid.add_column(overflow="fold")
            grid.add_row(f"  {label}", text)
            console.print(grid)
        for judgment in one.judgments:
            grid = Table.grid(padding=(0, 1))
            grid.add_column(width=8, style="dim")
            grid.add_column(overflow="fold")
            verdict = _verdict(judgment)
            grid.add_row(
                "  judge",
                Text.assemble(*verdict, (f"\n{clipped(judgment['text'], _LONGEST)}", "dim")),
            )
            console.print(grid)
    if len(found) > limit:
        console.print(
            f"\n{limit} of {len(found)} answers shown; --limit {len(found)} shows all.",
            style="dim",
        )


def _print_head(console: Console, evaluation: EvaluationRow, every: Sequence[AnswerRow]) -> None:
    console.print(
        Text.assemble(
            (evaluation.checkpoint, "bold"),
            f"   {evaluation.protocol}   evaluation {evaluation.id[:12]}   {evaluation.state}",
        )
    )
    console.print(
        f"planned {evaluation.planned} = done {evaluation.done} + failed {evaluation.failed}; "
        f"{evaluation.items} items × {evaluation.samples} sample(s); {evaluation.engine}",
        style="dim",
    )
    classes = Counter(one.failure or "error" for one in every if one.failure or one.error)
    if classes:
        parts = ", ".join(f"{name} {number}" for name, number in classes.most_common())
        console.print(f"failures: {parts}")


def _verdict(judgment: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    rating = judgment["rating"]
    told = (f"{rating:g}", "bold") if rating is not None else (judgment["failure"], "red")
    return told, (f"  by {judgment['judge']}", "dim")


def _answer(one: AnswerRow) -> Text:
    if one.error:
        return Text(visible(one.error), style="red")
    text = Text(
        clipped(one.text, _LONGEST) if one.text.strip() else "(empty)",
        style="" if one.text else "dim",
    )
    if one.finish_reason == "length":
        text.append(" …", style="yellow")
    return text


def _heading(one: AnswerRow) -> Text:
    strict = one.scores.get("strict", one.scores.get("verified", one.scores.get("followed")))
    ratings = [two["rating"] for two in one.judgments if two["rating"] is not None]
    if one.error:
        mark = ("failed", "bold red")
    elif strict is None and one.scores:
        mean = sum(ratings) / len(ratings) if ratings else None
        mark = ("unjudged", "yellow") if mean is None else (f"rated {mean:g}", "bold")
    elif strict is None:
        mark = ("failed", "bold red")
    elif strict == 1.0:
        mark = ("right", "bold green")
    else:
        mark = (one.failure or "wrong", "bold red")
    scores = "  ".join(f"{name} {value:.2f}" for name, value in sorted(one.scores.items()))
    sample = f" turn {one.turn + 1}" if one.turn else ""
    sample += f" sample {one.sample}" if one.sample else ""
    return Text.assemble((one.item, "bold"), f"{sample}  ", mark, (f"  {scores}", "dim"))
