"""Converted weights compute what they computed before, in both directions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("megatron.core")

from click.testing import CliRunner  # noqa: E402

from harness.errors import HarnessError  # noqa: E402
from tests.conftest import make_checkpoint  # noqa: E402
from training.architecture import Architecture, hugging_face_config  # noqa: E402
from training.convert import (  # noqa: E402
    hugging_face_state,
    main,
    megatron_state,
    megatron_to_hugging_face,
    upcycle,
)
from training.megatron_cpu import cpu_guard  # noqa: E402
from training.megatron_model import build_model, process_group  # noqa: E402
from training.tokenizer import build_tokenizer, save_tokenizer  # noqa: E402
from training.weights import read_hugging_face, read_megatron, write_megatron  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def megatron() -> Iterator[None]:
    with cpu_guard(), process_group(rank=0, world=1, seed=0):
        yield


@pytest.fixture(scope="module")
def tokenizer_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("tokenizer")
    save_tokenizer(build_tokenizer(["東京"]), place, positions=64)
    return place


KINDS: dict[str, dict[str, Any]] = {
    "heads": {},
    "grouped": {"groups": 2},
    "one group, tied": {"groups": 1, "tied": True},
    "biases": {"groups": 2, "qkv_bias": True},
    "scaled rope": {"rope_factor": 8.0, "rope_theta": 500000.0},
    "experts": {"groups": 2, "experts": 4},
    "all of three experts, tied": {"experts": 3, "top_k": 3, "tied": True},
}


def shape(vocabulary: int = 100, **changes: Any) -> Architecture:
    sizes = {"width": 32, "layers": 2, "heads": 4, "groups": 4, "head_size": 12, "feed_forward": 48}
    return Architecture(vocabulary=vocabulary, positions=64, **{**sizes, **changes})


def strong(model: Any, seed: int = 1) -> Any:
    """Norms start at one, biases at zero and other weights small: makes every tensor tell."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return model.eval()


def sharded(model: Any, directory: Path) -> Path:
    """A model saved by Megatron itself."""
    from megatron.core import dist_checkpointing

    directory.mkdir(parents=True)
    dist_checkpointing.save({"model": model.sharded_state_dict()}, str(directory))
    return directory


def tokens(vocabulary: int) -> tuple[Any, Any]:
    torch.manual_seed(5)
    drawn = torch.randint(0, vocabulary, (3, 20))
    return drawn, torch.arange(20).expand_as(drawn)


@pytest.mark.parametrize("kind", KINDS)
def test_megatron_to_hugging_face_keeps_the_logits(
    tmp_path: Path, tokenizer_dir: Path, kind: str
) -> None:
    from transformers import AutoModelForCausalLM

    from training.architecture import write_architecture

    architecture = shape(500, **KINDS[kind])
    model = strong(build_model(architecture))
    state = sharded(model, tmp_path / "state")
    write_architecture(architecture, state)
    megatron_to_hugging_face(state, tokenizer_dir, tmp_path / "out")
    converted = AutoModelForCausalLM.from_pretrained(tmp_path / "out", dtype=torch.float32).eval()
    with torch.no_grad():
        inputs, positions = tokens(500)
        expected = model(inputs, positions, attention_mask=None)
        actual = converted(inputs).logits
    assert expected.abs().max() > 1
    assert (actual - expected).abs().max() < 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_hugging_face_to_megatron_keeps_the_logits(tmp_path: Path, kind: str) -> None:
    from megatron.core import dist_checkpointing
    from transformers import AutoModelForCausalLM

    from training.architecture import from_hugging_face_config, read_architecture

    architecture = shape(**KINDS[kind])
    config = hugging_face_config(architecture, bos=1, eos=2, pad=0)
    source = strong(AutoModelForCausalLM.from_config(config))
    source.save_pretrained(tmp_path / "source")
    assert from_hugging_face_config(tmp_path / "source") == architecture
    write_megatron(
        megatron_state(read_hugging_face(tmp_path / "source"), architecture),
        architecture,
        tmp_path / "state",
    )
    assert read_architecture(tmp_path / "state") == architecture
    model = build_model(architecture).eval()
    wanted = {
        name: each
        for name, each in model.sharded_state_dict().items()
        if "_extra_state" not in name
    }
    loaded = dist_checkpointing.load({"model": wanted}, str(tmp_path / "state"))
    model.load_state_dict(loaded["model"], strict=False)
    with torch.no_grad():
        inputs, positions = tokens(100)
        expected = source(inputs).logits
        actual = model(inputs, positions, attention_mask=None)
    assert expected.abs().max() > 1
    assert (actual - expected).abs().max() < 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_there_and_back_is_the_same_tensors(tmp_path: Path, kind: str) -> None:
    architecture = shape(**KINDS[kind])
    state = read_megatron(sharded(strong(build_model(architecture)), tmp_path / "state"))
    there = hugging_face_state(state, architecture)
    back = megatron_state(there, architecture)
    assert back.keys() == state.keys()
    assert all(torch.equal(back[name], state[name]) for name in state)


