"""Time of `harness compare` on two evaluations of many items, beside pandas over JSONL files.

The stores are made up in a temporary directory: N items in four genres of two datasets, a quarter
of them in clusters of five, four metrics a checkpoint; the scores of a run of checkpoints, a few
percent of which flip from one to the next. The large store holds as many checkpoints as its scores
need. pandas reads the same two evaluations from JSONL, an item a line with its texts and scores as
harnesses log them, pairs them and gives of each metric of each genre and dataset the number of
items, both means and the change, and how many items fell and rose; that these are equal is checked.
It stops there: clustered errors, intervals, exact tests, corrections, verdicts, items needed and
flipped items with their texts are ours alone. Whole processes, start of Python and reading of the
files included.

Usage: python benchmarks/compare_speed.py [--items 100000] [--scores 10000000] [--rounds 5]
           [--directory DIR] [--json FILE]

With --directory the stores stay there and are used again.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.bench.measure import Cost, Result, alternate, process
from benchmarks.bench.peers import here

METRICS = ("strict", "lenient", "format", "choice")
# Prompts of some 300 characters and answers of some 60, as evaluations have them.
PROMPT = "次の文章を読んで、あとの問いに番号で答えてください。理由は書かなくてかまいません。" * 7
ANSWER = "文章の二つ目の段落に書かれているとおり、正しいものは次の番号です。" * 2
# What both give, by metric of a genre and dataset.
Answer = dict[str, dict[str, float]]


def make_store(path: Path, items: int, checkpoints: int) -> None:
    """Writes the rows that evaluations would have written."""
    import duckdb

    from harness.store import database

    database.prepare(path)
    with duckdb.connect(str(path)) as connection:
        connection.execute("INSERT INTO protocols VALUES ('protocol', 'speed/1', 'speed', '{}')")
        connection.execute(
            'INSERT INTO items (hash, id, genre, skill, "cluster", definition, dataset) '
            "SELECT sha256('item' || i), 'speed/' || i, "
            "['math', 'reasoning', 'coding', 'extraction'][1 + i % 4], '', "
            "CASE WHEN i % 4 = 1 THEN 'passage' || (i // 20) END, "
            '\'{"turns": ["question \' || i || \'"], "answer": "1"}\', \'d\' || (i % 8) '
            "FROM range(?) t(i)",
            [items],
        )
        for step in range(checkpoints):
            _add_checkpoint(connection, items, step)
        connection.execute("CHECKPOINT")


def _add_checkpoint(connection: object, items: int, step: int) -> None:
    run = connection.execute  # type: ignore[attr-defined]
    run(
        "INSERT INTO checkpoints (fingerprint, name, run, step, recorded_at) "
        f"VALUES (sha256('c{step}'), 'run/step_{step}', 'run', {step}, now())"
    )
    run(
        f"INSERT INTO evaluations VALUES (sha256('e{step}'), sha256('c{step}'), 'protocol', "
        f"'items', 'speed', {items}, 1, 0, 'none', 'complete', {items}, {items}, 0, '{{}}', "
        f"now(), now())"
    )
    run(
        f"INSERT INTO requests SELECT sha256('e{step}'), sha256('k{step}-' || i), "
        f"sha256('item' || i), 0, 0, 'answer' FROM range({items}) t(i)"
    )
    run(
        f"INSERT INTO generations SELECT sha256('k{step}-' || i), sha256('c{step}'), "
        f"sha256('item' || i), 'answer', 0, 0, '{PROMPT}' || i, '{{}}', '{ANSWER}' || i, 'stop', "
        f"20, 5, 0, 0.1, '[]', NULL, 'none', now() FROM range({items}) t(i)"
    )
    names = ", ".join(f"('{metric}')" for metric in METRICS)
    run(
        f"INSERT INTO scores SELECT sha256('k{step}-' || i), 'protocol', metric, "
        f"CAST(hash(i || metric) % 100 < 60 + hash('{step}-' || i) % 7 AS INTEGER), NULL, "
        f"sha256('c{step}') "
        f"FROM range({items}) t(i), (VALUES {names}) v(metric)"
    )


def write_jsonl(store: Path, step: int, to: Path) -> None:
    """One evaluation as a line an item, by DuckDB."""
    import duckdb

    metrics = ", ".join(f"max(value) FILTER (metric = '{one}') AS {one}" for one in METRICS)
    with duckdb.connect(str(store), read_only=True) as connection:
        connection.execute(
            'COPY (SELECT i.id, i.genre, i.dataset, i."cluster", any_value(g.prompt) AS prompt, '
            f"any_value(g.text) AS answer, any_value(g.finish_reason) AS finish_reason, {metrics} "
            "FROM generations g JOIN items i ON i.hash = g.item_hash JOIN scores s USING (key) "
            f"WHERE g.fingerprint = sha256('c{step}') GROUP BY ALL) TO '{to}' (FORMAT json)"
        )


def with_pandas(base: Path, cand: Path) -> None:
    """Prints the same of each metric overall, by genre and by dataset."""
    import pandas as pd

    frames = [pd.read_json(file, lines=True, engine="pyarrow") for file in (base, cand)]
    both = frames[0].merge(frames[1][["id", *METRICS]], on="id", suffixes=("_base", "_cand"))
    answer: Answer = {}
    for metric in METRICS:
        part = both[["genre", "dataset"]].assign(
            base=both[f"{metric}_base"], candidate=both[f"{metric}_cand"]
        )
        part["change"] = part["candidate"] - part["base"]
        for scope in ([], ["genre"], ["genre", "dataset"]):
            for names, group in part.groupby(scope) if scope else [((), part)]:
                place = "/".join((*names, "all", "all")[:2])
                means = group[["base", "candidate", "change"]].mean().to_dict()
                answer[f"{place}/{metric}"] = {"n": len(group), **means}
    change = both["strict_cand"] - both["strict_base"]
    answer["flips"] = {"broken": int((change < 0).sum()), "mended": int((change > 0).sum())}
    print(json.dumps(answer))


def ours(store: Path, base: int, cand: int, answers: dict[str, Answer], name: str) -> Cost:
    command = [sys.executable, "-m", "harness", "compare", f"run/step_{base}", f"run/step_{cand}"]
    cost, printed = process([*command, "--store", store, "--json"], statuses=(0, 1, 2))
    suite = json.loads(printed)["suites"][0]
    answers[name] = {
        f"{row['genre']}/{row['dataset']}/{row['metric']}": {
            key: row[key] for key in ("n", "base", "candidate", "change")
        }
        for row in suite["metrics"]
    } | {"flips": {key: suite[key] for key in ("broken", "mended")}}
    return cost


def theirs(base: Path, cand: Path, answers: dict[str, Answer], name: str) -> Cost:
    cost, printed = process([sys.executable, __file__, "--pandas", base, cand])
    answers[name] = json.loads(printed)
    return cost


def differ(one: Answer, other: Answer) -> list[str]:
    """The places of which two answers differ."""
    return [
        place
        for place in one.keys() | other.keys()
        if place not in one
        or place not in other
        or any(
            not math.isclose(value, other[place][name], rel_tol=1e-9, abs_tol=1e-12)
            for name, value in one[place].items()
        )
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--scores", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--directory", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--pandas", nargs=2, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.pandas:
        with_pandas(*options.pandas)
        return
    result, peer = Result(), here("pandas")
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.directory or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        many = max(3, round(options.scores / options.items / len(METRICS)))
        for name, checkpoints in (("a store of the two", 2), ("a store of {:,} scores", many)):
            store = folder / f"{options.items}-{checkpoints}.duckdb"
            if not store.exists():
                make_store(store, options.items, checkpoints)
            scores = checkpoints * options.items * len(METRICS)
            steps = checkpoints // 2 - 1, checkpoints - 1
            files = [folder / f"{store.stem}-{step}.jsonl" for step in steps]
            for step, file in zip(steps, files, strict=True):
                write_jsonl(store, step, file)
            answers: dict[str, Any] = {}
            ways = {
                "harness": partial(ours, store, *steps, answers, "harness"),
                "pandas": partial(theirs, *files, answers, "pandas"),
            }
            costs = alternate(ways, options.rounds)
            wrong = differ(answers["harness"], answers["pandas"])
            if wrong:
                sys.exit(f"pandas answers otherwise: {wrong[:3]} of {len(wrong)}")
            what = f"2 x {options.items:,} items out of {name.format(scores)}"
            result.compare(what, peer, costs["harness"], costs["pandas"])
            megabytes = [sum(one.stat().st_size for one in each) / 1e6 for each in ([store], files)]
            result.check(
                f"{what}: {len(answers['harness']) - 1} pairs of means and the numbers of flipped "
                f"items are equal; the store is {megabytes[0]:.0f} MB, the two files "
                f"{megabytes[1]:.0f} MB."
            )
    result.write(options.json)


if __name__ == "__main__":
    main()
