"""Discovery, lineage, fingerprints, and every fault that a checkpoint directory can have."""

from __future__ import annotations

import json
import os
import shutil
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save, save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from harness.checkpoint import (
    NO_CHAT_TEMPLATE,
    Checkpoint,
    Lineage,
    discover,
    read_lineage,
    write_lineage,
)
from harness.checkpoint_files import inspect, read_safetensors_header
from harness.cli.checkpoint import command
from harness.errors import HarnessError
from harness.fingerprint import default_cache, file_digests

VOCABULARY = ["<unk>", "日本", "東京", "富士山"]
EMBEDDING = "model.embed_tokens.weight"
Edit = Callable[[Path], object]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user-cache"))


def tensors(rows: int = len(VOCABULARY)) -> dict[str, np.ndarray[Any, Any]]:
    return {
        EMBEDDING: np.arange(rows * 3, dtype=np.float32).reshape(rows, 3),
        "model.norm.weight": np.ones(3, dtype=np.float32),
    }


def make(directory: Path, *, template: bool = False, rows: int = len(VOCABULARY)) -> Path:
    directory.mkdir(parents=True)
    put(
        directory / "config.json",
        {"model_type": "llama", "vocab_size": rows, "max_position_embeddings": 512},
    )
    tokenizer = {"tokenizer_class": "PreTrainedTokenizerFast"}
    if template:
        tokenizer["chat_template"] = "{{ messages }}"
    put(directory / "tokenizer_config.json", tokenizer)
    vocabulary = {token: number for number, token in enumerate(VOCABULARY)}
    Tokenizer(WordLevel(vocabulary, unk_token="<unk>")).save(str(directory / "tokenizer.json"))
    save_file(tensors(rows), directory / "model.safetensors")
    return directory


def put(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


def change(path: Path, **values: object) -> None:
    put(path, json.loads(path.read_text(encoding="utf-8")) | values)


def one(target: Path) -> Checkpoint:
    found = discover(str(target))
    assert len(found) == 1
    return found[0]


def shard(directory: Path) -> Path:
    """Split the weights over two files with an index."""
    (directory / "model.safetensors").unlink()
    places = {}
    for number, (name, tensor) in enumerate(tensors().items(), start=1):
        places[name] = f"model-{number:05}-of-00002.safetensors"
        save_file({name: tensor}, directory / places[name])
    put(directory / "model.safetensors.index.json", {"weight_map": places})
    return directory


# --- discovery -----------------------------------------------------------------------------------


def test_a_directory_is_described(tmp_path: Path) -> None:
    found = one(make(tmp_path / "tiny"))
    assert (found.name, found.path, found.run, found.step) == (
        "tiny",
        tmp_path / "tiny",
        None,
        None,
    )
    assert found.parameters == len(VOCABULARY) * 3 + 3
    assert found.context_length == 512
    assert len(found.fingerprint) == 64
    assert found.has_chat_template is False
    assert found.notes == (NO_CHAT_TEMPLATE,)


@pytest.mark.parametrize("where", ["tokenizer_config.json", "chat_template.jinja"])
def test_a_chat_template_is_found(tmp_path: Path, where: str) -> None:
    directory = make(tmp_path / "tiny", template=where == "tokenizer_config.json")
    if where == "chat_template.jinja":
        (directory / where).write_text("{{ messages }}")
    found = one(directory)
    assert found.has_chat_template
    assert found.notes == ()


def test_a_run_is_sorted_by_step_and_temporary_names_are_passed_over(tmp_path: Path) -> None:
    run = tmp_path / "demo"
    for name in ("step_1000", "step_000200", "checkpoint-30", "global_step4"):
        make(run / name)
    for name in ("step_2000.tmp", "tmp-checkpoint-60", ".step_3000", "logs"):
        (run / name).mkdir()
    found = discover(str(run))
    assert [entry.step for entry in found] == [4, 30, 200, 1000]
    assert found[2].name == "demo/step_000200"
    assert {entry.run for entry in found} == {"demo"}


def test_shards_are_read_through_their_index(tmp_path: Path) -> None:
    found = one(shard(make(tmp_path / "tiny")))
    assert found.parameters == len(VOCABULARY) * 3 + 3


def test_a_final_model_beside_its_steps_is_one_target_and_says_so(tmp_path: Path) -> None:
    make(tmp_path / "out")
    make(tmp_path / "out" / "checkpoint-5")
    found = one(tmp_path / "out")
    assert any("1 step directories" in note for note in found.notes)


def test_trainer_leftovers_do_not_make_a_run_a_checkpoint(tmp_path: Path) -> None:
    make(tmp_path / "out" / "checkpoint-5")
    (tmp_path / "out" / "training_args.bin").write_bytes(b"x")
    put(tmp_path / "out" / "config.json", {"model_type": "llama"})
    assert [entry.step for entry in discover(str(tmp_path / "out"))] == [5]


def test_a_hub_cache_is_named_by_its_model(tmp_path: Path) -> None:
    found = one(make(tmp_path / "models--llm-jp--tiny" / "snapshots" / "0a1b2c"))
    assert found.name == "llm-jp/tiny"


def test_a_converted_megatron_step_is_not_asked_for_twice(tmp_path: Path) -> None:
    make(tmp_path / "demo" / "step_600")
    megatron = tmp_path / "demo" / "iter_0000600"
    megatron.mkdir()
    (megatron / "common.pt").write_bytes(b"x")
    assert [entry.step for entry in discover(str(tmp_path / "demo"))] == [600]
    megatron.rename(tmp_path / "demo" / "iter_0000700")
    with pytest.raises(HarnessError, match=r"iter_0000700 is a Megatron checkpoint.*convert"):
        discover(str(tmp_path / "demo"))


def empty(path: Path) -> None:
    path.mkdir()


def megatron_run(path: Path) -> None:
    (path / "iter_0000600" / "mp_rank_00").mkdir(parents=True)


def megatron_step(path: Path) -> None:
    path.mkdir()
    (path / "__0_0.distcp").write_bytes(b"x")


def gguf_inside(path: Path) -> None:
    path.mkdir()
    (path / "m.gguf").write_bytes(b"GGUF")


def strangers(path: Path) -> None:
    path.mkdir()
    (path / "readme.md").write_text("x")


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda path: None, "does not exist"),
        (empty, "is empty"),
        (lambda path: path.write_bytes(b"GGUF\x03"), "harness checkpoint import-gguf"),
        (lambda path: path.write_text("hello"), "is a file, expected"),
        (megatron_run, "Megatron checkpoints only.*convert"),
        (megatron_step, "is a Megatron checkpoint; convert"),
        (gguf_inside, "m.gguf is a GGUF file"),
        (strangers, "it holds readme.md"),
    ],
)
def test_other_targets_get_one_clear_sentence(tmp_path: Path, prepare: Edit, message: str) -> None:
    prepare(tmp_path / "target")
    with pytest.raises(HarnessError, match=message) as caught:
        discover(str(tmp_path / "target"))
    assert "target" in str(caught.value)
    assert "\n" not in str(caught.value)