def test_layers_saved_one_by_one_are_read_too(tmp_path: Path) -> None:
    """As later versions of Megatron write them."""
    architecture = shape(groups=2)
    state = read_megatron(sharded(strong(build_model(architecture)), tmp_path / "state"))
    apart = {}
    for name, tensor in state.items():
        prefix, layered, rest = name.partition("decoder.layers.")
        if layered:
            apart.update({f"{layered}{at}.{rest}": tensor[at] for at in range(len(tensor))})
        else:
            apart[prefix] = tensor
    assert len(apart) > len(state)
    expected = hugging_face_state(state, architecture)
    actual = hugging_face_state(apart, architecture)
    assert all(torch.equal(actual[name], expected[name]) for name in expected)


@pytest.mark.parametrize(("experts", "top_k"), [(8, 2), (4, 3), (2, 2)])
def test_upcycling_keeps_the_logits_of_the_dense_model(
    tmp_path: Path, experts: int, top_k: int
) -> None:
    from transformers import AutoModelForCausalLM

    dense = make_checkpoint(tmp_path / "dense")
    arguments = ["upcycle", str(dense), str(tmp_path / "sparse")]
    counts = [f"--experts={experts}", f"--top-k={top_k}"]
    result = CliRunner().invoke(main, [*arguments, *counts])
    assert result.exit_code == 0, result.output
    before = AutoModelForCausalLM.from_pretrained(dense).eval()
    after = AutoModelForCausalLM.from_pretrained(tmp_path / "sparse").eval()
    assert type(after).__name__ == "MixtralForCausalLM"
    routers = [weight for name, weight in after.named_parameters() if "gate.weight" in name]
    assert all(router.std() > 0.001 for router in routers)
    with torch.no_grad():
        inputs, _ = tokens(before.config.vocab_size)
        assert (after(inputs).logits - before(inputs).logits).abs().max() < 1e-4


def test_upcycled_weights_train_in_megatron_from_the_same_logits(tmp_path: Path) -> None:
    """From a dense Hugging Face checkpoint through experts into Megatron's own model."""
    from megatron.core import dist_checkpointing
    from transformers import AutoModelForCausalLM

    from training.architecture import from_hugging_face_config

    dense = make_checkpoint(tmp_path / "dense")
    sizes = from_hugging_face_config(dense)
    state, sparse = upcycle(read_hugging_face(dense), sizes, 4)
    write_megatron(megatron_state(state, sparse), sparse, tmp_path / "state")
    model = build_model(sparse).eval()
    wanted = {n: t for n, t in model.sharded_state_dict().items() if "_extra_state" not in n}
    loaded = dist_checkpointing.load({"model": wanted}, str(tmp_path / "state"))
    model.load_state_dict(loaded["model"], strict=False)
    with torch.no_grad():
        inputs, positions = tokens(sizes.vocabulary)
        expected = AutoModelForCausalLM.from_pretrained(dense).eval()(inputs).logits
        actual = model(inputs, positions, attention_mask=None)
    assert (actual - expected).abs().max() < 1e-4


