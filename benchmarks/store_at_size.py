"""A store of ten million generations and fifty million scores: its size, ingest and
compaction, and the time of the leaderboard, a comparison and a report.

The store is made up in a temporary directory by SQL, shaped as evaluations write it: runs of
checkpoints, each asked the items of four suites in four genres of two datasets; prompts of a few
hundred characters that recur with the item, answers of their own, five metrics an answer, failure
classes for wrong ones. The keys are real hashes, which do not compress. Then:

  ingest      256 answers with scores a batch, through the spool: alone, and all that waits at once
  compaction  after a tenth of the evaluations went (`harness prune`)
  queries     `harness leaderboard`, `compare` and `report`: as whole processes, start of Python
              included, and again within this one, with the time that the store was open for; the
              first leaderboard counts what later ones read

Usage: python benchmarks/store_at_size.py [--generations 10000000] [--directory DIR]

With --directory the store stays there and is used again.
"""

from __future__ import annotations

import argparse
import io
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SUITES = ("one", "two", "three", "four")
ITEMS = 2500
CHECKPOINTS = 50
METRICS = ("strict", "format", "lenient", "choice", "choice_raw")
AIM = 2.0
# Words of prompts and answers, in an order that a hash chooses.
WORDS = (
    *"春夏秋冬朝昼夜山川海空森道駅町村国人声数前後上下中外、。",
    *(
        "手紙",
        "言葉",
        "時間",
        "理由",
        "結果",
        "問題",
        "答え",
        "方法",
        "計算",
        "文章",
        "単語",
        "意味",
    ),
    *(
        "大きい",
        "小さい",
        "新しい",
        "古い",
        "歩く",
        "走る",
        "読む",
        "書く",
        "話す",
        "考える",
        "数える",
    ),
)


