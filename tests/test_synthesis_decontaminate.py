"""Decontamination: evaluation items planted in training texts, and texts that are clean."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.items import load
from harness.items.load import find_evalset, find_home, load_evalset
from harness.items.probes.generate import probes, training_samples
from harness.items.schema import FormatRule, Item, content_hash
from harness.store import asked, database, write
from tests.planted import katakana, renumbered, respelled, spaced_out, widened
from tests.shared_data import shared
from training.data import text_samples
from training.synthesis.decontaminate import Decontamination, Match
from training.synthesis.held_out import HeldOut, from_path, shipped, stored, texts_of

PLANTED = 200
# A sample around what is planted, as synthesis would have it.
BEFORE, AFTER = (
    "先生、次の問題を教えてください。\n",
    "\nよろしくお願いします。\nはい、順に考えます。",
)


@pytest.fixture(scope="module")
def every() -> list[HeldOut]:
    return shipped()


@pytest.fixture(scope="module")
def check(every: list[HeldOut]) -> Decontamination:
    return Decontamination(every)


def held(text: str, item: str = "own/1", *, generated: bool = False) -> HeldOut:
    return HeldOut(item, "own", text, item, generated)


def planted(texts: list[HeldOut], seed: int) -> list[HeldOut]:
    return random.Random(seed).sample(texts, PLANTED)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("copied", lambda text, draw: text),
        ("full width", lambda text, draw: widened(text)),
        ("spaces inserted", spaced_out),
        ("katakana", lambda text, draw: katakana(text)),
        ("upper case", lambda text, draw: text.upper()),
        ("no punctuation", lambda text, draw: text.replace("、", "").replace("。", "")),
        ("all of it", lambda text, draw: spaced_out(widened(katakana(text.upper())), draw)),
    ],
)
def test_every_exact_and_normalised_copy_is_found(
    every: list[HeldOut],
    check: Decontamination,
    name: str,
    change: Callable[[str, random.Random], str],
) -> None:
    draw = random.Random(1)
    texts = [one.text for one in planted(every, 1)]
    found = check.check([f"{BEFORE}{change(text, draw)}{AFTER}" for text in texts])
    print(f"{name}: {sum(one is not None for one in found)} of {PLANTED}")
    assert all(one is not None and one.overlap == 1.0 for one in found)
    if name == "copied":
        assert all(one is not None and one.method == "exact" for one in found)


@pytest.mark.parametrize(
    ("share", "least"), [(0.1, 0.85), (0.2, 0.8), (0.3, 0.7), (0.5, 0.5), (1.0, 0.25)]
)
def test_recall_of_items_with_kanji_written_in_kana(
    every: list[HeldOut], check: Decontamination, share: float, least: float
) -> None:
    draw = random.Random(2)
    written = [one.text for one in every if not one.generated]
    changed = [
        new
        for text in draw.sample(written, 3 * PLANTED)
        if (new := respelled(text, draw, share)) != text
    ][:PLANTED]
    recall = float(np.mean([one is not None for one in check.check(changed)]))
    print(f"{share:.0%} of the words respelled: recall {recall:.3f} of {len(changed)}")
    assert len(changed) == PLANTED
    assert recall >= least


def test_recall_of_written_items_with_other_numbers(
    every: list[HeldOut], check: Decontamination
) -> None:
    draw = random.Random(3)
    written = [one for one in every if not one.generated]
    changed = [new for one in written if (new := renumbered(one.text, draw)) != one.text]
    changed = draw.sample(changed, PLANTED)
    found = check.check([f"{BEFORE}{text}{AFTER}" for text in changed])
    recall = float(np.mean([one is not None for one in found]))
    print(f"other numbers: recall {recall:.3f} of {len(changed)}")
    assert recall >= 0.9


def test_probes_of_other_numbers_are_training_data(check: Decontamination) -> None:
    """Evaluation and training share templates of programs by design, and no content."""
    evaluated = probes(per_level=4, seed=0)
    assert all(check.check([one.turns[0] for one in evaluated]))
    texts = [f"{one.turns[0]}\n{one.answer}" for one in training_samples(count=5000, seed=21)]
    found = [one for one in check.check(texts) if one is not None]
    print(f"{len(found)} of {len(texts)} training samples")
    assert len(found) <= 5


def test_ordinary_texts_are_kept(check: Decontamination) -> None:
    texts = [one.answer for one in text_samples(3000, 0)]
    joined = ["".join(texts[start : start + 15]) for start in range(0, len(texts), 15)]
    assert check.check([*texts, *joined]) == [None] * (len(texts) + len(joined))


def test_what_items_share_is_boilerplate() -> None:
    shared_words = "次の問題をよく読み、答えの数だけを半角数字で一行に書いてください。"
    animals = ("いぬが庭を走り回りました", "ねこが窓辺で眠っています", "とりが空を高く飛びます")
    more = ("うまが草原でいななきます", "うしが牧場で草を食べます")
    texts = [held(shared_words + one * 2, f"own/{one}") for one in (*animals, *more)]
    checked = Decontamination(texts)
    assert checked.check([shared_words, shared_words + "さるが木に登って実を取ります"]) == [
        None,
        None,
    ]
    assert checked.check([f"昔、{animals[0] * 2}とさ"]) != [None]
    few = Decontamination(texts[:2])
    assert few.check([shared_words + "さる"]) != [None]


def test_an_item_that_is_held_out_many_times_is_no_boilerplate() -> None:
    text = "村の外れの古い水車小屋には、毎年秋になると旅の画家がやって来ました。"
    many = [HeldOut("own/1", f"set {number}", text, "own/1") for number in range(9)]
    (found,) = Decontamination(many).check([text[:24] + "、それきり誰も来ません。"])
    assert found is not None
    assert (found.suite, found.method) == ("set 0", "overlap")


def test_short_items_are_matched_as_wholes() -> None:
    checked = Decontamination([held("首都は？", "own/1"), held("鎌倉幕府を開いた人は？", "own/2")])
    assert checked.check(["日本の首都はどこですか。"]) == [None]
    assert checked.check(["問い\n首都は？\n東京です。"]) == [Match("own/1", "own", "exact", 1.0)]
    assert checked.check(["首 都 は"]) == [Match("own/1", "own", "normalised", 1.0)]
    assert checked.check(["では鎌倉幕府を\n開いた人は"]) == [
        Match("own/2", "own", "normalised", 1.0)
    ]
    assert checked.check(["鎌倉幕府を開いた。"]) == [None]


def test_a_sign_of_arithmetic_is_content() -> None:
    checked = Decontamination([held("34-12を計算して、答えだけを書いてください。", generated=True)])
    assert checked.check(["34/12を計算して、答えだけを書いてください。"]) == [None]
    assert checked.check(["34－12を計算して、答えだけを書いてください。"]) != [None]


def test_numbers_count_only_for_written_items() -> None:
    text = "太郎さんは1本80円の鉛筆を3本と、120円の消しゴムを2個買いました。代金はいくらですか。"
    changed = (
        text.replace("80", "95").replace("3本", "7本").replace("120", "150").replace("2個", "4個")
    )
    assert Decontamination([held(text, generated=True)]).check([changed]) == [None]
    found = Decontamination([held(text)]).check([changed])[0]
    assert found is not None
    assert found.method == "numbers"
    assert found.overlap == 1.0


@given(
    st.lists(st.text("あいうアイ1２。 \nAa𠮷…ｶﾞ", min_size=1, max_size=40), min_size=1, max_size=6)
)
@settings(max_examples=150, deadline=None)
def test_a_text_always_holds_itself(texts: list[str]) -> None:
    """Whatever the text, if it has a letter."""
    checked = Decontamination([held(text, f"own/{row}") for row, text in enumerate(texts)])
    around = checked.check([f"前。\n{text}\n後。" for text in texts])
    for text, one in zip(texts, around, strict=True):
        if any(mark.isalnum() for mark in text) and "\n" not in text.strip():
            assert one is not None


@given(st.lists(st.integers(0, 30), min_size=1, max_size=40), st.integers(1, 7))
@settings(max_examples=30, deadline=None)
def test_answers_do_not_depend_on_the_calls(rows: list[int], size: int) -> None:
    draw = random.Random(0)
    items = ["".join(draw.choices("あいうえおかきくけこ山川海空", k=30)) for _ in range(20)]
    checked = Decontamination([held(text, f"own/{row}") for row, text in enumerate(items)])
    texts = [(items[row] if row < 20 else "何もないところ" * 3)[row % 9 :] for row in rows]
    parts = [checked.check(texts[start : start + size]) for start in range(0, len(texts), size)]
    assert [one for part in parts for one in part] == checked.check(texts)


def test_the_closest_texts_that_were_kept_are_reported() -> None:
    text = "村の外れの古い水車小屋には、毎年秋になると旅の画家がやって来て、川の絵を描きました。"
    checked = Decontamination([held(text)])
    near = f"{text[:20]}、そこで猫が三匹、静かに暮らしています。雨の日には屋根の上で遊びます。"
    assert checked.check([near, "関わりのない文がここに書いてあります。"]) == [None, None]
    (one,) = checked.report()
    assert one.text == near
    assert one.match.item == "own/1"
    assert 0 < one.match.overlap < 0.4
    assert Decontamination([held(text)]).report() == []


def test_all_of_an_item_is_held_out() -> None:
    written = load_evalset(find_evalset("mt-bench-ja")).items[0]
    texts = {one.text for one in texts_of(written, "mt-bench-ja")}
    assert {*written.turns, *filter(None, written.references)} <= texts
    program = load_evalset(find_evalset("code-ja")).items[0]
    assert program.code is not None
    assert program.code.reference in {one.text for one in texts_of(program, "code-ja")}


def test_every_suite_is_there(every: list[HeldOut]) -> None:
    suites = {one.suite for one in every}
    assert suites == {"basics", "code-ja", "if-ja", "mt-bench-ja", "jaster-ja", "probes"}
    assert {one.item for one in every if one.suite == "basics"} == {
        one.id for one in load_evalset(find_evalset("basics")).items
    }
    other = {one.item for one in shipped(seeds=(0, 7)) if one.suite == "probes"}
    assert {one.id for one in probes(per_level=4, seed=7)} <= other


def test_it_refuses_to_run_against_nothing() -> None:
    with pytest.raises(HarnessError, match="no evaluation item"):
        Decontamination([])


def test_it_refuses_to_run_without_an_evalset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "evalsets"
    shutil.copytree(find_home("basics").parent, home)
    monkeypatch.setattr(load, "_HOMES", (home,))
    assert Decontamination.build()
    (home / "if-ja" / "items.jsonl").write_text("{broken\n", encoding="utf-8")
    with pytest.raises(HarnessError, match=r"items\.jsonl:1"):
        Decontamination.build()
    shutil.rmtree(home / "if-ja")
    with pytest.raises(HarnessError, match="if-ja is not part of this installation"):
        Decontamination.build()
    monkeypatch.setattr(load, "_HOMES", (tmp_path / "nowhere",))
    with pytest.raises(HarnessError, match="not part of this installation"):
        Decontamination.build()


def made_store(path: Path, imported: Path | None) -> Path:
    """A store in which one item was asked, and perhaps a benchmark imported."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    database.prepare(path)
    item = Item(
        "asked/1",
        "stem",
        ("大昔の海にいた貝の化石は、どこで見つかりましたか。",),
        "山",
        FormatRule("line"),
        "exact",
    )
    blank = dict.fromkeys(("level", "template", "seen", "cluster", "dataset"))
    definition = json.dumps(
        {
            "id": item.id,
            "genre": item.genre,
            "turns": item.turns,
            "answer": item.answer,
            "format": {"kind": "line"},
            "metric": "exact",
        }
    )
    evaluation = {
        "id": "e",
        "fingerprint": "f",
        "protocol_hash": "p",
        "items_hash": "h",
        "suite": "asked",
        "items": 1,
        "samples": 1,
        "seed": 0,
        "engine": "test",
        "state": "complete",
        "planned": 1,
        "done": 1,
        "failed": 0,
        "failures": "{}",
        "started_at": now,
        "finished_at": now,
    }
    row = {**blank, "hash": item.hash, "id": item.id, "genre": "stem", "skill": ""}
    request = {"evaluation": "e", "key": "k", "item_hash": item.hash, "kind": "answer"}
    batch: dict[str, list[dict[str, object]]] = {
        "items": [{**row, "definition": definition}],
        "evaluations": [evaluation],
        "requests": [{**request, "sample": 0, "turn": 0}],
    }
    if imported is not None:
        one = {
            "name": "jaster",
            "path": str(imported),
            "hash": content_hash("x"),
            "imported_at": now,
        }
        batch["imports"] = [one]
    write.spool(path, batch)
    write.ingest(path)
    return path


