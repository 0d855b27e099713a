"""The verdict on one change against a practical margin: regressed, improved, held, inconclusive."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

from scipy import special

from harness.statistics.multiplicity import benjamini_hochberg, holm
from harness.statistics.paired import PairedDifference
from harness.statistics.power import (
    detectable_change,
    items_needed,
    items_needed_binary,
    unreachable,
)

Correction = Literal["holm", "benjamini-hochberg"]
Verdict = Literal["regressed", "improved", "held", "inconclusive"]


@dataclass(frozen=True)
class Decision:
    """A verdict and what it rests on; the unit of the scores, positive is a rise.

    se            with checkpoint noise: sqrt(clustered se² + τ²(1 + 1/k))
    df            degrees of freedom of change/se
    low high      two-sided interval at `level` = 1 − 2α: its ends are the two one-sided tests
    p_regressed   one-sided p of "no drop", corrected where the caller corrected it; p_improved too
    noninferior   whether a drop of the margin or more is excluded: low > −margin. A gate that only
                  fears a drop may pass on it, whatever the verdict
    items_needed  items at which a true drop of the margin would be found; None where margin is 0,
                  the variance of an item is unknown, or no number suffices
    unreachable   checkpoint noise alone hides the margin: pool checkpoints, items do not help
    mde           the least drop that this comparison finds with the power asked for
    """

    verdict: Verdict
    change: float
    se: float
    df: float
    low: float
    high: float
    level: float
    margin: float
    p_regressed: float
    p_improved: float
    noninferior: bool
    items_needed: int | None
    unreachable: bool
    mde: float

    def to_dict(self) -> dict[str, str | float | int | bool | None]:
        """Plain values for JSON; infinite degrees of freedom become None."""
        return asdict(self) | {"df": self.df if math.isfinite(self.df) else None}


def decide(
    change: float,
    se: float,
    df: float,
    margin: float,
    tau2: float = 0.0,
    pooled: int = 1,
    alpha: float = 0.05,
    power: float = 0.8,
    *,
    tau_df: float = math.inf,
    p_regressed: float | None = None,
    p_improved: float | None = None,
    variance: float | None = None,
    discordant: float | None = None,
) -> Decision:
    """The verdict on a change of `change` with clustered error `se` on `df` degrees of freedom.

    margin       δ ≥ 0: a drop smaller than this does not matter in practice
    tau2         variance of the score between neighbouring checkpoints that no real change
                 explains, known on `tau_df` degrees of freedom; `pooled` is k, the checkpoints
                 averaged in the baseline
    alpha        one-sided level of each verdict; power that items and mde are stated at
    p_regressed  replaces the test's own p, as when it was corrected for many metrics or comes from
                 an exact test; p_improved likewise
    variance     of one item's change (`PairedDifference.variance`), or the share `discordant` of
                 binary items that flipped: for `items_needed`

    With the interval change ± t₁₋α·sqrt(se² + τ²(1 + 1/k)), degrees of freedom by Welch and
    Satterthwaite, the first of these that is true:

        held          −δ < low and high < δ: equivalence, two one-sided tests (Schuirmann 1987)
        regressed     high < 0 and p_regressed ≤ α: a real drop, not shown to be within the margin
        improved      low > 0 and p_improved ≤ α: a real rise, not shown to be within the margin
        inconclusive  the rest

    Regressed is a test against 0, since that is the test whose false-alarm rate under no change is
    α and whose power against a drop of δ the items-needed formula states. It is not a test against
    −δ, which would find a drop of exactly δ with power α only. The margin enters as the exit: a
    drop that is real but surely smaller than δ is `held`, so more data never turn a harmless drop
    into an alarm. What follows, and leaves no contradictory case: a regressed change has low ≤ −δ,
    so it is never non-inferior (Piaggio et al. 2012) and its own size exceeds δ/2; held is always
    non-inferior; regressed and improved exclude each other; with δ = 0 nothing is held. A p above
    the interval's own (corrected, or exact) only moves a case from regressed to inconclusive; one
    below it moves none.

    Raises ValueError: a negative se, margin or tau2, a value not finite, levels outside (0, ½).
    """
    if not (math.isfinite(change) and math.isfinite(se) and se >= 0):
        raise ValueError(f"change {change} and standard error {se} must be finite, the error ≥ 0")
    if not (math.isfinite(margin) and margin >= 0):
        raise ValueError(f"margin is {margin}, expected 0 or more")
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha is {alpha}, expected a one-sided level between 0 and 0.5")
    mde = detectable_change(se, df, alpha, power, tau2, pooled)
    noise = tau2 * (1 + 1 / pooled)
    total = math.sqrt(se**2 + noise)
    freedom = _welch(se**2, df, noise, tau_df)
    reach = float(special.stdtrit(freedom, 1 - alpha)) * total
    low, high = change - reach, change + reach
    if p_regressed is None:
        p_regressed = _below(change, total, freedom)
    if p_improved is None:
        p_improved = _below(-change, total, freedom)
    return Decision(
        verdict=_verdict(low, high, margin, p_regressed, p_improved, alpha),
        change=change,
        se=total,
        df=freedom,
        low=low,
        high=high,
        level=1 - 2 * alpha,
        margin=margin,
        p_regressed=p_regressed,
        p_improved=p_improved,
        noninferior=low > -margin,
        items_needed=_items(variance, discordant, margin, alpha, power, tau2, pooled),
        unreachable=unreachable(margin, tau2, pooled, alpha, power),
        mde=mde,
    )


def decide_paired(
    found: PairedDifference,
    margin: float,
    tau2: float = 0.0,
    pooled: int = 1,
    alpha: float = 0.05,
    power: float = 0.8,
    *,
    tau_df: float = math.inf,
    p_regressed: float | None = None,
    p_improved: float | None = None,
) -> Decision:
    """`decide` on a paired difference; binary items without clusters by their share of flips."""
    flips = found.discordant if found.clusters == found.n else None
    return decide(
        found.change,
        found.se,
        found.df,
        margin,
        tau2,
        pooled,
        alpha,
        power,
        tau_df=tau_df,
        p_regressed=p_regressed,
        p_improved=p_improved,
        variance=found.variance,
        discordant=flips,
    )


def correct(decisions: Sequence[Decision], method: Correction = "holm") -> list[Decision]:
    """The decisions on many metrics of one comparison, with their p corrected for their number.

    method  "holm" keeps the chance of any false alarm at α, for a gate; "benjamini-hochberg" the
            share of false ones among the alarms, to explore

    The p of a drop are one family, those of a rise another. Intervals, and with them what has held,
    stay as they are: a correction only takes alarms away.
    """
    if not decisions:
        return []
    adjust = holm if method == "holm" else benjamini_hochberg
    drops = adjust([decision.p_regressed for decision in decisions]).tolist()
    rises = adjust([decision.p_improved for decision in decisions]).tolist()
    return [
        replace(
            one,
            verdict=_verdict(one.low, one.high, one.margin, drop, rise, (1 - one.level) / 2),
            p_regressed=drop,
            p_improved=rise,
        )
        for one, drop, rise in zip(decisions, drops, rises, strict=True)
    ]


def _verdict(
    low: float, high: float, margin: float, p_regressed: float, p_improved: float, alpha: float
) -> Verdict:
    if -margin < low and high < margin:
        return "held"
    if high < 0 and p_regressed <= alpha:
        return "regressed"
    if low > 0 and p_improved <= alpha:
        return "improved"
    return "inconclusive"


def _welch(first: float, first_df: float, second: float, second_df: float) -> float:
    """Degrees of freedom of the sum of two independent variances (Welch 1947)."""
    doubt = first**2 / first_df + second**2 / second_df
    return (first + second) ** 2 / doubt if doubt > 0 else math.inf


def _below(change: float, se: float, df: float) -> float:
    """One-sided p of "no drop"; without any error the sign alone decides."""
    if se == 0:
        return 0.0 if change < 0 else 1.0
    return float(special.stdtr(df, change / se))


def _items(
    variance: float | None,
    discordant: float | None,
    margin: float,
    alpha: float,
    power: float,
    tau2: float,
    pooled: int,
) -> int | None:
    if margin == 0:
        return None
    if discordant is not None:
        return items_needed_binary(discordant, margin, alpha, power, tau2, pooled)
    if variance is not None:
        return items_needed(variance, margin, alpha, power, tau2, pooled)
    return None
