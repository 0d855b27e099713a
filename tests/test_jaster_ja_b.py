"""Four tasks of the evalset `jaster-ja`: enough samples, balanced labels, golds that obey their
rules, and targets of reading_chunks that stand in the text."""

import json
import re
from collections import Counter
from math import ceil
from typing import Any

import pytest

from harness.items.load import find_evalset
from harness.items.schema import FormatRule, check_format
from harness.scoring.format import format_fault

FOLDER = find_evalset("basics").parent / "jaster-ja" / "evaluation"
# Category, metrics and least number of test samples.
EXPECTED = {
    "reading_kana": ("FA", ["exact_match"], 60),
    "reading_chunks": ("FA", ["set_f1"], 48),
    "similarity_pairs": ("STS", ["pearson"], 54),
    "acceptability_pairs": ("CL", ["exact_match"], 90),
}
KEYS = {
    "instruction",
    "output_length",
    "metrics",
    "category",
    "format",
    "few_shots",
    "samples",
}
KINDS = ["人名", "地名", "組織名"]
Task = dict[str, Any]


def read(split: str, name: str) -> Task:
    task: Task = json.loads((FOLDER / split / f"{name}.json").read_text(encoding="utf-8"))
    return task


TASKS = {name: (read("train", name), read("test", name)) for name in EXPECTED}
EACH = pytest.mark.parametrize("name", EXPECTED)


def samples(name: str) -> list[dict[str, Any]]:
    return [sample for task in TASKS[name] for sample in task["samples"]]


def rule_of(task: Task) -> FormatRule:
    fields = dict(task["format"])
    if "labels" in fields:
        fields["labels"] = tuple(fields["labels"])
    return FormatRule(**fields)


@EACH
def test_layout(name: str) -> None:
    train, test = TASKS[name]
    category, metrics, least = EXPECTED[name]
    assert len(train["samples"]) >= 8
    assert len(test["samples"]) >= least
    for split, task in (("train", train), ("test", test)):
        assert set(task) == KEYS
        text = json.dumps(task, ensure_ascii=False, indent=1) + "\n"
        assert (FOLDER / split / f"{name}.json").read_bytes() == text.encode()
    for key in KEYS - {"samples"}:
        assert train[key] == test[key]
    assert test["category"] == category
    assert test["metrics"] == metrics
    assert test["few_shots"] == []


@EACH
def test_golds_obey_the_format(name: str) -> None:
    rule = rule_of(TASKS[name][1])
    assert check_format(rule) is None
    longest = 0
    for sample in samples(name):
        assert set(sample) in ({"input", "output"}, {"input", "output", "accept"})
        answers = [sample["output"], *sample.get("accept", [])]
        assert len(set(answers)) == len(answers)
        for answer in answers:
            assert answer.strip() == answer
            assert format_fault(answer, rule, sample["input"]) is None, answer
            longest = max(longest, len(answer))
    assert TASKS[name][1]["output_length"] == 16 * ceil((8 + 3 * longest) / 16)


@EACH
def test_no_input_occurs_twice(name: str) -> None:
    counts = Counter(sample["input"] for sample in samples(name))
    assert [text for text, count in counts.items() if count > 1] == []


@EACH
def test_first_shots_differ(name: str) -> None:
    train, _ = TASKS[name]
    first = [sample["output"] for sample in train["samples"][:4]]
    assert len(set(first)) == min(4, len(train["format"].get("labels", first)))


@pytest.mark.parametrize("name", ["similarity_pairs", "acceptability_pairs"])
def test_labels_are_balanced(name: str) -> None:
    for task in TASKS[name]:
        labels = task["format"]["labels"]
        counts = Counter(sample["output"] for sample in task["samples"])
        assert set(counts) == set(labels)
        assert len(set(counts.values())) == 1
        for label in labels:
            assert label in task["instruction"]


def test_reading_kana_asks_for_one_word_with_kanji() -> None:
    golds: dict[str, list[str]] = {}
    for sample in samples("reading_kana"):
        (word,) = re.findall(r"「(.+?)」", sample["input"])
        assert re.search(r"[一-龯]", word)
        golds.setdefault(word, []).append(sample["output"])
    for word, readings in golds.items():
        assert len(set(readings)) == len(readings), word
    # Most words are asked with two readings or more, so that the word alone does not decide.
    assert sum(len(readings) for readings in golds.values() if len(readings) > 1) >= 50


def test_reading_chunks_targets_stand_in_the_text() -> None:
    kinds: Counter[str] = Counter()
    for sample in TASKS["reading_chunks"][1]["samples"]:
        kinds[sample["input"].split("\n")[0]] += 1
    assert kinds == Counter({f"種類：{kind}": kinds.total() // 3 for kind in KINDS})
    for sample in samples("reading_chunks"):
        kind, text = sample["input"].split("\n文章：")
        assert kind.removeprefix("種類：") in KINDS
        assert "\n" not in text
        targets = sample["output"].split("\n")
        assert len(set(targets)) == len(targets)
        # No target is a part of another one: an entry counts once in one spelling.
        for target in targets:
            assert target in text
            assert not any(target in other for other in targets if other != target)


def test_similarity_pairs_are_two_sentences() -> None:
    for sample in samples("similarity_pairs"):
        match = re.fullmatch(r"文1：(.+。)\n文2：(.+。)", sample["input"])
        assert match
        first, second = match.groups()
        assert first != second
        assert first.count("。") == second.count("。") == 1


def test_similarity_pairs_grades_three_and_four_differ_in_one_stretch() -> None:
    """Grade 3 swaps one stretch and grade 4 adds one: the rest of both sentences is the same."""
    for sample in samples("similarity_pairs"):
        if sample["output"] not in ("3", "4"):
            continue
        first, second = (line[3:] for line in sample["input"].split("\n"))
        head = 0
        while first[head] == second[head]:
            head += 1
        tail = 0
        while tail < min(len(first), len(second)) - head and first[-1 - tail] == second[-1 - tail]:
            tail += 1
        gaps = sorted(len(text) - head - tail for text in (first, second))
        assert (gaps[0] > 0) == (sample["output"] == "3"), first
        assert gaps[1] > 0


def test_acceptability_pairs_are_one_sentence_each() -> None:
    for sample in samples("acceptability_pairs"):
        assert re.fullmatch(r"文：[^。]+。", sample["input"])
