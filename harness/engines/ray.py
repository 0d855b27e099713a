"""Replicas of one checkpoint on a Ray cluster, behind the Protocol of a single engine.

Ray places the replicas (actors), says which are lost and carries requests and answers; what is ours
is which request goes where (`dealing`).
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from harness.engines.dealing import BATCH, ROOM, Dealing
from harness.engines.prompt import first_line
from harness.engines.replica import Replica
from harness.engines.types import Engine, Generation, Hear, Request
from harness.errors import HarnessError

log = logging.getLogger(__name__)

# Seconds between two looks at the queue, which others may fill meanwhile.
_BEAT = 0.05
# Seconds that the other replicas get after the first has opened, at the least.
_GRACE = 10.0
# How often a replica may be lost while it opens, and replicas with the same request, before that
# is no accident any more.
_LOSSES = 3
# Calls of one replica that may wait at once: each is a coroutine, and `room` is the real bound.
_CALLS = 1000
# Ray prints what it tells of nodes that end on standard output, which belongs to what a command
# prints, whatever `log_to_driver` says. Lines that this pattern finds are left out: all of them.
SILENCE = {"RAY_DEDUP_LOGS": "1", "RAY_DEDUP_LOGS_SKIP_REGEX": "^"}


@dataclass(frozen=True)
class RayCluster:
    """Where replicas run, and how many.

    address   "host:6379"; None: RAY_ADDRESS, else the cluster that this machine belongs to, else
              one of this machine alone, for as long as the command runs
    replicas  None: as many as fit the GPUs; without GPUs one for each node
    gpus      GPUs of one replica, over which vLLM spreads the model; None: 1 where there are any
    patience  seconds without any replica (a large model takes minutes to load), after which the
              cluster is given up
    engines   checkpoints that are asked side by side, each of which gets its part of the cluster
    """

    address: str | None = None
    replicas: int | None = None
    gpus: int | None = None
    patience: float = 1800.0
    engines: int = 1


class RayEngine:
    """Answers requests with several engines.

    open_engine  opens one of them on its node; picklable, as a module's functions and
                 `functools.partial` are
    batch, room  see `Dealing`

    A replica that is lost, with its process or with its node, has its requests answered by the
    others, and is replaced as soon as the cluster has room. Answers are heard whole.

    Raises HarnessError where Ray or the cluster cannot be had, or no replica opens.
    """

    def __init__(
        self,
        open_engine: Callable[[], Engine],
        cluster: RayCluster,
        *,
        batch: int = BATCH,
        room: int = ROOM,
    ) -> None:
        _connect(cluster.address)
        import ray

        count, options = _resources(cluster)
        actor: Any = ray.remote(Replica)
        actor = actor.options(**options, scheduling_strategy="SPREAD", max_concurrency=_CALLS)
        self._make: Callable[[], Any] = partial(actor.remote, open_engine)
        self._actors = [self._make() for _ in range(count)]
        self._patience = cluster.patience
        self._batch, self._room = batch, room
        self._up: list[int] = []
        self._opening: dict[Any, int] = {}
        self._losses: Counter[str | int] = Counter()  # by request, and by replica not yet open
        self._described: dict[int, str] = {}  # by themselves
        self._fault = ""  # why the last one that did not open did not
        for replica in range(count):
            self._opening[self._actors[replica].ready.remote()] = replica
        try:
            self._await_first()
        except BaseException:
            self.close()
            raise

    @property
    def name(self) -> str:
        return " and ".join(sorted({one.split(",")[0] for one in self._described.values()}))

    @property
    def description(self) -> str:
        # Each node picks its engine and its threads by itself.
        kinds = " and ".join(sorted(set(self._described.values())))
        return f"{kinds}, {len(self._actors)} replicas on Ray"

    def generate(self, queue: deque[Request], hear: Hear | None = None) -> Iterator[Generation]:
        import ray

        dealing = Dealing(len(self._actors), batch=self._batch, room=self._room)
        flying: dict[Any, tuple[int, list[Request]]] = {}
        try:
            while queue or dealing.waiting or flying:
                for replica, batch in dealing.deal(queue, self._up):
                    flying[self._actors[replica].answer.remote(batch)] = replica, batch
                if self._up and not flying:  # the rest was withdrawn
                    continue
                for ref in self._wait(list(flying)):
                    if ref not in flying:  # lost with another batch of its replica
                        continue
                    replica, batch = flying[ref]
                    try:
                        answers = ray.get(ref)
                    except ray.exceptions.RayError as error:
                        held = [one for one, (where, _) in flying.items() if where == replica]
                        lost = [request for one in held for request in flying.pop(one)[1]]
                        dealing.lost(replica, lost)
                        self._lose(replica, lost, error)
                        continue
                    del flying[ref]
                    dealing.answered(replica, len(batch))
                    for request, generation in zip(batch, answers, strict=True):
                        if hear is not None and generation.finish_reason != "error":
                            hear(generation.key, generation.text)
                        yield generation
                        if (after := _follow_up(queue, request)) is not None:
                            dealing.follow(replica, after)
        finally:
            # The caller may stop early; what it no longer wants must not run on.
            for replica in {replica for replica, _ in flying.values()}:
                self._actors[replica].withdraw.remote()

    def close(self) -> None:
        """Ends the replicas; the cluster goes on."""
        import ray

        for actor in self._actors:
            with contextlib.suppress(ray.exceptions.RayError):
                ray.kill(actor)
        self._up, self._opening = [], {}

    def _renew(self, replica: int) -> None:
        """Another replica in place of a lost one, as soon as Ray finds room for it."""
        import ray

        # One whose engine raised, or whose node does not answer, still has its place.
        ray.kill(self._actors[replica])
        self._actors[replica] = self._make()
        self._opening[self._actors[replica].ready.remote()] = replica

    def _await_first(self) -> None:
        """Waits for a replica; the others get as long again, lest the first take all."""
        began = time.monotonic()
        until = None
        while self._opening and (until is None or time.monotonic() < until):
            self._wait([])
            now = time.monotonic()
            if self._up and until is None:
                until = now + max(_GRACE, now - began)
        log.info("%d of %d replicas are up", len(self._up), len(self._actors))

    def _wait(self, refs: list[Any]) -> list[Any]:
        """Those of the calls that have ended, after a moment at most; replicas that have opened
        meanwhile are up. Raises HarnessError where there is none any more."""
        import ray

        since = time.monotonic()
        while waiting := [*refs, *self._opening]:
            ended, _ = ray.wait(waiting, timeout=_BEAT)
            for ref in ended:
                if ref in self._opening:
                    self._opened(ref)
            if self._up or refs:
                return [ref for ref in ended if ref in refs]
            if time.monotonic() - since > self._patience:
                raise HarnessError(
                    f"no replica in {self._patience:.0f} seconds; `ray status` says what the "
                    "cluster has and what it waits for"
                )
        raise HarnessError(f"no replica is left: {self._fault}")

    def _opened(self, ref: Any) -> None:
        import ray

        replica = self._opening.pop(ref)
        try:
            self._described[replica] = ray.get(ref)
        except ray.exceptions.RayError as error:
            self._fault = _reason(error)
            log.warning("a replica did not open: %s", self._fault)
            self._losses[replica] += 1
            # A sentence of its own would be the same the next time.
            if self._losses[replica] < _LOSSES and not isinstance(_cause(error), HarnessError):
                self._renew(replica)
            else:
                ray.kill(self._actors[replica])
            return
        self._losses[replica] = 0
        self._up.append(replica)

    def _lose(self, replica: int, held: list[Request], error: Exception) -> None:
        """Has a lost replica replaced. Raises HarnessError where several were lost with the same,
        for then these requests, or the engine, are at fault."""
        reason = _reason(error)
        self._losses.update(request.key for request in held)
        worn = sum(self._losses[request.key] >= _LOSSES for request in held)
        if worn:
            raise HarnessError(
                f"{_LOSSES} replicas were lost with the same {worn} requests: {reason}; `ray logs` "
                "has more, and repeating the command goes on from here"
            )
        log.warning("a replica was lost, its requests go to the others: %s", reason)
        self._up.remove(replica)
        self._renew(replica)


def _connect(address: str | None) -> None:
    """Joins the cluster, once for each process."""
    os.environ.update(SILENCE)  # read when Ray is imported
    try:
        import ray
    except ImportError:
        raise HarnessError(
            "--on ray: Ray is not installed; run: pip install 'harness[ray]'"
        ) from None
    if ray.is_initialized():
        return
    try:
        # What replicas print is in Ray's logs.
        ray.init(address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # Ray raises whatever its parts do
        raise HarnessError(
            f"no Ray cluster at {address or 'the usual place'} ({first_line(error)}); start one "
            "with `ray start --head`"
        ) from error


def _resources(cluster: RayCluster) -> tuple[int, dict[str, float]]:
    """How many replicas, and what each asks Ray for. Raises HarnessError for more than any node
    has, or than there is for all checkpoints that are asked side by side."""
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    most = max((int(node.get("GPU", 0)) for node in nodes), default=0)
    gpus = min(1, most) if cluster.gpus is None else cluster.gpus
    if gpus > most:
        raise HarnessError(
            f"a replica is to have {gpus} GPUs, but no node of the cluster has more than {most}"
        )
    if gpus:
        fitting = sum(int(node.get("GPU", 0)) // gpus for node in nodes)
        return _count(cluster, fitting, fitting), {"num_gpus": gpus, "num_cpus": 1}
    working = [int(node.get("CPU", 0)) for node in nodes if node.get("CPU", 0) >= 1]
    if not working:
        raise HarnessError("the cluster's nodes offer neither GPUs nor CPUs to a replica")
    count = _count(cluster, sum(working), len(working))
    # The CPUs of the smallest node, where more replicas than nodes share them.
    share = min(working) // -(-count * cluster.engines // len(working))
    return count, {"num_gpus": 0, "num_cpus": max(1, share)}


def _count(cluster: RayCluster, fitting: int, usual: int) -> int:
    """Replicas of one checkpoint, of `fitting` at most; `usual` where it is alone."""
    if cluster.engines == 1:
        return cluster.replicas or usual  # more than fit join when there is room
    most = fitting // cluster.engines
    count = cluster.replicas or min(usual, most)
    if not 0 < count <= most:
        raise HarnessError(
            f"{cluster.engines} checkpoints asked side by side need "
            f"{cluster.engines * max(1, count)} replicas at once, and the cluster has room for "
            f"{fitting}; add nodes, or serve one of the checkpoints elsewhere"
        )
    return count


def _follow_up(queue: deque[Request], request: Request) -> Request | None:
    """The request that the caller has just appended where it continues an answered one."""
    try:
        last = queue[-1]
        if not str(last.prompt).startswith(str(request.prompt)):
            return None
        return queue.pop()
    except IndexError:
        return None


def _reason(error: Exception) -> str:
    """One line: of what an engine raised, the sentence itself."""
    return first_line(_cause(error) or error)


def _cause(error: Exception) -> Exception | None:
    """What was raised in a replica; None where the replica itself is gone."""
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, Exception) else None
