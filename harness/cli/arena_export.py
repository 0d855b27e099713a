"""`harness arena export`: battles, or whole conversations, as JSONL."""

from __future__ import annotations

import json
from typing import IO

import click

from harness.cli.options import store_option


@click.command("export")
@click.option(
    "--kind",
    "kinds",
    metavar="A,B",
    default="people",
    show_default=True,
    help="all: every kind.",
)
@click.option(
    "-o",
    "--output",
    type=click.File("w", encoding="utf-8", atomic=True),
    default="-",
    metavar="FILE",
    help="[standard output]",
)
@click.option(
    "--conversations",
    "whole",
    is_flag=True,
    help="What was said on the voting page, votes and failures with it, instead of battles.",
)
@store_option
def export(kinds: str, output: IO[str], whole: bool, store: str | None) -> None:
    """Write battles as JSONL, which `harness arena import` reads back to the same battles.

    FastChat's readers take the lines too: model_a, model_b, winner.
    """
    from harness.arena.exchange import conversation_record, to_record
    from harness.store import battles, conversations
    from harness.store.database import store_path
    from harness.store.queries import refresh

    path = store_path(store)
    refresh(path)
    if whole:
        records = [conversation_record(one) for one in conversations.conversations(path)]
    else:
        wanted = tuple(name.strip() for name in kinds.split(",") if name.strip())
        records = [
            to_record(one) for one in battles.listed(path, () if wanted == ("all",) else wanted)
        ]
    for record in records:
        output.write(json.dumps(record, ensure_ascii=False) + "\n")
    if output.name not in ("-", "<stdout>"):
        what = "conversations" if whole else "battles"
        click.echo(f"{len(records):,} {what} written to {output.name}")
