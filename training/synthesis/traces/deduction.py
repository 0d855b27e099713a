"""Arrangement puzzles solved as a person would: one clue at a time narrows who can be where, and
what no single clue decides is tried and refuted."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from harness.items.probes.arrangement import Clue, Space, holding, worlds

Draw = random.Random
_PLAIN = ("at", "not_at", "end")


@dataclass(frozen=True)
class Puzzle:
    """An arrangement to be found.

    names   of the things, in the order of the worlds' positions
    said    each clue and its sentence without 。
    place   words for a position, "左から2番目"
    """

    space: Space
    n: int
    names: Sequence[str]
    said: Sequence[tuple[Clue, str]]
    place: Callable[[int], str]


@dataclass
class Narrowing:
    """Which positions each thing may still have."""

    puzzle: Puzzle
    open: list[set[int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.open = [set(range(self.puzzle.n)) for _ in self.puzzle.names]
        self.drop(self.allowed())

    def at(self, thing: int, position: int) -> int:
        return holding(self.puzzle.space, self.puzzle.n, [Clue("at", (thing, position))])

    def allowed(self) -> int:
        """The worlds that the open positions allow, as bits."""
        left = (1 << len(worlds(self.puzzle.space, self.puzzle.n))) - 1
        for thing, positions in enumerate(self.open):
            if len(positions) < self.puzzle.n:
                some = 0
                for position in positions:
                    some |= self.at(thing, position)
                left &= some
        return left

    def dropped(self, left: int) -> dict[int, set[int]]:
        """What a set of worlds rules out: positions by thing."""
        return {
            thing: gone
            for thing, positions in enumerate(self.open)
            if (gone := {k for k in positions if not left & self.at(thing, k)})
        }

    def drop(self, left: int) -> None:
        for thing, gone in self.dropped(left).items():
            self.open[thing] -= gone


def deduce(draw: Draw, puzzle: Puzzle, done: Callable[[list[set[int]]], bool]) -> list[str]:
    """Steps that narrow the positions until `done` says that the open positions suffice.

    Raises ValueError when the clues leave nothing more to say.
    """
    state, steps = Narrowing(puzzle), list[str]()
    while not done(state.open):
        allowed = state.allowed()
        if gone := state.dropped(allowed):
            state.drop(allowed)
            if decided := [thing for thing in gone if len(state.open[thing]) == 1]:
                text = "、".join(
                    f"{puzzle.names[t]}は{_place(puzzle, state.open[t])}" for t in decided
                )
                lead = draw.choice(("残った場所から、", "ほかが決まったので、"))
                steps.append(f"{lead}{text}に決まります。")
            continue
        best = None
        for clue, said in puzzle.said:
            left = allowed & holding(puzzle.space, puzzle.n, [clue])
            if gone := state.dropped(left):
                decided = [t for t in gone if len(state.open[t] - gone[t]) == 1]
                rank = (-len(decided), -sum(map(len, gone.values())))
                if best is None or rank < best[0]:
                    best = rank, left, (clue.kind, said), gone
        if best is not None:
            _, left, (kind, said), gone = best
            state.drop(left)
            # What a clue on one thing says outright is not said twice.
            leads = (f"「{said}」から、", f"「{said}」という条件から、", f"「{said}」を使うと、")
            lead = draw.choice(("条件から、", "条件より、") if kind in _PLAIN else leads)
            steps.append(f"{lead}{_findings(puzzle, state, gone)}。")
            continue
        steps.append(_refute(draw, state, allowed))
    return steps


def _refute(draw: Draw, state: Narrowing, allowed: int) -> str:
    """Tries a position that cannot be, with as few clues as refute it, and rules it out."""
    puzzle = state.puzzle
    order = sorted(
        (len(state.open[thing]), thing, position)
        for thing in range(len(puzzle.names))
        for position in state.open[thing]
        if len(state.open[thing]) > 1
    )
    for size in range(2, len(puzzle.said) + 1):
        for _, thing, position in order:
            tried = allowed & state.at(thing, position)
            for clues in combinations(puzzle.said, size):
                if tried & holding(puzzle.space, puzzle.n, [clue for clue, _ in clues]):
                    continue
                state.open[thing].discard(position)
                said = "と".join(f"「{text}」" for _, text in clues)
                where, name = puzzle.place(position), puzzle.names[thing]
                if len(state.open[thing]) == 1:
                    rest = f"{name}は{_place(puzzle, state.open[thing])}です"
                else:
                    rest = f"{name}は{where}ではありません"
                every = "の両方" if size == 2 else "のすべて"
                return draw.choice(
                    (
                        f"仮に{name}が{where}だとすると、ここまでの結果と合わせて{said}を"
                        f"同時に満たせません。よって、{rest}。",
                        f"もし{name}が{where}なら、ここまでの結果から、{said}{every}は"
                        f"成り立ちません。したがって、{rest}。",
                    )
                )
    raise ValueError("nothing follows from the clues")


def _findings(puzzle: Puzzle, state: Narrowing, gone: dict[int, set[int]]) -> str:
    """What a clue has shown, decided things first. That nobody else is where a thing has just been
    placed goes without saying."""
    taken = {k for thing in gone if len(state.open[thing]) == 1 for k in state.open[thing]}
    texts = []
    for thing in sorted(gone, key=lambda thing: len(state.open[thing])):
        name, left = puzzle.names[thing], state.open[thing]
        if len(left) == 1:
            texts.append((f"{name}は{_place(puzzle, left)}に決まり", "ます"))
        elif gone[thing] <= taken:
            continue
        elif len(left) == 2 and puzzle.n > 3:
            texts.append((f"{name}は{_place(puzzle, left)}で", "す"))
        elif len(gone[thing]) == 1:
            texts.append((f"{name}は{_place(puzzle, gone[thing])}では", "ありません"))
        else:
            where = "でも".join(map(puzzle.place, sorted(gone[thing])))
            texts.append((f"{name}は{where}でも", "ありません"))
    inner = [text + ("なく" if end == "ありません" else "") for text, end in texts[:-1]]
    return "、".join([*inner, "".join(texts[-1])])


def _place(puzzle: Puzzle, positions: set[int]) -> str:
    return "か".join(puzzle.place(position) for position in sorted(positions))
