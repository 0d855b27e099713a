"""Several noisy estimates of like things, each drawn towards what they have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.statistics.clusters import Floats, finite


@dataclass(frozen=True, eq=False)
class Shrunk:
    """Posterior of each of n effects; all in the unit of the estimates.

    mean, sd  shape (n,)
    centre    what the effects are drawn from: its mean, with `centre_sd` its own error
    spread    standard deviation of the effects about the centre
    """

    mean: Floats
    sd: Floats
    centre: float
    centre_sd: float
    spread: float

    @property
    def unseen(self) -> tuple[float, float]:
        """Mean and standard deviation of a further effect of which nothing is known."""
        return self.centre, float(np.hypot(self.spread, self.centre_sd))


def shrink(
    values: Sequence[float] | Floats,
    errors: Sequence[float] | Floats,
    centre: float | None = None,
) -> Shrunk:
    """The normal hierarchical model, its hyperparameters estimated: value_i ~ N(θ_i, error_i²) and
    θ_i ~ N(μ, τ²).

    values, errors  shape (n,): estimates and their standard errors, above 0
    centre          μ where it is known; estimated by the precision-weighted mean elsewhere

    τ² is the moment estimate of DerSimonian and Laird (1986), 0 where the estimates differ by no
    more than their errors explain. Then θ_i is normal with precision 1/error_i² + 1/τ² (Gelman et
    al. 2013, "Bayesian Data Analysis", section 5.4); with an estimated μ its error is added:
    (1 − B_i)² of its variance, B_i = τ²/(τ² + error_i²).

    Raises ValueError: no values, lengths that differ, a value not finite, an error not above 0.
    """
    rows, sds = finite(values), finite(errors)
    if rows.size != sds.size or not (sds > 0).all():
        raise ValueError("expected one standard error above 0 for each value")
    weights = 1 / np.square(sds)
    common = float(weights @ rows / weights.sum()) if centre is None else centre
    q = float(weights @ np.square(rows - common))
    if centre is None:
        free = rows.size - 1
        scale = float(weights.sum() - np.square(weights).sum() / weights.sum())
    else:
        free, scale = rows.size, float(weights.sum())
    tau2 = max(0.0, (q - free) / scale) if scale > 1e-300 else 0.0
    total = 1 / (np.square(sds) + tau2)
    mu = float(total @ rows / total.sum()) if centre is None else centre
    mu_variance = float(1 / total.sum()) if centre is None else 0.0
    kept = tau2 / (tau2 + np.square(sds))
    mean = kept * rows + (1 - kept) * mu
    variance = kept * np.square(sds) + np.square(1 - kept) * mu_variance
    return Shrunk(mean, np.sqrt(variance), mu, mu_variance**0.5, tau2**0.5)
