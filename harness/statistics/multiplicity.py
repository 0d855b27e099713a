"""Adjusted p-values for many tests at once: Holm for a gate, Benjamini-Hochberg to explore."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.statistics.clusters import Floats


def holm(p_values: Sequence[float] | Floats) -> Floats:
    """Adjusted p-values that keep the chance of any false alarm at the level compared against.

    Holm (1979): with the p in ascending order, the i-th of m becomes max over j ≤ i of
    (m − j + 1)·p_j, at most 1. Valid under any dependence of the tests.

    p_values  shape (m,), within [0, 1]; the answer is in the same order. ValueError otherwise.
    """
    p = _checked(p_values)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1))
    return _restored(stepped, order)


def benjamini_hochberg(p_values: Sequence[float] | Floats) -> Floats:
    """Adjusted p-values that keep the expected share of false alarms among alarms at the level.

    Benjamini and Hochberg (1995): the i-th smallest of m becomes min over j ≥ i of p_j·m/j. Valid
    for independent tests and for positively dependent ones (Benjamini and Yekutieli 2001).

    p_values  shape (m,), within [0, 1]; the answer is in the same order. ValueError otherwise.
    """
    p = _checked(p_values)
    order = np.argsort(p, kind="stable")
    scaled = p[order] * (p.size / np.arange(1, p.size + 1))
    return _restored(np.minimum.accumulate(scaled[::-1])[::-1], order)


def _checked(p_values: Sequence[float] | Floats) -> Floats:
    p = np.asarray(p_values, dtype=np.float64)
    # `not all` also refuses NaN.
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise ValueError("expected a row of p-values between 0 and 1")
    return p


def _restored(adjusted: Floats, order: np.ndarray) -> Floats:
    answer = np.empty(adjusted.size)
    answer[order] = np.minimum(adjusted, 1.0)
    return answer
