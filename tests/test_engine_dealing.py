"""A queue dealt out to replicas: nothing is lost or asked twice, neighbours stay together."""

from __future__ import annotations

import random
from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from harness.engines.dealing import Dealing
from harness.engines.types import Request


def requests(count: int, start: str = "") -> list[Request]:
    return [Request(f"{start}{number:04}", f"{start}{number:04}") for number in range(count)]


@given(
    count=st.integers(0, 300),
    replicas=st.integers(1, 5),
    batch=st.integers(1, 40),
    room=st.integers(1, 80),
    seed=st.integers(0, 10_000),
)
def test_every_request_is_answered_once_whatever_is_lost(
    count: int, replicas: int, batch: int, room: int, seed: int
) -> None:
    chance = random.Random(seed)
    dealing = Dealing(replicas, batch=batch, room=room)
    queue = deque(requests(count))
    held: dict[int, list[list[Request]]] = {one: [] for one in range(replicas)}
    answered: list[str] = []
    up = set(range(replicas))
    late = 0
    while queue or dealing.waiting or any(held.values()):
        for one, some in dealing.deal(queue, up):
            held[one].append(some)
        assert all(len(some) <= batch for all_of_one in held.values() for some in all_of_one)
        assert all(sum(map(len, all_of_one)) <= room for all_of_one in held.values())
        # Whoever is up has something to do while anything waits.
        assert not dealing.waiting or all(held[one] for one in up)
        busy = [one for one in held if held[one]]
        one = chance.choice(busy)
        if len(up) > 1 and chance.random() < 0.1:
            dealing.lost(one, [request for some in held.pop(one) for request in some])
            held[one] = []
            up.remove(one)
        else:
            some = held[one].pop(chance.randrange(len(held[one])))
            dealing.answered(one, len(some))
            answered += [request.key for request in some]
        if chance.random() < 0.2:
            up = set(range(replicas))
        if late < 5 and chance.random() < 0.1:  # a second turn
            late += 1
            dealing.follow(one, Request(f"late{late}", "late"))
    wanted = [request.key for request in requests(count)] + [
        f"late{number + 1}" for number in range(late)
    ]
    assert sorted(answered) == sorted(wanted)


def dealt(dealing: Dealing, queue: deque[Request], replicas: int) -> list[list[str]]:
    """What each replica is given at first."""
    parts: list[list[str]] = [[] for _ in range(replicas)]
    for replica, batch in dealing.deal(queue, range(replicas)):
        parts[replica] += [request.key for request in batch]
    return parts


def test_neighbours_go_to_one_replica() -> None:
    queue = deque(requests(120))
    parts = dealt(Dealing(3, batch=8, room=64), queue, 3)
    assert [len(part) for part in parts] == [40, 40, 40]
    assert [key for part in parts for key in part] == [one.key for one in requests(120)]


def test_a_stretch_ends_where_another_dataset_begins() -> None:
    queue = deque(requests(45, "数学の例題が続く。" * 9) + requests(55, "次の文を要約する。" * 9))
    first, second = dealt(Dealing(2, batch=100, room=100), queue, 2)
    assert len(first) == 45
    assert all(key.startswith("数") for key in first)
    assert len(second) == 55


def test_who_runs_dry_takes_the_latter_half_of_the_longest_lane() -> None:
    dealing = Dealing(2, batch=4, room=4)
    queue = deque(requests(24))  # 0 to 11 are the first one's, 12 to 23 the second's
    assert [batch[0].key for _, batch in dealing.deal(queue, [0, 1])] == ["0000", "0012"]
    for start in ("0016", "0020", "0008"):  # the second replica is fast
        dealing.answered(1, 4)
        ((replica, batch),) = dealing.deal(queue, [0, 1])
        assert replica == 1
        assert batch[0].key == start


def test_no_replica_is_given_more_than_its_share_of_a_short_queue() -> None:
    parts = dealt(Dealing(4), deque(requests(10)), 4)
    assert sorted(map(len, parts)) == [2, 2, 3, 3]
