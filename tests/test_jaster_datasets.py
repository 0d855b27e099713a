"""The table of Jaster datasets against real golds and the definitions."""

from __future__ import annotations

import json
import time
from collections import Counter

import pytest

from harness.items.jaster_datasets import DATASETS, METRIC_NAMES
from harness.items.schema import JASTER_ASIDE, JASTER_CATEGORIES
from harness.scoring import format_fault
from tests.shared_data import shared

CONVERTED = (
    *("janli", "jcommonsenseqa", "jemhopqa", "jmmlu", "jnli"),
    *("jsquad", "mawps", "mgsm", "niilc"),
)


def test_the_average_is_over_22_datasets_in_nine_categories() -> None:
    counted = Counter(one.category for one in DATASETS.values() if one.category not in JASTER_ASIDE)
    assert tuple(counted) == JASTER_CATEGORIES
    assert [*counted.values()] == [5, 2, 1, 1, 2, 1, 5, 1, 4]
    assert sum(one.official for one in DATASETS.values()) == 25


@pytest.mark.parametrize("name", CONVERTED)
@pytest.mark.parametrize("split", ["train", "test"])
def test_real_golds_obey_the_format(name: str, split: str) -> None:
    file = json.loads(shared("jaster-llmjp-format", split, f"{name}.json").read_text())
    dataset = DATASETS[name]
    assert file["output_length"] == dataset.output_length
    assert [METRIC_NAMES[metric] for metric in file["metrics"]] == [dataset.metric]
    for sample in file["samples"]:
        assert format_fault(sample["output"], dataset.format, sample["input"]) is None


def test_logged_golds_obey_the_format() -> None:
    logged = json.loads(shared("jaster-outputs-sample", "dev-135-rows.json").read_text())
    for values in logged["data"]:
        row = dict(zip(logged["columns"], values, strict=True))
        rule = DATASETS[row["target_dataset"]].format
        assert format_fault(row["true"], rule, row["input"]) is None


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("chabsa", "受注高 positive\n売上高 negative", "受注高 good"),
        ("chabsa", "受注高 neutral", "- 受注高 neutral"),
        ("wiki_ner", "ケッペン（人名） 北海(地名)", "ケッペン（人名）\n北海（地名）"),
        ("wiki_ner", "A（株）（組織名）", "ケッペン"),
        ("wiki_reading", "ぎたー・えんそう。", "ギター演奏"),
        ("wiki_dependency", "国津神の -> 神で、", "国津神の→神で、"),
        ("wiki_pas", "登場する ガ：神 ニ：日本神話", "登場する"),
        ("wiki_coreference", "国津神 国津神", "国津神"),
        ("alt-e-to-j", "「雨が降る。」", "雨が降る。\n以上です。"),
        ("jsem", "undef", "undefined"),
        ("jblimp", "a", "A"),
    ],
)
def test_formats(name: str, right: str, wrong: str) -> None:
    assert format_fault(right, DATASETS[name].format) is None
    assert format_fault(wrong, DATASETS[name].format) is not None


@pytest.mark.parametrize(
    "raw",
    [
        "あ" * 10**6,
        "あ（地名） " * 10**5 + "x",
        "あ positive\n" * 10**5 + "x",
        "あ -> い\n" * 10**5 + "\n",
        "あ ガ：い\n" * 10**5 + "\n",
        "い う\n" * 10**5 + "\n",
        "( " * 10**5,
    ],
)
def test_patterns_refuse_long_answers_in_linear_time(raw: str) -> None:
    for dataset in DATASETS.values():
        begin = time.process_time()
        format_fault(raw, dataset.format)
        assert time.process_time() - begin < 2, dataset.name
