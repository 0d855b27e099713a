"""Logs of battles: every layout read for what it says, and every fault told by its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.arena.logs import Log, read_log
from harness.errors import HarnessError
from tests.shared_data import shared


def lines(path: Path, *records: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records))
    return path


def met(log: Log) -> list[tuple[str, str, str]]:
    return [(one.model_a, one.model_b, one.outcome) for one in log.battles]


BATTLE = {"model_a": "x", "model_b": "y", "winner": "model_a", "question_id": 1, "tstamp": 1.7e9}


def test_fastchat_battles_as_lines_and_as_one_list(tmp_path: Path) -> None:
    records = [BATTLE, BATTLE | {"winner": "tie (bothbad)", "question_id": 2}]
    by_line = read_log(lines(tmp_path / "log.jsonl", *records))
    listed = tmp_path / "log.json"
    listed.write_text(json.dumps(records))
    for found in (by_line, read_log(listed)):
        assert met(found) == [("x", "y", "a"), ("x", "y", "both_bad")]
        first = found.battles[0]
        assert (first.kind, first.prompt, first.order) == ("import:log", "1", "a")
        assert first.time is not None
        assert first.time.year == 2023
    assert [one.id for one in by_line.battles] == [one.id for one in read_log(listed).battles]


def test_fastchat_styles_are_read_from_its_metadata(tmp_path: Path) -> None:
    metadata = {
        "sum_assistant_a_tokens": 100,
        "sum_assistant_b_tokens": 50,
        "header_count_a": {"h1": 1, "h2": 2},
        "header_count_b": {"h1": 0},
        "list_count_a": {"ordered": 4, "unordered": 1},
        "list_count_b": {"ordered": 0, "unordered": 0},
        "bold_count_a": {"**": 2, "__": 1},
        "bold_count_b": {"**": 0, "__": 0},
    }
    path = lines(tmp_path / "log.jsonl", BATTLE | {"conv_metadata": metadata}, BATTLE)
    with_style, without = read_log(path).battles
    assert with_style.style_a is not None
    assert with_style.style_a.headers == 3
    assert (with_style.style_a.lists, with_style.style_a.bold) == (5, 3)
    assert without.style_a is None


def test_fastchat_server_events_hold_votes_among_other_things(tmp_path: Path) -> None:
    def event(kind: str, a: str, b: str) -> dict[str, Any]:
        states = [
            {"model_name": name, "messages": [["user", "質問"], ["assistant", name]]}
            for name in (a, b)
        ]
        return {"type": kind, "models": ["", ""], "states": states, "tstamp": 1.7e9, "ip": "v1"}

    path = lines(
        tmp_path / "conv.json",
        event("leftvote", "x", "y"),
        event("chat", "x", "y"),
        event("rightvote", "x", "z"),
        event("bothbad_vote", "y", "z"),
    )
    found = read_log(path)
    assert met(found) == [("x", "y", "a"), ("x", "z", "b"), ("y", "z", "both_bad")]
    assert found.left_out == 1
    assert len({one.prompt for one in found.battles}) == 1
    assert found.battles[0].session == "v1"


def test_judgments_hold_both_orders_of_one_comparison(tmp_path: Path) -> None:
    record = {
        "model_1": "x",
        "model_2": "y",
        "question_id": 7,
        "g1_winner": "model_1",
        "g2_winner": "model_2",
        "judge": ["gpt-4", "pair-v2"],
        "turn": 1,
        "tstamp": 1.7e9,
    }
    path = lines(tmp_path / "judged.jsonl", record, record | {"turn": 2, "g2_winner": "error"})
    found = read_log(path).battles
    assert [(one.outcome, one.order) for one in found] == [("a", "a"), ("b", "b"), ("a", "a")]
    assert found[0].match == found[1].match != found[2].match
    assert {one.prompt for one in found} == {"7"}


def test_csv_with_everything_and_with_the_least(tmp_path: Path) -> None:
    full = tmp_path / "full.csv"
    full.write_text(
        "model_a,model_b,winner,prompt,genre,session,latency,time,order,weight\n"
        '"x, large",y,model_b,"二行の\n問い",math,v1,3.5,2026-01-02T03:04:05,b,2\n'
    )
    (one,) = read_log(full, "名 前").battles
    assert one.kind == "import:名-前"
    assert (one.model_a, one.outcome, one.genre, one.order) == ("x, large", "b", "math", "b")
    assert (one.session, one.latency, one.weight) == ("v1", 3.5, 2.0)
    assert one.time is not None
    assert one.time.isoformat() == "2026-01-02T03:04:05+00:00"
    least = tmp_path / "least.csv"
    least.write_text("model_a,model_b,outcome\nx,y,tie\nx,y,tie\n")
    first, second = read_log(least).battles
    assert first.id != second.id  # two votes alike are two votes
    assert first.prompt != second.prompt  # and nothing says that they were on one prompt


def test_a_log_that_grew_keeps_the_ids_of_its_rows(tmp_path: Path) -> None:
    records = [BATTLE, BATTLE, BATTLE | {"winner": "tie"}]
    path = lines(tmp_path / "log.jsonl", *records[:2])
    before = [one.id for one in read_log(path).battles]
    after = [one.id for one in read_log(lines(path, *records)).battles]
    assert after[:2] == before
    assert len(set(after)) == 3


def test_genres_come_from_a_file_of_questions(tmp_path: Path) -> None:
    questions = lines(tmp_path / "question.jsonl", {"question_id": 1, "category": "math"})
    path = lines(tmp_path / "log.jsonl", BATTLE, BATTLE | {"question_id": 2})
    assert [one.genre for one in read_log(path, questions=questions).battles] == ["math", ""]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"model_a": "x", "model_b": "y", "winner": "A"}', ":1: 'A' is no outcome"),
        ('{"model_a": "x", "model_b": "x", "winner": "tie"}', ":1: x meets itself"),
        ('{"model_a": "x", "model_b": "y"}', ":1: no `winner`"),
        ('{"model_a": "x", "winner": "tie"}', ":1: `model_b` is None"),
        ('{"prompt": "x", "answer": "y"}', ":1: fields prompt, answer are no battle"),
        ('{"model_a": "x", ', ":1: broken JSON"),
        (
            '{"matches": [{"model1_id": "x", "model2_id": "y", "score": 4}]}',
            "match 1: `score` is 4",
        ),
        ('[{"model_a": "x", "model_b": "y", "winner": "?"}]', "battle 1: '?' is no outcome"),
        ("[3]", "battle 1: expected an object"),
        ("", "no battles in it"),
    ],
)
def test_faults_name_their_place(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(content)
    with pytest.raises(HarnessError) as raised:
        read_log(path)
    assert str(path) in str(raised.value)
    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("model_a,model_b,winner\nx,y,tie\nx,y\n", ":3: 3 columns in the heading"),
        ("model_a,model_b,winner\nx,y,tie,4\n", ":2: 3 columns"),
        ("model_a,model_b,winner,latency\nx,y,tie,fast\n", ":2: `latency` is 'fast'"),
        ("model_a,model_b,winner,time\nx,y,tie,noon\n", ":2: time 'noon'"),
        ("model_a,model_b,winner,order\nx,y,tie,left\n", ":2: `order` is 'left'"),
        ("model_a,model_b,winner,weight\nx,y,tie,-1\n", ":2: weight -1"),
        ("left,right,winner,prompt\nx,y,middle,1\n", ":2: 'middle' is no outcome"),
    ],
)
def test_faults_of_csv_name_their_line(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(content)
    with pytest.raises(HarnessError) as raised:
        read_log(path)
    assert words in str(raised.value)


def test_every_fault_of_a_folder_is_told_at_once(tmp_path: Path) -> None:
    lines(tmp_path / "one.jsonl", BATTLE, BATTLE | {"winner": "?"})
    lines(tmp_path / "two.jsonl", BATTLE | {"winner": "!"})
    with pytest.raises(HarnessError) as raised:
        read_log(tmp_path)
    assert "one.jsonl:2" in str(raised.value)
    assert "two.jsonl:1" in str(raised.value)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(HarnessError, match=r"no \.csv"):
        read_log(empty)


def test_published_logs_are_read_whole() -> None:
    crowd = read_log(shared("battles", "llmfao", "crowd-comparisons.csv"))
    assert len(crowd.battles) == 8931
    judge = read_log(shared("battles", "llmfao", "gpt4-crowd-comparisons.csv"))
    assert {one.session for one in judge.battles} == {None}
    rakuda = read_log(shared("battles", "rakuda-v1", "tournaments_rakuda_v1.jsonl"))
    assert (len(rakuda.battles), rakuda.left_out) == (1200, 0)
    vicuna = read_log(shared("battles", "ja-vicuna", "data", "jp_bench", "model_judgment"))
    assert len(vicuna.battles) == 2 * 480
    assert len({one.match for one in vicuna.battles}) == 480