def test_the_commands_go_there_and_back(tmp_path: Path) -> None:
    source = make_checkpoint(tmp_path / "source")
    for arguments in (
        ["to-megatron", str(source), str(tmp_path / "state")],
        ["to-hf", str(tmp_path / "state"), str(tmp_path / "back")],
    ):
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, result.output
    before, after = read_hugging_face(source), read_hugging_face(tmp_path / "back")
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    result = CliRunner().invoke(main, ["to-hf", str(tmp_path / "state"), str(tmp_path / "back")])
    assert isinstance(result.exception, HarnessError)
    assert "exists; name a new directory" in str(result.exception)
    result = CliRunner().invoke(main, ["to-hf", str(tmp_path / "none"), str(tmp_path / "new")])
    assert f"{tmp_path}/none/architecture.json is missing" in str(result.exception)


def test_checkpoint_directory_is_complete(tmp_path: Path, tokenizer_dir: Path) -> None:
    from transformers import AutoTokenizer

    from harness.checkpoint import discover
    from training.weights import write_hugging_face

    architecture = shape(500)
    state = read_megatron(sharded(build_model(architecture), tmp_path / "state"))
    out = tmp_path / "out"
    write_hugging_face(hugging_face_state(state, architecture), architecture, tokenizer_dir, out)
    config = json.loads((out / "config.json").read_text(encoding="utf-8"))
    tokenizer = AutoTokenizer.from_pretrained(out)
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert config["eos_token_id"] == tokenizer.eos_token_id
    assert tokenizer.chat_template == AutoTokenizer.from_pretrained(tokenizer_dir).chat_template
    (found,) = discover(str(out))
    assert found.has_chat_template
    assert found.context_length == 64
    assert found.parameters == architecture.parameters


def test_weights_of_another_kind_are_refused(tmp_path: Path) -> None:
    state = read_megatron(sharded(build_model(shape()), tmp_path / "state"))
    with pytest.raises(HarnessError, match="has 2 layers, not 3"):
        hugging_face_state(state, shape(layers=3))
    with pytest.raises(HarnessError, match="Llama lacks"):
        hugging_face_state(state, shape(tied=True))
    with pytest.raises(HarnessError, match="no tensor"):
        hugging_face_state(state, shape(experts=2))
    with pytest.raises(HarnessError, match="already has 2 experts"):
        upcycle({}, shape(experts=2), 4)
    with pytest.raises(HarnessError, match="cannot visit 1 of 4 experts"):
        upcycle({}, shape(), 4, top_k=1)
    with pytest.raises(HarnessError, match="is not a complete Megatron state"):
        read_megatron(tmp_path)


def test_other_families_are_refused_by_name(tmp_path: Path) -> None:
    from transformers import Gemma3TextConfig, LlamaConfig

    from training.architecture import from_hugging_face_config

    Gemma3TextConfig().save_pretrained(tmp_path / "gemma")
    with pytest.raises(HarnessError, match="model_type is gemma3_text, expected one of llama"):
        from_hugging_face_config(tmp_path / "gemma")
    LlamaConfig(attention_bias=True).save_pretrained(tmp_path / "biased")
    with pytest.raises(HarnessError, match="attention_bias is True, expected False"):
        from_hugging_face_config(tmp_path / "biased")
    rope = {"rope_type": "yarn", "factor": 4.0, "rope_theta": 1e4}
    LlamaConfig(rope_parameters=rope).save_pretrained(tmp_path / "yarn")
    with pytest.raises(HarnessError, match="rotary scaling yarn"):
        from_hugging_face_config(tmp_path / "yarn")


def test_guard_restores_torch() -> None:
    if torch.cuda.is_available():
        pytest.skip("the guard does nothing with CUDA")
    before = torch.cuda.synchronize
    with cpu_guard():
        assert torch.cuda.synchronize is not before
        assert torch.zeros(1, device="cuda").device.type == "cpu"
        assert torch.zeros(1).cuda().device.type == "cpu"
    assert torch.cuda.synchronize is before