# --- faults inside a checkpoint ------------------------------------------------------------------


def cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


def pickled(directory: Path) -> None:
    (directory / "model.safetensors").rename(directory / "pytorch_model.bin")


def adapter(directory: Path) -> None:
    (directory / "model.safetensors").rename(directory / "adapter_model.safetensors")


def lose_shard(directory: Path) -> None:
    (shard(directory) / "model-00002-of-00002.safetensors").unlink()


def lose_index(directory: Path) -> None:
    (shard(directory) / "model.safetensors.index.json").unlink()


def wrong_index(directory: Path) -> None:
    index = shard(directory) / "model.safetensors.index.json"
    first = "model-00001-of-00002.safetensors"
    second = "model-00002-of-00002.safetensors"
    put(index, {"weight_map": {"model.norm.weight": first, EMBEDDING: second}})


def escaping_index(directory: Path) -> None:
    put(
        shard(directory) / "model.safetensors.index.json",
        {"weight_map": {EMBEDDING: "../model.safetensors"}},
    )


def header(directory: Path, text: bytes, data: bytes = b"") -> None:
    (directory / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)


def same_bytes_twice(directory: Path) -> None:
    entry = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    header(directory, json.dumps({"a": entry, "b": entry}).encode(), b"0000")


FAULTS: dict[str, tuple[Edit, str]] = {
    "no config": (lambda d: (d / "config.json").unlink(), r"has no config\.json.*wait"),
    "config is not JSON": (
        lambda d: (d / "config.json").write_text('{\n"a": ,}'),
        r"config\.json:2 is not valid JSON",
    ),
    "config is a list": (lambda d: put(d / "config.json", []), "a list, expected a JSON object"),
    "config without architecture": (
        lambda d: put(d / "config.json", {}),
        r"config\.json has no `model_type`",
    ),
    "no weights": (lambda d: (d / "model.safetensors").unlink(), "no weights, expected"),
    "cut data": (
        lambda d: cut(d / "model.safetensors", (d / "model.safetensors").stat().st_size - 1),
        r"model\.safetensors is cut off: the header describes 60 bytes of weights and 59",
    ),
    "cut header": (lambda d: cut(d / "model.safetensors", 20), "header alone takes .* has 20;"),
    "cut length": (lambda d: cut(d / "model.safetensors", 5), "it has 5 bytes"),
    "empty weights": (lambda d: cut(d / "model.safetensors", 0), "it has 0 bytes"),
    "garbage": (
        lambda d: (d / "model.safetensors").write_bytes(b"\xff" * 400),
        "not a safetensors file",
    ),
    "header is not JSON": (lambda d: header(d, b"{nonsense}"), "its header cannot be read"),
    "header of another shape": (
        lambda d: header(d, b'{"a": {"dtype": "F32"}}'),
        "its header cannot be read .*shape",
    ),
    "no tensors": (lambda d: header(d, b"{}"), "holds no tensor"),
    "overlapping tensors": (same_bytes_twice, "header is damaged at tensor 'b'"),
    "trailing bytes": (
        lambda d: (d / "model.safetensors").write_bytes(
            (d / "model.safetensors").read_bytes() + b"x"
        ),
        "longer than its header says",
    ),
    "git lfs pointer": (
        lambda d: (d / "model.safetensors").write_text("version https://git-lfs...\noid sha256:0"),
        "git lfs pull",
    ),
    "missing shard": (lose_shard, r"index\.json names model-00002-of-00002\.safetensors.*missing"),
    "missing index": (lose_index, r"no model\.safetensors\.index\.json"),
    "index of another save": (wrong_index, "come from different saves"),
    "index leads outside": (escaping_index, "expected a file name in the same directory"),
    "adapter": (adapter, "LoRA adapter only; merge"),
    "pickle": (pickled, r"pickled weights only \(pytorch_model\.bin\)"),
    "no tokenizer": (lambda d: (d / "tokenizer.json").unlink(), "has no tokenizer"),
    "tokenizer is no JSON": (
        lambda d: (d / "tokenizer.json").write_text("{"),
        r"tokenizer\.json is not a tokenizer",
    ),
    "tokenizer too large": (
        lambda d: change(
            d / "tokenizer.json",
            model={"type": "WordLevel", "vocab": {"<unk>": 0, "京都": 4}, "unk_token": "<unk>"},
        ),
        "token '京都' has id 4, and the model embeds ids 0 to 3",
    ),
    "added token too large": (
        lambda d: change(d / "tokenizer.json", added_tokens=[{"id": 9, "content": "<pad>"}]),
        "token '<pad>' has id 9",
    ),
    "config of another size": (
        lambda d: change(d / "config.json", vocab_size=8),
        "says `vocab_size` 8 but tensor 'model.embed_tokens.weight' has 4 rows",
    ),
    "tokenizer config is not JSON": (
        lambda d: (d / "tokenizer_config.json").write_text("?"),
        r"tokenizer_config\.json:1 is not valid JSON",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_one_sentence_that_names_the_place(tmp_path: Path, fault: str) -> None:
    edit, message = FAULTS[fault]
    directory = make(tmp_path / "demo" / "step_3")
    edit(directory)
    for target in (directory, directory.parent):
        with pytest.raises(HarnessError, match=message) as caught:
            discover(str(target))
        assert str(directory) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_pickle_is_taken_when_allowed(tmp_path: Path) -> None:
    directory = make(tmp_path / "tiny")
    pickled(directory)
    (directory / "optimizer.pt").write_bytes(b"state")
    (found,) = discover(str(directory), allow_pickle=True)
    assert found.parameters is None
    assert inspect(directory, allow_pickle=True).weights == (directory / "pytorch_model.bin",)


def test_unigram_and_bpe_vocabularies_are_measured(tmp_path: Path) -> None:
    directory = make(tmp_path / "tiny")
    pieces = [["<unk>", 0.0], *([token, -1.0] for token in "日本東京")]
    change(directory / "tokenizer.json", model={"type": "Unigram", "unk_id": 0, "vocab": pieces})
    with pytest.raises(HarnessError, match="has id 4"):
        one(directory)
    (directory / "tokenizer.json").unlink()
    put(directory / "vocab.json", {"a": 0, "b": 3})
    (directory / "merges.txt").write_text("")
    assert one(directory).fingerprint
    put(directory / "vocab.json", {"a": 0, "b": 4})
    with pytest.raises(HarnessError, match=r"token 'b' has id 4"):
        one(directory)


WHOLE = save(tensors())


@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(size=st.integers(0, len(WHOLE) - 1))
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(WHOLE[:size])
    with pytest.raises(HarnessError, match="cut off"):
        read_safetensors_header(path)


@settings(
    deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.binary(max_size=300) | st.binary(max_size=80).map(lambda tail: WHOLE[:90] + tail))
def test_damaged_bytes_never_escape_as_another_exception(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    with suppress(HarnessError):
        assert read_safetensors_header(path)


def test_the_header_reader_agrees_with_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    arrays = {f"t{n}": np.zeros((n, 2), dtype) for n, dtype in enumerate(("f2", "i8", "u1"), 1)}
    arrays["scalar"] = np.array(3, np.float32)
    save_file(arrays, path, metadata={"format": "np"})
    found = read_safetensors_header(path)
    assert {name: tuple(tensor.shape) for name, tensor in found.items()} == {
        name: array.shape for name, array in arrays.items()
    }


# --- fingerprint ---------------------------------------------------------------------------------


def test_a_copy_under_another_name_is_the_same_checkpoint(tmp_path: Path) -> None:
    directory = make(tmp_path / "a" / "step_1")
    copy = tmp_path / "b" / "best"
    shutil.copytree(directory, copy)
    (copy / "README.md").write_text("not part of the model")
    assert one(directory).fingerprint == one(copy).fingerprint


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("edit", "same"),
    [
        (lambda d: change(d / "config.json", _name_or_path="elsewhere"), True),
        (lambda d: change(d / "config.json", transformers_version="9"), True),
        (lambda d: change(d / "tokenizer_config.json", name_or_path="elsewhere"), True),
        (lambda d: write_lineage(d, Lineage(run="other", step=9)), True),
        (lambda d: change(d / "config.json", rope_theta=1.0), False),
        (lambda d: change(d / "config.json", torch_dtype="float16"), False),
        (lambda d: change(d / "tokenizer_config.json", chat_template="{{ x }}"), False),
        (lambda d: (d / "chat_template.jinja").write_text("{{ x }}"), False),
        (lambda d: put(d / "generation_config.json", {"eos_token_id": 2}), False),
        (lambda d: change(d / "tokenizer.json", normalizer={"type": "NFKC"}), False),
        (lambda d: flip(d / "model.safetensors"), False),
    ],
)
def test_the_fingerprint_covers_what_decides_answers(
    tmp_path: Path, edit: Edit, same: bool
) -> None:
    directory = make(tmp_path / "tiny")
    before = one(directory).fingerprint
    edit(directory)
    assert (one(directory).fingerprint == before) is same


def age(path: Path, seconds: int = 60) -> None:
    """Make a file look settled, since one that was just written is not remembered."""
    then = path.stat().st_mtime_ns - seconds * 1_000_000_000
    os.utime(path, ns=(then, then))


def test_a_weight_file_is_hashed_once(tmp_path: Path) -> None:
    directory = make(tmp_path / "tiny")
    age(directory / "model.safetensors")
    seen: list[tuple[Path, int, int]] = []

    def look() -> Checkpoint:
        seen.clear()
        (found,) = discover(
            str(directory),
            cache=tmp_path / "cache.json",
            progress=lambda *step: seen.append(step),
        )
        return found

    first = look()
    weights = directory / "model.safetensors"
    assert seen[-1] == (weights, weights.stat().st_size, weights.stat().st_size)
    assert look() == first
    assert seen == []
    age(weights)
    assert look() == first
    assert seen
    (tmp_path / "cache.json").write_text("{broken")
    assert look() == first
    assert seen
    look()
    assert seen == []


def test_a_file_just_written_is_not_remembered(tmp_path: Path) -> None:
    directory = make(tmp_path / "tiny")
    before = one(directory).fingerprint
    stat = (directory / "model.safetensors").stat()
    flip(directory / "model.safetensors")
    # The clock's grain can leave two writes with one mtime.
    os.utime(directory / "model.safetensors", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert one(directory).fingerprint != before


@pytest.mark.parametrize(
    "content", ["", "[]", '{"version": 1}', '{"version": 1, "sha256": {"PATH": [1, 2]}}']
)
def test_a_damaged_cache_is_rebuilt(tmp_path: Path, content: str) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"abc")
    age(file)
    cache = tmp_path / "cache.json"
    cache.write_text(content.replace("PATH", str(file)))
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_digests([file], cache=cache) == {file: expected}
    assert json.loads(cache.read_text())["sha256"][str(file)][2] == expected


def test_a_cache_that_cannot_be_written_is_no_fault(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"abc")
    age(file)
    assert file_digests([file], cache=file / "cache.json")


def test_threads_that_share_a_cache_leave_it_readable(tmp_path: Path) -> None:
    cache = tmp_path / "cache.json"
    files = [tmp_path / f"weights{number}" for number in range(12)]
    for number, file in enumerate(files):
        file.write_bytes(bytes([number]) * 1000)
        age(file)
    threads = [
        threading.Thread(target=file_digests, args=([f],), kwargs={"cache": cache}) for f in files
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stored = json.loads(cache.read_text())["sha256"]
    assert stored
    again = file_digests(files, cache=cache)
    assert all(again[file] == stored[str(file)][2] for file in files if str(file) in stored)
    assert len(set(again.values())) == len(files)
    assert sorted(tmp_path.glob(".cache*")) == []


def test_the_default_cache_honours_xdg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_cache() == tmp_path / "user-cache" / "harness" / "fingerprints.json"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_cache() == Path.home() / ".cache" / "harness" / "fingerprints.json"


# --- lineage -------------------------------------------------------------------------------------


def test_the_manifest_is_carried(tmp_path: Path) -> None:
    directory = make(tmp_path / "demo" / "step_000600")
    stated = Lineage(
        run="phase-2",
        step=610,
        tokens_seen=5,
        parent="a" * 64,
        mixture={"web": 0.7, "math": 0.3},
        phase="anneal",
        learning_rate=1e-4,
    )
    write_lineage(directory, stated)
    assert read_lineage(directory) == stated
    found = one(directory)
    assert found.name == "phase-2/step_000600"
    assert (found.run, found.step, found.tokens_seen) == ("phase-2", 610, 5)
    assert (found.parent, found.mixture) == ("a" * 64, {"web": 0.7, "math": 0.3})
    assert (found.phase, found.learning_rate) == ("anneal", 1e-4)


def test_the_trainer_state_is_read_and_names_come_last(tmp_path: Path) -> None:
    directory = make(tmp_path / "sft" / "checkpoint-600")
    assert read_lineage(directory) == Lineage(run="sft", step=600)
    put(
        directory / "trainer_state.json",
        {"global_step": 601, "num_input_tokens_seen": 0, "log_history": [{"loss": 1.0}]},
    )
    assert read_lineage(directory) == Lineage(run="sft", step=601)
    change(directory / "trainer_state.json", num_input_tokens_seen=77)
    assert read_lineage(directory).tokens_seen == 77
    put(directory / "lineage.json", {"step": 602})
    assert read_lineage(directory) == Lineage(run="sft", step=602, tokens_seen=77)
    history = [{"learning_rate": 2e-5}, {"learning_rate": 1e-5}, {"eval_loss": 2.0}]
    change(directory / "trainer_state.json", log_history=history)
    assert read_lineage(directory).learning_rate == 1e-5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"step": "600"}, r"Expected `int \| null`.*`\$\.step`"),
        ({"step": -1}, r"`\$\.step`"),
        ({"tokens": 5}, "unknown field `tokens`"),
        ({"parent": "abc"}, r"`\$\.parent`"),
        ({"mixture": {"web": -0.1}}, r"`\$\.mixture"),
    ],
)
def test_a_wrong_manifest_is_refused(tmp_path: Path, content: object, message: str) -> None:
    directory = make(tmp_path / "tiny")
    put(directory / "lineage.json", content)
    with pytest.raises(HarnessError, match=message) as caught:
        one(directory)
    assert str(directory / "lineage.json") in str(caught.value)


