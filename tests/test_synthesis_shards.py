"""Shards and what is exported from them: nothing is lost on the way there and back."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.cli.main import harness
from harness.engines.types import Message
from harness.errors import HarnessError
from harness.items.code_task import CodeTask, CodeTest
from harness.items.probes.generate import training_samples
from harness.items.schema import FormatRule, Item
from training.synthesis.export import export, plain_dialogue
from training.synthesis.shards import (
    Row,
    find_shards,
    read_metadata,
    read_pairs,
    read_shard,
    write_pairs,
    write_shard,
)
from training.synthesis.types import Origin, Pair, Proof, Sample

# Halves of surrogate pairs are no text: engines and readers replace them.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
NAME = st.text("abcdefgh/_-", min_size=1, max_size=12)
METHODS = st.sampled_from(
    ["solver", "execution", "math-equality", "rules", "agreement", "document", "judged", "unproven"]
)
ITEMS = st.sampled_from([None, *training_samples(count=40, seed=1)])
CODE = Item(
    "c/1",
    "coding",
    ("書いてください。",),
    "",
    FormatRule("free"),
    "code",
    code=CodeTask("function", "f", "calls", (CodeTest(args=([1, "あ"],), expected={"a": None}),)),
)


@st.composite
def dialogues(draw: st.DrawFn) -> tuple[Message, ...]:
    turns = [Message("system", draw(TEXT))] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(1, 3))):
        turns += [Message("user", draw(TEXT)), Message("assistant", draw(TEXT))]
    return tuple(turns)


ORIGINS = st.builds(
    Origin,
    NAME,
    st.integers(0, 2**40),
    st.integers(0, 2**40),
    TEXT,
    st.dictionaries(TEXT, TEXT, max_size=3),
    st.lists(TEXT, max_size=2).map(tuple),
    TEXT,
)
SAMPLES = st.builds(
    Sample,
    NAME,
    TEXT,
    st.one_of(st.none(), st.integers(1, 5)),
    dialogues(),
    TEXT,
    st.builds(Proof, METHODS, st.booleans(), TEXT),
    ORIGINS,
    st.one_of(ITEMS, st.just(CODE)),
)
ROWS = st.builds(
    Row,
    SAMPLES,
    TEXT,
    st.integers(1, 99),
    st.integers(0, 999),
    st.sampled_from(["gap", "uniform", "replay"]),
    st.lists(NAME, max_size=3).map(tuple),
)
PAIRS = st.builds(
    Pair,
    NAME,
    TEXT,
    st.one_of(st.none(), st.integers(1, 5)),
    dialogues(),
    TEXT,
    TEXT,
    st.sampled_from(["verifier", "judge"]),
    st.floats(0, 10),
    NAME,
    ORIGINS,
)
RELAXED = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@given(st.lists(ROWS, max_size=5))
@RELAXED
def test_samples_come_back_as_they_were(rows: list[Row]) -> None:
    with tempfile.TemporaryDirectory() as home:
        path, again = Path(home) / "a.parquet", Path(home) / "b.parquet"
        write_shard(path, rows, {"teacher": None, "counts": {"kept": len(rows)}})
        back = read_shard(path)
        assert back == rows
        assert [row.sample.id for row in back] == [row.sample.id for row in rows]
        about = read_metadata(path)
        assert (about["kind"], about["counts"]) == ("samples", {"kept": len(rows)})
        write_shard(again, back, {"counts": {"kept": len(rows)}, "teacher": None})
        assert again.read_bytes() == path.read_bytes()


@given(st.lists(PAIRS, max_size=5))
@RELAXED
def test_pairs_come_back_as_they_were(pairs: list[Pair]) -> None:
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "p.parquet"
        write_pairs(path, pairs, {})
        assert read_pairs(path) == pairs
        with pytest.raises(HarnessError, match="a shard of pairs, expected one of samples"):
            read_shard(path)


def rows_of(count: int = 6) -> list[Row]:
    return [
        Row(
            Sample(
                item.genre,
                item.skill,
                item.level,
                (Message("user", item.turns[0]), Message("assistant", item.answer)),
                item.answer,
                Proof("solver", True, "drawn"),
                Origin("program@1", number, 0),
                item,
            ),
            "",
            1,
            0,
            "gap",
            ("verification",),
        )
        for number, item in enumerate(training_samples(count=count, seed=2))
    ]


def pairs_of() -> list[Pair]:
    return [
        Pair(
            "math",
            "",
            None,
            (Message("user", "1+1は？"),),
            "2です。",
            "3です。",
            "verifier",
            1.0,
            "f" * 64,
            Origin("preference@1", 0, 0),
        )
    ]


@pytest.fixture
def round_directory(tmp_path: Path) -> Path:
    home = tmp_path / "synthesized" / "round-0001-aa"
    home.mkdir(parents=True)
    write_shard(home / "program-00000.parquet", rows_of(), {})
    write_pairs(home / "pairs-00000.parquet", pairs_of(), {})
    (home / "lineage.json").write_text("{}")
    return home


def test_shards_are_found_by_file_round_and_directory_of_rounds(round_directory: Path) -> None:
    shard = round_directory / "program-00000.parquet"
    for place in (shard, round_directory, round_directory.parent):
        assert find_shards(place) == [shard]
    assert find_shards(round_directory, "pairs") == [round_directory / "pairs-00000.parquet"]
    (round_directory / "lineage.json").unlink()  # the round is not complete
    with pytest.raises(HarnessError, match=r"lineage\.json"):
        find_shards(round_directory.parent)


def test_a_file_that_is_no_shard_is_told(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    other = tmp_path / "other.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"a": [1]}), other)
    (tmp_path / "text.parquet").write_text("no Parquet")
    for name in ("other.parquet", "text.parquet"):
        with pytest.raises(HarnessError, match="no shard of `harness synthesize`"):
            find_shards(tmp_path / name)
    with pytest.raises(HarnessError, match="no shard of samples"):
        find_shards(tmp_path / "nothing")


def test_chats_load_in_datasets_and_as_trl_knows_them(
    round_directory: Path, tmp_path: Path
) -> None:
    datasets = pytest.importorskip("datasets")
    trl = pytest.importorskip("trl")
    done = export(round_directory, "sft", tmp_path / "sft.jsonl")
    assert done.rows == 6
    loaded = datasets.load_dataset(
        "json", data_files=str(done.paths[0]), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert trl.is_conversational(loaded[0])
    wanted = [row.sample.messages for row in rows_of()]
    for row, messages in zip(loaded, wanted, strict=True):
        assert [(one["role"], one["content"]) for one in row["messages"]] == [
            (one.role, one.content) for one in messages
        ]


def test_preferences_load_as_trl_knows_them(round_directory: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    trl = pytest.importorskip("trl")
    done = export(round_directory, "dpo", tmp_path / "dpo.jsonl")
    loaded = datasets.load_dataset(
        "json", data_files=str(done.paths[0]), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert trl.is_conversational(loaded[0])
    assert loaded[0] == {
        "prompt": [{"role": "user", "content": "1+1は？"}],
        "chosen": [{"role": "assistant", "content": "2です。"}],
        "rejected": [{"role": "assistant", "content": "3です。"}],
    }


def test_shards_load_in_datasets_and_duckdb_as_they_are(round_directory: Path) -> None:
    import duckdb

    datasets = pytest.importorskip("datasets")
    shard = str(round_directory / "program-00000.parquet")
    loaded = datasets.Dataset.from_parquet(shard, cache_dir=str(round_directory / "cache"))
    assert loaded.num_rows == 6
    rows = duckdb.sql(f"SELECT genre, messages[2].content, answer FROM '{shard}'").fetchall()
    assert all(reply == answer for _, reply, answer in rows)


def test_text_is_all_turns_behind_their_speakers(round_directory: Path, tmp_path: Path) -> None:
    messages = (
        Message("system", "短く。"),
        Message("user", "犬は？"),
        Message("assistant", "はい。"),
    )
    assert plain_dialogue(messages) == "設定：短く。\nユーザー：犬は？\nアシスタント：はい。"
    lines = export(round_directory, "text", tmp_path / "t.jsonl").paths[0].read_text().splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    assert texts == [plain_dialogue(row.sample.messages) for row in rows_of()]
    plain = export(round_directory, "text", tmp_path / "t.txt").paths[0].read_text()
    assert plain == "".join(f"{text}\n\n" for text in texts)


@pytest.mark.parametrize("chat", [False, True])
def test_megatron_reads_what_was_written(
    round_directory: Path, tmp_path: Path, tiny_checkpoint: Path, chat: bool
) -> None:
    indexed = pytest.importorskip("megatron.core.datasets.indexed_dataset")
    from harness.engines.prompt import load_tokenizer

    done = export(round_directory, "megatron", tmp_path / "m", tiny_checkpoint, chat)
    assert [path.name for path in done.paths] == ["m.bin", "m.idx"]
    tokenizer = load_tokenizer(tiny_checkpoint)
    dataset = indexed.IndexedDataset(str(tmp_path / "m"))
    assert len(dataset) == done.rows == 6
    assert list(dataset.document_indices) == list(range(7))
    assert int(dataset.sequence_lengths.sum()) == done.tokens
    for ids, row in zip(dataset, rows_of(), strict=True):
        messages = row.sample.messages
        text = (
            tokenizer.apply_chat_template(
                [{"role": one.role, "content": one.content} for one in messages], tokenize=False
            )
            if chat
            else plain_dialogue(messages) + tokenizer.eos_token
        )
        assert list(ids) == tokenizer.encode(text, add_special_tokens=False)
        assert ids[-1] == tokenizer.eos_token_id


def test_an_export_stops_an_endless_template(
    round_directory: Path, tmp_path: Path, tiny_checkpoint: Path
) -> None:
    pytest.importorskip("megatron.core.datasets.indexed_dataset")
    path = tmp_path / "endless"
    shutil.copytree(tiny_checkpoint, path)
    (path / "chat_template.jinja").write_text("{{ 'x' * 20000000 }}")
    with pytest.raises(HarnessError, match="wrote more than 16 million characters and was stopped"):
        export(round_directory, "megatron", tmp_path / "m", path, chat=True)
    assert not list(tmp_path.glob("m.*"))


def test_the_command_exports_and_says_what_is_missing(
    round_directory: Path, tmp_path: Path, tiny_base_checkpoint: Path
) -> None:
    def invoke(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(
            harness, ["synthesize", "export", str(round_directory), *arguments]
        )
        if isinstance(result.exception, HarnessError):
            return 3, str(result.exception)
        return result.exit_code, result.output

    output = str(tmp_path / "new" / "sft.jsonl")
    assert invoke("--to", "sft", "-o", output) == (0, f"6 rows: {output}\n")
    assert "needs --tokenizer" in invoke("--to", "megatron", "-o", output)[1]
    megatron = ["--to", "megatron", "-o", output, "--tokenizer"]
    assert "no chat template" in invoke(*megatron, str(tiny_base_checkpoint), "--chat")[1]
    assert "cannot be loaded" in invoke(*megatron, str(tmp_path))[1]
    (tmp_path / "file").write_text("")
    code, said = invoke("--to", "sft", "-o", str(tmp_path / "file" / "x.jsonl"))
    assert code == 3
    assert "cannot be written" in said
