"""Kills a whole loop at random instants, goes on, and compares it with one that nobody disturbed.

    python -m benchmarks.loop.killed --kills 10

Two given rounds and a made one on a tiny model, with real training, evaluation and synthesis
(tests/loop_project.py). A second loop's process is sent SIGKILL after a time drawn between two
seconds and a fifth of what the first one took, again and again; one that ends before all kills are
spent is compared, and another begun. Equal are to be every stage's inputs and outputs (hashes of
plans, shards and mixtures, fingerprints of checkpoints, verdicts), and every score in the store.
"""

from __future__ import annotations

import random
import subprocess
import tempfile
import time
from pathlib import Path

import click

from harness.store.database import connect
from tests.loop_project import outcome, record, start, write_project


@click.command()
@click.option("--kills", default=10, show_default=True)
@click.option("--seed", default=0, show_default=True, help="Of the instants.")
def main(kills: int, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        whole, broken = (write_project(Path(folder) / name) for name in ("whole", "broken"))
        began = time.monotonic()
        _run(whole, None)
        took = time.monotonic() - began
        click.echo(f"undisturbed: {len(record(whole))} stages in {took:.0f} s")
        draw = random.Random(seed)
        done = 0
        equal = []
        while done < kills:
            after = draw.uniform(2, took / 5)
            if _run(broken, after):
                done += 1
                click.echo(f"kill {done}: after {after:.0f} s, {_rows(broken)} stages recorded")
                continue
            # It came to its end between two kills; the next ones are another loop's.
            equal.append(_is_equal(whole, broken))
            broken = write_project(Path(folder) / f"broken-{done}")
        _run(broken, None)
        equal.append(_is_equal(whole, broken))
        if not all(equal):
            raise SystemExit(1)


def _is_equal(whole: Path, broken: Path) -> bool:
    stages = outcome(whole) == outcome(broken)
    scores = _scores(whole)
    same = scores == _scores(broken)
    click.echo(f"{len(record(whole))} stages equal: {stages}; {len(scores):,} scores equal: {same}")
    return stages and same


def _run(loop: Path, kill_after: float | None) -> bool:
    """Runs the loop to its end, or kills it; whether it was killed."""
    process = start(loop, stdout=subprocess.DEVNULL)
    try:
        if process.wait(timeout=kill_after):
            raise SystemExit(f"the loop failed with status {process.returncode}")
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False


def _rows(loop: Path) -> int:
    return len(record(loop)) if (loop.parent / "results.duckdb").exists() else 0


def _scores(loop: Path) -> list[tuple[object, ...]]:
    with connect(loop.parent / "results.duckdb", read_only=True) as connection:
        return connection.execute(
            "SELECT r.evaluation, r.item_hash, r.turn, r.sample, s.metric, s.value "
            "FROM requests r JOIN scores s USING (key) ORDER BY ALL"
        ).fetchall()


if __name__ == "__main__":
    main()
