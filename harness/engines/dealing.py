"""Deals a queue out to replicas of an engine: neighbours to one replica, and work taken from
whoever has most left."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from harness.engines.types import Request

# Requests handed over at once: few enough that losing them costs little, many enough that a
# call between machines costs nothing.
BATCH = 32
# Requests that a replica holds at once: what vLLM computes together, by its own default on CPU.
ROOM = 256
# Requests that a replica has before it, so that those who withdraw theirs find most in the queue.
STRETCH = 1024


@dataclass
class _Lane:
    """What one replica will be asked next, and how many requests it holds already."""

    waiting: deque[Request] = field(default_factory=deque)
    flying: int = 0


class Dealing:
    """Lanes of requests, one for each replica.

    A queue that is sorted by text is dealt in contiguous stretches, so that what prompts share
    (few-shot examples) is computed by one replica's prefix cache and not by all of them.

    batch  requests handed over at once, at most
    room   requests that a replica holds at once, at most
    """

    def __init__(self, replicas: int, *, batch: int = BATCH, room: int = ROOM) -> None:
        self._lanes = [_Lane() for _ in range(replicas)]
        self._batch = batch
        self._room = room

    @property
    def waiting(self) -> int:
        """Requests in the lanes, held by no replica."""
        return sum(len(lane.waiting) for lane in self._lanes)

    def deal(
        self, queue: deque[Request], up: Collection[int]
    ) -> Iterator[tuple[int, list[Request]]]:
        """Takes requests from the left of the queue and yields (replica, batch) for those among
        `up` that have room. One that has run dry takes the latter half of the longest lane.

        A replica holds a batch until it is `answered` or `lost`.
        """
        self._take(queue, up)
        for replica in up:
            yield from self._batches(replica)
        for replica in up:
            if self._lanes[replica].flying < self._batch:
                self._steal(replica)
                yield from self._batches(replica)

    def answered(self, replica: int, count: int) -> None:
        """A replica holds so many requests less."""
        self._lanes[replica].flying -= count

    def lost(self, replica: int, held: Sequence[Request]) -> None:
        """A replica is gone; what it held is asked again, by whoever is free."""
        lane = self._lanes[replica]
        lane.flying = 0
        lane.waiting.extendleft(reversed(held))

    def follow(self, replica: int, request: Request) -> None:
        """Asks next the replica whose cache knows how the request begins."""
        self._lanes[replica].waiting.appendleft(request)

    def _take(self, queue: deque[Request], up: Collection[int]) -> None:
        """Deals the queue to replicas that have room and nothing before them, those that hold
        least first."""
        empty = [one for one in up if not self._lanes[one].waiting and self._free(one) > 0]
        empty.sort(key=lambda one: self._lanes[one].flying)
        for place, replica in enumerate(empty):
            share = -(-len(queue) // (len(empty) - place))
            self._lanes[replica].waiting.extend(_stretch(queue, min(share, STRETCH)))

    def _steal(self, replica: int) -> None:
        longest = max(self._lanes, key=lambda one: len(one.waiting)).waiting
        half = [longest.pop() for _ in range(-(-len(longest) // 2))]
        self._lanes[replica].waiting.extend(reversed(half))

    def _batches(self, replica: int) -> Iterator[tuple[int, list[Request]]]:
        lane = self._lanes[replica]
        while size := min(self._batch, self._free(replica), len(lane.waiting)):
            lane.flying += size
            yield replica, [lane.waiting.popleft() for _ in range(size)]

    def _free(self, replica: int) -> int:
        return self._room - self._lanes[replica].flying


def _stretch(queue: deque[Request], size: int) -> list[Request]:
    """Up to `size` requests from the left, ended early where what neighbours share ends."""
    taken: list[Request] = []
    while len(taken) < size:
        try:
            taken.append(queue.popleft())
        except IndexError:  # another thread withdrew the rest
            return taken
    end = _end(taken)
    queue.extendleft(reversed(taken[end:]))
    return taken[:end]


def _end(stretch: Sequence[Request]) -> int:
    """Where a stretch best ends: in its last quarter, between two neighbours that share less than
    half of what its last two do (another dataset begins there); else at its own end."""
    size = len(stretch)
    if size < 2:
        return size
    usual = _shared(stretch[-2], stretch[-1])
    least, end = min(
        ((_shared(stretch[at - 1], stretch[at]), at) for at in range(size - size // 4, size)),
        default=(usual, size),
    )
    return end if 2 * least < usual else size


def _shared(one: Request, other: Request) -> int:
    """Characters that two prompts have in common at their beginning."""
    first, second = str(one.prompt), str(other.prompt)
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first[:middle] == second[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
