"""Judge means corrected by human labels, so that a biased judge does not bias them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from harness.statistics.clusters import Floats, Keys, clustered_mean, finite


@dataclass(frozen=True)
class CorrectedMean:
    """A corrected mean with its error and interval, in the unit of the scores.

    naive   the judge's own mean
    weight  λ of prediction-powered inference: 0 is the human labels alone, 1 trusts the judge's
            differences fully; None where another method was used
    """

    mean: float
    se: float
    low: float
    high: float
    level: float
    naive: float
    weight: float | None = None


def prediction_powered_mean(
    human: Sequence[float] | Floats,
    judged: Sequence[float] | Floats,
    unlabelled: Sequence[float] | Floats,
    human_clusters: Keys | None = None,
    unlabelled_clusters: Keys | None = None,
    level: float = 0.95,
    weight: float | None = None,
) -> CorrectedMean:
    """The mean that human labels would have, from few of them and many judgments.

    human       the human scores of n items;  judged: the judge's scores of those same items
    unlabelled  the judge's scores of N further items
    clusters    as in `partition`; no cluster may have items on both sides
    weight      λ; left out, the one of least variance

        mean = λ · mean(unlabelled) + mean(human − λ · judged)

    Angelopoulos et al. (2023, "Prediction-powered inference", Science 382) with the power tuning of
    Angelopoulos, Duchi and Zrnic (2023, "PPI++", arXiv 2311.01453, example 6.1):
    λ = cov(human, judged) / ((1 + n/N) var(judged)), within [0, 1]. The error adds the clustered
    (CR2) variances of both means, the interval uses t with Welch's degrees of freedom. Unbiased
    for any judge, provided that the labelled items are a random sample of all.

    Raises ValueError: faulty rows, fewer than two clusters on a side.
    """
    labels, own, rest = finite(human), finite(judged), finite(unlabelled)
    if labels.size != own.size:
        raise ValueError(f"{labels.size} human scores for {own.size} of the judge")
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, expected a share between 0 and 1 such as 0.95")
    if weight is None:
        weight = _tuned(labels, own, rest)
    correction = clustered_mean(labels - weight * own, human_clusters)
    predicted = clustered_mean(weight * rest, unlabelled_clusters)
    variance = correction.se**2 + predicted.se**2
    doubt = correction.se**4 / correction.df + predicted.se**4 / predicted.df
    df = variance**2 / doubt if doubt > 0 else math.inf
    reach = float(stats.t.ppf(0.5 + level / 2, df)) * math.sqrt(variance)
    mean = predicted.mean + correction.mean
    naive = float((own.sum() + rest.sum()) / (own.size + rest.size))
    return CorrectedMean(
        mean, math.sqrt(variance), mean - reach, mean + reach, level, naive, weight
    )


def rogan_gladen(
    positive: int,
    n: int,
    right_positive: int,
    human_positive: int,
    right_negative: int,
    human_negative: int,
    level: float = 0.95,
) -> CorrectedMean:
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
    return CorrectedMean(
        mean, se, min(mean, max(0.0, low)), max(mean, min(1.0, high)), level, naive=q
    )


def _tuned(labels: Floats, own: Floats, rest: Floats) -> float:
    """Covariance over the labelled, variance over all that the judge scored."""
    spread = float(np.concatenate([own, rest]).var(ddof=1))
    if spread == 0:
        return 0.0
    together = float(((labels - labels.mean()) * (own - own.mean())).mean())
    return min(1.0, max(0.0, together / ((1 + own.size / rest.size) * spread)))


def _corrected(
    q: float, n: float, sensitivity: float, positives: float, specificity: float, negatives: float
) -> tuple[float, float]:
    gain = sensitivity + specificity - 1
    rate = (q + specificity - 1) / gain
    variance = q * (1 - q) / n
    variance += rate**2 * sensitivity * (1 - sensitivity) / positives
    variance += (1 - rate) ** 2 * specificity * (1 - specificity) / negatives
    return rate, math.sqrt(variance) / gain
