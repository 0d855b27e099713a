"""Eight processes on one store, killed at random: evaluations, a watch, a web arena with a voter,
reports, and a keeper that backs up and compacts.

Usage: python -m tests.many_at_once [--minutes 10] [--seed 0] [--directory DIR]

Models are a small server of this process, the watched checkpoints are tiny and random. Four
evaluations run; two of them ask the same models, so that they want the same rows. At random
instants a random process gets SIGKILL and is started again. At the end every evaluation is repeated
until it is complete, and then the store must hold every row once: planned = done + failed, keys
unique, each vote that was acknowledged there with its outcome. A process that ends with another
status than its own is a fault. How long a reader and a writer of this process waited is printed,
not judged.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from harness.store import queries, salvage
from harness.store.database import connect, prepare
from tests.arena_models import ModelServer, model_server
from tests.arena_site import field as field_of
from tests.conftest import make_checkpoint
from tests.test_watch import add

ROOT = Path(__file__).resolve().parent.parent
ARENA = ("akane", "midori")
# Models that evaluations go through, one after the other; two evaluations share the first list.
LISTS, MODELS = 3, 200
SUITES = "if-ja,mt-bench-ja"
LIMIT = 40


@dataclass
class Worker:
    """One of the eight: starts its command, or the next one where the last has ended.

    command   of the round; a round ends by itself, a kill repeats it
    statuses  that it may end with
    """

    name: str
    command: Callable[[int], list[str]]
    statuses: tuple[int, ...] = (0,)
    round: int = 0
    kills: int = 0
    process: subprocess.Popen[str] | None = None
    faults: list[str] = field(default_factory=list)
    log: Path = Path()

    def start(self) -> None:
        with self.log.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "harness", *self.command(self.round)],
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                cwd=self.log.parent,
                env=os.environ
                | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
            )

    def kill(self) -> None:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.kills += 1
            self.process = None

    def look(self) -> None:
        """Starts what has ended or was killed again, and keeps a status that is not its own."""
        if self.process is not None and self.process.poll() is None:
            return
        if self.process is not None:
            status = self.process.returncode
            if status not in self.statuses:
                said = self.log.read_text(errors="replace")[-2000:]
                self.faults.append(f"{self.name}, round {self.round}: status {status}\n{said}")
            self.round += 1
        self.start()


@dataclass
class Voter:
    """Votes in the arena as long as it is there; `acknowledged` by the battle's id."""

    log: Path
    acknowledged: dict[str, str] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        luck = random.Random(1)
        while not self.stop.is_set():
            # The server may be killed at any instant: then nothing was acknowledged.
            with contextlib.suppress(httpx.HTTPError, AssertionError, KeyError, OSError):
                self._vote(luck.choice(["a", "b", "tie", "both_bad"]))
            self.stop.wait(0.5)

    def _vote(self, outcome: str) -> None:
        found = re.search(r"http://\S+", self.log.read_text())
        if found is None:
            return
        url = found[0].rstrip("/")
        with httpx.Client(base_url=url, headers={"origin": url}, timeout=120) as client:
            page = client.get("/").text
            begun = {"id": field_of(page, "id"), "ticket": field_of(page, "ticket")}
            path = client.post("/battle", data=begun | {"prompt": "春の手紙"}).headers["location"]
            with client.stream("GET", f"{path}/events") as events:
                if '"state": "answered"' not in "".join(events.iter_text()):
                    return
            ballot = {"ticket": field_of(client.get(path).text, "ticket"), "vote": outcome}
            if client.post(f"{path}/vote", data=ballot).status_code == 303:
                self.acknowledged[path.rsplit("/", 1)[-1]] = outcome


@dataclass
class Prober:
    """Reads and writes as others do, once a second; seconds that each took."""

    store: Path
    reads: list[float] = field(default_factory=list)
    writes: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.stop.wait(1.0):
            try:
                begun = time.monotonic()
                queries.summary(self.store)
                self.reads.append(time.monotonic() - begun)
                begun = time.monotonic()
                with connect(self.store) as connection:
                    connection.execute("DELETE FROM derived WHERE false")
                self.writes.append(time.monotonic() - begun)
            except Exception as fault:
                self.faults.append(repr(fault))


@dataclass(frozen=True)
class Outcome:
    """What the run came to; `lines` for people, `faults` empty where all is well."""

    lines: tuple[str, ...]
    faults: tuple[str, ...]


def run(minutes: float, folder: Path, seed: int = 0) -> Outcome:
    """Runs the eight for some minutes under kills, then checks the store."""
    store = folder / "results.duckdb"
    prepare(store)
    watched = folder / "tiger"
    watched.mkdir()
    tiny = make_checkpoint(folder / "tiny")
    for step in (100, 200):
        add(watched, tiny, step)
    with _models() as models:
        workers = _workers(folder, store, models, watched)
        voter, prober = Voter(folder / "arena.log"), Prober(store)
        threads = [threading.Thread(target=one.run, daemon=True) for one in (voter, prober)]
        for worker in workers:
            worker.start()
        for thread in threads:
            thread.start()
        _under_kills(workers, time.monotonic() + minutes * 60, random.Random(seed))
        for one in (voter, prober):
            one.stop.set()
        for thread in threads:
            thread.join(180)
        rounds = {worker.name: worker.round for worker in workers}
        _finish(workers)
    faults = [fault for worker in workers for fault in worker.faults] + prober.faults
    faults += _wrong(store, workers, voter)
    kills = Counter({worker.name: worker.kills for worker in workers})
    counts = queries.summary(store)
    lines = (
        f"{minutes:g} minutes, {sum(kills.values())} kills: "
        + ", ".join(f"{name} {number}" for name, number in kills.items()),
        "ended by themselves: " + ", ".join(f"{name} {n}" for name, n in rounds.items()),
        f"{counts['evaluations']:,} evaluations, {counts['generations']:,} generations, "
        f"{counts['scores']:,} scores, {len(voter.acknowledged):,} votes acknowledged",
        f"a read took {_spread(prober.reads)}, a write {_spread(prober.writes)}",
    )
    return Outcome(lines, tuple(faults))