def make_store(path: Path, generations: int) -> int:
    """Writes the rows that evaluations would have written; returns the number of runs."""
    import duckdb

    from harness.store import database

    database.prepare(path)
    runs = max(1, round(generations / (CHECKPOINTS * len(SUITES) * ITEMS)))
    with duckdb.connect(str(path)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET memory_limit = '6GB'")
        connection.execute(f"CREATE TEMP MACRO said(seed, n) AS {_said('seed', 'n')}")
        for suite in SUITES:
            connection.execute(
                'INSERT INTO protocols VALUES (sha256(?), ?, ?, \'{"protocol": "short-answer"}\')',
                [suite, f"{suite}/1", suite],
            )
            connection.execute(
                'INSERT INTO items (hash, id, genre, skill, level, seen, "cluster", definition, '
                "dataset) SELECT sha256($suite || i), $suite || '/' || i, "
                "['math', 'reasoning', 'coding', 'extraction'][1 + i % 4], 'skill', 1 + i % 5, "
                "NULL, CASE WHEN i % 4 = 1 THEN $suite || i // 20 END, "
                "json_object('id', $suite || '/' || i, 'genre', "
                "['math', 'reasoning', 'coding', 'extraction'][1 + i % 4], 'skill', 'skill', "
                "'turns', [said($suite || i, 60)], 'answer', '1', 'metric', 'exact', "
                "'format', {'kind': 'integer'}), 'd' || i % 8 "
                "FROM range($items) t(i)",
                {"suite": suite, "items": ITEMS},
            )
        connection.execute(
            "CREATE TEMP TABLE asked AS SELECT i.hash, split_part(i.id, '/', 1) AS suite, "
            "CAST(split_part(i.id, '/', 2) AS INTEGER) AS number, "
            "definition->>'$.turns[0]' AS text "
            "FROM items i ORDER BY suite, number"
        )
        for run in range(runs):
            _add_run(connection, f"run{run:02d}")
        connection.execute("CHECKPOINT")
    return runs


def _said(seed: str, count: str) -> str:
    """SQL for so many words that a seed chooses."""
    place = f"1 + CAST(hash({seed} || x) % {len(WORDS)} AS INTEGER)"
    return f"array_to_string([{list(WORDS)}[{place}] FOR x IN range({count})], '')"


def _add_run(connection: Any, run: str) -> None:
    execute = connection.execute
    execute(
        "CREATE OR REPLACE TEMP TABLE steps AS SELECT 1000 * (1 + s) AS step, "
        f"sha256('{run}/' || s) AS fingerprint, TIMESTAMPTZ '2026-01-01 00:00:00+00' + "
        f"to_hours(s) AS began FROM range({CHECKPOINTS}) t(s)"
    )
    execute(
        "INSERT INTO checkpoints (fingerprint, name, run, step, recorded_at) "
        f"SELECT fingerprint, '{run}/step_' || step, '{run}', step, began FROM steps"
    )
    execute(
        "INSERT INTO evaluations SELECT sha256(fingerprint || suite), fingerprint, sha256(suite), "
        f"sha256(suite || 'items'), suite, {ITEMS}, 1, 0, 'vllm', 'complete', {ITEMS}, {ITEMS}, 0, "
        f"'{{}}', began, began + INTERVAL 10 MINUTE "
        f"FROM steps, (SELECT unnest({list(SUITES)}) AS suite) "
        "ORDER BY step, suite"
    )
    execute(
        "CREATE OR REPLACE TEMP TABLE fresh AS "
        "SELECT fingerprint, step, began, suite, hash, number, text, "
        "sha256(fingerprint || hash) AS key, "
        # Better over the run, and mostly the same items right as before.
        "hash(suite || number) % 1000 < 300 + step // 100 + hash(fingerprint || number) % 60 AS ok "
        "FROM steps, asked ORDER BY step, suite, number"
    )
    execute(
        "INSERT INTO requests SELECT sha256(fingerprint || suite), key, hash, 0, 0, 'answer' "
        "FROM fresh"
    )
    execute(
        "INSERT INTO generations SELECT key, fingerprint, hash, 'answer', 0, 0, text, "
        "'{\"temperature\":0.0,\"max_tokens\":512}', said(key, 5 + number % 30), 'stop', 150, "
        "10 + number % 60, 128, 0.1 + number % 7, '[]', NULL, 'vllm', began FROM fresh"
    )
    names = ", ".join(f"('{name}', {place})" for place, name in enumerate(METRICS))
    execute(
        "INSERT INTO scores SELECT key, sha256(suite), metric, "
        "CAST(ok OR hash(key || metric) % 10 < place AS INTEGER), "
        "CASE WHEN ok OR place > 0 THEN NULL "
        "ELSE ['knowledge', 'format', 'truncated'][1 + number % 3] END, fingerprint "
        f"FROM fresh, (VALUES {names}) v(metric, place) ORDER BY step, suite, number, place"
    )


def batches(number: int) -> list[dict[str, list[dict[str, Any]]]]:
    """Batches as an evaluation of one new checkpoint spools them."""
    from datetime import UTC, datetime

    from harness.items.schema import content_hash

    now = datetime.now(UTC)
    fingerprint, protocol = content_hash("new checkpoint"), content_hash("new protocol")
    made = []
    for batch in range(number):
        keys = [content_hash([fingerprint, batch, place]) for place in range(256)]
        made.append(
            {
                "requests": [
                    {
                        "evaluation": content_hash("new evaluation"),
                        "key": key,
                        "item_hash": key,
                        "sample": 0,
                        "turn": 0,
                        "kind": "answer",
                    }
                    for key in keys
                ],
                "generations": [
                    {
                        "key": key,
                        "fingerprint": fingerprint,
                        "item_hash": key,
                        "kind": "answer",
                        "sample": 0,
                        "turn": 0,
                        "prompt": "問題" * 100,
                        "sampling": "{}",
                        "text": "答え" * 20,
                        "finish_reason": "stop",
                        "prompt_tokens": 100,
                        "completion_tokens": 20,
                        "cached_tokens": 0,
                        "latency": 0.1,
                        "likelihoods": "[]",
                        "error": None,
                        "engine": "vllm",
                        "created_at": now,
                    }
                    for key in keys
                ],
                "scores": [
                    {
                        "key": key,
                        "protocol_hash": protocol,
                        "metric": metric,
                        "value": 1.0,
                        "failure": None,
                    }
                    for key in keys
                    for metric in METRICS
                ],
            }
        )
    return made


def show_ingest(store: Path, number: int) -> None:
    """Prints the time of one batch that comes alone, and the rate of many that wait."""
    from harness.store import write

    first, *rest = batches(number + 1)
    begun = time.monotonic()
    write.spool(store, first)
    write.ingest(store)
    alone = time.monotonic() - begun
    begun = time.monotonic()
    for one in rest:
        write.spool(store, one)
    spooled = time.monotonic() - begun
    write.ingest(store)
    seconds = time.monotonic() - begun
    answers = number * 256
    print(
        f"ingest: one batch of 256 answers {alone:.2f} s; {answers:,} answers and "
        f"{answers * len(METRICS):,} scores {seconds:.1f} s, of it spooling {spooled:.1f} s: "
        f"{answers / seconds:,.0f} answers/s"
    )


def timed(name: str, store: Path, *arguments: str, statuses: Sequence[int] = (0,)) -> None:
    begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "harness", *arguments, "--store", str(store)],
        cwd=store.parent,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - begun
    if done.returncode not in statuses:
        raise SystemExit(f"{name}: status {done.returncode}\n{done.stderr}{done.stdout}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"{name}: {seconds:.2f} s, {spent:.2f} s of processor (load {os.getloadavg()[0]:.1f})",
        flush=True,
    )


