"""Who can be compared with whom: groups that never met, and models that only won or only lost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.arena.types import Floats, Ints


@dataclass(frozen=True)
class Graph:
    """What the battles connect. A model wins from another with each win and with each tie.

    groups  models connected by battles, whoever won; more than one: there is no common scale
    always  of each connected group that falls apart: models (one, or several that beat each
            other) that won every battle against the rest, or lost every one, as
            (names, "won" or "lost")
    """

    groups: tuple[tuple[str, ...], ...]
    always: tuple[tuple[tuple[str, ...], str], ...]

    @property
    def rateable(self) -> bool:
        """Whether finite Bradley-Terry ratings exist (Ford 1957): between any two models leads a
        chain of wins in both directions."""
        return len(self.groups) == 1 and not self.always

    def report(self, most: int = 6) -> str:
        """What is wrong, in one sentence that lists at most that many names at a time; empty
        where nothing is wrong."""
        faults = []
        if len(self.groups) > 1:
            parts = " | ".join(_names(group, most) for group in self.groups[:most])
            faults.append(f"{len(self.groups)} groups of models never met each other ({parts})")
        # Where single models are named, the rest of the field needs no naming.
        alone = [entry for entry in self.always if len(entry[0]) == 1]
        for names, what in alone[:most] or self.always[:most]:
            whom = "every battle" if len(names) == 1 else "every battle against the others"
            faults.append(f"{_names(names, most)} {what} {whom}")
        if len(alone) > most:
            faults.append(f"{len(alone) - most} more models like these")
        return "; ".join(faults)


def examine(models: tuple[str, ...], won: Floats) -> Graph:
    """The graph of a matrix of wins, (M, M), as `PairCounts.won` holds them."""
    beats = won > 0
    connected = _components(beats | beats.T, "weak")
    classes = _components(beats, "strong")
    always = []
    for number in range(classes.max(initial=-1) + 1):
        inside = classes == number
        from_inside = bool(beats[inside][:, ~inside].any())
        from_outside = bool(beats[~inside][:, inside].any())
        if from_inside != from_outside:
            names = tuple(models[index] for index in np.flatnonzero(inside))
            always.append((names, "won" if from_inside else "lost"))
    groups = tuple(
        tuple(models[index] for index in np.flatnonzero(connected == number))
        for number in range(connected.max(initial=-1) + 1)
    )
    return Graph(groups, tuple(always))


def _components(edges: np.ndarray, connection: str) -> Ints:
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    labels = connected_components(csr_array(edges), directed=True, connection=connection)[1]
    return np.asarray(labels, dtype=np.intp)


def _names(names: tuple[str, ...], most: int) -> str:
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