def _spread(seconds: list[float]) -> str:
    if not seconds:
        return "no time: there was none"
    ordered = sorted(seconds)
    return (
        f"{ordered[len(ordered) // 2]:.2f} s in the middle and {ordered[-1]:.2f} s at most "
        f"of {len(ordered)}"
    )


@contextlib.contextmanager
def _models() -> Iterator[ModelServer]:
    def answer(messages: list[dict[str, str]]) -> str:
        said = messages[-1]["content"]
        return f"答えは{zlib.crc32(said.encode()) % 100}です。" * 3

    names = [*ARENA, *(f"m{one}-{number}" for one in range(LISTS) for number in range(MODELS))]
    with model_server(**dict.fromkeys(names, answer)) as server:
        yield server


def _workers(folder: Path, store: Path, models: ModelServer, watched: Path) -> list[Worker]:
    at = ["--store", str(store)]

    def evaluation(number: int) -> Callable[[int], list[str]]:
        def command(round: int) -> list[str]:
            target = models.target(f"m{number % LISTS}-{round % MODELS}")
            return ["eval", target, "--suite", SUITES, "--limit", str(LIMIT), "--quiet", *at]

        return command

    def report(round: int) -> list[str]:
        known = queries.evaluations(store, "c.run IS NULL AND e.state = 'complete'")
        if not known or round % 2:
            return ["leaderboard", "--json", *at]
        return ["report", known[-1].checkpoint, "-o", str(folder / "report.html"), *at]

    def keeper(round: int) -> list[str]:
        if round % 2:
            return ["store", "compact", *at]
        backup = folder / "backup.duckdb"
        backup.unlink(missing_ok=True)
        return ["store", "backup", str(backup), *at]

    def arena(round: int) -> list[str]:
        return ["arena", "serve", *map(models.target, ARENA), "--port", "0", "--items", "", *at]

    def watch(round: int) -> list[str]:
        options = "--suite basics --limit 8 --samples 1 --engine transformers --once --settle 0"
        return ["watch", str(watched), *options.split(), *at]

    workers = [Worker(f"eval{number}", evaluation(number)) for number in range(LISTS + 1)]
    workers += [
        # 1: a regression, 2: in doubt; random weights may be either.
        Worker("watch", watch, (0, 1, 2)),
        Worker("arena", arena),
        Worker("report", report),
        Worker("keeper", keeper),
    ]
    for worker in workers:
        worker.log = folder / f"{worker.name}.log"
    return workers


def _under_kills(workers: list[Worker], until: float, luck: random.Random) -> None:
    kill_at = time.monotonic() + luck.uniform(1, 6)
    while time.monotonic() < until:
        time.sleep(0.25)
        for worker in workers:
            worker.look()
        if time.monotonic() >= kill_at:
            luck.choice(workers).kill()
            kill_at = time.monotonic() + luck.uniform(1, 6)


def _finish(workers: list[Worker]) -> None:
    """Ends the server, and lets everything else come to its end without a kill."""
    for worker in workers:
        if worker.name == "arena":
            if worker.process is not None:
                worker.process.terminate()
                worker.process.wait(120)
                worker.process = None
            continue
        if worker.process is None:
            worker.start()
    for worker in workers:
        if worker.process is not None:
            status = worker.process.wait()
            if status not in worker.statuses:
                said = worker.log.read_text(errors="replace")[-2000:]
                worker.faults.append(f"{worker.name}, at the end: status {status}\n{said}")


def _wrong(store: Path, workers: list[Worker], voter: Voter) -> list[str]:
    queries.refresh(store)
    faults = list(salvage.check(store).faults)
    faults += [
        f"{row.checkpoint} {row.suite}: {row.state}, {row.planned} planned, {row.done} done, "
        f"{row.failed} failed"
        for row in queries.evaluations(store)
        if row.state != "complete" or row.planned != row.done + row.failed
    ]
    asked = {
        f"m{number % LISTS}-{round}"
        for number, worker in enumerate(workers[: LISTS + 1])
        for round in range(worker.round + 1)
    }
    # A served model is named with its host behind it.
    measured = Counter(row.checkpoint.partition("@")[0] for row in queries.evaluations(store))
    faults += [
        f"{name}: {measured[name]} evaluations of {len(SUITES.split(','))}"
        for name in sorted(asked)
        if measured[name] != len(SUITES.split(","))
    ]
    with connect(store, read_only=True) as connection:
        votes: dict[str, list[Any]] = dict(
            connection.execute(
                "SELECT source, list(outcome) FROM battles WHERE kind = 'people' GROUP BY source"
            ).fetchall()
        )
    faults += [
        f"vote {name}: {outcome} was acknowledged, the store has {votes.get(name)}"
        for name, outcome in voter.acknowledged.items()
        if votes.get(name) != [outcome]
    ]
    return faults


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--directory", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        found = run(options.minutes, options.directory or Path(temporary), options.seed)
    print("\n".join(found.lines))
    print(f"load {os.getloadavg()[0]:.0f}, {os.cpu_count()} cores")
    for fault in found.faults:
        print(f"FAULT {fault}")
    sys.exit(1 if found.faults else 0)


if __name__ == "__main__":
    main()
