"""Everything that `harness leaderboard` shows: boards of every kind, chosen rows, and movements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from harness.errors import HarnessError
from harness.report import judged_table, leaderboard, published_table
from harness.report.arena import ArenaBoard, Wanted, arena_boards
from harness.report.choice import Choice, check_order, chosen, chosen_arena
from harness.report.judged import HIGHEST, JudgedBoard, judged_boards, to_dict
from harness.report.measured import STRICT
from harness.report.movement import Movement, movement, movements
from harness.report.overview import Overview, overview
from harness.report.published import (
    Beside,
    PublishedBoard,
    beside,
    chosen_published,
    published_boards,
)
from harness.report.standings import Board, boards
from harness.store import battles
from harness.store.paired import Judge

# The suite whose board are ratings from battles.
ARENA = "arena"


@dataclass(frozen=True)
class Asked:
    """Which boards are wanted.

    suites            only these; all when empty
    every_checkpoint  a row for each checkpoint instead of each run's last
    all_item_sets     boards for older protocol hashes and item sets too
    by_dataset        numbers by dataset instead of by genre
    published         others' tables, "" for all or one by name, and of ours those boards that they
                      may stand on; None for ours alone
    overview          one table across suites instead of boards
    """

    suites: tuple[str, ...] = ()
    every_checkpoint: bool = False
    all_item_sets: bool = False
    by_dataset: bool = False
    published: str | None = None
    overview: bool = False
    choice: Choice = field(default_factory=Choice)


@dataclass(frozen=True)
class Gathered:
    """What there is: boards of verified scores, of a judge's, and of battles.

    moves           by board (verified or judged) and row: since the checkpoint before it
    published       others' tables; beside: their rows that stand on boards of ours, by board
    left_out        older groups of evaluations, and of judged ones
    faults          why kinds of battle have no board
    overview        the table across suites, alone, where it is asked for
    """

    boards: tuple[Board, ...]
    judged: tuple[JudgedBoard, ...]
    arena: tuple[ArenaBoard, ...]
    moves: Mapping[int, Mapping[str, Movement]]
    published: tuple[PublishedBoard, ...]
    beside: Mapping[int, Sequence[Beside]]
    left_out: tuple[int, int]
    faults: tuple[str, ...]
    overview: Overview | None = None

    @property
    def is_empty(self) -> bool:
        if self.overview:
            return not self.overview.rows
        return not (self.boards or self.judged or self.arena or self.published)

    def rows(self) -> list[dict[str, Any]]:
        """A row for machines for each row of each board."""
        if self.overview:
            return self.overview.to_dicts()
        found = []
        for board in self.boards:
            for one in board.standings:
                moved = self.moves[id(board)].get(one.evaluation.id)
                found.append(one.to_dict() | {"changes": moved.to_dict() if moved else None})
        for judged in self.judged:
            shown = judged.protocol.variant.shown
            for row in judged.standings:
                moved = self.moves[id(judged)].get(row.evaluation.id)
                found.append(
                    to_dict(judged, row) | {"changes": moved.to_dict(shown) if moved else None}
                )
        found += [row for battle in self.arena for row in battle.rows()]
        return found + [row for table in self.published for row in table.to_dicts()]


def gather(path: Path, asked: Asked) -> Gathered:
    """The boards asked for. Raises HarnessError for an order that no board knows, and where the
    arena alone is asked for and cannot be rated."""
    if asked.overview:
        return _overview(path, asked)
    made, judged, left_out = _ours(path, asked)
    tables: list[PublishedBoard] = []
    if asked.published is not None:
        tables = published_boards(path, asked.published or None)
        made = [board for board in made if beside(board, tables)]
        judged = [board for board in judged if beside(board, tables)]
        left_out = (0, 0)
    arena, faults = _arena(path, asked)
    genres = [genre for board in made for genre in board.genres]
    genres += [genre for board in judged for genre in board.genres]
    genres += [genre for board in arena for genre in board.genres]
    genres += [name for table in tables for name in (*table.benchmarks, table.total)]
    check_order(asked.choice.sort, genres)
    made, judged = chosen(made, asked.choice), chosen(judged, asked.choice)
    tables = chosen_published(tables, asked.choice)
    ours: list[Board | JudgedBoard] = [*made, *judged]
    return Gathered(
        tuple(made),
        tuple(judged),
        tuple(chosen_arena(arena, asked.choice)),
        {id(board): _moves(path, board) for board in ours},
        tuple(tables),
        {id(board): beside(board, tables) for board in ours},
        left_out,
        tuple(faults),
    )


def _overview(path: Path, asked: Asked) -> Gathered:
    made, judged, _ = _ours(path, replace(asked, every_checkpoint=True))
    arena, faults = _arena(path, asked)
    found = overview(made, judged, arena, asked.choice, every_checkpoint=asked.every_checkpoint)
    names = [*(one.name for one in found.columns), *found.arena]
    check_order(asked.choice.sort, names, "a suite of this table")
    return Gathered((), (), (), {}, (), {}, (0, 0), tuple(faults), found)


def _ours(path: Path, asked: Asked) -> tuple[list[Board], list[JudgedBoard], tuple[int, int]]:
    """Our boards, and how many older groups of each kind were left out."""
    others = tuple(name for name in asked.suites if name != ARENA)
    if asked.suites and not others:
        return [], [], (0, 0)
    made, left_out = boards(
        path,
        suites=others,
        every_checkpoint=asked.every_checkpoint,
        all_item_sets=asked.all_item_sets,
    )
    judged, judged_left_out = judged_boards(
        path,
        suites=others,
        every_checkpoint=asked.every_checkpoint,
        all_item_sets=asked.all_item_sets,
    )
    return made, judged, (left_out, judged_left_out)


def _arena(path: Path, asked: Asked) -> tuple[list[ArenaBoard], list[str]]:
    if asked.suites and ARENA not in asked.suites:
        return [], []
    if ARENA not in asked.suites and (asked.published is not None or not battles.kinds(path)):
        return [], []
    try:
        # Ratings by genre take a fit each: only where the arena is asked for by name.
        by_genre = ARENA in asked.suites
        return arena_boards(path, battles.Selection(), Wanted(), by_genre=by_genre)
    except HarnessError as error:
        if ARENA in asked.suites:
            raise
        return [], str(error).splitlines()


def _moves(path: Path, board: Board | JudgedBoard) -> dict[str, Movement]:
    """By evaluation. Without a judge there is no rating to compare."""
    pairs = [(one.before, one.evaluation) for one in board.standings if one.before is not None]
    if isinstance(board, Board):
        return movements(path, pairs, STRICT)
    if board.judge is None:
        return {}
    # Where a rule decides, it stands in for the judge's lowest and highest rating.
    decided = (float(board.protocol.variant.lowest), HIGHEST)
    judge = Judge(*board.judge, decided if board.protocol.is_ours else None)
    found = {row.id: movement(path, before, row, "rating", judge) for before, row in pairs}
    return {name: moved for name, moved in found.items() if moved is not None}


def drawn(found: Gathered, room: int, *, by_dataset: bool = False) -> RenderableType:
    """Everything in `room` columns, the arena first."""
    from harness.report import arena_table, overview_table

    faults = [Text(f"left out: {fault}", style="yellow") for fault in found.faults]
    if found.overview:
        return Group(overview_table.drawn(found.overview, room), *faults)
    parts: list[RenderableType] = [arena_table.drawn(board, room) for board in found.arena]
    parts += [
        leaderboard.drawn(
            board,
            room,
            found.moves[id(board)],
            by_dataset=by_dataset,
            imported=found.beside[id(board)],
        )
        for board in found.boards
    ]
    parts += [
        judged_table.drawn(board, room, found.moves[id(board)], found.beside[id(board)])
        for board in found.judged
    ]
    parts += [published_table.drawn(table, room) for table in found.published]
    for number, what in zip(found.left_out, ("evaluations", "judged evaluations"), strict=True):
        if number:
            parts.append(Text(leaderboard.older(number, what), style="dim"))
    return Group(*parts, *faults)
