"""Intervals and tests over scores: pure functions over arrays, each citing its source."""

from harness.statistics.means import Estimate, cluster_mean, mean_of_means
from harness.statistics.passk import mean_pass_at_k, pass_at_k

__all__ = ["Estimate", "cluster_mean", "mean_of_means", "mean_pass_at_k", "pass_at_k"]
