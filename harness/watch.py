"""Watches a training run: judges each new complete checkpoint against the last good ones.

Invariants:
- A checkpoint counts only when it passes every check of `discover` and has not changed for a while,
  and is not recorded if it changed while it was asked.
- The store alone is the state. Whatever is killed, the next pass goes on: answers are kept by
  content key, verdicts in `watched`, and a message is owed until it was taken.
- The newest checkpoint comes first; those it overtook are judged after it, oldest first. With
  `oldest_first` they come by step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.checkpoint import Checkpoint
from harness.errors import HarnessError
from harness.store.watched import Watched, mark_told, watched
from harness.watching.judging import Watch, judge, standing_regressions
from harness.watching.settled import complete_checkpoints


@dataclass(frozen=True)
class Pass:
    """What one pass did: the run's name, verdicts made, why other directories must wait, and what
    went wrong with complete ones (they are tried again in the next pass).

    exit_status  1 where the run has an open regression, 2 where its newest checkpoint is in doubt,
                 else 0
    """

    run: str
    made: tuple[Watched, ...]
    waiting: Mapping[Path, str]
    faults: tuple[str, ...]
    exit_status: int


def one_pass(watch: Watch) -> Pass:
    """Judges whatever is complete and not judged yet, newest first, and sends what is owed.

    Raises HarnessError where the directory is missing, or the store cannot be read.
    """
    made: list[Watched] = []
    faults: dict[str, str] = {}
    while True:
        found, waiting = complete_checkpoints(
            watch.directory,
            settle=watch.settle,
            allow_pickle=watch.allow_pickle,
            sleep=watch.sleep,
        )
        run = next((one.run for one in found if one.run), watch.directory.resolve().name)
        rows = watched(watch.store, run, watch.policy_hash)
        _send_owed(watch, rows)
        done = {(row.step, row.fingerprint) for row in rows}
        todo = [
            one
            for one in found
            if (one.step, one.fingerprint) not in done and one.name not in faults
        ]
        if not todo:
            status = _exit_status(watch, run, rows)
            return Pass(run, tuple(made), waiting, tuple(faults.values()), status)
        checkpoint = next_checkpoint(todo, rows, watch.oldest_first)
        try:
            verdict = judge(watch, run, checkpoint, rows)
        except HarnessError as error:
            faults[checkpoint.name] = f"{checkpoint.name}: {error}"
            watch.log(faults[checkpoint.name])
            continue
        if verdict is None:
            watch.log(f"{checkpoint.name}: its files changed while it was asked; asked again")
        else:
            watch.log(sentence(verdict))
            made.append(verdict)


def _exit_status(watch: Watch, run: str, rows: Sequence[Watched]) -> int:
    if standing_regressions(watch, run, ["open"]):
        return 1
    newest = max((row for row in rows if row.stands), key=lambda row: row.step, default=None)
    return 2 if newest is not None and newest.verdict == "inconclusive" else 0


def next_checkpoint(
    todo: Sequence[Checkpoint], rows: Sequence[Watched], oldest_first: bool = False
) -> Checkpoint:
    """The newest if it is ahead of all that was judged; else, or where they are wanted in order,
    the oldest left. A run's first verdict is its oldest checkpoint's, since the others need
    something to be compared with."""
    steps = [row.step for row in rows if row.stands]
    newest = max(todo, key=lambda one: one.step or 0)
    if not oldest_first and steps and (newest.step or 0) > max(steps):
        return newest
    return min(todo, key=lambda one: one.step or 0)


def sentence(verdict: Watched) -> str:
    """One line on a verdict."""
    text = f"{verdict.checkpoint}: {verdict.verdict}"
    parts = [
        f"{one['suite']} {one['genre']} {_points(one)}"
        for one in verdict.evidence.get("genres", [])
        if one["verdict"] != "good"
    ]
    if verdict.evidence.get("fixed"):
        parts.append(f"{len(verdict.evidence['fixed'])} earlier regression(s) fixed")
    return text + (f" ({'; '.join(parts)})" if parts else "")


def _points(one: Mapping[str, Any]) -> str:
    decision = one["confirmed"] or one["screened"]
    return (
        f"{decision['change'] * 100:+.1f} points ({decision['low'] * 100:+.1f} to "
        f"{decision['high'] * 100:+.1f}, p {one['p']:.2g})"
    )


def message(verdict: Watched) -> dict[str, Any]:
    """What a webhook or a command is told; `text` alone is enough for a chat."""
    return {
        "text": sentence(verdict),
        "run": verdict.run,
        "step": verdict.step,
        "checkpoint": verdict.checkpoint,
        "fingerprint": verdict.fingerprint,
        "verdict": verdict.verdict,
        "genres": [one for one in verdict.evidence.get("genres", []) if one["verdict"] != "good"],
        "regressions": verdict.evidence.get("regressions", []),
        "new": verdict.evidence.get("new", []),
        "fixed": verdict.evidence.get("fixed", []),
    }


def _send_owed(watch: Watch, rows: Sequence[Watched]) -> None:
    """Sends what is owed, in order; what nobody takes stays owed and stops nothing."""
    if watch.notify is None:
        return
    for row in rows:
        if row.notified_at is None:
            try:
                watch.notify(message(row))
            except HarnessError as error:
                watch.log(str(error))
                return
            mark_told(watch.store, row)
