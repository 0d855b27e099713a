"""Time and memory of rating 100 models from 1 million stored battles, against named peers.

Usage: python benchmarks/arena_speed.py [--battles 1000000] [--models 100] [--prompts 10000]
           [--rounds 5] [--json FILE]

Each contender is a process of its own, with its own memory and the Python that it needs; rounds
alternate. Ours starts at the store on disk; the peers start at what they take, already in memory
(the names as lists or a data frame), which is in their favour. One round comes before those that
count: arena-rank compiles in it.

Ratings are compared with a reference, Newton's method carried on in extended precision until the
score equations hold to 1e-15, and have to agree with it to a hundredth of a point.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.bench.measure import Contender, Result, alternate, cost_of, serve
from benchmarks.bench.peers import PEERS, MissingPeerError, named, python_of

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


def ours(folder: Path) -> None:
    """From the store on disk: counts, fit and sandwich errors."""
    from harness.arena.bradley_terry import battle_meat, covariance, fit
    from harness.store.battles import load_counts

    def work() -> Any:
        counts = load_counts(folder / "results.duckdb")
        found = fit(counts)
        return found, covariance(found, battle_meat(counts, found))

    serve(
        work, lambda made: dict(zip(made[0].models, (made[0].theta * POINTS).tolist(), strict=True))
    )


def ours_clustered(folder: Path) -> None:
    """From the store on disk: columns, fit and errors clustered by prompt."""
    from harness.arena.bradley_terry import cluster_meat, covariance, fit
    from harness.arena.counts import count_pairs
    from harness.store.battles import load_table

    def work() -> Any:
        table = load_table(folder / "results.duckdb")
        found = fit(count_pairs(table))
        return found, covariance(found, cluster_meat(table, found))

    serve(
        work, lambda made: dict(zip(made[0].models, (made[0].theta * POINTS).tolist(), strict=True))
    )


def show_draws(folder: Path) -> None:
    """Prints the time of bootstrap draws, and their standard errors beside the sandwich's."""
    import numpy as np

    from harness.arena.bootstrap import multinomial, multiplier
    from harness.arena.bradley_terry import cluster_meat, covariance, fit
    from harness.arena.counts import count_pairs
    from harness.store.battles import load_table

    table = load_table(folder / "results.duckdb")
    found = fit(count_pairs(table))
    error = np.sqrt(np.diag(covariance(found, cluster_meat(table, found))))
    for name, draws, resample in (
        ("Poisson", DRAWS, multiplier),
        ("multinomial, fitted anew", 200, multinomial),
    ):
        samples: list[Any] = []
        cost = cost_of(lambda: samples.append(resample(table, found, draws, 0)))  # noqa: B023
        print(
            f"{draws:,} cluster-bootstrap draws ({name}): {cost.wall:.3f} s, processor "
            f"{cost.processor:.3f} s; standard errors, bootstrap / sandwich "
            f"{float(np.median(samples[0].theta.std(0) / error)):.3f}"
        )


def columns(folder: Path) -> tuple[list[str], list[str], list[str]]:
    import pyarrow.parquet as pq

    table = pq.read_table(folder / "battles.parquet")
    a, b, outcome = (table[name].to_pylist() for name in ("model_a", "model_b", "outcome"))
    return a, b, outcome


def with_evalica(folder: Path) -> None:
    """The fit alone, without intervals, from lists."""
    import evalica

    a, b, outcome = columns(folder)
    label = {"a": evalica.Winner.X, "b": evalica.Winner.Y, "tie": evalica.Winner.Draw}
    winners = [label[one] for one in outcome]
    serve(
        lambda: evalica.bradley_terry(a, b, winners, tolerance=1e-8, limit=10_000),
        lambda found: {
            name: math.log(value) * POINTS for name, value in found.scores.to_dict().items()
        },
    )


