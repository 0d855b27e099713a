"""Right-or-wrong items: McNemar's test of the flips and intervals for a rate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from scipy import special

RateMethod = Literal["wilson", "jeffreys", "clopper-pearson"]


@dataclass(frozen=True)
class McNemar:
    """Tests of "as many items broke as were mended".

    broken    items right at the baseline and wrong at the candidate
    mended    the other way round
    p_exact   two-sided exact p: never above its level, cautious with few flips
    p_mid     two-sided mid-p: its level on average
    p_drop    one-sided mid-p of "no more broke than were mended"; p_rise of the reverse
    """

    broken: int
    mended: int
    p_exact: float
    p_mid: float
    p_drop: float
    p_rise: float


def mcnemar(broken: int, mended: int) -> McNemar:
    """McNemar's (1947) test given the flips, which under no change are fair coins.

    Exact: the binomial test, doubling the smaller tail. Mid-p counts half of the observed outcome
    in each tail; Fagerland, Lydersen and Laake (2013, "The McNemar test for binary matched-pairs
    data: mid-p and asymptotic are better than exact conditional") recommend it.

    Flips must be independent: for items in clusters use `sign_flip`. Raises ValueError: a negative
    count.
    """
    if broken < 0 or mended < 0:
        raise ValueError(f"{broken} broken and {mended} mended: counts are 0 or more")
    flips = broken + mended
    # By symmetry P(X ≥ k) = P(X ≤ n − k).
    fewer = float(special.bdtr(broken, flips, 0.5))
    more = float(special.bdtr(mended, flips, 0.5))
    here = math.exp(
        math.lgamma(flips + 1)
        - math.lgamma(broken + 1)
        - math.lgamma(mended + 1)
        - flips * math.log(2)
    )
    drop, rise = more - here / 2, fewer - here / 2
    return McNemar(
        broken=broken,
        mended=mended,
        p_exact=min(1.0, 2 * min(fewer, more)),
        p_mid=min(1.0, 2 * min(drop, rise)),
        p_drop=drop,
        p_rise=rise,
    )


def rate_interval(
    right: int, n: int, level: float = 0.95, method: RateMethod = "wilson"
) -> tuple[float, float]:
    """A two-sided interval for the rate behind `right` of n independent trials.

    wilson           the score interval (Wilson 1927): good coverage on average, never empty
    jeffreys         equal tails of Beta(right + ½, n − right + ½), reaching 0 or 1 where none or
                     all are right (Brown, Cai and DasGupta 2001)
    clopper-pearson  beta quantiles that never undercover (Clopper and Pearson 1934)

    For scores in clusters, or not 0 and 1, use `cluster_mean`. Raises ValueError unless
    0 ≤ right ≤ n, n ≥ 1 and the level lies within (0, 1).
    """
    if not (0 <= right <= n and n >= 1):
        raise ValueError(f"{right} right of {n}: expected 0 to n, n at least 1")
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, expected a share between 0 and 1 such as 0.95")
    from scipy import stats

    tail = (1 - level) / 2
    if method == "wilson":
        z, share = float(stats.norm.isf(tail)), right / n
        centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
        reach = z / (1 + z**2 / n) * (share * (1 - share) / n + z**2 / (4 * n**2)) ** 0.5
        low, high = centre - reach, centre + reach
    elif method == "jeffreys":
        posterior = stats.beta(right + 0.5, n - right + 0.5)
        low, high = float(posterior.ppf(tail)), float(posterior.isf(tail))
    else:
        low = float(stats.beta.ppf(tail, right, n - right + 1)) if right else 0.0
        high = float(stats.beta.isf(tail, right + 1, n - right)) if right < n else 1.0
    return (0.0 if right == 0 else max(0.0, low)), (1.0 if right == n else min(1.0, high))
