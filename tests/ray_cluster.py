"""A real Ray cluster on this machine: a head without CPUs, and nodes that can be killed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

# Bytes of each node's object store: answers are small.
STORE = 80 << 20


class Nodes:
    """The nodes of a cluster besides its head, with a CPU each."""

    def __init__(self, cluster: Any) -> None:
        self.cluster = cluster
        self.address: str = cluster.address

    def add(self) -> Any:
        node = self.cluster.add_node(num_cpus=1, object_store_memory=STORE)
        self.cluster.wait_for_nodes()
        return node

    def kill(self, node: Any) -> None:
        """All processes of a node, at once."""
        self.cluster.remove_node(node, allow_graceful=False)


@contextmanager
def ray_cluster() -> Iterator[Nodes]:
    """Without nodes; the lost ones are noticed within seconds."""
    import ray
    from ray.cluster_utils import Cluster

    head = {
        "num_cpus": 0,
        "object_store_memory": STORE,
        "include_dashboard": False,
        "_system_config": {
            "health_check_period_ms": 1000,
            "health_check_failure_threshold": 5,
            "worker_niceness": 0,  # Ray's own 15 would starve replicas where other tests run
        },
    }
    try:
        cluster = Cluster(initialize_head=True, head_node_args=head)
    except Exception as error:  # Ray gives a node half a minute to start, however busy the machine
        pytest.skip(f"Ray does not start here: {error}")
    try:
        yield Nodes(cluster)
    finally:
        ray.shutdown()
        cluster.shutdown()
