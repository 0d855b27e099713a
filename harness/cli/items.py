"""`harness items`: validates evalsets, imports others' items, prints generated probes."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from harness.cli.options import print_rows, store_option, table_options
from harness.cli.terminal import terminal


@click.group("items")
def command() -> None:
    """Validate evalsets; import items of other harnesses; print generated probes."""


@command.command("check")
@click.argument("evalset")
def check(evalset: str) -> None:
    """Validate EVALSET, a name or a path: schema, format rules, gold answers, duplicates."""
    from harness.errors import HarnessError
    from harness.items.load import find_evalset, load_evalset
    from harness.protocols.jaster_suite import OWN
    from harness.scoring import gold_fault

    if evalset == OWN or (Path(evalset) / "evaluation").is_dir():
        _check_jaster(evalset)
        return
    loaded = load_evalset(find_evalset(evalset))
    faults = [(item.id, fault) for item in loaded.items if (fault := gold_fault(item))]
    if faults:
        lines = "\n".join(f"{name}: {fault}" for name, fault in faults[:20])
        raise HarnessError(
            f"{evalset}: {len(faults)} gold answer(s) break their own format rule:\n{lines}"
        )
    genres = Counter(item.genre for item in loaded.items)
    click.echo(f"{loaded.name} {loaded.version}: {len(loaded.items)} items, {loaded.hash[:12]}")
    click.echo(", ".join(f"{genre} {number}" for genre, number in sorted(genres.items())))


def _check_jaster(evalset: str) -> None:
    """As `check`, for a set in llm-jp-eval's layout."""
    from harness.items.jaster import read_directory, require_sound
    from harness.items.load import find_home
    from harness.protocols.jaster_suite import OWN, gold_notes

    read = read_directory(find_home(OWN) if evalset == OWN else Path(evalset))
    require_sound(read)
    for one in read.found:
        train = len(one.train.samples) if one.train else 0
        items = len(one.asked.samples) if one.asked else 0
        notes = "".join(f"; {note}" for note in gold_notes(one))
        click.echo(f"{one.name}: {items} items, {train} examples{notes}")
    click.echo(f"{evalset}: {len(read.found)} datasets, {read.hash[:12]}")


@command.command("probes")
@click.option("--levels", default="1-5", show_default=True, help="e.g. 1 or 1-3.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
@table_options
def probes(levels: str, seed: int, limit: int, output: str | None) -> None:
    """Print generated probes as `harness eval --suite probes` asks them."""
    from harness.protocols.catalogue import open_suite

    suite = open_suite(f"probes:{levels}", limit=limit, seed=seed)
    if output:
        print_rows([asdict(item) for item in suite.items], output)
        return
    for item in suite.items:
        click.secho(item.id, dim=True)
        click.echo(item.turns[0])
        click.secho(f"→ {item.answer}\n", fg="green")


@command.command("import")
@click.argument("layout", type=click.Choice(["llm-jp-eval", "fastchat"]))
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--protocol",
    "protocols",
    multiple=True,
    help="fastchat: which MT-Bench protocols these questions are of.",
)
@click.option(
    "--references",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="fastchat: the reference answers.",
)
@click.option(
    "--judge-prompts",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="fastchat: the judge prompts.",
)
@store_option
@table_options
def import_command(
    layout: str,
    directory: Path,
    protocols: tuple[str, ...],
    references: Path | None,
    judge_prompts: Path | None,
    store: str | None,
    output: str | None,
) -> None:
    """Validate DIRECTORY, report what it holds, and let `harness eval` ask it: `--suite jaster`,
    or `--suite mt-bench:PROTOCOL` for questions in FastChat's layout (DIRECTORY may be the file).

    The files stay where they are; the store remembers where, and the hash of their content.
    """
    if layout == "fastchat":
        _import_fastchat(directory, protocols, references, judge_prompts, store, output)
        return
    from datetime import UTC, datetime

    from harness.errors import HarnessError
    from harness.items.jaster import read_directory
    from harness.protocols.jaster_suite import gold_notes
    from harness.store.database import prepare, store_path
    from harness.store.write import ingest, spool

    read = read_directory(directory.resolve())
    rows: list[dict[str, Any]] = [
        {
            "dataset": one.name,
            "category": one.dataset.category if one.dataset else None,
            "metric": one.dataset.metric if one.dataset else None,
            "split": one.split,
            "items": len(one.asked.samples) if one.asked else None,
            "train": len(one.train.samples) if one.train else 0,
            "hash": one.asked.hash[:12] if one.asked else None,
            "state": "malformed" if one.faults else "found",
            "notes": "; ".join(one.faults or gold_notes(one)),
        }
        for one in read.found
    ]
    blank = dict.fromkeys(rows[0])
    rows += [{**blank, "dataset": name, "state": "missing"} for name in read.missing]
    if output:
        print_rows(rows, output)
    else:
        _print_import(rows)
    faulty = [one.name for one in read.found if one.faults]
    if faulty:
        raise HarnessError(
            f"{directory}: {len(faulty)} malformed dataset(s) ({', '.join(faulty)}); mend the "
            "lines above and import again. Nothing was recorded"
        )
    path = store_path(store)
    prepare(path)
    record = {
        "name": "jaster",
        "path": str(read.path),
        "hash": read.hash,
        "imported_at": datetime.now(UTC),
    }
    spool(path, {"imports": [record]})
    ingest(path)
    if not output:
        click.echo(
            f"{read.path}: {len(read.found)} datasets, {read.hash[:12]}. "
            "`harness eval CHECKPOINT --suite jaster` asks them."
        )


