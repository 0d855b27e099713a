"""vLLM in this process against the transformers engine: same tokens, same likelihoods."""

from __future__ import annotations

import os
import random
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.engines.hardware import gpu_count
from harness.engines.transformers import TransformersEngine
from harness.engines.types import UNWANTED, Engine, Generation, Message, Request, Sampling
from tests.conftest import ALPHABET

pytest.importorskip("vllm")


@dataclass(frozen=True)
class Pair:
    """Both engines on one checkpoint, and what happened to the vLLM engine before this one."""

    vllm: Engine
    reference: Engine
    before: dict[str, Generation]
    distributed_after_close: bool
    preload_kept: bool


@pytest.fixture(scope="module")
def pair(tiny_checkpoint: Path, tiny_base_checkpoint: Path) -> Iterator[Pair]:
    """One vLLM engine is opened, asked and closed before the one that the tests use."""
    import torch

    from harness.engines.vllm import VllmEngine

    if gpu_count():
        pytest.skip("both engines are compared in float32 on CPU")
    preload = os.environ.get("LD_PRELOAD")
    set_num_threads = torch.set_num_threads
    first = VllmEngine(tiny_base_checkpoint)
    before = ask(first, *greedy(12, seed=5))
    first.close()
    distributed = torch.distributed.is_initialized() or torch.set_num_threads != set_num_threads
    second = VllmEngine(tiny_checkpoint)
    yield Pair(
        second,
        TransformersEngine(tiny_checkpoint, device="cpu"),
        before,
        distributed,
        os.environ.get("LD_PRELOAD") == preload,
    )
    second.close()


def ask(engine: Engine, *requests: Request) -> dict[str, Generation]:
    return {generation.key: generation for generation in engine.generate(deque(requests))}


