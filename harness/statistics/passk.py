"""pass@k: the chance that at least one of k samples of a problem is right."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from harness.statistics.means import Estimate, cluster_mean


def pass_at_k(n: int, c: int, k: int) -> float:
    """The unbiased estimate of one problem's pass@k from n samples of which c are right:

        1 − C(n − c, k) / C(n, k)

    of Chen et al. (2021, "Evaluating Large Language Models Trained on Code", arXiv 2107.03374,
    section 2.1): the share of all sets of k samples that hold a right one. Taking the first k
    samples, or 1 − (1 − c/n)^k, is noisier or biased. Computed as a product of k or of c factors
    below 1, whichever are fewer, so that no binomial is formed and n may be large.

    Raises ValueError unless 0 ≤ c ≤ n and 1 ≤ k ≤ n: with fewer samples than k there is no
    unbiased estimate.
    """
    if not 0 <= c <= n:
        raise ValueError(f"{c} right of {n} samples: expected 0 to {n}")
    if not 1 <= k <= n:
        raise ValueError(f"k is {k} with {n} samples: expected 1 to {n}")
    if n - c < k:
        return 1.0
    # C(n−c, k)/C(n, k) is symmetric in c and k: the product of 1 − k/i over the last c of n, or of
    # 1 − c/i over the last k of n.
    fewer, other = sorted((c, k))
    missed = 1.0
    for i in range(n - fewer + 1, n + 1):
        missed *= 1 - other / i
    return 1 - missed


def mean_pass_at_k(
    counts: Sequence[tuple[int, int]],
    k: int,
    clusters: Sequence[Hashable | None] | None = None,
    level: float = 0.95,
) -> Estimate:
    """pass@k over problems, with an interval by problem.

    counts    (samples, right ones) of each problem; problems may have different numbers of samples
    clusters  as in `cluster_mean`: problems of equal key are dependent. Left out, none are

    The mean of the problems' estimates. Its error is that between problems, which holds the noise
    of each problem's samples within it; so it says what another draw of problems would give, not
    only another draw of samples.

    Raises ValueError as `pass_at_k` and `cluster_mean` do.
    """
    return cluster_mean([pass_at_k(n, c, k) for n, c in counts], clusters, level)
