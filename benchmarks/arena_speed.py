"""Time and memory of rating 100 models from 1 million stored battles, against named peers.

Usage: python benchmarks/arena_speed.py [--battles 1000000] [--models 100] [--prompts 10000]
           [--repeats 5] [--arena-rank-python PYTHON]

Each contender is a process of its own, so that its memory is its own. Ours starts at the store on
disk; the peers start at what they take, already in memory (the names as lists or a data frame),
which is in their favour. choix and evalica run where they are importable. arena-rank pins its own
numpy and jax: name a Python that has it, or it is left out.

Ratings are compared with a reference: Newton's method carried on in extended precision until the
score equations hold to 1e-15.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
POINTS = 173.7177927613007  # 400 / ln 10
DRAWS = 2000


def make(folder: Path, battles: int, models: int, prompts: int) -> None:
    """The battles as a store and as a Parquet file: a fifth are ties, pairs and prompts random."""
    import duckdb
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from harness.store import database

    rng = np.random.default_rng(0)
    strength = rng.normal(0, 1, models)
    a = rng.integers(0, models, battles)
    b = (a + rng.integers(1, models, battles)) % models
    chance = 1 / (1 + np.exp(strength[b] - strength[a]))
    won = np.where(rng.random(battles) < chance, "a", "b")
    outcome = np.where(rng.random(battles) < 0.2, "tie", won)
    names = np.array([f"team/run-{n // 10}/step_{n % 10 * 1000:06d}" for n in range(models)])
    table = pa.table(
        {
            "model_a": names[a],
            "model_b": names[b],
            "outcome": outcome,
            "prompt": np.char.add("prompt-", rng.integers(0, prompts, battles).astype(str)),
        }
    )
    pq.write_table(table, folder / "battles.parquet")
    database.prepare(folder / "results.duckdb")
    with duckdb.connect(str(folder / "results.duckdb")) as connection:
        connection.execute(
            "INSERT INTO battles SELECT sha256(row_number() OVER ()::VARCHAR), 'people', model_a, "
            "model_b, outcome, prompt, 's', row_number() OVER (), '', NULL, NULL, 'a', NULL, NULL, "
            "NULL, 1.0, NULL, NULL FROM read_parquet(?)",
            [str(folder / "battles.parquet")],
        )


def timed(run: Callable[[], Any], repeats: int) -> tuple[list[list[float]], Any]:
    """[elapsed, processor] seconds of each repeat: on a busy machine the second is the steadier."""
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter(), time.process_time()
        found = run()
        seconds.append([time.perf_counter() - begin[0], time.process_time() - begin[1]])
    return seconds, found


def ours(folder: Path, repeats: int) -> dict[str, Any]:
    """From the store on disk: counts and sandwich; columns and clustered sandwich; bootstrap."""
    import numpy as np

    from harness.arena.bootstrap import multinomial, multiplier
    from harness.arena.bradley_terry import battle_meat, cluster_meat, covariance, fit
    from harness.store.battles import load_counts, load_table

    store = folder / "results.duckdb"

    def plain() -> Any:
        counts = load_counts(store)
        found = fit(counts)
        return found, covariance(found, battle_meat(counts, found))

    def clustered() -> Any:
        from harness.arena.counts import count_pairs

        table = load_table(store)
        found = fit(count_pairs(table))
        return table, found, covariance(found, cluster_meat(table, found))

    fitting, (found, _) = timed(plain, repeats)
    sandwich, (table, again, spread) = timed(clustered, repeats)
    poisson, sample = timed(lambda: multiplier(table, again, DRAWS, 0), repeats)
    anew, resampled = timed(lambda: multinomial(table, again, 200, 0), 1)
    error = np.sqrt(np.diag(spread))
    return {
        "counts, fit and sandwich from the store": fitting,
        "the same, clustered by prompt": sandwich,
        f"{DRAWS:,} cluster-bootstrap draws (Poisson)": poisson,
        "200 cluster-bootstrap draws (multinomial, fitted anew)": anew,
        "ratings": dict(zip(found.models, (found.theta * POINTS).tolist(), strict=True)),
        "notes": {
            "standard errors, Poisson bootstrap / sandwich": float(
                np.median(sample.theta.std(0) / error)
            ),
            "standard errors, multinomial bootstrap / sandwich": float(
                np.median(resampled.theta.std(0) / error)
            ),
        },
    }


def columns(folder: Path) -> tuple[list[str], list[str], list[str]]:
    import pyarrow.parquet as pq

    table = pq.read_table(folder / "battles.parquet")
    a, b, outcome = (table[name].to_pylist() for name in ("model_a", "model_b", "outcome"))
    return a, b, outcome


def with_evalica(folder: Path, repeats: int) -> dict[str, Any]:
    import evalica

    a, b, outcome = columns(folder)
    label = {"a": evalica.Winner.X, "b": evalica.Winner.Y, "tie": evalica.Winner.Draw}
    winners = [label[one] for one in outcome]
    seconds, found = timed(
        lambda: evalica.bradley_terry(a, b, winners, tolerance=1e-8, limit=10_000), repeats
    )
    return {"fit, no intervals": seconds, "ratings": in_points(found.scores.to_dict())}


def with_choix(folder: Path, repeats: int) -> dict[str, Any]:
    """Counting by pandas, then its fastest solver; a tie is half a win each way, as a count."""
    import choix
    import numpy as np
    import pandas as pd

    a, b, outcome = columns(folder)
    frame = pd.DataFrame({"a": a, "b": b, "outcome": outcome})

    def run() -> Any:
        codes, names = pd.factorize(pd.concat([frame["a"], frame["b"]]))
        one, other = codes[: len(frame)], codes[len(frame) :]
        size = len(names)
        score = frame["outcome"].map({"a": 1.0, "b": 0.0, "tie": 0.5}).to_numpy()
        won = np.bincount(one * size + other, score, size * size).reshape(size, size)
        won += np.bincount(other * size + one, 1 - score, size * size).reshape(size, size)
        return names, choix.ilsr_pairwise_dense(won, alpha=0.0, max_iter=100, tol=1e-10)

    seconds, (names, found) = timed(run, repeats)
    return {
        "counting and fit, no intervals": seconds,
        "ratings": {name: value * POINTS for name, value in zip(names, found, strict=True)},
    }


def with_arena_rank(folder: Path, repeats: int) -> dict[str, Any]:
    import numpy as np
    import pandas as pd
    from arena_rank.models.bradley_terry import BradleyTerry
    from arena_rank.utils.data_utils import PairDataset

    table = np.load(folder / "names.npz", allow_pickle=True)
    frame = pd.DataFrame({name: table[name] for name in ("model_a", "model_b", "winner")})

    def prepare() -> Any:
        return PairDataset.from_pandas(frame)

    def fit() -> Any:
        model = BradleyTerry(n_competitors=len(dataset.competitors))
        found = model.compute_ratings_and_cis(dataset)
        return {key: np.asarray(found[key]) for key in ("ratings", "rating_lower")}

    preparing, dataset = timed(prepare, repeats)
    fitting, found = timed(fit, repeats)
    both = [
        [one[0] + other[0], one[1] + other[1]]
        for one, other in zip(preparing, fitting, strict=True)
    ]
    return {
        "preparing": preparing,
        "fit and sandwich": fitting,
        "both": both,
        "ratings": dict(zip(dataset.competitors, found["ratings"].tolist(), strict=True)),
    }


def in_points(strengths: dict[str, float]) -> dict[str, float]:
    import math

    return {name: math.log(value) * POINTS for name, value in strengths.items()}


CONTENDERS = {
    "harness": ours,
    "evalica": with_evalica,
    "choix": with_choix,
    "arena-rank": with_arena_rank,
}


def reference(folder: Path) -> dict[str, float]:
    """Ratings in points, mean 0, by Newton's method with residuals in extended precision."""
    import numpy as np

    a, b, outcome = columns(folder)
    names = sorted({*a, *b})
    index = {name: n for n, name in enumerate(names)}
    size = len(names)
    won = np.zeros((size, size), dtype=np.longdouble)
    for one, other, result in zip(a, b, outcome, strict=True):
        i, j = index[one], index[other]
        score = {"a": 1.0, "b": 0.0, "tie": 0.5}[result]
        won[i, j] += score
        won[j, i] += 1 - score
    total = won + won.T
    theta = np.zeros(size, dtype=np.longdouble)
    for _ in range(60):
        p = 1 / (1 + np.exp(theta[None, :] - theta[:, None]))
        slope = (won - total * p).sum(1)
        spread = (total * p * (1 - p)).astype(np.float64)
        hessian = np.diag(spread.sum(1)) - spread + spread.mean()
        theta = theta + np.linalg.solve(hessian, slope.astype(np.float64))
        if float(np.abs(slope).max() / total.sum(1).max()) < 1e-15:
            break
    theta = theta - theta.mean()
    return {name: float(value) * POINTS for name, value in zip(names, theta, strict=True)}