@given(
    st.builds(
        Lineage,
        run=st.none() | st.text(min_size=1, max_size=8),
        step=st.none() | st.integers(0, 2**50),
        tokens_seen=st.none() | st.integers(1, 2**60),
        parent=st.none() | st.just("0f" * 32),
        mixture=st.none() | st.dictionaries(st.text(max_size=4), st.floats(0, 1), max_size=3),
        phase=st.none() | st.text(min_size=1, max_size=4),
        learning_rate=st.none() | st.floats(0, 1),
    )
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_written_manifest_reads_back(tmp_path: Path, lineage: Lineage) -> None:
    write_lineage(tmp_path, lineage)
    assert read_lineage(tmp_path) == lineage


# --- served models -------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[tuple[str, dict[str, Any]]]:
    """A server whose answer to GET /v1/models a test sets; yields its base URL and that answer."""
    answer: dict[str, Any] = {"status": 200, "body": {"data": []}, "headers": {}}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer["headers"] = dict(self.headers)
            found = self.path == "/v1/models"
            body = answer["body"] if found else {"detail": "Not Found"}
            self.send_response(answer["status"] if found else 404)
            self.end_headers()
            self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}/v1", answer
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def serve(answer: dict[str, Any], *names: str, created: int = 0) -> None:
    answer["body"] = {
        "data": [
            {"id": name, "root": f"/models/{name}", "created": created, "max_model_len": 4096}
            for name in names
        ]
    }


