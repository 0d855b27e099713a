"""Intervals and tests over scores: pure functions over arrays, each citing its source."""

from harness.statistics.means import Estimate, cluster_mean, mean_of_means

__all__ = ["Estimate", "cluster_mean", "mean_of_means"]
