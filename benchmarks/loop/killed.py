"""Kills a whole loop at random instants, goes on, and compares it with one that nobody disturbed.

    python -m benchmarks.loop.killed --kills 10

Two given rounds and a made one on a tiny model, twice, with real training, evaluation and synthesis
(tests/loop_project.py). The second loop's process is sent SIGKILL after a time drawn between a few
seconds and half of what the first one took, again and again. Equal are to be: every stage's inputs
and outputs (hashes of plans, shards, mixtures; fingerprints of checkpoints; verdicts), and every
score in the store.
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
        at: list[str] = []
        while len(at) < kills:
            after = draw.uniform(3, took / 2)
            if not _run(broken, after):
                rows = _rows(broken)
                click.echo(f"ended by itself after {len(at)} kills; it is begun anew")
                write_project(Path(folder) / f"again-{len(at)}")
                broken = Path(folder) / f"again-{len(at)}" / "loop.yaml"
                continue
            rows = _rows(broken)
            at.append(f"{after:.0f} s, {rows} stages recorded")
            click.echo(f"kill {len(at)}: after {at[-1]}")
        _run(broken, None)
        same = outcome(whole) == outcome(broken)
        scores = _scores(whole) == _scores(broken)
        click.echo(f"stages equal: {same}; {len(_scores(whole)):,} scores equal: {scores}")
        if not (same and scores):
            raise SystemExit(1)


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
