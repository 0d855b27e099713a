"""Which rows of a board are shown and in which order; ranks stay those among all its rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import TypeVar

from harness.errors import HarnessError
from harness.report.arena import ArenaBoard
from harness.report.judged import JudgedBoard, JudgedStanding
from harness.report.standings import Board, Standing

_SPAN = re.compile(r"(\d+)\s*([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
# What `--sort` knows beside the names of genres.
ORDERS = ("score", "name", "step", "date")

B = TypeVar("B", Board, JudgedBoard)


@dataclass(frozen=True)
class Choice:
    """What is asked for.

    since     rows whose evaluation ended (or, where it has not, began) then or later
    patterns  rows whose checkpoint, run or suite fits any of these (as file names: `*`, `?`,
              `[...]`); all when empty
    sort      one of `ORDERS`, or a genre: highest first; names go up, steps and dates down
    """

    since: datetime | None = None
    patterns: tuple[str, ...] = ()
    sort: str = "score"

    def fits(self, *names: str | None) -> bool:
        """Whether any of the names fits any pattern."""
        return not self.patterns or any(
            fnmatchcase(name, pattern) for name in names if name for pattern in self.patterns
        )


def parse_since(text: str, now: datetime, option: str = "--since") -> datetime:
    """The time that `7d`, `24h`, `2w`, `30m` before `now`, or a date or time of ISO 8601, names; a
    time without a zone is UTC. Raises HarnessError for anything else."""
    if span := _SPAN.fullmatch(text.strip()):
        try:
            return now - timedelta(**{_UNITS[span[2]]: int(span[1])})
        except OverflowError:
            return datetime.min.replace(tzinfo=UTC)
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise HarnessError(
            f"{option} {text!r}: expected a span such as 7d or 24h, or a date such as 2026-11-29"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def chosen(boards: Sequence[B], choice: Choice) -> list[B]:
    """The boards with the rows asked for, in the order asked for; a board without rows is left
    out."""
    found = []
    for board in boards:
        rows = [one for one in board.standings if _wanted(one, choice)]
        rows = _ordered(rows, choice.sort, board.genres)
        if rows:
            hidden = len(board.standings) - len(rows)
            found.append(replace(board, standings=tuple(rows), hidden=hidden))
    return found


def chosen_arena(boards: Sequence[ArenaBoard], choice: Choice) -> list[ArenaBoard]:
    """As `chosen`; a rating has no time and no step, so `since` leaves all of them."""
    found = []
    for board in boards:
        rows = [one for one in board.ratings.rows if choice.fits(one.model, "arena")]
        if choice.sort == "name":
            rows.sort(key=lambda one: one.model)
        elif choice.sort in board.genres:
            by_model = board.genres[choice.sort]
            rows.sort(key=lambda one: -by_model[one.model].rating if one.model in by_model else 0)
        if rows:
            found.append(replace(board, ratings=replace(board.ratings, rows=tuple(rows))))
    return found


def check_order(sort: str, genres: Sequence[str], what: str = "a genre of these boards") -> None:
    """Raises HarnessError where no board has what it is to be sorted by."""
    if sort not in ORDERS and sort not in genres:
        raise HarnessError(
            f"--sort {sort}: expected {', '.join(ORDERS)}, or {what} "
            f"({', '.join(dict.fromkeys(genres)) or 'they have none'})"
        )


def _wanted(one: Standing | JudgedStanding, choice: Choice) -> bool:
    row = one.evaluation
    is_late = choice.since is None or (row.finished_at or row.started_at) >= choice.since
    return is_late and choice.fits(row.checkpoint, row.run, row.suite)


R = TypeVar("R", Standing, JudgedStanding)


def _ordered(rows: Sequence[R], sort: str, genres: Sequence[str]) -> list[R]:
    keys: dict[str, Callable[[R], tuple[object, ...]]] = {
        "name": lambda one: (one.name,),
        "step": lambda one: (-_or(one.evaluation.step),),
        "date": lambda one: (-one.evaluation.started_at.timestamp(),),
    }
    if sort in keys:
        return sorted(rows, key=keys[sort])
    if sort in genres:
        return sorted(rows, key=lambda one: -_or(one.genre(sort)))
    return list(rows)


def _or(value: float | None) -> float:
    """A missing value stands last."""
    return float("-inf") if value is None else value
