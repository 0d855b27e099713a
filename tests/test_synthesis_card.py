"""The quality card: numbers that can be worked out by hand, and samples that stay text."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from harness.cli.main import harness
from harness.engines.types import Message
from training.synthesis.card import make_card
from training.synthesis.card_page import card_page
from training.synthesis.diversity import distinct, evenness, spread
from training.synthesis.lineage import Round
from training.synthesis.shards import Row, write_shard
from training.synthesis.types import Origin, Proof, Sample

NASTY = (
    "````\n# 見出し\n```\n<script>alert(1)</script> [link](http://x) | 表 |\n\x1b[31m赤\u202e逆",
    "答え｜*強調* `code` <img src=x onerror=alert(1)>",
    "~~~\n~~~~~\n`````````",
)


def sample(number: int, text: str, level: int | None = None, proven: bool = True) -> Sample:
    messages = (Message("user", f"質問{number}：{text}"), Message("assistant", text))
    proof = Proof("document" if proven else "unproven", True, "<b>|`detail`")
    persona = {"role": "教師" if number % 2 else "医師", "mood": "<i>静か</i>"}
    origin = Origin("written@1", number, 0, persona=persona)
    return Sample("stem", "物理|<x>", level, messages, "", proof, origin)


def made(home: Path, samples: list[Sample], **changes: object) -> Round:
    rows = [Row(one, "", 1, 0, "gap", ("verification", "language")) for one in samples]
    write_shard(home / "teacher-00000.parquet", rows, {})
    kept = len(samples)
    lineage: dict[str, object] = {
        "round": 1,
        "seed": 0,
        "plan": "ab" * 32,
        "student": "run/<step>",
        "target": "best",
        "policy": "default",
        "filters": ["verification", "language", "near-duplicates"],
        "evalsets": {"basics": 209},
        "teacher": {
            "name": "t|<b>",
            "identity": "cd" * 32,
            "licence": {"name": "cc-by-nc-4.0", "source": "README.md", "warning": "non-commercial"},
        },
        "counts": {
            "wanted": 10,
            "tried": kept + 9,
            "kept": kept,
            "dropped": {"unreadable": 2, "verification": 3, "language": 4},
        },
        "lines": [
            {
                "genre": "stem",
                "skill": "",
                "level": None,
                "purpose": "gap",
                "generator": "written@1",
                "wanted": 10,
                "tried": kept + 9,
                "kept": kept,
                "dropped": {},
                "ended": "exhausted",
            }
        ],
        "examples": {"language": [["not <b>Japanese", NASTY[0]]]},
        "closest": [{"text": NASTY[1], "like": "basics a|b", "similarity": 0.5}],
        "complete": True,
        "stopped": "",
        "seconds": 4.0,
        "spent": {
            "replies": 7,
            "prompt_tokens": 100,
            "completion_tokens": 50,
            "cost": 0.25,
            "reused": 0,
        },
        "shards": [{"file": "teacher-00000.parquet"}],
    }
    return Round(home, lineage | changes)


def test_the_card_counts_what_is_there(tmp_path: Path) -> None:
    samples = [sample(n, f"文章{n}です。", 1 + n % 2, proven=n < 6) for n in range(8)]
    card = make_card(made(tmp_path, samples))
    assert (card.samples, card.measured, card.proven) == (8, 8, 0.75)
    assert card.levels == {"1": 4, "2": 4}
    assert card.methods == {"document": 6, "unproven": 2}
    assert card.genres == {"stem": 8}
    assert card.per_second == 2.0
    assert card.personas == {"mood": (1, 1.0), "role": (2, 1.0)}
    stages = [(one.name, one.dropped, one.left) for one in card.stages]
    assert stages == [
        ("unreadable", 2, 15),
        ("verification", 3, 12),
        ("language", 4, 8),
        ("near-duplicates", 0, 8),
    ]
    assert card.characters == sum(len(one.text) for one in samples) / 8
    assert {one.id for one in card.shown} == {one.id for one in samples}
    json.dumps(card.to_dict())


def test_twenty_samples_are_drawn_at_random_and_always_the_same(tmp_path: Path) -> None:
    samples = [sample(n, f"文章{n}です。") for n in range(200)]
    first, again = (make_card(made(tmp_path, samples)) for _ in range(2))
    assert [one.id for one in first.shown] == [one.id for one in again.shown]
    assert len({one.id for one in first.shown}) == 20
    places = [one.origin.index for one in first.shown]
    assert max(places) > 100
    assert places != sorted(places)
    assert make_card(made(tmp_path, samples), measured=50).measured == 50


def test_the_page_shows_untrusted_text_as_text(tmp_path: Path) -> None:
    samples = [sample(n, text) for n, text in enumerate(NASTY)]
    page = card_page(make_card(made(tmp_path, samples)))
    assert "\x1b" not in page
    assert "\u202e" not in page
    html = MarkdownIt("commonmark").enable("table").render(page)
    for markup in ("<script", "<img", "<b>", "<i>", "<x>", "<a ", "<em>"):
        assert markup not in html
    # Each text is whole, in a block that it could not end.
    for one in samples:
        for message in one.messages:
            shown = message.content.replace("\x1b", "‹U+001B›").replace("\u202e", "‹U+202E›")
            assert f"\n{shown}\n" in page
    headings = re.findall(r"<h[1-3]>", html)
    assert "<h1>見出し" not in html
    assert len(headings) == page.count("\n## ") + page.count("\n### ") + 1
    assert "0.2500" in page
    assert "non-commercial" in page


def test_a_round_that_stopped_says_so(tmp_path: Path) -> None:
    stopped = made(tmp_path, [sample(1, "文です。")], complete=False, stopped="5 tokens are spent")
    page = card_page(make_card(stopped))
    assert "Not complete" in page
    assert "5 tokens are spent" in page


def test_a_round_without_samples_has_a_card(tmp_path: Path) -> None:
    empty = made(tmp_path, [], shards=[], teacher=None)
    card = make_card(empty)
    assert (card.samples, card.proven, card.spread) == (0, 0.0, 0.0)
    assert "none: programs alone" in card_page(card)


def test_distinct_is_worked_out_by_hand() -> None:
    # ab bc ca ab: three distinct of four; abc bca cab: all three.
    assert distinct(["abcab"], 2) == 0.75
    assert distinct(["abcab"], 3) == 1.0
    assert distinct(["ab", "ab"], 2) == 0.5
    assert distinct(["a"], 2) == 0.0


def test_spread_is_one_less_the_mean_cosine_of_pairs() -> None:
    assert spread(["あいうえお"] * 5) == pytest.approx(0.0)
    assert spread(["あいうえお", "かきくけこ"]) == pytest.approx(1.0, abs=0.01)
    # あいう shares one of two 3-grams with あいうえ: cosine 1/√2.
    assert spread(["あいう", "あいうえ"]) == pytest.approx(1 - 1 / math.sqrt(2))
    assert spread(["あいうえお"]) == 0.0
    assert spread([]) == 0.0


@given(st.lists(st.text(min_size=1, max_size=12), min_size=2, max_size=8))
@settings(deadline=None)
def test_spread_is_the_same_pair_by_pair(texts: list[str]) -> None:
    long = [text for text in texts if len(text) >= 3]
    pairs = [spread([one, other]) for at, one in enumerate(long) for other in long[at + 1 :]]
    wanted = sum(pairs) / len(pairs) if pairs else 0.0
    assert spread(texts) == pytest.approx(wanted, abs=1e-9)
    assert -1e-9 <= spread(texts) <= 1 + 1e-9


def test_evenness_is_one_where_all_are_as_common() -> None:
    assert evenness(["a", "b", "a", "b"]) == pytest.approx(1.0)
    assert evenness(["a"] * 9) == 1.0
    quarter = -(0.25 * math.log2(0.25) + 0.75 * math.log2(0.75))
    assert evenness(["a", "b", "b", "b"]) == pytest.approx(quarter)


def test_a_directory_without_a_round_is_told(tmp_path: Path) -> None:
    result = CliRunner().invoke(harness, ["synthesize", "card", str(tmp_path)])
    assert "no lineage.json" in str(result.exception)
