"""Raw results of the experiments in this folder: JSON lines that are appended, never rewritten, and
the intervals and tables that are made of them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import click

RESULTS = Path(__file__).parent / "results"


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The results of a file, in the order in which they were found; none where it is missing. A
    last line that is torn belongs to a run that was killed, and is owed again."""
    if not path.is_file():
        return []
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return found


def append_line(path: Path, row: dict[str, Any]) -> None:
    """Adds one result. Opens a new line first where the last one is torn."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torn = path.is_file() and not path.read_bytes().endswith(b"\n") and path.stat().st_size
    with path.open("a", encoding="utf-8") as file:
        file.write(("\n" if torn else "") + json.dumps(row, ensure_ascii=False) + "\n")


def run_owed(
    path: Path,
    seeds: int,
    scratch: Path | None,
    name: str,
    one_seed: Callable[[int, Path], dict[str, Any]],
) -> None:
    """Runs the seeds from 1 on that a file of results lacks, each in SCRATCH/NAME-SEED. Raises
    click.UsageError without a place to train in."""
    if scratch is None:
        raise click.UsageError("say with --scratch where students are trained, or --table")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    done = {line["seed"] for line in read_lines(path)}
    for seed in range(1, seeds + 1):
        if seed not in done:
            append_line(path, one_seed(seed, scratch.resolve() / f"{name}-{seed}"))


def exact_interval(count: int, of: int) -> tuple[float, float]:
    """95 % interval of a share, Clopper and Pearson's; 0 to 1 where there is nothing to count."""
    from scipy.stats import binomtest

    if not of:
        return 0.0, 1.0
    found = binomtest(count, of).proportion_ci(0.95, method="exact")
    return float(found.low), float(found.high)


def share(count: int, of: int) -> str:
    """A count as a share with its exact interval: `19 of 20, 95.0% (75.1 to 99.9)`."""
    if not of:
        return "0 of 0"
    low, high = exact_interval(count, of)
    return f"{count} of {of}, {count / of:.1%} ({low * 100:.1f} to {high * 100:.1f})"


def mean_interval(groups: Sequence[Sequence[float]]) -> str:
    """The mean of all values in points, its 95 % interval over the values (`cluster_mean`, each
    its own cluster), and the lowest and highest mean of a group, such as a seed's:
    `84.7 (71.2 to 92.6; 79 to 88)`."""
    from harness.statistics.means import cluster_mean

    values = [value for group in groups for value in group]
    if not values:
        return "–"
    found = cluster_mean(values)
    means = [100 * sum(group) / len(group) for group in groups if group]
    between = f"{min(means):.0f} to {max(means):.0f}"
    return f"{found.mean * 100:.1f} ({found.low * 100:.1f} to {found.high * 100:.1f}; {between})"


def markdown(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; the first column is text, the others are numbers."""
    lines = [f"| {' | '.join(header)} |", f"|---|{'---:|' * (len(header) - 1)}"]
    return "\n".join([*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows)])
