"""The unfinished work of a round: what was committed chunk by chunk, and under which settings."""

from __future__ import annotations

import fcntl
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

from harness.errors import HarnessError
from training.synthesis.shards import Row, read_metadata, read_shard, replace_text, write_shard
from training.synthesis.types import Dropped, Sample

IDENTITY = "identity.json"
# The entry of an identity that counts the evaluation items.
HELD_OUT = "evalsets"
# Of what is dropped at each stage so much is kept for the reader of the card.
EXAMPLES = 3

# Why a line ended: its samples are there, or its attempts used up; "" while it is not over.
Ended = Literal["", "met", "exhausted"]


@dataclass
class LineState:
    """How far a line is.

    next     the first candidate that has not been looked at
    tried    candidates looked at: kept + dropped
    examples a few (reason, text) of each stage
    seconds  of real time that it took, over all runs
    """

    next: int = 0
    tried: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[list[str]]] = field(default_factory=dict)
    ended: Ended = ""
    seconds: float = 0.0

    def count(self, fates: Sequence[Sample | Dropped]) -> None:
        for one in fates:
            self.tried += 1
            if isinstance(one, Sample):
                self.kept += 1
                continue
            self.dropped[one.stage] += 1
            shown = self.examples.setdefault(one.stage, [])
            if len(shown) < EXAMPLES:
                shown.append([one.reason, one.text[:400]])

    def to_dict(self) -> dict[str, Any]:
        return {
            "next": self.next,
            "tried": self.tried,
            "kept": self.kept,
            "dropped": dict(sorted(self.dropped.items())),
            "examples": self.examples,
            "ended": self.ended,
            "seconds": self.seconds,
        }


class Work:
    """A directory of committed chunks, each a file that is whole or not there.

    Where evaluation items have come since it was begun it begins anew. Raises HarnessError where
    anything else of its identity differs: its samples would not be those of one round; and where
    another process is at it, or the directory cannot be written.
    """

    def __init__(self, home: Path, identity: Mapping[str, Any]) -> None:
        self.home = home
        self._lock = _locked(home)
        begun = home / IDENTITY
        text = json.dumps(identity, ensure_ascii=False, sort_keys=True, indent=1)
        if not begun.exists():
            replace_text(begun, text)
            return
        before = json.loads(begun.read_text(encoding="utf-8"))
        now = json.loads(text)
        changed = sorted(key for key in now if now[key] != before.get(key))
        if changed == [HELD_OUT]:
            # What was kept has not been compared with what has come: from the beginning, for
            # which replies are in the journal.
            for part in self.parts():
                part.unlink()
            replace_text(begun, text)
        elif changed:
            raise HarnessError(
                f"{home.parent}: begun under another {changed[0]} ({_short(before, changed[0])}, "
                f"now {_short(now, changed[0])}); repeat the command as it was, or name another "
                "--output"
            )

    def states(self, lines: int) -> list[LineState]:
        """How far each line is, from what was committed."""
        states = [LineState() for _ in range(lines)]
        for path in self.parts():
            about = read_metadata(path)
            state = dict(about["state"])
            states[about["line"]] = LineState(**{**state, "dropped": Counter(state["dropped"])})
        return states

    def parts(self) -> list[Path]:
        """Committed chunks in the order in which they were made, which is that of the plan but for
        lines that ask a teacher: those come last."""
        return sorted(self.home.glob("part-*.parquet"))

    def rows(self) -> Iterator[Row]:
        """Everything kept so far, in the order of `parts`."""
        for path in self.parts():
            yield from read_shard(path)

    def commit(
        self, line: int, teacher: bool, start: int, rows: Sequence[Row], state: LineState
    ) -> None:
        """Keeps the outcome of a chunk that began at candidate `start`."""
        path = self.home / f"part-{teacher:d}-{line:06d}-{start:012d}.parquet"
        write_shard(path, rows, {"line": line, "state": state.to_dict()})

    def close(self) -> None:
        """Lets another process go on with it."""
        self._lock.close()

    def remove(self) -> None:
        """Deletes all of it, once the round's shards stand."""
        for path in list(self.home.iterdir()):
            path.unlink(missing_ok=True)
        self.home.rmdir()


def _locked(home: Path) -> IO[str]:
    """A file in the directory that this process alone has locked; a kill unlocks it."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock = (home / ".lock").open("w")
    except OSError as error:
        raise HarnessError(
            f"{home}: cannot be written ({error.strerror}); name another --output"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise HarnessError(
            f"{home.parent}: another process is making this round; wait for it, or stop it"
        ) from None
    return lock


def _short(values: Mapping[str, Any], key: str) -> str:
    return json.dumps(values.get(key), ensure_ascii=False)[:80]
