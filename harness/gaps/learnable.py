"""The learnable fraction: the share of items that a checkpoint sometimes gets right.

What it always gets right teaches nothing new, and what it never gets right it cannot be shown to
reach by its own samples; data pay where 0 < pass@k < 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from scipy import special

# Jeffreys' prior of a share: a cell of three items of which none varied is not closed for ever.
_PRIOR = 0.5


@dataclass(frozen=True)
class ItemSamples:
    """One item's scored samples: how many, their mean, and the lowest and highest score."""

    samples: int
    mean: float
    lowest: float
    highest: float

    @property
    def varies(self) -> bool:
        """Whether some samples are better than others: for right-or-wrong items 0 < pass@k < 1."""
        return self.highest > self.lowest


@dataclass(frozen=True)
class Learnable:
    """A learnable fraction, 0.0 to 1.0.

    share     posterior mean: of items with several samples (varied + ½) / (items + 1)
    low high  its 90 % interval
    items     items it rests on
    samples   k, the most samples that an item has
    known     False where each item has a single sample: `share` is a guess from accuracy then, and
              the interval is the whole of it
    """

    share: float
    low: float
    high: float
    items: int
    samples: int
    known: bool


def learnable_fraction(items: Iterable[ItemSamples]) -> Learnable:
    """The learnable fraction of some items.

    From several samples an item: the items whose samples differ, with Jeffreys' prior Beta(½, ½)
    and its interval (Brown, Cai and DasGupta 2001). It grows with k; only fractions of one k are
    compared, and one evaluation has one k.

    With one sample an item nothing tells which items vary. The guess is 2·p·(1 − p), the chance
    that two samples differ if every item of the cell were as hard as their mean p, with p drawn to
    the middle as (right + ½) / (items + 1). It is too high where some items are always right and
    the others never, so ask again with `--samples 4` or more before trusting it.
    """
    rows = list(items)
    several = [one for one in rows if one.samples > 1]
    if not several:
        p = (sum(one.mean for one in rows) + _PRIOR) / (len(rows) + 2 * _PRIOR)
        return Learnable(2 * p * (1 - p), 0.0, 1.0, len(rows), 1, known=False)
    varied = sum(one.varies for one in several)
    a, b = varied + _PRIOR, len(several) - varied + _PRIOR
    low, high = (float(special.betaincinv(a, b, tail)) for tail in (0.05, 0.95))
    most = max(one.samples for one in several)
    return Learnable(a / (a + b), low, high, len(several), most, known=True)
