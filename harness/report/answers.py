"""Draws one evaluation in the terminal: its counts, its failures, its answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness.store.queries import AnswerRow, EvaluationRow


def print_answers(
    console: Console,
    evaluation: EvaluationRow,
    every: Sequence[AnswerRow],
    found: Sequence[AnswerRow],
    limit: int,
) -> None:
    _print_head(console, evaluation, every)
    table = Table(show_lines=True, header_style="dim", expand=True)
    table.add_column("item", ratio=3, overflow="fold")
    table.add_column("question", ratio=6, overflow="fold")
    table.add_column("gold", ratio=2, overflow="fold")
    table.add_column("answer", ratio=4, overflow="fold")
    table.add_column("score", ratio=2)
    for one in found[:limit]:
        table.add_row(
            Text.assemble(one.item, (f"\n{one.genre}", "dim")),
            escape(one.question),
            escape(one.gold),
            _answer(one),
            _score(one),
        )
    console.print(table)
    if len(found) > limit:
        console.print(
            f"{limit} of {len(found)} answers shown; --limit {len(found)} shows all.", style="dim"
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


def _answer(one: AnswerRow) -> Text:
    if one.error:
        return Text(one.error, style="red")
    text = Text(one.text if one.text.strip() else "(empty)", style="" if one.text else "dim")
    if one.finish_reason == "length":
        text.append(" …", style="yellow")
    return text


def _score(one: AnswerRow) -> Text:
    strict = one.scores.get("strict")
    if strict is None:
        return Text("failed", style="red")
    mark = ("right", "green") if strict == 1.0 else (f"{strict:.2f}", "red")
    text = Text.assemble(mark)
    if one.failure:
        text.append(f"\n{one.failure}", style="yellow")
    rest = ", ".join(
        f"{name} {value:.2f}" for name, value in sorted(one.scores.items()) if name != "strict"
    )
    text.append(f"\n{rest}", style="dim")
    return text
