"""Intervals and tests over scores: pure functions over arrays, each citing its source."""

from harness.statistics.clusters import ClusteredMean, clustered_mean, partition
from harness.statistics.decide import Decision, Verdict, correct, decide, decide_paired
from harness.statistics.means import Estimate, cluster_mean, mean_of_means
from harness.statistics.multiplicity import benjamini_hochberg, holm
from harness.statistics.paired import (
    PairedData,
    PairedDifference,
    paired_data,
    paired_difference,
)
from harness.statistics.passk import mean_pass_at_k, pass_at_k
from harness.statistics.power import (
    detectable_change,
    items_needed,
    items_needed_binary,
    unreachable,
)

__all__ = [
    "ClusteredMean",
    "Decision",
    "Estimate",
    "PairedData",
    "PairedDifference",
    "Verdict",
    "benjamini_hochberg",
    "cluster_mean",
    "clustered_mean",
    "correct",
    "decide",
    "decide_paired",
    "detectable_change",
    "holm",
    "items_needed",
    "items_needed_binary",
    "mean_of_means",
    "mean_pass_at_k",
    "paired_data",
    "paired_difference",
    "partition",
    "pass_at_k",
    "unreachable",
]
