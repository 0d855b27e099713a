"""A judge's mean corrected by a small set that humans scored too."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class CorrectedMean:
    """What humans would give on average, in the unit of the ratings.

    mean, se, low, high  the corrected mean, its standard error and interval
    judge_mean           what the judge gives over all items: off by its bias
    human_mean           what humans gave on their items alone: unbiased, with a wider interval
    weight               how much the judge is used, 0 (not at all) to 1
    df                   degrees of freedom of the interval's Student t
    """

    mean: float
    se: float
    low: float
    high: float
    judge_mean: float
    human_mean: float
    weight: float
    df: float
    level: float


def corrected_mean(
    human: Sequence[float],
    judged: Sequence[float],
    judged_only: Sequence[float],
    weight: float | None = None,
    level: float = 0.95,
) -> CorrectedMean:
    """Prediction-powered mean (Angelopoulos et al. 2023, Science 382:669), power-tuned
    (PPI++, arXiv 2311.01453): with weight λ, n items scored by both and N by the judge alone,

        mean = λ · mean(judged_only) + mean(human − λ · judged)
        se²  = λ² s²(judged_only)/N + s²(human − λ · judged)/n

    human, judged  what humans and the judge gave the same n items: one value per independent item
                   (the mean of its turns), in the same order; a random draw of all items
    judged_only    what the judge gave the N other items
    weight         λ; left out, cov(human, judged) / ((1 + n/N) s²(all judged)), within 0 to 1,
                   which makes the interval shortest; 1 is the untuned correction

    The interval takes Student's t with the degrees of freedom of Welch and Satterthwaite, since n
    is small. The weight is chosen from the same items, which for n below 20 or so makes the
    interval a little too short.

    Raises ValueError for lengths that differ, fewer than two items on either side, a value not
    finite, or a weight or level out of range.
    """
    y, f, u = (np.asarray(one, dtype=np.float64) for one in (human, judged, judged_only))
    n, others = y.size, u.size
    if n != f.size:
        raise ValueError(f"{n} human and {f.size} judge's ratings, expected one of each an item")
    if n < 2 or others < 2:
        raise ValueError(
            f"{n} items scored by both, {others} by the judge alone: expected two each"
        )
    if not all(np.isfinite(one).all() for one in (y, f, u)):
        raise ValueError("a rating is NaN or infinite: leave failed ones out and count them")
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, expected a share between 0 and 1 such as 0.95")
    if weight is None:
        spread = float(np.concatenate([f, u]).var(ddof=1))
        shared = float(((y - y.mean()) * (f - f.mean())).mean())
        weight = min(1.0, max(0.0, shared / ((1 + n / others) * spread))) if spread > 0 else 0.0
    elif not 0 <= weight <= 1:
        raise ValueError(f"weight is {weight}, expected 0 to 1")
    from scipy import stats

    rest = y - weight * f
    parts = (weight**2 * float(u.var(ddof=1)) / others, float(rest.var(ddof=1)) / n)
    variance = sum(parts)
    doubt = parts[0] ** 2 / (others - 1) + parts[1] ** 2 / (n - 1)
    df = variance**2 / doubt if doubt > 0 else float(n - 1)
    mean, se = weight * float(u.mean()) + float(rest.mean()), math.sqrt(variance)
    reach = float(stats.t.ppf(0.5 + level / 2, df)) * se
    judge_mean = float(np.concatenate([f, u]).mean())
    return CorrectedMean(
        mean, se, mean - reach, mean + reach, judge_mean, float(y.mean()), weight, df, level
    )