def child(name: str, folder: Path, repeats: int) -> None:
    found = CONTENDERS[name](folder, repeats)
    # Not getrusage: a child's starts at what its parent had.
    status = Path("/proc/self/status").read_text()
    found["memory"] = int(status.split("VmHWM:")[1].split()[0]) / 1024
    print(json.dumps(found))


def run_child(python: str, name: str, folder: Path, repeats: int) -> dict[str, Any]:
    command = [python, __file__, "--child", name, "--folder", str(folder)]
    done = subprocess.run(
        [*command, "--repeats", str(repeats)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path[1:]])}
        if python == sys.executable
        else None,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--battles", type=int, default=1_000_000)
    parser.add_argument("--models", type=int, default=100)
    parser.add_argument("--prompts", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--arena-rank-python", metavar="PYTHON")
    parser.add_argument("--child", choices=list(CONTENDERS))
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.folder, options.repeats)
        return
    pythons = {"harness": sys.executable}
    pythons |= {name: sys.executable for name in ("evalica", "choix") if find_spec(name)}
    if options.arena_rank_python:
        pythons["arena-rank"] = options.arena_rank_python
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        make(folder, options.battles, options.models, options.prompts)
        if "arena-rank" in pythons:
            _save_names(folder)
        exact = reference(folder)
        results = {}
        for name, python in pythons.items():
            results[name] = run_child(python, name, folder, options.repeats)
            report(name, results[name], exact)
        compare(results)
    print(f"left out: {', '.join(sorted(set(CONTENDERS) - set(pythons))) or 'nobody'}")