def test_items_of_a_store_and_its_imports_are_held_out(tmp_path: Path) -> None:
    store = made_store(tmp_path / "results.duckdb", find_home("jaster-ja"))
    assert [(suite, one.id) for suite, one in asked.all_items(store)] == [("asked", "asked/1")]
    texts = stored(store)
    assert ("asked", "asked/1") in {(one.suite, one.item) for one in texts}
    assert len({one.item for one in texts}) > 700
    (found,) = Decontamination.build(store).check(
        ["大昔の海にいた貝の化石はどこで見つかりましたか"]
    )
    assert found == Match("asked/1", "asked", "normalised", 1.0)


def test_a_benchmark_that_is_gone_stops_it(tmp_path: Path) -> None:
    store = made_store(tmp_path / "results.duckdb", tmp_path / "gone")
    with pytest.raises(HarnessError, match="gone: not there"):
        stored(store)


def test_files_of_benchmarks(tmp_path: Path) -> None:
    question = {
        "question_id": 1,
        "category": "math",
        "turns": ["一つ目の問いです。", "二つ目です。"],
    }
    (tmp_path / "question.jsonl").write_text(json.dumps(question), encoding="utf-8")
    assert [one.text for one in from_path(tmp_path / "question.jsonl")] == question["turns"]
    assert [one.text for one in from_path(tmp_path)] == question["turns"]
    plain = tmp_path / "plain.jsonl"
    plain.write_text(
        '{"question": "りんごはいくつ残りますか。", "answer": "3"}\n', encoding="utf-8"
    )
    assert [one.text for one in from_path(plain)] == ["りんごはいくつ残りますか。"]
    assert len(from_path(find_home("basics"))) == 209
    for content in ("", "{}\n", '{"question": ""}\n', "not json\n"):
        plain.write_text(content, encoding="utf-8")
        with pytest.raises(HarnessError, match="no benchmark that can be read"):
            from_path(plain)


def test_published_benchmarks_can_be_read() -> None:
    """Where they are here: their own test questions are found, Japanese answers to others are
    kept."""
    texts = [
        *from_path(shared("jaster-llmjp-format")),
        *from_path(shared("code-and-math", "jhumaneval", "data", "jhuman-eval.jsonl.gz")),
        *from_path(shared("code-and-math", "gsm8k", "test.jsonl")),
        *from_path(shared("m-ifeval", "ja_input_data.jsonl")),
    ]
    assert len({one.item for one in texts}) > 5000
    checked = Decontamination(texts)
    sample = [one.text for one in random.Random(0).sample(texts, 500)]
    assert all(checked.check(sample))
    answers = [
        turn
        for path in sorted(shared("jmt-bench", "model_answer").glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
        for choice in json.loads(line)["choices"]
        for turn in choice["turns"]
    ]
    wrong = [one for one in checked.check(answers) if one is not None]
    print(f"{len(wrong)} of {len(answers)} answers to other questions: {wrong}")
    assert len(answers) > 800
    assert len(wrong) <= 0.005 * len(answers)
