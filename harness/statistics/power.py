"""How small a change a comparison can show, and how many items would show a given one."""

from __future__ import annotations

import math

from scipy import special


def items_needed(
    variance: float,
    margin: float,
    alpha: float = 0.05,
    power: float = 0.8,
    tau2: float = 0.0,
    pooled: int = 1,
) -> int | None:
    """Items at which a true drop of `margin` is found with the given power; None: no number is.

        n = (z₁₋α + z_power)² · variance / (margin² − (z₁₋α + z_power)² · τ²(1 + 1/k))

    variance  of one item's paired change: n · se² of a comparison seen, clusters and samples
              included; for binary scores share flipped − margin² (`items_needed_binary`)
    margin    the drop to find, in the unit of the scores, above 0
    alpha     one-sided level
    tau2      checkpoint noise, unit squared; `pooled` is k, the checkpoints in the baseline

    The normal sample-size formula of a one-sided paired test (e.g. Chow, Shao and Wang 2008,
    chapter 3), with the part of the variance that no item reduces on the other side.

    Raises ValueError: a margin not above 0, a negative variance, levels outside (0, 1).
    """
    _check(alpha, power, tau2, pooled)
    if not margin > 0:
        raise ValueError(f"margin is {margin}, expected a drop above 0")
    if not variance >= 0:
        raise ValueError(f"variance is {variance}, expected 0 or more")
    factor = _reach(alpha, power) ** 2
    room = margin**2 - factor * tau2 * (1 + 1 / pooled)
    if room <= 0:
        return None
    return max(1, math.ceil(factor * variance / room))


def items_needed_binary(
    discordant: float,
    margin: float,
    alpha: float = 0.05,
    power: float = 0.8,
    tau2: float = 0.0,
    pooled: int = 1,
) -> int | None:
    """`items_needed` of right-or-wrong items of which a share `discordant` flips either way.

    The variance under a true drop of `margin` is discordant − margin² (Connor 1987, "Sample size
    for testing differences in proportions for the paired-sample design"). With a drop of `margin`
    at least that share must flip, so a smaller one is raised to it.
    """
    if not 0 <= discordant <= 1:
        raise ValueError(f"the share of flips is {discordant}, expected 0 to 1")
    share = max(discordant, margin)
    return items_needed(max(0.0, share - margin**2), margin, alpha, power, tau2, pooled)


def detectable_change(
    se: float,
    df: float = math.inf,
    alpha: float = 0.05,
    power: float = 0.8,
    tau2: float = 0.0,
    pooled: int = 1,
) -> float:
    """The least true drop that a comparison with this error finds with the given power:
    (t₁₋α + t_power) · sqrt(se² + τ²(1 + 1/k)), Student's t with df degrees of freedom.

    Raises ValueError: a negative error, levels outside (0, 1).
    """
    _check(alpha, power, tau2, pooled)
    if not se >= 0:
        raise ValueError(f"the standard error is {se}, expected 0 or more")
    return _reach(alpha, power, df) * math.sqrt(se**2 + tau2 * (1 + 1 / pooled))


def unreachable(
    margin: float, tau2: float, pooled: int = 1, alpha: float = 0.05, power: float = 0.8
) -> bool:
    """Whether checkpoint noise alone hides a drop of `margin`, however many items are asked:
    margin < (z₁₋α + z_power) · sqrt(τ²(1 + 1/k)). Averaging more checkpoints can bring it back."""
    _check(alpha, power, tau2, pooled)
    return margin < _reach(alpha, power) * math.sqrt(tau2 * (1 + 1 / pooled))


def _reach(alpha: float, power: float, df: float = math.inf) -> float:
    return float(special.stdtrit(df, 1 - alpha) + special.stdtrit(df, power))


def _check(alpha: float, power: float, tau2: float, pooled: int) -> None:
    if not (0 < alpha < 1 and 0 < power < 1):
        raise ValueError(f"alpha {alpha} and power {power} must lie between 0 and 1")
    if not tau2 >= 0:
        raise ValueError(f"checkpoint noise τ² is {tau2}, expected 0 or more")
    if pooled < 1:
        raise ValueError(f"{pooled} checkpoints pooled in the baseline, expected 1 or more")
