"""What Megatron answers, transformers and vLLM answer from the converted checkpoint."""

from __future__ import annotations

import random
from collections import deque
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("megatron.core")
pytest.importorskip("vllm")

from harness.engines.types import Engine, Request, Sampling  # noqa: E402
from tests.conftest import ALPHABET  # noqa: E402
from training.architecture import read_architecture, write_architecture  # noqa: E402
from training.convert import hugging_face_to_megatron, megatron_to_hugging_face  # noqa: E402
from training.megatron_cpu import cpu_guard  # noqa: E402
from training.megatron_model import build_model, process_group  # noqa: E402

LENGTH = 24


def prompts() -> list[str]:
    draw = random.Random(3)
    return ["".join(draw.choices(ALPHABET, k=3 + 7 * index)) for index in range(12)]


def load(state: Path) -> Any:
    from megatron.core import dist_checkpointing

    model = build_model(read_architecture(state))
    wanted = {n: t for n, t in model.sharded_state_dict().items() if "_extra_state" not in n}
    model.load_state_dict(
        dist_checkpointing.load({"model": wanted}, str(state))["model"], strict=False
    )
    return model


def save(model: Any, like: Path, state: Path) -> None:
    from megatron.core import dist_checkpointing

    state.mkdir()
    dist_checkpointing.save({"model": model.sharded_state_dict()}, str(state))
    write_architecture(read_architecture(like), state)


def greedy(model: Any, tokens: list[int], end: int) -> list[int]:
    """Megatron's answer, the whole sequence computed anew for every token."""
    answer: list[int] = []
    with torch.no_grad():
        while len(answer) < LENGTH and end not in answer:
            row = torch.tensor([tokens + answer])
            places = torch.arange(row.shape[1]).unsqueeze(0)
            answer.append(int(model(row, places, attention_mask=None)[0, -1].argmax()))
    return answer


def ask(engine: Engine, texts: list[str]) -> list[list[int]]:
    requests = [
        Request(str(at), text, Sampling(max_tokens=LENGTH)) for at, text in enumerate(texts)
    ]
    found = {each.key: list(each.token_ids or ()) for each in engine.generate(deque(requests))}
    return [found[str(at)] for at in range(len(texts))]


@pytest.mark.slow
def test_greedy_answers_are_equal_in_megatron_transformers_and_vllm(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer

    from harness.engines.hardware import gpu_count
    from harness.engines.transformers import TransformersEngine
    from harness.engines.vllm import VllmEngine

    if gpu_count():
        pytest.skip("compared in float32 on CPU")
    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint)
    with cpu_guard(), process_group(rank=0, world=1, seed=0):
        hugging_face_to_megatron(tiny_checkpoint, tmp_path / "start")
        model = load(tmp_path / "start")
        # Weights that only Megatron has ever held.
        torch.manual_seed(0)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.05)
        save(model, tmp_path / "start", tmp_path / "state")
        rows = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in prompts()]
        expected = [greedy(model.eval(), row, tokenizer.eos_token_id) for row in rows]
    megatron_to_hugging_face(tmp_path / "state", tiny_checkpoint, tmp_path / "out")
    assert len({tuple(answer) for answer in expected}) == len(expected)
    reference = TransformersEngine(tmp_path / "out", device="cpu")
    assert ask(reference, prompts()) == expected
    engine = VllmEngine(tmp_path / "out")
    try:
        assert ask(engine, prompts()) == expected
    finally:
        engine.close()
