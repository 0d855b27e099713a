"""Replicas on a real Ray cluster: every request is answered once, also when nodes are killed."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from harness.checkpoint import discover
from harness.engines.ray import RayCluster, RayEngine
from harness.engines.replica import open_same
from harness.engines.serving import EngineThread
from harness.engines.transformers import TransformersEngine
from harness.engines.types import Engine, Generation, Hear, Request, Sampling
from harness.errors import HarnessError
from tests.ray_cluster import Nodes, ray_cluster

pytest.importorskip("ray", reason="Ray is not installed: pip install 'harness[ray]'")


class Signing:
    """Answers a prompt with its process's id, and how many requests it held as it took this one;
    "die" ends the process, "raise" raises."""

    name = "signing"

    def __init__(self, pause: float = 0.0) -> None:
        self.description = "signing, by process"
        self._pause = pause

    def generate(self, queue: deque[Request], hear: Hear | None = None) -> Iterator[Generation]:
        while queue:
            held = len(queue)
            request = queue.popleft()
            if request.prompt == "die":
                os._exit(7)
            if request.prompt == "raise":
                raise ValueError("a kernel broke")
            time.sleep(self._pause)
            yield Generation(request.key, f"{request.prompt} {os.getpid()} {held}", "stop")

    def close(self) -> None:
        pass


# Requests that a replica may hold at once.
ROOM = 8


def refusing() -> Engine:
    raise HarnessError("this checkpoint is broken; write it again")


def asked(count: int) -> deque[Request]:
    return deque(Request(f"k{number:04}", f"問{number:04}") for number in range(count))


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with ray_cluster() as found:
        found.add()
        yield found


def spread(nodes: Nodes, pause: float = 0.0, replicas: int = 2) -> RayEngine:
    cluster = RayCluster(nodes.address, replicas, patience=120)
    return RayEngine(partial(Signing, pause), cluster, batch=4, room=ROOM)


def test_neighbours_go_to_one_replica_which_holds_no_more_than_its_room(nodes: Nodes) -> None:
    second = nodes.add()
    engine = spread(nodes, pause=0.02)
    signed = [one.text.split() for one in sorted(engine.generate(asked(160)), key=_key)]
    engine.close()
    nodes.kill(second)
    processes = [process for _, process, _ in signed]
    assert len(set(processes)) == 2
    # Two stretches, of which whoever ran dry took halves; batches dealt in turn change 39 times.
    assert sum(one != after for one, after in pairwise(processes)) <= 15
    assert max(int(held) for *_, held in signed) <= ROOM


def _key(generation: Generation) -> str:
    return generation.key


def test_a_node_killed_in_the_middle_costs_no_answer_and_a_new_one_joins(nodes: Nodes) -> None:
    doomed = nodes.add()
    engine = spread(nodes, pause=0.05)
    assert engine.name == "signing"
    assert engine.description == "signing, by process, 2 replicas on Ray"
    found: list[Generation] = []
    heard: list[str] = []
    for generation in engine.generate(asked(160), lambda key, new: heard.append(key) or True):
        found.append(generation)
        if len(found) == 24:
            nodes.kill(doomed)
    assert sorted(one.key for one in found) == [one.key for one in asked(160)]
    assert all(one.text.startswith("問" + one.key[1:]) for one in found)
    assert sorted(heard) == [one.key for one in asked(160)]
    by_process = Counter(one.text.split()[1] for one in found)
    assert len(by_process) == 2  # both took part; the killed one's are the survivor's
    survivor = {one.text.split()[1] for one in found[-40:]}
    assert len(survivor) == 1

    nodes.add()
    processes: set[str] = set()
    until = time.monotonic() + 240
    while len(processes - survivor) < 1 and time.monotonic() < until:
        processes |= {one.text.split()[1] for one in engine.generate(asked(40))}
    assert survivor < processes  # started anew on the node that joined
    engine.close()


def test_what_comes_meanwhile_is_answered_and_what_is_abandoned_is_not(nodes: Nodes) -> None:
    engine = spread(nodes, replicas=1)
    queue = asked(1)
    found = []
    for answer in engine.generate(queue):
        found.append(answer.key)
        if answer.key == "k0000":
            queue.append(Request("second", "問0000 続き"))
            threading.Timer(0.2, queue.append, [Request("third", "他")]).start()
            time.sleep(0.4)
    assert found[0] == "k0000"
    assert sorted(found) == ["k0000", "second", "third"]

    running = engine.generate(asked(100))
    next(running)
    running.close()  # type: ignore[attr-defined]
    assert [one.key for one in engine.generate(deque([Request("last", "終")]))] == ["last"]
    engine.close()


def test_many_threads_ask_the_replicas_at_once(nodes: Nodes) -> None:
    """As judges and teachers do."""
    thread = EngineThread(lambda: spread(nodes, pause=0.01, replicas=1))
    futures = [thread.submit(lambda one=one: one) for one in asked(60)]  # type: ignore[misc]
    assert [future.result(120).key for future in futures] == [one.key for one in asked(60)]
    thread.close()


def test_faults_are_sentences(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = RayCluster(nodes.address, 1, patience=120)
    with pytest.raises(HarnessError, match="no replica is left: this checkpoint is broken"):
        RayEngine(refusing, cluster)
    with pytest.raises(HarnessError, match="no node of the cluster has more than 0"):
        RayEngine(Signing, RayCluster(nodes.address, gpus=8))
    with pytest.raises(HarnessError, match="need 8 replicas at once, and the cluster has room for"):
        RayEngine(Signing, RayCluster(nodes.address, engines=8))
    engine = spread(nodes, replicas=1)
    with pytest.raises(HarnessError, match="3 replicas were lost with the same 1 requests"):
        list(engine.generate(deque([Request("k", "die")])))
    engine.close()
    engine = spread(nodes, replicas=1)
    with pytest.raises(HarnessError, match=r"3 replicas were lost.*a kernel broke"):
        list(engine.generate(deque([Request("k", "raise")])))
    engine.close()


def test_replicas_answer_as_one_engine_does(nodes: Nodes, tiny_checkpoint: Path) -> None:
    (checkpoint,) = discover(str(tiny_checkpoint))
    how = partial(open_same, tiny_checkpoint, checkpoint.fingerprint, name="transformers")
    requests = [
        *(Request(f"g{n}", f"日本の文章{n}", Sampling(max_tokens=12)) for n in range(8)),
        Request("drawn", "世界の問題", Sampling(0.8, 0.9, 12, seed=3)),
        Request("scored", "東京", continuations=("大学", "山")),
        Request("long", "あ" * 2000),
    ]
    engine = RayEngine(how, RayCluster(nodes.address, 2, patience=240), batch=3)
    found = {one.key: one for one in engine.generate(deque(requests))}
    engine.close()
    near = TransformersEngine(tiny_checkpoint, device="cpu")
    for one in near.generate(deque(requests)):
        other = found.pop(one.key)
        assert (other.text, other.finish_reason) == (one.text, one.finish_reason)
        # Batched otherwise, the last digit of a float32 may differ.
        assert len(other.likelihoods) == len(one.likelihoods)
        for got, wanted in zip(other.likelihoods, one.likelihoods, strict=True):
            assert got.tokens == wanted.tokens
            assert got.logprob == pytest.approx(wanted.logprob, abs=1e-4)
        assert other.error == one.error
    assert not found


def test_another_checkpoint_under_the_same_path_is_refused(tiny_checkpoint: Path) -> None:
    with pytest.raises(HarnessError, match="is another checkpoint than where the command runs"):
        open_same(tiny_checkpoint, "0" * 64, name="transformers")
    with pytest.raises(HarnessError, match="is not there on node"):
        open_same(tiny_checkpoint / "absent", "0" * 64, name="transformers")
