"""Reading llm-jp-eval directories: what is found, and a file and line for every fault."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.items.jaster import dataset_items, read_directory, require_sound
from harness.items.jaster_datasets import DATASETS
from harness.items.schema import Item
from harness.protocols.jaster_suite import gold_notes, open_jaster
from tests.shared_data import shared

GOOD: dict[str, Any] = {
    "instruction": "記号だけを答えてください。",
    "output_length": 1,
    "metrics": ["exact_match"],
    "few_shots": [],
    "samples": [
        {"input": "質問：一番は？\n選択肢：0.あ,1.い", "output": "0"},
        {"input": "質問：二番は？\n選択肢：0.う,1.え", "output": "1"},
    ],
}


def write(root: Path, split: str, name: str, content: Any, **more: Any) -> Path:
    path = root / split / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        text = json.dumps(content | more, ensure_ascii=False, indent=1)
        path.write_text(text, encoding="utf-8")
    return path


def directory(root: Path, content: Any = None, **more: Any) -> Path:
    write(root, "test", "jcommonsenseqa", GOOD if content is None else content, **more)
    write(root, "train", "jcommonsenseqa", GOOD)
    return root


def items(root: Path, **more: Any) -> list[Item]:
    found = read_directory(root).found[0]
    assert found.asked is not None
    options = {"category": "MC", "metric": "exact", "shots": 1, "limit": None} | more
    return dataset_items(found, found.asked, **options)


def test_a_sound_directory(tmp_path: Path) -> None:
    read = read_directory(directory(tmp_path))
    require_sound(read)
    (found,) = read.found
    assert (found.name, found.split, found.faults) == ("jcommonsenseqa", "test", ())
    assert found.dataset == DATASETS["jcommonsenseqa"]
    assert "jnli" in read.missing
    assert "jcommonsenseqa" not in read.missing
    assert len(read.missing) == 24
    first, second = items(tmp_path)
    assert first.turns == (GOOD["samples"][0]["input"],)
    assert (first.answer, first.max_tokens, first.dataset) == ("0", 1, "jcommonsenseqa")
    assert first.instruction == GOOD["instruction"]
    assert first.shots == ((GOOD["samples"][0]["input"], "0"),)
    assert second.id == "jcommonsenseqa/00002"


@pytest.mark.parametrize("below", ["", "evaluation", "evaluation/test"])
def test_the_layouts_that_users_have(tmp_path: Path, below: str) -> None:
    directory(tmp_path / "evaluation")
    where = tmp_path / (below or "evaluation")
    assert [one.name for one in read_directory(where).found] == ["jcommonsenseqa"]


def test_dev_is_asked_where_there_is_no_test(tmp_path: Path) -> None:
    write(tmp_path, "dev", "jnli", GOOD)
    write(tmp_path, "train", "jnli", GOOD)
    assert read_directory(tmp_path).found[0].split == "dev"


def test_the_hash_changes_with_any_file(tmp_path: Path) -> None:
    before = read_directory(directory(tmp_path)).hash
    assert read_directory(tmp_path).hash == before
    write(tmp_path, "train", "jcommonsenseqa", GOOD, instruction="別の指示")
    assert read_directory(tmp_path).hash != before


FAULTS: list[tuple[bytes | dict[str, Any], str]] = [
    (b"", r"jcommonsenseqa\.json:1: the file is empty"),
    (b" \n\n ", r":1: the file is empty"),
    (b"\xef\xbb\xbf{}", r":1: the file starts with a byte order mark.*save it as UTF-8"),
    ('{\n"instruction": "答え"}'.encode("cp932"), r":2: not UTF-8.*iconv -f CP932"),
    (b'{"samples": [\n{"input": "a",\n}]}', r":3: broken JSON at column 1"),
    (b"[]", r":1: a JSON list, expected an object with instruction, output_length"),
    (b'{"samples": [], "samples": []}', r":1: field 'samples' occurs twice"),
    (b"[" * 100_000, r":1: unreadable JSON"),
    (
        {
            "instruction": "あ",
            "metrics": ["exact_match"],
            "samples": [{"input": "a", "output": "b"}],
        },
        r":1: `output_length` is missing, expected the number of new tokens",
    ),
    (GOOD | {"output_length": 0}, r":3: `output_length` is 0, expected the number"),
    (GOOD | {"output_length": True}, r":3: `output_length` is true"),
    (GOOD | {"metrics": []}, r":4: `metrics` is \[\], expected a list of names"),
    (GOOD | {"samples": []}, r":\d+: `samples` is \[\], expected a list of one or more"),
    (GOOD | {"samples": {"input": "a"}}, r"`samples` is \{\"input\""),
    (GOOD | {"samples": [{"input": "a", "output": "b"}, 3]}, r":13: a sample is no object"),
    (GOOD | {"samples": [{"input": "a"}]}, r":9: the sample's `output` is missing"),
    (GOOD | {"samples": [{"input": "a", "output": 3}]}, r":9: the sample's `output` is int"),
    (GOOD | {"samples": [{"input": " ", "output": "b"}]}, r"`input` is empty"),
    (GOOD | {"samples": [{"input": "a", "output": "b", "accept": "c"}]}, r"`accept` is no list"),
    (
        GOOD
        | {
            "samples": [
                {"id": 7, "input": "a", "output": "b"},
                {"id": 7, "input": "c", "output": "d"},
            ]
        },
        r":14: duplicate id '7', first seen on line 9; expected a unique id",
    ),
    (GOOD | {"format": {"kind": "choice", "labels": ["A"]}}, r"two or more different labels"),
    (GOOD | {"format": {"kind": "letters"}}, r"`format`: Invalid enum value"),
    (GOOD | {"category": "XX"}, r"`category` is \"XX\", expected one of NLI, QA"),
    (
        json.dumps(GOOD | {"samples": [{"input": "\ud800", "output": "b"}]}).encode(),
        r":1: the sample holds half of a surrogate pair",
    ),
]


@pytest.mark.parametrize(("content", "message"), FAULTS)
def test_each_fault_names_file_line_cause_and_fix(
    tmp_path: Path, content: bytes | dict[str, Any], message: str
) -> None:
    directory(tmp_path, content)
    with pytest.raises(HarnessError, match=message):
        require_sound(read_directory(tmp_path))


def test_every_fault_of_every_file_is_named_at_once(tmp_path: Path) -> None:
    directory(tmp_path, GOOD | {"output_length": -1, "metrics": "exact_match"})
    write(tmp_path, "test", "jnli", b"")
    with pytest.raises(HarnessError) as caught:
        require_sound(read_directory(tmp_path))
    assert len(str(caught.value).splitlines()) == 3


def test_an_unknown_dataset_is_what_its_file_says(tmp_path: Path) -> None:
    rule = {"kind": "choice", "labels": ["0", "1"]}
    write(tmp_path, "test", "ours", GOOD, category="CL", format=rule)
    (found,) = read_directory(tmp_path).found
    assert found.dataset is not None
    assert (found.dataset.category, found.dataset.format.labels) == ("CL", ("0", "1"))
    write(tmp_path, "test", "ours", GOOD, metrics=["rouge"])
    (found,) = read_directory(tmp_path).found
    assert "none of the metrics rouge is known" in found.faults[0]


def test_too_few_examples(tmp_path: Path) -> None:
    directory(tmp_path)
    with pytest.raises(HarnessError, match=r"train/jcommonsenseqa\.json: 2 samples, but 4 few-sho"):
        items(tmp_path, shots=4)
    (tmp_path / "train" / "jcommonsenseqa.json").unlink()
    with pytest.raises(HarnessError, match=r"ask with --shots 0"):
        items(tmp_path)
    assert items(tmp_path, shots=0)[0].shots == ()


def test_a_repeated_question_counts_each_time(tmp_path: Path) -> None:
    directory(tmp_path, GOOD | {"samples": [GOOD["samples"][0]] * 3})
    made = items(tmp_path)
    assert len({item.hash for item in made}) == 3
    assert len({item.cluster for item in made}) == 1
    assert [item.copy for item in made] == [0, 1, 2]
    (found,) = read_directory(tmp_path).found
    assert gold_notes(found) == ["2 repeated, each counts"]


def test_questions_about_one_passage_are_a_cluster(tmp_path: Path) -> None:
    samples = [
        {"input": f"文章：春の文章。\n質問：{word}は？", "output": "春"} for word in ("何", "誰")
    ]
    directory(tmp_path, GOOD | {"samples": samples})
    assert len({item.cluster for item in items(tmp_path)}) == 1


def test_golds_that_break_the_rule_are_told(tmp_path: Path) -> None:
    directory(tmp_path, GOOD | {"samples": [{"input": "a", "output": "９"}]})
    (found,) = read_directory(tmp_path).found
    assert any("1 gold(s) break the format rule" in note for note in gold_notes(found))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("jaster@nejumi-v9", "no Jaster protocol 'nejumi-v9'; expected one of llmjp-1.3, nejumi"),
        ("jaster:/nowhere/at/all", "no such directory"),
    ],
)
def test_names_of_suites(name: str, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        open_jaster(name)


def test_datasets_are_chosen_by_name(tmp_path: Path) -> None:
    directory(tmp_path)
    opened = open_jaster(f"jaster:{tmp_path}", shots=0, datasets=["jcommonsenseqa"])
    assert len(opened.items) == 2
    with pytest.raises(HarnessError, match="no dataset jnlj; it has jcommonsenseqa"):
        open_jaster(f"jaster:{tmp_path}", shots=0, datasets=["jnlj"])


def test_a_directory_that_changed_since_its_import_is_refused(tmp_path: Path) -> None:
    directory(tmp_path)
    record = (tmp_path, read_directory(tmp_path).hash)
    assert open_jaster("jaster", imported=record, shots=1).protocol.suite == "jaster"
    write(tmp_path, "test", "jcommonsenseqa", GOOD, output_length=2)
    with pytest.raises(HarnessError, match="changed since they were imported"):
        open_jaster("jaster", imported=record, shots=1)


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1, max_size=6),
    st.sampled_from([None, 0, 1, 4]),
)
def test_a_sample_is_found_on_its_line(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], indent: int | None
) -> None:
    root = tmp_path_factory.mktemp("lines")
    samples = [{"input": f"問{text}", "output": "答"} for text in texts]
    text = json.dumps(GOOD | {"samples": samples}, ensure_ascii=False, indent=indent)
    write(root, "test", "jnli", text.encode())
    (found,) = read_directory(root).found
    assert found.asked is not None
    lines = text.split("\n")
    for sample, one in zip(samples, found.asked.samples, strict=True):
        assert one.input == sample["input"]
        assert "{" in lines[one.line - 1]
        if indent is not None:
            assert json.dumps(sample["input"], ensure_ascii=False) in lines[one.line]


def test_every_gold_of_real_data_obeys_its_rule_or_is_told() -> None:
    read = read_directory(shared("jaster-llmjp-format"))
    require_sound(read)
    assert len(read.found) == 9
    told = {one.name: gold_notes(one) for one in read.found}
    broken = {name: [n for n in notes if "break" in n] for name, notes in told.items()}
    assert {name for name, notes in broken.items() if notes} <= {"jsquad"}
