"""How well benchmarks' scores agree with ratings: rank correlations with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import special


@dataclass(frozen=True)
class Correlation:
    """A rank correlation over n models with its interval; None where it is not defined: fewer
    than two models or no spread (value), fewer than five models (the interval)."""

    n: int
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Agreement:
    """How a genre's scores order the models, against their ratings."""

    genre: str
    spearman: Correlation
    kendall: Correlation

    def to_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = {"genre": self.genre, "models": self.spearman.n}
        for name in ("spearman", "kendall"):
            values = asdict(getattr(self, name))
            found |= {
                name: values["value"],
                f"{name}_low": values["low"],
                f"{name}_high": values["high"],
            }
        return found


def spearman(ratings: Sequence[float], scores: Sequence[float], level: float = 0.95) -> Correlation:
    """Spearman's ρ; interval by Fisher's z with variance (1 + ρ²/2)/(n − 3) (Bonett and Wright
    2000)."""
    from scipy import stats

    value = _value(stats.spearmanr, ratings, scores)
    n = len(ratings)
    error = None if value is None or n < 5 else math.sqrt((1 + value**2 / 2) / (n - 3))
    return _fisher(n, value, error, level)


def kendall(ratings: Sequence[float], scores: Sequence[float], level: float = 0.95) -> Correlation:
    """Kendall's τ-b; interval by Fisher's z with variance 0.437/(n − 4) (Fieller, Hartley and
    Pearson 1957; Bonett and Wright 2000)."""
    from scipy import stats

    value = _value(stats.kendalltau, ratings, scores)
    n = len(ratings)
    error = None if value is None or n < 5 else math.sqrt(0.437 / (n - 4))
    return _fisher(n, value, error, level)


def _value(method: Any, ratings: Sequence[float], scores: Sequence[float]) -> float | None:
    one, other = np.asarray(ratings, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if one.size != other.size:
        raise ValueError(f"{one.size} ratings for {other.size} scores")
    if one.size < 2 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return float(method(one, other).statistic)


def _fisher(n: int, value: float | None, error: float | None, level: float) -> Correlation:
    if value is None or error is None:
        return Correlation(n, value, None, None)
    reach = float(special.ndtri(0.5 + level / 2)) * error
    # A perfect order has no finite z; it is taken for the last one short of perfect.
    z = math.atanh(max(-1 + 1e-9, min(1 - 1e-9, value)))
    if abs(value) > 1 - 1e-9:
        z = math.copysign(math.atanh(1 - 1 / n**2), value)
    low, high = math.tanh(z - reach), math.tanh(z + reach)
    return Correlation(n, value, min(low, value), max(high, value))