def test_a_served_model_is_a_checkpoint(server: tuple[str, dict[str, Any]]) -> None:
    url, answer = server
    serve(answer, "tiny-ja", created=1)
    (only,) = discover(f"openai:{url}/")
    host = url.removeprefix("http://").removesuffix("/v1")
    assert only.name == f"tiny-ja@{host}"
    assert (only.url, only.model, only.path) == (url, "tiny-ja", None)
    assert only.context_length == 4096
    assert only.has_chat_template
    serve(answer, "tiny-ja", "other", created=2)
    (named,) = discover(f"openai:{url}#tiny-ja")
    assert named == only
    (other,) = discover(f"openai:{url}#other")
    assert other.fingerprint != only.fingerprint


def test_the_api_key_is_sent(
    server: tuple[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, answer = server
    serve(answer, "m")
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    discover(f"openai:{url}")
    assert answer["headers"]["Authorization"] == "Bearer secret"


@pytest.mark.parametrize(
    ("names", "suffix", "message"),
    [
        (("a", "b"), "#c", "does not serve 'c'; it serves a, b"),
        (("a", "b"), "", "serves 2 models; choose one .*: a, b"),
        ((), "", "serves no model"),
        (("a",), "/chat#a", "status 404; give the base URL"),
    ],
)
def test_an_absent_model_names_what_is_served(
    server: tuple[str, dict[str, Any]], names: tuple[str, ...], suffix: str, message: str
) -> None:
    url, answer = server
    serve(answer, *names)
    with pytest.raises(HarnessError, match=message):
        discover(f"openai:{url}{suffix}")


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (200, b"<html>", "did not answer with a list of models"),
        (200, {"models": []}, "did not answer with a list of models"),
        (200, {"data": ["m"]}, "did not answer with a list of models"),
        (401, {}, "status 401; set OPENAI_API_KEY"),
        (500, {}, "status 500; look into the server's log"),
    ],
)
def test_another_kind_of_server_is_named(
    server: tuple[str, dict[str, Any]], status: int, body: object, message: str
) -> None:
    url, answer = server
    answer |= {"status": status, "body": body}
    with pytest.raises(HarnessError, match=message):
        discover(f"openai:{url}#m")