class _Timed:
    """A connection that adds the time it was open for, (wall, processor) in seconds, to `spent`."""

    def __init__(self, connection: Any, spent: list[tuple[float, float]]) -> None:
        self._connection, self._spent = connection, spent
        self._begun = time.monotonic(), time.process_time()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def close(self) -> None:
        self._connection.close()
        wall, processor = self._begun
        self._spent.append((time.monotonic() - wall, time.process_time() - processor))


def reading(store: Path, *arguments: str) -> None:
    """Runs a command in this process and prints for how long it had the store open."""
    import duckdb

    from harness.cli.main import harness

    spent: list[tuple[float, float]] = []
    connect, here = duckdb.connect, Path.cwd()
    os.chdir(store.parent)
    try:
        duckdb.connect = lambda *given, **named: _Timed(connect(*given, **named), spent)
        with redirect_stdout(io.StringIO()), suppress(SystemExit):
            harness.main([*arguments, "--store", str(store)], standalone_mode=False)
    finally:
        duckdb.connect = connect
        os.chdir(here)
    wall, processor = (sum(part) for part in zip(*spent, strict=True))
    print(
        f"  its queries: {wall:.2f} s, {processor:.2f} s of processor, {len(spent)} connections "
        f"(aim {AIM:g} s)",
        flush=True,
    )


def show_queries(store: Path) -> None:
    last = f"run00/step_{1000 * CHECKPOINTS}"
    before = f"run00/step_{1000 * (CHECKPOINTS - 1)}"
    timed("start of Python alone", store, "sql", "SELECT 1")
    timed("leaderboard, the first time", store, "leaderboard", "--json")
    asked = {
        "leaderboard": ("leaderboard",),
        "leaderboard, one suite": ("leaderboard", "--suite", "one"),
        "compare two checkpoints": ("compare", before, last),
        "report of a run": ("report", "run00", "--suite", "one"),
    }
    for name, arguments in asked.items():
        timed(name, store, *arguments, statuses=(0, 1, 2) if "compare" in name else (0,))
        reading(store, *arguments)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--generations", type=int, default=10_000_000)
    parser.add_argument("--directory", type=Path)
    parser.add_argument("--batches", type=int, default=40)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.directory or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        store = folder / f"{options.generations}.duckdb"
        if not store.exists():
            begun = time.monotonic()
            make_store(store, options.generations)
            print(f"made in {time.monotonic() - begun:.0f} s")
        show_size(store)
        show_queries(store)
        show_ingest(store, options.batches)
        show_compaction(store)


def show_size(store: Path) -> None:
    from harness.store import queries

    counts = queries.summary(store)
    generations = counts["generations"]
    print(
        f"{counts['evaluations']:,} evaluations, {generations:,} generations, {counts['scores']:,} "
        f"scores: {store.stat().st_size / 1e9:.2f} GB, "
        f"{store.stat().st_size / max(1, generations):.0f} bytes a generation",
        flush=True,
    )


def show_compaction(store: Path) -> None:
    from datetime import UTC, datetime

    from harness.store import copying, retention

    policy = retention.Policy(datetime(2026, 1, 1, CHECKPOINTS // 10, tzinfo=UTC))
    begun = time.monotonic()
    done = retention.prune(store, policy)
    pruned = time.monotonic() - begun
    begun = time.monotonic()
    before, after = copying.compact(store)
    print(
        f"prune: {len(done.removed):,} evaluations, {done.rows['generations']:,} generations, "
        f"{done.rows['scores']:,} scores in {pruned:.1f} s; compaction {before / 1e9:.2f} → "
        f"{after / 1e9:.2f} GB in {time.monotonic() - begun:.1f} s"
    )


if __name__ == "__main__":
    main()
