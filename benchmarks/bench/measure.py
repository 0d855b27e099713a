"""What every benchmark script shares: the cost of a process or of a round, alternating rounds, and
the result that the page is written from.

Only the standard library is imported: the Python of a peer's own environment reads this file too.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
STARTER = Path(__file__).with_name("starter.py")
# What a process of ours or of a peer's finds, so that all find the same: threads fight over shared
# cores, and nobody asks a hub.
ENVIRONMENT = {
    "PYTHONPATH": str(ROOT),
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


@dataclass(frozen=True)
class Cost:
    """Seconds by the clock, seconds of processor, and the peak of resident memory in MiB."""

    wall: float
    processor: float
    memory: float


def process(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    statuses: Sequence[int] = (0,),
) -> tuple[Cost, str]:
    """The cost of a whole process, start-up included, and what it printed.

    Raises SystemExit with the end of its output when it ends with another status.
    """
    words = [str(word) for word in command]
    with tempfile.NamedTemporaryFile("r") as file:
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(STARTER), file.name, *words],
            env={**os.environ, **ENVIRONMENT, **(environment or {})},
            cwd=directory,
            capture_output=True,
            text=True,
        )
        if done.returncode not in statuses:
            said = (done.stdout + done.stderr)[-3000:]
            sys.exit(f"{' '.join(words)} ended with {done.returncode}:\n{said}")
        return Cost(*map(float, file.read().split())), done.stdout


class Contender:
    """A process that makes ready once and then does its work whenever it is asked to, so that
    rounds of several, each with the Python it needs, can alternate."""

    def __init__(self, command: Sequence[str | Path], warm_ups: int = 0) -> None:
        """Starts `command`, which has to call `serve`; `warm_ups` rounds are not counted.

        Raises SystemExit when the process ends before it is ready.
        """
        self._process = subprocess.Popen(
            [str(word) for word in command],
            env={**os.environ, **ENVIRONMENT},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()
        self.warm_ups = [self.round() for _ in range(warm_ups)]

    def _answer(self) -> Any:
        line = self._process.stdout.readline()  # type: ignore[union-attr]
        if not line:
            sys.exit(f"a contender ended with {self._process.wait()}; what it said stands above")
        return json.loads(line)

    def _ask(self, word: str) -> Any:
        self._process.stdin.write(f"{word}\n")  # type: ignore[union-attr]
        self._process.stdin.flush()  # type: ignore[union-attr]
        return self._answer()

    def round(self) -> Cost:
        return Cost(**self._ask("round"))

    def finish(self) -> Any:
        """What the last round found; the process ends."""
        found = self._ask("finish")
        self._process.wait()
        return found


def serve(work: Callable[[], Any], told: Callable[[Any], Any] = lambda found: found) -> None:
    """The contender's side: does `work` once a round, and at the end gives what `told` makes of
    the last round's value, as JSON."""
    # Libraries print; the answers keep the way out to themselves.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    found = None
    print("null", file=answers, flush=True)
    for line in sys.stdin:
        if line.strip() == "finish":
            print(json.dumps(told(found)), file=answers, flush=True)
            return
        found = None
        wall, used = time.perf_counter(), processor()
        found = work()
        cost = {"wall": time.perf_counter() - wall, "processor": processor() - used}
        print(json.dumps({**cost, "memory": peak()}), file=answers, flush=True)


def processor() -> float:
    """Processor seconds of this process and of the children that it waited for."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, kinds))


def peak() -> float:
    """Greatest resident memory of this process so far, MiB (getrusage's starts at the parent's)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def cost_of(work: Callable[[], Any]) -> Cost:
    """The cost of a call in this process."""
    wall, used = time.perf_counter(), processor()
    work()
    return Cost(time.perf_counter() - wall, processor() - used, peak())


def alternate(contenders: Mapping[str, Callable[[], Cost]], rounds: int) -> dict[str, list[Cost]]:
    """Every contender once a round, in turn, back and forth, so that a noisy machine is noisy for
    all of them and none always runs behind the same one."""
    costs: dict[str, list[Cost]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name in list(contenders)[:: -1 if number % 2 else 1]:
            costs[name].append(contenders[name]())
    return costs


@dataclass
class Result:
    """What a script found: rows of ours beside a peer's, what was checked, and who is missing.

    A row's values are one a round, in the unit it names, smaller is better; the ratio of it is the
    peer's median to ours.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    checks: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)

    def add(
        self, what: str, peer: str, unit: str, ours: Sequence[float], theirs: Sequence[float]
    ) -> None:
        """One row. `peer` is a name and a version, `arena-rank 0.1.1`."""
        row = {"what": what, "peer": peer, "unit": unit, "ours": list(ours), "theirs": list(theirs)}
        self.rows.append(row)
        print(
            f"  {what}: {statistics.median(ours):.4g} {unit}, {peer} "
            f"{statistics.median(theirs):.4g} {unit}, ratio {ratio(row):.2f}",
            flush=True,
        )

    def compare(
        self,
        what: str,
        peer: str,
        ours: Sequence[Cost],
        theirs: Sequence[Cost],
        units: Sequence[str] = ("s", "s of processor", "MiB"),
    ) -> None:
        """A row for each of the units: `s` by the clock, `s of processor`, `MiB` at the peak."""
        of = {
            "s": lambda costs: [cost.wall for cost in costs],
            "s of processor": lambda costs: [cost.processor for cost in costs],
            "MiB": lambda costs: [max(cost.memory for cost in costs)],
        }
        for unit in units:
            self.add(what, peer, unit, of[unit](ours), of[unit](theirs))

    def check(self, told: str) -> None:
        """A sentence that this run found to be so."""
        self.checks.append(told)
        print(f"  {told}", flush=True)

    def lacks(self, peer: str, why: str) -> None:
        self.missing[peer] = why
        print(f"  {peer}: not measured ({why})", flush=True)

    def write(self, path: Path | None) -> None:
        if path:
            found = {"rows": self.rows, "checks": self.checks, "missing": self.missing}
            path.write_text(json.dumps(found, ensure_ascii=False))


def ratio(row: Mapping[str, Any]) -> float:
    """The peer's median to ours: above 1 we are faster or smaller."""
    return statistics.median(row["theirs"]) / statistics.median(row["ours"])


def spread(row: Mapping[str, Any]) -> tuple[float, float] | None:
    """The smallest and the greatest ratio of a round; None when there was one round."""
    rounds = [b / a for a, b in zip(row["ours"], row["theirs"], strict=False)]
    return (min(rounds), max(rounds)) if len(rounds) > 1 else None