def test_an_unreachable_server_is_named() -> None:
    # Port 9 of the loopback is closed unless someone runs a discard server.
    with pytest.raises(HarnessError, match=r"no server answers at http://127\.0\.0\.1:9/v1/models"):
        discover("openai:http://127.0.0.1:9/v1#m")


@pytest.mark.parametrize("address", ["localhost:8000/v1", "ftp://host/v1", "http://h:x/v1", ""])
def test_a_wrong_address_is_named(address: str) -> None:
    with pytest.raises(HarnessError, match="expected openai:http://host:port/v1#model"):
        discover(f"openai:{address}")


# --- the command ---------------------------------------------------------------------------------


def test_show_prints_a_table_and_json(tmp_path: Path) -> None:
    make(tmp_path / "demo" / "step_2")
    make(tmp_path / "demo" / "step_10", template=True)
    table = CliRunner().invoke(command, ["show", str(tmp_path / "demo")])
    assert table.exit_code == 0
    assert table.output.index("step_2") < table.output.index("step_10")
    assert f"demo/step_2: {NO_CHAT_TEMPLATE}".split() == table.output.split("┘")[1].split()
    answer = CliRunner().invoke(command, ["show", str(tmp_path / "demo"), "--json"])
    rows = json.loads(answer.output)
    assert [row["step"] for row in rows] == [2, 10]
    assert rows[0]["path"] == str(tmp_path / "demo" / "step_2")


def test_a_fault_leaves_the_command_as_it_is(tmp_path: Path) -> None:
    answer = CliRunner().invoke(command, ["show", str(tmp_path / "absent")])
    assert isinstance(answer.exception, HarnessError)
