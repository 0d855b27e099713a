"""What a battle is about and who holds it: items drawn from evalsets, pairs by the policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from harness.arena.conversation import prompt_key
from harness.arena.counts import count_pairs
from harness.arena.pairing import believe, propose
from harness.arena.placing import noise
from harness.errors import HarnessError
from harness.items.schema import Item
from harness.store.battles import Selection, load_table

# A pair is one of so many that would tell most: whoever knows the ratings cannot name it.
CHOICES = 5


@dataclass(frozen=True)
class Draw:
    """A first prompt. key: what makes battles on it dependent; the rest of an item alone, but for
    the genre, which a voter may name."""

    prompt: str
    key: str
    suite: str = ""
    item_hash: str | None = None
    genre: str = ""


@dataclass(frozen=True)
class Pool:
    """The items that voters can draw, by the suite they come from."""

    suites: dict[str, tuple[Item, ...]]

    @property
    def genres(self) -> tuple[str, ...]:
        """Of all suites, in the order they come."""
        return tuple(dict.fromkeys(item.genre for items in self.suites.values() for item in items))

    def draw(self, suite: str, genre: str, random: Random) -> Item | None:
        """An item by chance; None where no suite or genre is so called."""
        found = [item for item in self.suites.get(suite, ()) if genre in ("", item.genre)]
        return random.choice(found) if found else None

    def find(self, item_hash: str) -> tuple[str, Item] | None:
        for suite, items in self.suites.items():
            for item in items:
                if item.hash == item_hash:
                    return suite, item
        return None


def open_pool(names: Sequence[str]) -> Pool:
    """The items of evalsets (by name or path) that can be asked as they stand.

    Raises HarnessError for an unknown name, a faulty evalset, or one whose items need a protocol
    around them (few-shot examples).
    """
    from harness.items.load import find_evalset, load_evalset

    suites: dict[str, tuple[Item, ...]] = {}
    for name in names:
        found = load_evalset(find_evalset(name))
        if shots := next((item for item in found.items if item.shots or item.instruction), None):
            raise HarnessError(
                f"--items {name}: {shots.id} is asked few-shot; name an evalset of plain items, "
                "e.g. mt-bench-ja or basics"
            )
        suites[found.name] = found.items
    return Pool(suites)


def of_item(suite: str, item: Item) -> Draw:
    return Draw(item.turns[0], item.cluster or item.hash, suite, item.hash, item.genre)


def of_text(prompt: str, genre: str) -> Draw:
    return Draw(prompt, prompt_key(prompt), genre=genre)


def draw_pair(
    store: Path, models: Sequence[str], playing: Sequence[tuple[str, str]], random: Random
) -> tuple[str, str]:
    """Left and right: one of the CHOICES battles that would tell most (`arena.pairing`), the sides
    by chance.

    playing  battles that are being held, which count as if they had ended in a tie, so that voters
             who come at once do not all get the same pair
    """
    names = tuple(sorted(models))
    size = len(names)
    won, spread = np.zeros((size, size)), 1.0
    try:
        table = load_table(store, Selection(("people",), models=names))
    except HarnessError:  # no votes yet
        pass
    else:
        counts = count_pairs(table)
        known = [names.index(name) for name in counts.models]
        won[np.ix_(known, known)] = counts.won
        spread = noise(table)
    for pair in playing:
        if set(pair) <= set(names):
            i, j = (names.index(name) for name in pair)
            won[i, j] += 0.5
            won[j, i] += 0.5
    chosen = random.choice(propose(believe(names, won, noise=spread), CHOICES))
    pair = (chosen.model_a, chosen.model_b)
    return pair if random.random() < 0.5 else pair[::-1]
