"""A converted checkpoint computes what the Megatron model computes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("megatron.core")

from harness.errors import HarnessError  # noqa: E402
from training.convert import Architecture, hugging_face_state, to_hugging_face  # noqa: E402
from training.megatron_cpu import cpu_guard  # noqa: E402
from training.megatron_model import build_model, process_group  # noqa: E402
from training.tokenizer import build_tokenizer, save_tokenizer  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def megatron() -> Iterator[None]:
    with cpu_guard(), process_group(rank=0, world=1, seed=0):
        yield


def shape(vocabulary: int, **changes: int | bool) -> Architecture:
    sizes = {"width": 32, "layers": 2, "heads": 4, "groups": 4, "head_size": 12, "feed_forward": 48}
    return Architecture(vocabulary=vocabulary, positions=64, **{**sizes, **changes})


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("groups", [4, 2, 1])
def test_logits_are_equal(tmp_path: Path, groups: int, tied: bool) -> None:
    from transformers import AutoModelForCausalLM

    tokenizer = build_tokenizer(["東京"])
    save_tokenizer(tokenizer, tmp_path / "tokenizer", positions=64)
    torch.manual_seed(groups)
    architecture = shape(len(tokenizer), groups=groups, tied=tied)
    model = build_model(architecture)
    with torch.no_grad():
        # Norms start at one and other weights small: make every tensor tell.
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
        tokens = torch.randint(0, len(tokenizer), (3, 20))
        positions = torch.arange(20).expand_as(tokens)
        expected = model(tokens, positions, attention_mask=None)
        to_hugging_face(model, architecture, tmp_path / "tokenizer", tmp_path / "out")
        converted = AutoModelForCausalLM.from_pretrained(tmp_path / "out").eval()
        actual = converted(tokens).logits
    assert expected.abs().max() > 1
    assert (actual - expected).abs().max() < 1e-4


def test_checkpoint_directory_is_complete(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    from harness.checkpoint import discover

    tokenizer = build_tokenizer(["東京"])
    save_tokenizer(tokenizer, tmp_path, positions=64)
    to_hugging_face(build_model(shape(len(tokenizer))), shape(len(tokenizer)), tmp_path, tmp_path)

    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert config["eos_token_id"] == tokenizer.eos_token_id
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert loaded.chat_template == tokenizer.chat_template
    (found,) = discover(str(tmp_path))
    assert found.has_chat_template
    assert found.context_length == 64


def test_state_of_another_kind_is_refused() -> None:
    model = build_model(shape(100))
    with pytest.raises(HarnessError, match="no tensor"):
        hugging_face_state(model.state_dict(), shape(100, layers=3))
    with pytest.raises(HarnessError, match="Llama lacks"):
        hugging_face_state(model.state_dict(), shape(100, layers=1))
    with pytest.raises(HarnessError, match="Llama lacks"):
        hugging_face_state(model.state_dict(), shape(100, tied=True))


def test_guard_restores_torch() -> None:
    if torch.cuda.is_available():
        pytest.skip("the guard does nothing with CUDA")
    before = torch.cuda.synchronize
    with cpu_guard():
        assert torch.cuda.synchronize is not before
        assert torch.zeros(1, device="cuda").device.type == "cpu"
        assert torch.zeros(1).cuda().device.type == "cpu"
    assert torch.cuda.synchronize is before
