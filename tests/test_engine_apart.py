"""An engine in a process of its own answers as it does in ours, and its end is a sentence."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from harness.engines.apart import ApartEngine
from harness.engines.transformers import TransformersEngine
from harness.engines.types import UNWANTED, Engine, Generation, Hear, Request, Sampling
from harness.errors import HarnessError


class Spelling:
    """Answers with its prompt, letter by letter; "die" ends the process, "raise" raises."""

    name = "spelling"
    description = "spells"

    def generate(self, queue: deque[Request], hear: Hear | None = None) -> Iterator[Generation]:
        while queue:
            request = queue.popleft()
            assert isinstance(request.prompt, str)
            assert hear is not None
            if request.prompt == "die":
                os._exit(7)
            if request.prompt == "raise":
                raise ValueError("a kernel broke")
            for letter in request.prompt:
                if not hear(request.key, letter):
                    yield Generation(request.key, "", "error", error=UNWANTED)
                    break
                time.sleep(0.005)
            else:
                yield Generation(request.key, request.prompt, "stop")

    def close(self) -> None:
        pass


def refusing() -> Engine:
    raise HarnessError("this checkpoint is broken; write it again")


@pytest.fixture
def opened() -> Iterator[Callable[[Callable[[], Engine]], ApartEngine]]:
    engines: list[ApartEngine] = []

    def open_one(how: Callable[[], Engine]) -> ApartEngine:
        engines.append(ApartEngine(how))
        return engines[-1]

    yield open_one
    for engine in engines:
        engine.close()
        assert not engine._process.is_alive()


Open = Callable[[Callable[[], Engine]], ApartEngine]


def test_it_answers_as_the_engine_within(tiny_checkpoint: Path, opened: Open) -> None:
    how = partial(TransformersEngine, tiny_checkpoint, device="cpu")
    apart, near = opened(how), how()
    requests = [
        Request("greedy", "日本の文章", Sampling(max_tokens=12)),
        Request("drawn", "世界の問題", Sampling(0.8, 0.9, 12, seed=3)),
        Request("scored", "東京", continuations=("大学", "山")),
        Request("long", "あ" * 2000),
    ]
    heard: dict[str, str] = {}

    def hear(key: str, new: str) -> bool:
        heard[key] = heard.get(key, "") + new
        return True

    found = {one.key: one for one in apart.generate(deque(requests), hear)}
    wanted = {one.key: one for one in near.generate(deque(requests))}
    assert found.keys() == wanted.keys()
    for key, one in wanted.items():
        assert (found[key].text, found[key].finish_reason) == (one.text, one.finish_reason)
        assert found[key].likelihoods == pytest.approx(one.likelihoods)
        assert found[key].error == one.error
    assert heard == {key: wanted[key].text for key in ("greedy", "drawn")}
    assert near.name == apart.name
    assert near.description in apart.description


def test_requests_that_come_meanwhile_are_taken(opened: Open) -> None:
    queue = deque([Request("first", "abc")])
    found = []
    for answer in opened(Spelling).generate(queue):
        found.append(answer.text)
        if answer.key == "first":
            queue.append(Request("second", "de"))
    assert found == ["abc", "de"]


def test_who_wants_no_more_is_obeyed_and_an_abandoned_run_leaves_nothing(opened: Open) -> None:
    engine = opened(Spelling)
    long = Request("long", "x" * 10_000)
    (answer,) = engine.generate(deque([long]), lambda key, new: False)
    assert answer.error == UNWANTED
    running = engine.generate(deque([Request("short", "y"), Request("other", "z" * 10_000)]))
    assert next(running).key == "short"
    running.close()  # type: ignore[attr-defined]
    assert [one.key for one in engine.generate(deque([Request("last", "w")]))] == ["last"]


def test_ends_are_sentences(opened: Open) -> None:
    with pytest.raises(HarnessError, match="this checkpoint is broken"):
        ApartEngine(refusing)
    with pytest.raises(HarnessError, match="process ended with status 7"):
        list(opened(Spelling).generate(deque([Request("k", "die")])))
    with pytest.raises(RuntimeError, match="a kernel broke"):
        list(opened(Spelling).generate(deque([Request("k", "raise")])))
