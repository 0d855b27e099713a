"""A real Ray cluster on this machine: a head without CPUs, and nodes that can be killed."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest

from harness.engines.ray import SILENCE

# As the command does: before the first import of Ray.
os.environ.update(SILENCE)

# Bytes of each node's object store: answers are small.
STORE = 80 << 20
# Seconds that a node may take to start, however busy the machine.
PATIENCE = 180


class Nodes:
    """The nodes of a cluster besides its head, with a CPU each.

    home  directory of all that the cluster writes, its object stores included
    """

    def __init__(self, cluster: Any, home: str) -> None:
        self.cluster = cluster
        self.address: str = cluster.address
        self._home = home

    def add(self) -> Any:
        node = self.cluster.add_node(wait=False, num_cpus=1, **_arguments(self._home))
        self.cluster.wait_for_nodes(PATIENCE)
        return node

    def answers(self, node: Any) -> bool:
        """Whether a replica on the node has been asked something that it has not answered yet."""
        raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
        for worker in raylet.children():
            with contextlib.suppress(psutil.NoSuchProcess):
                if worker.cmdline()[:1] == ["ray::Replica.answer"]:
                    return True
        return False

    def kill(self, node: Any) -> None:
        """All processes of a node, at once."""
        self.cluster.remove_node(node, allow_graceful=False)


@contextmanager
def ray_apart() -> Iterator[str]:
    """While open, Ray keeps to a directory of its own, which is yielded: no other cluster of this
    machine is met or meets these, and nothing is left."""
    # Not pytest's directory: the path of a socket in it may have 107 bytes.
    home = tempfile.mkdtemp(prefix="ray-", dir="/tmp")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RAY_TMPDIR", home)
        environment.setenv("RAY_USAGE_STATS_ENABLED", "0")
        environment.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))  # else written to the home
        environment.delenv("RAY_ADDRESS", raising=False)
        try:
            yield home
        finally:
            shutil.rmtree(home, ignore_errors=True)


@contextmanager
def ray_cluster() -> Iterator[Nodes]:
    """Without nodes; the lost ones are noticed within seconds."""
    import ray
    from ray.cluster_utils import Cluster

    head = {
        "num_cpus": 0,
        "include_dashboard": False,
        "dashboard_agent_listen_port": 0,
        "_system_config": {
            "health_check_period_ms": 1000,
            "health_check_failure_threshold": 5,
            "health_check_timeout_ms": 30_000,  # a dead node refuses at once, a busy one is slow
            "worker_niceness": 0,  # Ray's own 15 would starve replicas where other tests run
        },
    }
    with ray_apart() as home:
        cluster = Cluster()
        try:
            cluster.add_node(wait=False, **head, **_arguments(home))
            cluster.wait_for_nodes(PATIENCE)
            yield Nodes(cluster, home)
        finally:
            ray.shutdown()
            cluster.shutdown()


def _arguments(home: str) -> dict[str, Any]:
    """Of every node; its store is a file, for /dev/shm may be small."""
    return {"object_store_memory": STORE, "plasma_directory": home}
