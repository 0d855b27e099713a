"""How long the command line takes to answer, and in how much memory, beside other harnesses'.

Whole processes, ours as `python -m harness`, the peers' commands as installed: what each says of
its use, and what it says of the use of its evaluation. Our leaderboard, which reads a store of 20
checkpoints of 400 items each and computes intervals, stands beside the peers' `--help`.

Usage: python benchmarks/startup.py [--rounds 7] [--json FILE]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.bench.measure import Cost, Result, alternate, process
from benchmarks.bench.peers import MissingPeerError, here, named, python_of

CHECKPOINTS, ITEMS = 20, 400


def fill(store: Path) -> None:
    """A run of checkpoints, a little better each."""
    from tests.comparison_store import MadeScores, by_item, keep

    genres = ("math", "reasoning", "coding", "extraction")
    made = []
    for step in range(CHECKPOINTS):
        rows = {}
        for place, genre in enumerate(genres):
            right = [float(n * 37 % 101 < 40 + step + 5 * place) for n in range(ITEMS // 4)]
            rows |= by_item(right, genre)
        made.append(
            MadeScores(f"run/step_{step}", {"strict": rows}, run="run", step=step, later=step)
        )
    keep(store, *made)


def contenders(store: Path, result: Result) -> dict[str, dict[str, list[str]]]:
    """Peer -> what -> command; ours is the peer ''."""
    ours = [sys.executable, "-m", "harness"]
    commands = {
        "": {
            "--help": [*ours, "--help"],
            "eval --help": [*ours, "eval", "--help"],
            "leaderboard": [*ours, "leaderboard", "--store", str(store)],
        }
    }
    try:
        lm_eval = str(Path(sys.executable).with_name("lm_eval"))
        commands[here("lm-eval")] = {
            "--help": [lm_eval, "--help"],
            "eval --help": [lm_eval, "run", "--help"],
        }
    except MissingPeerError as error:
        result.lacks("lm-eval", str(error))
    for name, program, words in (
        ("inspect-ai", "inspect", ["eval", "--help"]),
        ("evalplus", "evalplus.evaluate", ["--help"]),
    ):
        try:
            path = str(python_of(name).with_name(program))
        except MissingPeerError as error:
            result.lacks(name, str(error))
            continue
        commands[named(name)] = {"--help": [path, "--help"], "eval --help": [path, *words]}
    return commands


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result = Result()
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "results.duckdb"
        fill(store)
        commands = contenders(store, result)
        ways = {
            (peer, what): partial(once, command, Path(folder))
            for peer, each in commands.items()
            for what, command in each.items()
        }
        for way in ways.values():
            way()  # Files come from the disk once.
        costs = alternate(ways, options.rounds)
    for what in commands[""]:
        for peer in list(commands)[1:]:
            theirs = "--help" if what == "leaderboard" else what
            label = "leaderboard, against --help" if what == "leaderboard" else what
            result.compare(label, peer, costs["", what], costs[peer, theirs])
    result.write(options.json)


def once(command: list[str], folder: Path) -> Cost:
    # Fire prints its help and ends with 2.
    return process(command, directory=folder, statuses=(0, 2))[0]


if __name__ == "__main__":
    main()