def texts(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    return ["".join(rng.choices(ALPHABET, k=2 + 9 * index)) for index in range(count)]


def greedy(count: int, seed: int = 0, **settings: float) -> list[Request]:
    sampling = Sampling(max_tokens=24, **settings)  # type: ignore[arg-type]
    return [Request(f"g{i}", text, sampling) for i, text in enumerate(texts(count, seed))]


def same(found: dict[str, Generation], wanted: dict[str, Generation]) -> None:
    assert found.keys() == wanted.keys()
    for key, answer in wanted.items():
        assert found[key].token_ids == answer.token_ids, key
        assert found[key].text == answer.text
        assert found[key].finish_reason == answer.finish_reason
        assert found[key].prompt_tokens == answer.prompt_tokens
        assert found[key].completion_tokens == answer.completion_tokens
        assert found[key].error == answer.error


def test_greedy_answers_are_equal_token_for_token(pair: Pair) -> None:
    requests = greedy(40)
    assert len({len(request.prompt) for request in requests}) == 40
    found = ask(pair.vllm, *requests)
    same(found, ask(pair.reference, *requests))
    assert sum(answer.completion_tokens for answer in found.values()) > 40 * 12


def test_repetition_penalty_is_equal(pair: Pair) -> None:
    requests = greedy(8, seed=1, repetition_penalty=1.5)
    same(ask(pair.vllm, *requests), ask(pair.reference, *requests))


def test_stop_strings_cut_alike(pair: Pair) -> None:
    free = ask(pair.reference, *greedy(8, seed=2))
    requests = [
        Request(
            request.key,
            request.prompt,
            Sampling(max_tokens=24, stop=(free[request.key].text[3:5] or "。", "", "決して")),
        )
        for request in greedy(8, seed=2)
    ]
    found = ask(pair.vllm, *requests)
    same(found, ask(pair.reference, *requests))
    assert any(answer.finish_reason == "stop" for answer in found.values())


def test_likelihoods_are_equal(pair: Pair) -> None:
    """Single tokens, shared beginnings, an empty one, long ones; among other work."""
    rng = random.Random(3)
    requests = [
        Request(
            f"s{i}",
            text,
            continuations=("あ", "い", "", "日本の山", "日本の川", "山" * rng.randint(1, 40)),
        )
        for i, text in enumerate(texts(32, seed=3))
    ]
    requests.append(Request("letters", "日" * 300, continuations=tuple(sorted(set(ALPHABET)))))
    queue = [request for both in zip(requests, greedy(33), strict=True) for request in both]
    found, wanted = ask(pair.vllm, *queue), ask(pair.reference, *queue)
    for request in requests:
        mine, theirs = found[request.key].likelihoods, wanted[request.key].likelihoods
        assert len(mine) == len(request.continuations)
        for a, b in zip(mine, theirs, strict=True):
            assert a.tokens == b.tokens
            # Sums of up to 40 rounded numbers.
            assert a.logprob == pytest.approx(b.logprob, abs=1e-4, rel=1e-6)


def test_likelihoods_do_not_come_from_an_unfilled_cache(pair: Pair) -> None:
    """Continuations that share whole cache blocks behind the prompt, asked twice."""
    request = Request(
        "k", "日本" * 40, continuations=("山" * 350, "山" * 300 + "川", "山" * 349 + "人")
    )
    wanted = ask(pair.reference, request)["k"].likelihoods
    for _ in range(2):
        found = ask(pair.vllm, request)["k"].likelihoods
        for a, b in zip(found, wanted, strict=True):
            assert a.tokens == b.tokens
            assert a.logprob == pytest.approx(b.logprob, rel=1e-5)


def test_a_shared_prefix_is_cached(pair: Pair) -> None:
    shots = "".join(random.Random(9).choices(ALPHABET, k=300))
    ask(pair.vllm, Request("first", shots + "山", Sampling(max_tokens=1)))
    answer = ask(pair.vllm, Request("second", shots + "川", Sampling(max_tokens=1)))["second"]
    assert 0 < answer.cached_tokens < answer.prompt_tokens
    scored = ask(pair.vllm, Request("third", shots + "人", continuations=("あ", "い")))["third"]
    assert scored.cached_tokens == answer.cached_tokens


def test_a_seeded_answer_does_not_depend_on_its_batch(pair: Pair) -> None:
    sampled = Sampling(temperature=1.0, top_p=0.95, seed=11, max_tokens=20)
    alone = ask(pair.vllm, Request("k", "日本の山", sampled))["k"]
    crowd = [
        Request(f"{i}", text, Sampling(temperature=1.3, seed=i % 3, max_tokens=30))
        for i, text in enumerate(texts(20, seed=4))
    ]
    for position in (0, 7, 20):
        queue = [*crowd[:position], Request("k", "日本の山", sampled), *crowd[position:]]
        assert ask(pair.vllm, *queue)["k"].token_ids == alone.token_ids
    other = Sampling(temperature=1.0, top_p=0.95, seed=12, max_tokens=20)
    assert ask(pair.vllm, Request("k", "日本の山", other))["k"].token_ids != alone.token_ids


def test_seeded_prompts_may_be_longer_together_than_one_step(pair: Pair) -> None:
    rng = random.Random(8)
    sampled = [Sampling(temperature=1.0, seed=place, max_tokens=3) for place in range(12)]
    requests = [
        Request(f"l{place}", "".join(rng.choices(ALPHABET, k=450)), one)
        for place, one in enumerate(sampled)
    ]
    found = ask(pair.vllm, *requests)
    assert {answer.finish_reason for answer in found.values()} == {"length"}
    assert len(found) == 12


def test_what_cannot_be_answered_is_an_error_generation(pair: Pair) -> None:
    requests = [
        Request("long", "あ" * 600),
        Request("empty", ""),
        Request("messages", (Message("user", "山"),)),
        Request("choices", "あ" * 510, continuations=("あ", "あいう")),
        Request("edge", "あ" * 500, Sampling(max_tokens=64)),
        Request("whole", "あ" * 500, continuations=("い" * 12, "う")),
    ]
    found, wanted = ask(pair.vllm, *requests), ask(pair.reference, *requests)
    same(found, wanted)
    assert sum(answer.finish_reason == "error" for answer in found.values()) == 4
    odd = ask(pair.vllm, Request("hot", "山", Sampling(temperature=3.0)))["hot"]
    assert odd.finish_reason == "error"
    assert "temperature" in (odd.error or "")


def test_answers_are_heard_as_they_grow_until_nobody_wants_them(pair: Pair) -> None:
    requests = greedy(4)
    plain = ask(pair.vllm, *requests)
    unwanted = requests[2].key
    heard: dict[str, str] = dict.fromkeys(plain, "")

    def hear(key: str, new: str) -> bool:
        heard[key] += new
        return key != unwanted

    answers = {one.key: one for one in pair.vllm.generate(deque(requests), hear)}
    assert (answers[unwanted].finish_reason, answers[unwanted].error) == ("error", UNWANTED)
    for key in plain.keys() - {unwanted}:
        assert answers[key].text == plain[key].text
        assert 0 < len(heard[key]) <= len(plain[key].text)
        assert plain[key].text.startswith(heard[key])


def test_an_abandoned_run_leaves_nothing_behind(pair: Pair) -> None:
    run = pair.vllm.generate(deque(greedy(6)))
    next(run)
    run.close()  # type: ignore[attr-defined]
    requests = greedy(6, seed=6)
    same(ask(pair.vllm, *requests), ask(pair.reference, *requests))


@settings(max_examples=12, deadline=None)
@given(
    first=st.lists(st.sampled_from(["answer", "score", "fail"]), max_size=12),
    later=st.lists(st.sampled_from(["answer", "score", "fail"]), max_size=12),
)
def test_every_request_yields_exactly_one_generation(
    pair: Pair, first: list[str], later: list[str]
) -> None:
    def request(kind: str, index: int) -> Request:
        if kind == "score":
            return Request(f"{index}", "日本", continuations=("山", "川人"))
        text = "山" * (600 if kind == "fail" else index + 1)
        return Request(f"{index}", text, Sampling(max_tokens=1 + index % 4))

    queue = deque(request(kind, index) for index, kind in enumerate(first))
    waiting = [request(kind, len(first) + index) for index, kind in enumerate(later)]
    seen: Counter[str] = Counter()
    for generation in pair.vllm.generate(queue):
        seen[generation.key] += 1
        if waiting:
            queue.append(waiting.pop())
        if len(seen) >= len(first):
            queue.extend(waiting)
            waiting.clear()
    total = len(first) + (len(later) if first else 0)
    assert seen == Counter({f"{index}": 1 for index in range(total)})


def test_engines_can_follow_one_another(pair: Pair, tiny_base_checkpoint: Path) -> None:
    reference = TransformersEngine(tiny_base_checkpoint, device="cpu")
    same(pair.before, ask(reference, *greedy(12, seed=5)))
    assert not pair.distributed_after_close
    assert pair.preload_kept


def test_name_and_description(pair: Pair) -> None:
    assert pair.vllm.name == "vllm 0.32.0"
    assert pair.vllm.description.startswith("vllm 0.32.0, cpu, float32, ")