def _import_fastchat(
    questions: Path,
    protocols: tuple[str, ...],
    references: Path | None,
    judge_prompts: Path | None,
    store: str | None,
    output: str | None,
) -> None:
    from datetime import UTC, datetime

    from harness.errors import HarnessError
    from harness.items.fastchat import load_fastchat_items
    from harness.judge.prompts import load_official_prompts
    from harness.protocols.mt_bench_suite import OFFICIAL, file_hash, import_name, official_name
    from harness.store.database import prepare, store_path
    from harness.store.write import ingest, spool

    if not protocols:
        raise HarnessError(f"--protocol is missing: one or more of {', '.join(OFFICIAL)}")
    names = [official_name(name) for name in protocols]
    items = load_fastchat_items(questions, references)
    if judge_prompts is not None:
        load_official_prompts(judge_prompts)
    parts = {"questions": questions, "references": references, "judge-prompts": judge_prompts}
    records = [
        {
            "name": import_name(name, part),
            "path": str(path.resolve()),
            "hash": file_hash(path),
            "imported_at": datetime.now(UTC),
        }
        for name in names
        for part, path in parts.items()
        if path is not None
    ]
    path = store_path(store)
    prepare(path)
    spool(path, {"imports": records})
    ingest(path)
    genres = Counter(item.genre for item in items)
    if output:
        rows = [
            {
                "genre": genre,
                "items": number,
                "references": sum(bool(i.references) for i in items if i.genre == genre),
            }
            for genre, number in sorted(genres.items())
        ]
        print_rows(rows, output)
        return
    told = ", ".join(f"{genre} {number}" for genre, number in sorted(genres.items()))
    click.echo(f"{questions}: {len(items)} questions ({told})")
    for name in names:
        click.echo(f"`harness eval CHECKPOINT --suite mt-bench:{name}` asks them.")


def _print_import(rows: list[dict[str, Any]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("dataset", "category", "split", "items", "train", "hash", "state"):
        table.add_column(
            heading, justify="right" if heading in ("items", "train") else "left", no_wrap=True
        )
    colours = {"found": "green", "missing": "dim", "malformed": "red"}
    for row in rows:
        cells = [row[name] for name in ("dataset", "category", "split", "items", "train", "hash")]
        table.add_row(
            *(
                Text("" if cell is None else f"{cell:,}" if isinstance(cell, int) else cell)
                for cell in cells
            ),
            Text(row["state"], style=colours[row["state"]]),
        )
    console = terminal()
    console.print(table)
    for row in rows:
        if row["notes"]:
            console.print(Text(f"{row['dataset']}: {row['notes']}", style="yellow"), soft_wrap=True)
