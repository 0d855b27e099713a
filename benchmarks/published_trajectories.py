"""What `trajectory` reports on published runs, beside a naive z < −3 between neighbours.

FOLDER holds two published tables: EleutherAI/pythia's zero- and five-shot scores as CSV (model,
shots, step, task, metric, value, stderr) and BigScience's tr3m-1B3-pile aggregate as JSON. Accuracy
and F1 only. The naive rule divides each change by the unpaired error of two independent scores.

Usage: python benchmarks/published_trajectories.py FOLDER
"""

from __future__ import annotations

import csv
import json
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from harness.statistics.series import MetricSeries, summary_series
from harness.statistics.trajectory import trajectory


def pythia(path: Path) -> dict[str, list[MetricSeries]]:
    """The series of each model and number of shots."""
    runs: dict[str, dict[str, dict[int, tuple[float, float]]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    with path.open() as file:
        for row in csv.DictReader(file):
            if row["metric"] == "acc" and row["stderr"] not in ("", "None"):
                score = float(row["value"]), float(row["stderr"])
                runs[f"{row['model']}, {row['shots']}"][row["task"]][int(row["step"])] = score
    return {
        run: [
            summary_series(task, list(points), *map(list, zip(*points.values(), strict=True)))
            for task, points in tasks.items()
        ]
        for run, tasks in runs.items()
    }


def bigscience(path: Path) -> list[MetricSeries]:
    table = json.loads(path.read_text())
    return [
        summary_series(f"{task}/{name}", table["checkpoints"], values, scores.get(f"{name}_stderr"))
        for task, scores in table["results"].items()
        for name, values in scores.items()
        if name != "ppl" and not name.endswith("_stderr")
    ]


def naive(series: list[MetricSeries]) -> int:
    """Neighbouring checkpoints between which a score falls by more than three errors."""
    count = 0
    for one in series:
        if one.variance is not None:
            error = np.sqrt(one.variance[1:] + one.variance[:-1])
            count += int((np.diff(one.values) < -3 * error).sum())
    return count


def main() -> None:
    if len(sys.argv) < 2:
        print("not run: it needs the FOLDER of the published tables (see its usage)")
        return
    folder = Path(sys.argv[1])
    runs = pythia(folder / "pythia-v1-1.4b-and-12b-deduped.csv")
    runs["tr3m-1B3-pile"] = bigscience(folder / "tr3m-1B3-pile-checkpoints_agg.json")
    for run, series in runs.items():
        found = trajectory(series)
        steps = max(one.steps.size for one in series)
        print(f"\n{run}: {len(series)} metrics × {steps} checkpoints; naive z < -3 reports "
              f"{naive(series)}, trajectory {len(found.findings)}")  # fmt: skip
        for one in found.findings:
            back = f"back at {one.recovered}" if one.recovered else one.persistence
            print(f"  {one.metric:40} {one.before:>6} → {one.after:<6} {100 * one.good:5.1f} → "
                  f"{100 * one.bad:5.1f}  {back:14} {one.down:3} checkpoints  p {one.p_run:.1g}"
                  )  # fmt: skip


if __name__ == "__main__":
    main()
