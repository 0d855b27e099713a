"""Solves arrangement puzzles by enumeration: which worlds do some clues leave, and which clues are
needed to leave exactly one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import permutations
from random import Random
from typing import Literal, NamedTuple

# line  n things, each at its own position 0 to n-1
# ring  as line, round a table: thing 0 sits at position 0, positions count clockwise
# grid  n people and n roles (things n to 2n-1), both spread over the same positions
Space = Literal["line", "ring", "grid"]
World = tuple[int, ...]


class Clue(NamedTuple):
    """A statement about a world: a key of `HOLDS`, and what goes into it (things first)."""

    kind: str
    args: tuple[int, ...]


# What each kind of clue says of `p`, the position of every thing.
HOLDS: dict[str, Callable[..., bool]] = {
    "before": lambda p, a, b: p[a] < p[b],
    "between": lambda p, a, b, c: p[a] < p[b] < p[c],
    "next": lambda p, a, b: p[b] - p[a] == 1,
    "adjacent": lambda p, a, b: abs(p[a] - p[b]) == 1,
    "parted": lambda p, a, b: abs(p[a] - p[b]) != 1,
    "gap": lambda p, a, b: abs(p[a] - p[b]) == 2,
    "at": lambda p, a, k: p[a] == k,
    "not_at": lambda p, a, k: p[a] != k,
    "either": lambda p, a, j, k: p[a] in (j, k),
    "end": lambda p, a: p[a] in (0, len(p) - 1),
    "same": lambda p, a, b: p[a] == p[b],
    "differ": lambda p, a, b: p[a] != p[b],
    "clockwise": lambda p, a, b: (p[b] - p[a]) % len(p) == 1,
    "clockwise2": lambda p, a, b: (p[b] - p[a]) % len(p) == 2,
    "opposite": lambda p, a, b: 2 * ((p[b] - p[a]) % len(p)) == len(p),
    "beside": lambda p, a, b: (p[b] - p[a]) % len(p) in (1, len(p) - 1),
    "not_beside": lambda p, a, b: (p[b] - p[a]) % len(p) not in (1, len(p) - 1),
}
# How many of a clue's arguments, from the left, are things; the rest are positions. Else two.
THINGS = {"at": 1, "not_at": 1, "either": 1, "end": 1, "between": 3}
SYMMETRIC = {"adjacent", "parted", "gap", "opposite", "beside", "not_beside"}


@cache
def worlds(space: Space, n: int) -> tuple[World, ...]:
    """Every arrangement of n things: thing i is at position world[i]."""
    lines = tuple(permutations(range(n)))
    if space == "ring":
        return tuple(line for line in lines if line[0] == 0)
    if space == "grid":
        return tuple(people + roles for people in lines for roles in lines)
    return lines


@cache
def _mask(space: Space, n: int, clue: Clue) -> int:
    """The worlds in which a clue holds, as bits of an integer: puzzles share this work."""
    holds = HOLDS[clue.kind]
    return sum(1 << i for i, world in enumerate(worlds(space, n)) if holds(world, *clue.args))


def holding(space: Space, n: int, clues: Iterable[Clue]) -> int:
    """The worlds that all clues allow, as bits in the order of `worlds`."""
    left = (1 << len(worlds(space, n))) - 1
    for clue in clues:
        left &= _mask(space, n, clue)
    return left


def verdict(space: Space, n: int, clues: Sequence[Clue], claim: Clue) -> bool | None:
    """Whether a claim holds in every world that the clues allow (True), in none (False), or in
    some only (None)."""
    left = holding(space, n, clues)
    allowed = left & _mask(space, n, claim)
    return True if allowed == left else None if allowed else False


def true_clues(
    space: Space, n: int, truth: World, kinds: Iterable[str], things: Sequence[int]
) -> list[Clue]:
    """Every clue of some kinds that holds in `truth`, each symmetric one once."""
    found = []
    for kind in kinds:
        choices: list[tuple[int, ...]]
        if kind in ("at", "not_at"):
            choices = [(a, k) for a in things for k in range(n)]
        elif kind == "either":
            choices = [(a, j, k) for a in things for j in range(n) for k in range(j + 1, n)]
        else:
            choices = list(permutations(things, THINGS.get(kind, 2)))
        if kind in SYMMETRIC:
            choices = [args for args in choices if args[0] < args[1]]
        found += [Clue(kind, args) for args in choices if HOLDS[kind](truth, *args)]
    return found


def minimal(draw: Random, space: Space, n: int, candidates: Sequence[Clue]) -> list[Clue] | None:
    """Some of the candidates that leave exactly one world, none of them redundant; earlier
    candidates are preferred. None when all of them together leave several worlds."""
    chosen: list[Clue] = []
    left = holding(space, n, ())
    for clue in candidates:
        narrowed = left & _mask(space, n, clue)
        if narrowed != left:
            chosen.append(clue)
            left = narrowed
        if left.bit_count() == 1:
            break
    else:
        return None
    for clue in chosen[::-1]:
        rest = [other for other in chosen if other != clue]
        if holding(space, n, rest) == left:
            chosen = rest
    draw.shuffle(chosen)
    return chosen


def canonical(clues: Iterable[Clue], names: Sequence[str]) -> str:
    """Clues as text that depends on neither their order nor their wording."""
    texts = []
    for clue in clues:
        count = THINGS.get(clue.kind, 2)
        named = [names[index] for index in clue.args[:count]]
        if clue.kind in SYMMETRIC:
            named.sort()
        texts.append(f"{clue.kind}({','.join([*named, *map(str, clue.args[count:])])})")
    return ";".join(sorted(texts))
