"""Time of `harness compare` on two evaluations of many items, in a small store and in a large one.

The stores are made up in a temporary directory: N items in four genres of two datasets, a quarter
of them in clusters of five, four metrics a checkpoint; the scores of a run of checkpoints, a few
percent of which flip from one to the next. The large store holds as many checkpoints as its scores
need. Whole processes are timed, start of Python and reading of the file included; the best of the
rounds counts, and processor time stands beside it because other work may share the machine.

Usage: python benchmarks/compare_speed.py [--items 100000] [--scores 10000000] [--rounds 5]
           [--directory DIR]

With --directory the stores stay there and are used again.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

METRICS = ("strict", "lenient", "format", "choice")
AIMS = {"two evaluations": 2.0, "large store": 3.0}


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
        f"sha256('item' || i), 'answer', 0, 0, 'question ' || i, '{{}}', 'answer ' || i, 'stop', "
        f"20, 5, 0, 0.1, '[]', NULL, 'none', now() FROM range({items}) t(i)"
    )
    names = ", ".join(f"('{metric}')" for metric in METRICS)
    run(
        f"INSERT INTO scores SELECT sha256('k{step}-' || i), 'protocol', metric, "
        f"CAST(hash(i || metric) % 100 < 60 + hash('{step}-' || i) % 7 AS INTEGER), NULL, "
        f"sha256('c{step}') "
        f"FROM range({items}) t(i), (VALUES {names}) v(metric)"
    )


def timed(store: Path, base: int, cand: int) -> tuple[float, float, int]:
    """(wall seconds, processor seconds, exit status) of one comparison in a process of its own."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "harness", "compare"),
            *(f"run/step_{base}", f"run/step_{cand}", "--store", str(store)),
        ],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    wall = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1, 2):
        raise SystemExit(done.stderr)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, spent, done.returncode


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--scores", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--directory", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.directory or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        many = max(2, round(options.scores / options.items / len(METRICS)))
        for name, checkpoints in (("two evaluations", 2), ("large store", many)):
            store = folder / f"{options.items}-{checkpoints}.duckdb"
            if not store.exists():
                make_store(store, options.items, checkpoints)
            base, cand = checkpoints // 2 - 1, checkpoints - 1
            rounds = [timed(store, base, cand) for _ in range(options.rounds)]
            wall, spent = (min(column) for column in list(zip(*rounds, strict=True))[:2])
            scores = checkpoints * options.items * len(METRICS)
            print(
                f"{name}: 2 x {options.items:,} items, {scores:,} scores "
                f"({store.stat().st_size / 1e6:.0f} MB): {wall:.2f} s, {spent:.2f} s of processor "
                f"(aim {AIMS[name]:g} s; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f})"
            )


if __name__ == "__main__":
    main()
