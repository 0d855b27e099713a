"""The transformers engine on a tiny random checkpoint, against plain forward passes."""

from __future__ import annotations

import random
import shutil
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.engines.decoding import draw, find_stop
from harness.engines.transformers import TransformersEngine
from harness.engines.types import UNWANTED, Generation, Message, Request, Sampling
from harness.errors import HarnessError
from tests.conftest import ALPHABET

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def engine(tiny_checkpoint: Path) -> Iterator[TransformersEngine]:
    engine = TransformersEngine(tiny_checkpoint, device="cpu", batch_size=4)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def model(tiny_checkpoint: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(tiny_checkpoint, dtype=torch.float32).eval()


def ask(engine: TransformersEngine, *requests: Request) -> dict[str, Generation]:
    return {generation.key: generation for generation in engine.generate(deque(requests))}


def prompts(count: int, seed: int = 0) -> list[str]:
    rng = random.Random(seed)
    return ["".join(rng.choices(ALPHABET, k=rng.randint(2, 60))) for _ in range(count)]


def test_batched_greedy_equals_one_token_at_a_time(engine: TransformersEngine, model: Any) -> None:
    texts = prompts(9)
    answers = ask(engine, *(Request(text, text, Sampling(max_tokens=12)) for text in texts))
    for text in texts:
        ids = engine._tokenizer.encode(text, add_special_tokens=False)
        new: list[int] = []
        while len(new) < 12:
            with torch.no_grad():
                token = int(model(torch.tensor([ids + new])).logits[0, -1].argmax())
            if token == engine._tokenizer.eos_token_id:
                break
            new.append(token)
        assert answers[text].token_ids == tuple(new)
        assert answers[text].finish_reason == ("length" if len(new) == 12 else "stop")
        assert answers[text].completion_tokens == len(new)


def test_end_token_ends_an_answer_and_is_no_part_of_it(
    engine: TransformersEngine, model: Any
) -> None:
    ends = [
        answer
        for answer in ask(
            engine,
            *(
                Request(f"{i}", text, Sampling(temperature=2.0, seed=i, max_tokens=120))
                for i, text in enumerate(prompts(8))
            ),
        ).values()
        if answer.finish_reason == "stop"
    ]
    assert ends
    for answer in ends:
        assert engine._tokenizer.eos_token_id not in answer.token_ids
        assert "</s>" not in answer.text
        assert answer.completion_tokens < 120


def test_likelihoods_equal_a_plain_forward_pass(engine: TransformersEngine, model: Any) -> None:
    texts = prompts(6, seed=1)
    choices = ("あ", "い", "日本の山", "日本の川", "")
    answers = ask(engine, *(Request(text, text, continuations=choices) for text in texts))
    for text in texts:
        ids = engine._tokenizer.encode(text, add_special_tokens=False)
        for choice, found in zip(choices, answers[text].likelihoods, strict=True):
            more = engine._tokenizer.encode(choice, add_special_tokens=False)
            with torch.no_grad():
                table = model(torch.tensor([ids + more])).logits[0].log_softmax(-1)
            wanted = sum(
                float(table[len(ids) - 1 + index, token]) for index, token in enumerate(more)
            )
            assert found.tokens == len(more)
            assert found.logprob == pytest.approx(wanted, abs=1e-4)


def test_a_shared_beginning_changes_no_answer(engine: TransformersEngine, model: Any) -> None:
    """Few-shot prompts: two groups with a long beginning each, and strangers."""
    beginnings = ["日本の問題。" * 20, "東京大学の人口。" * 16]
    texts = [head + text for head in beginnings for text in prompts(6, seed=3)] + prompts(3, seed=4)
    answers = ask(engine, *(Request(text, text, Sampling(max_tokens=8)) for text in texts))
    cached = 0
    for text in texts:
        ids = engine._tokenizer.encode(text, add_special_tokens=False)
        new: list[int] = []
        while len(new) < 8:
            with torch.no_grad():
                token = int(model(torch.tensor([ids + new])).logits[0, -1].argmax())
            if token == engine._tokenizer.eos_token_id:
                break
            new.append(token)
        assert answers[text].token_ids == tuple(new)
        assert answers[text].prompt_tokens == len(ids)
        cached += answers[text].cached_tokens
    # All but one of each batch in a group are spared its beginning of 120 tokens or more.
    assert cached >= 4 * 120
    penalised = Sampling(max_tokens=8, repetition_penalty=1.3)
    alone = {text: ask(engine, Request(text, text, penalised))[text].text for text in texts[:4]}
    together = ask(engine, *(Request(text, text, penalised) for text in texts[:4]))
    assert alone == {text: together[text].text for text in texts[:4]}


@pytest.mark.parametrize("family", ["llama", "gemma"])
def test_a_shared_beginning_changes_no_likelihood(
    tiny_checkpoint: Path, tmp_path: Path, family: str
) -> None:
    """Prompts behind common few-shot text, and a model whose layers see a short window only."""
    from transformers import AutoModelForCausalLM, Gemma3ForCausalLM, Gemma3TextConfig

    path = tiny_checkpoint
    if family == "gemma":
        path = tmp_path / "gemma"
        shutil.copytree(tiny_checkpoint, path)
        torch.manual_seed(0)
        config = Gemma3TextConfig(
            vocab_size=160,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=3,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=16,
            sliding_window=12,
            layer_types=["sliding_attention", "full_attention", "sliding_attention"],
            max_position_embeddings=512,
            initializer_range=0.2,
        )
        Gemma3ForCausalLM(config).save_pretrained(path)
    engine = TransformersEngine(path, device="cpu", batch_size=5)
    plain = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()
    shots = "日本の山は三つ、東京の大学は二つ。" * 4
    choices = ("あ", "い", "日本の山", "日本の川", "山" * 20)
    texts = [shots + text for text in prompts(6, seed=8)]
    answers = ask(engine, *(Request(text, text, continuations=choices) for text in texts))
    for text in texts:
        ids = engine._tokenizer.encode(text, add_special_tokens=False)
        for choice, found in zip(choices, answers[text].likelihoods, strict=True):
            more = engine._tokenizer.encode(choice, add_special_tokens=False)
            with torch.no_grad():
                table = plain(torch.tensor([ids + more])).logits[0].log_softmax(-1)
            wanted = sum(
                float(table[len(ids) - 1 + index, token]) for index, token in enumerate(more)
            )
            assert found.logprob == pytest.approx(wanted, abs=2e-4)


def test_a_seeded_answer_does_not_depend_on_its_batch(engine: TransformersEngine) -> None:
    text, *others = prompts(12, seed=2)
    sampled = Sampling(temperature=1.0, top_p=0.95, seed=7, max_tokens=20)
    alone = ask(engine, Request("k", text, sampled))["k"]
    crowd = [Request(other, other, Sampling(temperature=1.5, seed=1)) for other in others]
    for position in (0, 5, len(crowd)):
        mixed = ask(engine, *crowd[:position], Request("k", text, sampled), *crowd[position:])
        assert mixed["k"].token_ids == alone.token_ids
    seeds = {
        ask(
            engine,
            Request("k", text, Sampling(temperature=1.0, seed=seed, max_tokens=20)),
        )["k"].text
        for seed in range(4)
    }
    assert len(seeds) == 4


def test_repetition_penalty_sees_prompt_and_answer_but_not_padding(
    engine: TransformersEngine, model: Any
) -> None:
    text = "日本の山" * 3
    sampling = Sampling(max_tokens=10, repetition_penalty=1.8)
    padded = ask(engine, Request("k", text, sampling), Request("long", "あ" * 50, sampling))["k"]
    ids = engine._tokenizer.encode(text, add_special_tokens=False)
    new: list[int] = []
    for _ in range(10):
        with torch.no_grad():
            logits = model(torch.tensor([ids + new])).logits[0, -1]
        for token in set(ids + new):
            logits[token] = logits[token] / 1.8 if logits[token] > 0 else logits[token] * 1.8
        if int(logits.argmax()) == engine._tokenizer.eos_token_id:
            break
        new.append(int(logits.argmax()))
    assert padded.token_ids == tuple(new)


def test_stop_strings_are_per_request_and_cut(engine: TransformersEngine) -> None:
    text = prompts(1, seed=3)[0]
    free = ask(engine, Request("k", text, Sampling(max_tokens=16)))["k"]
    stop = free.text[5:7]
    answers = ask(
        engine,
        Request("stopped", text, Sampling(max_tokens=16, stop=(stop, "決して出ない"))),
        Request("free", text, Sampling(max_tokens=16)),
    )
    assert answers["free"].text == free.text
    assert answers["stopped"].text == free.text[: free.text.index(stop)]
    assert answers["stopped"].finish_reason == "stop"


def test_answers_are_heard_as_they_grow(engine: TransformersEngine) -> None:
    texts = prompts(6)
    requests = [Request(text, text, Sampling(max_tokens=9)) for text in texts]
    plain = ask(engine, *requests)
    heard: dict[str, list[str]] = {text: [] for text in texts}

    def hear(key: str, new: str) -> bool:
        heard[key].append(new)
        return True

    answers = {one.key: one for one in engine.generate(deque(requests), hear)}
    assert {key: one.text for key, one in answers.items()} == {
        key: one.text for key, one in plain.items()
    }
    for key, answer in answers.items():
        assert "".join(heard[key]) == answer.text
        assert len(heard[key]) > 1


def test_an_answer_nobody_wants_ends_and_its_neighbours_do_not(engine: TransformersEngine) -> None:
    texts = prompts(3)
    requests = [Request(text, text, Sampling(max_tokens=30)) for text in texts]
    plain = ask(engine, *requests)
    answers = {
        one.key: one for one in engine.generate(deque(requests), lambda key, _: key != texts[1])
    }
    assert (answers[texts[1]].finish_reason, answers[texts[1]].error) == ("error", UNWANTED)
    for key in (texts[0], texts[2]):
        assert answers[key].text == plain[key].text


def test_what_cannot_be_answered_is_an_error_generation(engine: TransformersEngine) -> None:
    answers = ask(
        engine,
        Request("long", "あ" * 600),
        Request("empty", ""),
        Request("messages", (Message("user", "山"),)),
        Request("choices", "あ" * 510, continuations=("あ", "あいう")),
        Request("edge", "あ" * 500, Sampling(max_tokens=64, temperature=1.0, seed=3)),
    )
    for key in ("long", "empty", "messages", "choices"):
        assert answers[key].finish_reason == "error"
        assert answers[key].error
    assert "600 tokens" in (answers["long"].error or "")
    assert answers["edge"].finish_reason in ("stop", "length")
    assert answers["edge"].completion_tokens <= 12


@settings(max_examples=15, deadline=None)
@given(
    first=st.lists(st.sampled_from(["answer", "score", "fail"]), max_size=9),
    later=st.lists(st.sampled_from(["answer", "score", "fail"]), max_size=9),
    every=st.integers(1, 4),
)
def test_every_request_yields_exactly_one_generation(
    engine: TransformersEngine, first: list[str], later: list[str], every: int
) -> None:
    def request(kind: str, index: int) -> Request:
        if kind == "score":
            return Request(f"{index}", "日本", continuations=("山", "川人"))
        return Request(
            f"{index}", "山" * (600 if kind == "fail" else index + 1), Sampling(max_tokens=4)
        )

    queue = deque(request(kind, index) for index, kind in enumerate(first))
    waiting = [request(kind, len(first) + index) for index, kind in enumerate(later)]
    expected = len(first) + (len(later) if first else 0)
    seen: Counter[str] = Counter()
    for count, generation in enumerate(engine.generate(queue)):
        seen[generation.key] += 1
        # Like second turns: they come while the engine runs, the rest at the last moment.
        last = count + 1 == len(first) + len(later) - len(waiting)
        while waiting and (last or count % every == 0):
            queue.append(waiting.pop())
            if not last:
                break
    assert seen == Counter({f"{index}": 1 for index in range(expected)})


@pytest.mark.parametrize(
    "error",
    [
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        MemoryError(),
    ],
    ids=["cuda", "allocator", "python"],
)
def test_out_of_memory_halves_the_batch_and_goes_on(
    tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    engine = TransformersEngine(tiny_checkpoint, device="cpu", batch_size=8)
    forward = engine._model.forward
    texts = prompts(10, seed=4)
    requests = [Request(text, text, Sampling(max_tokens=5)) for text in texts]
    wanted = ask(engine, *requests)

    def cramped(*args: Any, **kwargs: Any) -> Any:
        if kwargs["input_ids"].shape[0] > 2:
            raise error
        return forward(*args, **kwargs)

    monkeypatch.setattr(engine._model, "forward", cramped)
    scores = [Request(f"s{i}", text, continuations=("あ",)) for i, text in enumerate(texts)]
    found = ask(engine, *requests, *scores)
    assert engine.batch_size == 2
    assert {key: found[key].text for key in wanted} == {k: g.text for k, g in wanted.items()}
    assert all(generation.error is None for generation in found.values())

    def full(*args: Any, **kwargs: Any) -> Any:
        raise error

    monkeypatch.setattr(engine._model, "forward", full)
    hopeless = ask(engine, *requests)
    assert len(hopeless) == len(requests)
    assert all("out of memory" in (g.error or "") for g in hopeless.values())


def test_other_faults_are_not_mistaken_for_memory(
    tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = TransformersEngine(tiny_checkpoint, device="cpu")

    def broken(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr(engine._model, "forward", broken)
    with pytest.raises(RuntimeError, match="multiplied"):
        ask(engine, Request("k", "山"))


def test_loading_faults_are_sentences(tiny_checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no such directory"):
        TransformersEngine(tmp_path / "nowhere")
    with pytest.raises(HarnessError, match="float33"):
        TransformersEngine(tiny_checkpoint, device="cpu", dtype="float33")


def test_name_and_description(engine: TransformersEngine) -> None:
    assert engine.name.startswith("transformers 5.")
    assert engine.description.startswith(f"{engine.name}, cpu, float32, ")


@given(
    st.lists(st.floats(-8, 8), min_size=2, max_size=12),
    st.floats(0.1, 2.0),
    st.floats(0.05, 1.0),
    st.floats(0, 1, exclude_max=True),
)
def test_draw_stays_in_the_nucleus(
    logits: list[float], temperature: float, top_p: float, uniform: float
) -> None:
    token = draw(torch.tensor(logits), Sampling(temperature=temperature, top_p=top_p), uniform)
    p = (torch.tensor(logits).double() / temperature).softmax(-1)
    likelier = float(p[p > p[token]].sum())
    assert likelier < top_p + 1e-9


def test_draw_follows_the_distribution() -> None:
    p = torch.tensor([0.5, 0.3, 0.15, 0.05])
    grid = [(index + 0.5) / 10_000 for index in range(10_000)]
    counts = Counter(draw(p.log(), Sampling(temperature=1.0), u) for u in grid)
    assert [counts[token] / 10_000 for token in range(4)] == pytest.approx(p.tolist(), abs=1e-3)
    counts = Counter(draw(p.log(), Sampling(temperature=1.0, top_p=0.7), u) for u in grid)
    assert counts[0] / 10_000 == pytest.approx(0.5 / 0.8, abs=1e-3)
    assert set(counts) == {0, 1}


@given(st.text("ab", max_size=12), st.lists(st.text("ab", min_size=1, max_size=3), max_size=3))
def test_stop_is_found_at_the_character_that_completes_it(text: str, stops: list[str]) -> None:
    ends = [end for end in range(1, len(text) + 1) if any(text[:end].endswith(s) for s in stops)]
    grown, cut = "", None
    for character in text:
        grown += character
        cut = find_stop(grown, len(grown) - 1, stops)
        if cut is not None:
            break
    if not ends:
        assert cut is None
    else:
        assert len(grown) == ends[0]
        assert cut is not None
        assert text[cut : ends[0]] in stops
