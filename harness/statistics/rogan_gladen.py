"""The rate of right answers behind a judge that errs at known rates."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import stats


@dataclass(frozen=True)
class CorrectedRate:
    """A corrected rate with its error and interval, within [0, 1]; `naive` is the judge's own."""

    mean: float
    se: float
    low: float
    high: float
    level: float
    naive: float


def rogan_gladen(
    positive: int,
    n: int,
    right_positive: int,
    human_positive: int,
    right_negative: int,
    human_negative: int,
    level: float = 0.95,
) -> CorrectedRate:
    """The rate of right answers behind a judge that errs at known rates.

    positive         of n judged answers, those that the judge called right
    right_positive   of `human_positive` answers that humans called right, those that the judge did
                     too (sensitivity)
    right_negative   of `human_negative` that humans called wrong, those that the judge did too
                     (specificity)

        rate = (q + specificity − 1) / (sensitivity + specificity − 1)

    Rogan and Gladen (1978); the error by the delta method, the interval that of Lang and Reiczigel
    (2014, "Confidence limits for prevalence of disease adjusted for estimated sensitivity and
    specificity"), both within [0, 1]. Items must be independent, and the judge err on the new
    answers as on the labelled ones.

    Raises ValueError: counts that do not fit, a judge no better than chance.
    """
    for some, of in (
        (positive, n),
        (right_positive, human_positive),
        (right_negative, human_negative),
    ):
        if not (0 <= some <= of and of >= 1):
            raise ValueError(f"{some} of {of}: expected 0 to {of}, of at least 1")
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, expected a share between 0 and 1 such as 0.95")
    q, sensitivity = positive / n, right_positive / human_positive
    specificity = right_negative / human_negative
    if sensitivity + specificity <= 1:
        raise ValueError(
            f"sensitivity {sensitivity:.2f} and specificity {specificity:.2f}: the judge is no "
            "better than chance, and its scores cannot be corrected"
        )
    mean, se = _corrected(q, n, sensitivity, human_positive, specificity, human_negative)
    z = float(stats.norm.isf((1 - level) / 2))
    # The interval rests on counts with a few pseudo-observations, like that of Agresti and Coull.
    positives, negatives = human_positive + 2, human_negative + 2
    s, t = (right_positive + 1) / positives, (right_negative + 1) / negatives
    share = (positive + z**2 / 2) / (n + z**2)
    centre, error = _corrected(share, n + z**2, s, positives, t, negatives)
    shift = centre * s * (1 - s) / positives - (1 - centre) * t * (1 - t) / negatives
    shift *= 2 * z**2
    low, high = centre + shift - z * error, centre + shift + z * error
    mean = min(1.0, max(0.0, mean))
    return CorrectedRate(
        mean, se, min(mean, max(0.0, low)), max(mean, min(1.0, high)), level, naive=q
    )


def _corrected(
    q: float, n: float, sensitivity: float, positives: float, specificity: float, negatives: float
) -> tuple[float, float]:
    gain = sensitivity + specificity - 1
    rate = (q + specificity - 1) / gain
    variance = q * (1 - q) / n
    variance += rate**2 * sensitivity * (1 - sensitivity) / positives
    variance += (1 - rate) ** 2 * specificity * (1 - specificity) / negatives
    return rate, math.sqrt(variance) / gain
