"""`harness show`: reads one evaluation, answer by answer."""

from __future__ import annotations

from dataclasses import asdict, replace

import click

from harness.cli.options import print_rows, store_option, table_options
from harness.cli.terminal import terminal


@click.command("show")
@click.argument("evaluation")
@click.option("--suite", help="The checkpoint's latest evaluation of this suite.")
@click.option("--genre", help="Only this genre.")
@click.option("--skill", help="Only skills that begin with this.")
@click.option("--failure", help="Only this failure class (format, knowledge, truncated, ...).")
@click.option("--wrong", is_flag=True, help="Only answers whose strict score is below 1.")
@click.option("--item", "item_id", help="Only this item.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
@store_option
@table_options
def command(
    evaluation: str,
    suite: str | None,
    genre: str | None,
    skill: str | None,
    failure: str | None,
    wrong: bool,
    item_id: str | None,
    limit: int,
    store: str | None,
    output: str | None,
) -> None:
    """Read EVALUATION: the beginning of its id, or a checkpoint's name (its latest evaluation)."""
    from harness.store.database import store_path
    from harness.store.judgments import said_of
    from harness.store.queries import answers, find_evaluation, refresh

    path = store_path(store)
    refresh(path)
    row = find_evaluation(path, evaluation, suite)
    said = said_of(path, row.id)
    every = [replace(one, judgments=tuple(said.get(one.key, ()))) for one in answers(path, row.id)]
    found = [
        one
        for one in every
        if (genre is None or one.genre == genre)
        and (skill is None or one.skill.startswith(skill))
        and (failure is None or one.failure == failure)
        and (not wrong or one.scores.get("strict", 0.0) < 1.0)
        and (item_id is None or one.item == item_id)
    ]
    if output:
        print_rows([asdict(one) for one in found], output)
        return

    from harness.report.answers import print_answers

    print_answers(terminal(), row, every, found, limit)