def _save_names(folder: Path) -> None:
    """For a Python that may have no pyarrow."""
    import numpy as np

    a, b, outcome = columns(folder)
    label = {"a": "model_a", "b": "model_b", "tie": "tie"}
    named = {"model_a": a, "model_b": b, "winner": [label[one] for one in outcome]}
    np.savez(folder / "names.npz", **{k: np.array(v, dtype=object) for k, v in named.items()})


def report(name: str, found: dict[str, Any], exact: dict[str, float]) -> None:
    release = version("harness" if name == "harness" else name) if find_spec(name) else ""
    print(f"{name} {release}   peak memory {found['memory']:.0f} MiB")
    for what, seconds in found.items():
        if isinstance(seconds, list):
            elapsed, processor = (median(seconds, which) for which in (0, 1))
            rest = f" (first {seconds[0][0]:.3f})" if len(seconds) > 1 else ""
            print(f"  {what:<55} {elapsed:8.3f} s, processor {processor:.3f} s{rest}")
    ratings = found["ratings"]
    middle = statistics.fmean(ratings.values())
    error = max(abs(ratings[model] - middle - value) for model, value in exact.items())
    print(f"  {'largest error against the reference':<55} {error:8.1e} points")
    for what, value in found.get("notes", {}).items():
        print(f"  {what:<55} {value:8.3f}")


def compare(results: dict[str, dict[str, Any]]) -> None:
    mine = results["harness"]["counts, fit and sandwich from the store"]
    for name, found in results.items():
        if name != "harness":
            whole = "both" if "both" in found else next(k for k in found if k != "ratings")
            ratios = [median(found[whole], which) / median(mine, which) for which in (0, 1)]
            print(
                f"{name} / harness (from the store, with sandwich): {ratios[0]:.1f} elapsed, "
                f"{ratios[1]:.1f} processor"
            )


def median(seconds: list[list[float]], which: int) -> float:
    return statistics.median(one[which] for one in seconds)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