def with_choix(folder: Path) -> None:
    """Counting by pandas, then its fastest solver, without intervals; a tie is half a win each
    way, as a count."""
    import choix
    import numpy as np
    import pandas as pd

    a, b, outcome = columns(folder)
    frame = pd.DataFrame({"a": a, "b": b, "outcome": outcome})

    def work() -> Any:
        codes, names = pd.factorize(pd.concat([frame["a"], frame["b"]]))
        one, other = codes[: len(frame)], codes[len(frame) :]
        size = len(names)
        score = frame["outcome"].map({"a": 1.0, "b": 0.0, "tie": 0.5}).to_numpy()
        won = np.bincount(one * size + other, score, size * size).reshape(size, size)
        won += np.bincount(other * size + one, 1 - score, size * size).reshape(size, size)
        return names, choix.ilsr_pairwise_dense(won, alpha=0.0, max_iter=100, tol=1e-10)

    serve(work, lambda made: {n: float(value) * POINTS for n, value in zip(*made, strict=True)})


def with_arena_rank(folder: Path) -> None:
    """Preparing its data set from a data frame, fit and sandwich errors."""
    import numpy as np
    import pandas as pd
    from arena_rank.models.bradley_terry import BradleyTerry
    from arena_rank.utils.data_utils import PairDataset

    a, b, outcome = columns(folder)
    label = {"a": "model_a", "b": "model_b", "tie": "tie"}
    winners = [label[one] for one in outcome]
    frame = pd.DataFrame({"model_a": a, "model_b": b, "winner": winners})

    def work() -> Any:
        dataset = PairDataset.from_pandas(frame)
        model = BradleyTerry(n_competitors=len(dataset.competitors))
        found = model.compute_ratings_and_cis(dataset)
        assert np.asarray(found["rating_lower"]).size
        return dataset.competitors, np.asarray(found["ratings"])

    serve(work, lambda made: dict(zip(made[0], made[1].tolist(), strict=True)))


# name -> (what it does, how)
CONTENDERS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "harness": ("counts, fit, sandwich errors, from the store", ours),
    "harness, clustered": ("the same with errors clustered by prompt", ours_clustered),
    "arena-rank": ("preparing, fit, sandwich errors", with_arena_rank),
    "evalica": ("fit, no errors", with_evalica),
    "choix": ("counting, fit, no errors", with_choix),
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


def start(name: str, folder: Path) -> Contender:
    """Raises MissingPeerError for a peer that cannot be installed."""
    python = python_of(name) if name in PEERS else sys.executable
    return Contender([python, __file__, "--child", name, "--folder", folder], warm_ups=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--battles", type=int, default=1_000_000)
    parser.add_argument("--models", type=int, default=100)
    parser.add_argument("--prompts", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", choices=list(CONTENDERS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        CONTENDERS[options.child][1](options.folder)
        return
    result = Result()
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        make(folder, options.battles, options.models, options.prompts)
        exact = reference(folder)
        contenders = {}
        for name in CONTENDERS:
            try:
                contenders[name] = start(name, folder)
            except MissingPeerError as error:
                result.lacks(name, str(error))
        costs = alternate({name: one.round for name, one in contenders.items()}, options.rounds)
        for name, one in contenders.items():
            check(name, one.finish(), exact, result)
        for name in contenders:
            if name in PEERS:
                did = CONTENDERS[name][0]
                result.compare(f"peer: {did}", named(name), costs["harness"], costs[name])
        clustered = [cost.wall for cost in costs["harness, clustered"]]
        result.check(f"Ours with errors clustered by prompt: {statistics.median(clustered):.2f} s.")
        show_draws(folder)
    result.write(options.json)


def check(name: str, ratings: dict[str, float], exact: dict[str, float], result: Result) -> None:
    """Writes down how far a contender's ratings lie from the reference; a peer that is further off
    than a hundredth of a point does not do the same work."""
    middle = statistics.fmean(ratings.values())
    error = max(abs(ratings[model] - middle - value) for model, value in exact.items())
    result.check(f"Largest error of {name}: {error:.1e} points.")
    if not error < 0.01:
        sys.exit(f"{name}: ratings are {error:.2g} points off the reference")


if __name__ == "__main__":
    main()
