"""The Jaster protocols: the very prompts, the protocol's own reading, and the split beside it."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from harness.engines.types import Generation, Likelihood, Request
from harness.evaluate import evaluate
from harness.items.jaster import read_directory
from harness.items.jaster_datasets import DATASETS
from harness.items.schema import JASTER_ASIDE, JASTER_CATEGORIES, Item
from harness.protocols.catalogue import protocol_from
from harness.protocols.jaster import Jaster, llmjp_prompt, nejumi_messages
from harness.protocols.jaster_suite import open_jaster
from harness.protocols.types import Answer, Ask
from harness.report.corpus import corpus_metrics
from harness.report.formats import examples_needed, format_report
from harness.report.standings import boards
from harness.rescore import rescore_all
from harness.store import database, queries
from tests.shared_data import shared
from tests.test_evaluate import CHECKPOINT, render
from tests.test_jaster_items import GOOD, write

LLMJP = Jaster("jaster")
NEJUMI = Jaster("jaster", "nejumi-v4", (0, 2))


def item(name: str = "jcommonsenseqa", answer: str = "2", **more: object) -> Item:
    dataset = DATASETS[name]
    question = "質問：主な基板は？\n選択肢：0.掲示板,1.机,2.マザーボード,3.紙,4.板"
    made = Item(
        id=f"{name}/1",
        genre=dataset.category,
        turns=(question,),
        answer=answer,
        format=dataset.format,
        metric=dataset.metric,
        dataset=name,
        instruction="番号だけを答えてください。",
        shots=(("質問：一？", "1"), ("質問：二？", "0")),
        max_tokens=dataset.output_length,
    )
    return replace(made, **more)  # type: ignore[arg-type]


def scores(
    text: str, asked: Item | None = None, protocol: Jaster = LLMJP, reason: str = "stop"
) -> dict[str, float]:
    found = protocol.scores(Ask(asked or item(), (), None), Answer(text, reason))  # type: ignore[arg-type]
    return {one.metric: one.value for one in found}


def failure(text: str, asked: Item | None = None, reason: str = "stop") -> str | None:
    found = LLMJP.scores(Ask(asked or item(), (), None), Answer(text, reason))  # type: ignore[arg-type]
    return next(one.failure for one in found if one.metric == "strict")


def test_the_frame_of_llm_jp_eval() -> None:
    assert llmjp_prompt(item(), 1) == (
        "以下は、タスクを説明する指示と、文脈のある入力の組み合わせです。"
        "要求を適切に満たす応答を書きなさい。\n\n"
        "### 指示:\n番号だけを答えてください。\n\n"
        "### 入力:\n質問：一？\n\n### 応答:\n1\n\n"
        "### 入力:\n質問：主な基板は？\n選択肢：0.掲示板,1.机,2.マザーボード,3.紙,4.板\n\n"
        "### 応答:\n"
    )


def test_the_frame_equals_the_prompts_of_a_logged_run() -> None:
    table = json.loads(shared("jaster-outputs-sample", "dev-135-rows.json").read_text())
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    for row in rows:
        head = row["prompt"].partition("### 指示:\n")[2]
        instruction = head.partition("\n\n### 入力:\n")[0]
        made = item(instruction=instruction, turns=(row["input"],), shots=())
        assert row["num_few_shots"] == 0
        assert llmjp_prompt(made, 0) == row["prompt"]


def test_the_conversation_of_nejumi() -> None:
    messages = nejumi_messages(item(), 2)
    assert [one.role for one in messages] == ["user", "assistant"] * 2 + ["user"]
    assert messages[0].content.endswith("。\n番号だけを答えてください。\n\n質問：一？")
    assert [one.content for one in messages[1:4]] == ["1", "質問：二？", "0"]
    (alone,) = nejumi_messages(item(), 0)
    assert alone.content.endswith("\n番号だけを答えてください。\n\n" + item().turns[0])


def test_requests_of_both_protocols() -> None:
    answer, choice = LLMJP.requests([item()], 1, 0)
    assert answer.completion == llmjp_prompt(item(), 4)
    assert (answer.sampling.max_tokens, answer.sampling.temperature) == (1, 0.0)
    assert (choice.kind, choice.continuations) == ("choice", ("0", "1", "2", "3", "4"))
    asked = list(NEJUMI.requests([item()], 1, 0))
    assert [one.kind for one in asked] == ["answer", "choice"] * 2
    assert [len(one.messages) for one in asked] == [1, 1, 5, 5]
    assert not any(one.kind == "choice" for one in LLMJP.requests([item("niilc")], 1, 0))
    seeds = {one.sampling.seed for one in NEJUMI.requests([item("niilc")], 3, 0)}
    assert len(seeds) == 6


def test_hashes_name_what_changes_a_score() -> None:
    assert LLMJP.hash != NEJUMI.hash
    assert LLMJP.hash != replace(LLMJP, shots=(0,)).hash
    # Labels scored beside the answers change none of the answers' scores.
    assert LLMJP.hash == replace(LLMJP, choice=False).hash
    for protocol in (LLMJP, NEJUMI):
        assert protocol_from(json.loads(json.dumps(protocol.definition))).hash == protocol.hash


@pytest.mark.parametrize(
    ("text", "strict", "form", "lenient", "why"),
    [
        ("2", 1, 1, 1, None),
        ("2\n\n### 入力:\n質問：三？", 1, 1, 1, None),
        # The protocol's own normalisation forgives a full-width digit; the format does not.
        ("２", 1, 0, 1, None),
        ("2です。", 0, 0, 1, "format"),
        ("答えは2です。", 0, 0, 1, "format"),
        ("マザーボード", 0, 0, 1, "format"),
        ("3", 0, 1, 0, "knowledge"),
        ("2か3です。", 0, 0, 0, "format"),
        ("", 0, 0, 0, "empty"),
        # Cut before the first blank line, the prediction is empty; a careful reader looks on.
        ("\n\n2", 0, 0, 1, "format"),
    ],
)
def test_the_split(text: str, strict: int, form: int, lenient: int, why: str | None) -> None:
    found = scores(text)
    assert (found["strict"], found["format"], found["lenient"]) == (strict, form, lenient)
    assert found["exact_match"] == strict
    assert failure(text) == why


def test_a_cut_answer_is_truncated_only_where_it_was_cut() -> None:
    labels = item("janli", "non-entailment")
    assert failure("non-entail", labels, "length") == "truncated"
    assert failure("entailment\n\n### 入力", labels, "length") == "knowledge"


def test_the_reading_is_kept_in_three_forms() -> None:
    reading = LLMJP.reading(Ask(item(), (), None), Answer(" ２ \n\n残り", "stop"))  # type: ignore[arg-type]
    assert reading is not None
    assert (reading.extracted, reading.normalised, reading.lenient) == ("２", "2", "2")


def test_metrics_stand_under_their_own_names() -> None:
    place = item("jemhopqa", "東京都中央区")
    found = scores("中央区東京都", place)
    assert found["strict"] == found["char_f1_llmjp"] == 0.5
    assert found["char_f1"] == 1.0
    assert found["exact_match"] == 0.0
    entries = item("chabsa", "甲社 positive\n乙社 negative")
    assert scores("乙社 negative\n丙社 negative", entries)["strict"] == 0.5


def test_a_number_counts_as_its_protocol_compares_it() -> None:
    made = item("mawps", "12")
    assert scores("12.0", made)["strict"] == 0.0
    found = scores("12.0", replace(made, metric="float"), NEJUMI)
    assert found["strict"] == 1.0
    assert found["nejumi_format"] == 1.0


def test_nejumi_forgives_what_it_forgives() -> None:
    made = item("jnli", "entailment")
    assert scores("Entailment", made)["strict"] == 0.0
    assert scores("Entailment", made, NEJUMI)["strict"] == 1.0


def test_translations_and_similarities_have_no_score_of_their_own() -> None:
    assert set(scores("1.5", item("jsts", "1.5"))) == {"format"}
    assert set(scores("こんにちは", item("alt-e-to-j", "今日は"))) == {"format"}


def test_choice_scores_labels() -> None:
    asked = Ask(item(), (), None, kind="choice")  # type: ignore[arg-type]
    likelihoods = tuple((-1.0 if label == "2" else -3.0, 1) for label in "01234")
    found = LLMJP.scores(asked, Answer("", "stop", likelihoods))
    assert {one.metric: one.value for one in found} == {"choice": 1.0, "choice_raw": 1.0}


@pytest.mark.parametrize("protocol", [LLMJP, NEJUMI], ids=["llmjp", "nejumi"])
def test_gold_answers_of_real_data_are_right_in_every_way(protocol: Jaster) -> None:
    read = read_directory(shared("jaster-llmjp-format"))
    name = f"jaster@{protocol.variant}:{read.path}"
    for one in open_jaster(name, limit=-1).items:
        found = scores(one.answer, one, protocol)
        # Golds such as " 英語" (NIILC) cannot match by llm-jp-eval's own rules.
        if one.answer == one.answer.strip() and one.answer == one.answer.casefold():
            assert found["strict"] == 1.0, one
        assert found["format"] == 1.0, one
        assert found["lenient"] >= found["strict"]


# One evaluation in the store.


@dataclass
class Parrot:
    """Answers each question by the digit behind 答: in it, in prose where it says 文."""

    name: str = "parrot"
    description: str = "parrot 1"

    def generate(self, queue: deque[Request]) -> Iterator[Generation]:
        while queue:
            request = queue.popleft()
            prompt = str(request.prompt).rpartition("### 入力:\n")[2]
            digit = prompt.partition("答:")[2][:1]
            likelihoods = tuple(
                Likelihood(-1.0 if label == digit else -2.0, 1) for label in request.continuations
            )
            text = f"{digit}です。" if "文" in prompt else digit
            yield Generation(
                request.key, "" if likelihoods else text, "stop", likelihoods=likelihoods
            )

    def close(self) -> None:
        pass


def samples(right: int, wrong: int, prose: int) -> list[dict[str, str]]:
    rows = [{"input": f"問{n} 答:1", "output": "1"} for n in range(right)]
    rows += [{"input": f"問{n} 答:2", "output": "1"} for n in range(right, right + wrong)]
    return rows + [{"input": f"問{n} 文 答:1", "output": "1"} for n in range(900, 900 + prose)]


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    """A store with two datasets of one category, one of another and one aside."""
    where = tmp_path / "jaster"
    for name, rows in {
        "jcommonsenseqa": samples(1, 1, 2),
        "mawps": samples(3, 1, 0),
        "jcola": samples(0, 4, 0),
    }.items():
        write(where, "test", name, GOOD, samples=rows)
        write(where, "train", name, GOOD)
    rule = {"kind": "choice", "labels": ["0", "1", "2"]}
    for name, rows in {"nli-a": samples(2, 0, 0), "nli-b": samples(0, 10, 0)}.items():
        write(where, "test", name, GOOD, samples=rows, category="NLI", format=rule)
    opened = open_jaster(f"jaster:{where}", shots=0)
    store = tmp_path / "results.duckdb"
    evaluate(
        CHECKPOINT,
        opened.protocol,
        opened.items,
        store=store,
        render=render,
        open_engine=Parrot,
    )
    return store


def test_a_category_is_the_mean_of_its_datasets(measured: Path) -> None:
    ((board,), _) = boards(measured)
    one = board.standings[0].measured
    means = {name: estimate.mean for name, estimate in one.genres.items()}
    assert means == {"NLI": 0.5, "MC": 0.25, "MR": 0.75, "CL": 0.0}
    assert one.score.mean == pytest.approx(0.5)
    assert one.missing == tuple(c for c in JASTER_CATEGORIES if c not in means)
    assert one.llmjp_average == pytest.approx(1.5 / 9)
    assert board.standings[0].to_dict()["llmjp_average"] == pytest.approx(1.5 / 9)
    assert "CL" in JASTER_ASIDE


def test_the_format_report(measured: Path) -> None:
    evaluation = queries.evaluations(measured)[0]
    report = format_report(measured, evaluation)
    gap = next(one for one in report.gaps if one.dataset == "jcommonsenseqa")
    assert {name: one.mean for name, one in gap.scores.items()} == {
        "strict": 0.25,
        "format": 0.5,
        "lenient": 0.75,
        "choice": 0.75,
        "choice_raw": 0.75,
    }
    assert gap.lost is not None
    assert gap.lost.mean == pytest.approx(0.5)
    assert gap.failures == {"format": 2, "knowledge": 1}
    assert [(shape.count, shape.examples) for shape in gap.shapes] == [(2, ("1です。",))]
    assert gap.examples == 500
    assert report.categories["NLI"]["strict"] == 0.5
    assert report.categories["AVG"]["strict"] == pytest.approx(0.5)


def test_examples_to_plan_for() -> None:
    assert [examples_needed(share) for share in (0.0, 0.02, 0.03, 0.5, 1.0)] == [
        0,
        0,
        50,
        500,
        1000,
    ]


def test_scoring_again_changes_nothing(measured: Path) -> None:
    def content() -> list[tuple[object, ...]]:
        with database.connect(measured, read_only=True) as connection:
            return [
                *connection.execute("FROM scores ORDER BY ALL").fetchall(),
                *connection.execute("FROM readings ORDER BY ALL").fetchall(),
                *connection.execute(
                    "SELECT id, done, failed, failures FROM evaluations"
                ).fetchall(),
            ]

    before = content()
    (result,) = rescore_all(measured, ())
    assert (result.changed, result.is_new) == (0, False)
    assert content() == before


def test_scoring_again_mends_what_was_altered(measured: Path) -> None:
    with database.connect(measured) as connection:
        connection.execute("UPDATE scores SET value = 0.123 WHERE metric = 'strict'")
        connection.execute("DELETE FROM scores WHERE metric = 'lenient'")
    (result,) = rescore_all(measured, ("run/step_1",))
    assert result.changed == 2 * 24
    ((board,), _) = boards(measured)
    assert board.standings[0].measured.score.mean == pytest.approx(0.5)


def test_scores_of_an_older_scoring_stay_apart(
    measured: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.protocols.jaster.SCORING_VERSION", 999)
    (result,) = rescore_all(measured, ())
    assert result.is_new
    old, new = queries.evaluations(measured)
    assert new.id == result.evaluation
    assert (old.protocol_hash != new.protocol_hash, new.state) == (True, "complete")
    assert (new.planned, new.done, new.failures) == (old.planned, old.done, old.failures)
    assert len(boards(measured, all_item_sets=True)[0]) == 2


def test_similarity_is_correlated_over_the_dataset(tmp_path: Path) -> None:
    pairs = [("1.0", "1"), ("2.0", "2です"), ("5.0", "5"), ("4.0", "4"), ("3.0", "なし")]
    rows = [{"input": f"文1：あ{n}\n文2：い", "output": gold} for n, (gold, _) in enumerate(pairs)]
    write(tmp_path, "test", "jsts", GOOD, samples=rows, metrics=["pearson", "spearman"])
    opened = open_jaster(f"jaster:{tmp_path}", shots=0)
    answers = []
    for one, (_, text) in zip(opened.items, pairs, strict=True):
        ask = Ask(one, (), None)  # type: ignore[arg-type]
        reading = opened.protocol.reading(ask, Answer(text, "stop"))
        assert reading is not None
        answers.append(
            queries.FormatAnswer(
                one.hash,
                "answer",
                text,
                reading.extracted,
                reading.normalised,
                reading.lenient,
                "stop",
                {},
                None,
            )
        )
    found = {
        one.metric: one for one in corpus_metrics(answers, {one.hash: one for one in opened.items})
    }
    # なし reads as -2.0, as llm-jp-eval has it; the careful reading leaves it out and says so.
    assert found["pearson"].value == pytest.approx(10 / 300**0.5)
    assert found["pearson lenient"].value == pytest.approx(1.0)
    assert "4 of 5" in found["pearson lenient"].note


def test_comet_counts_where_it_was_computed_and_is_told_where_not(tmp_path: Path) -> None:
    rows = [{"input": f"Good morning {n}. 答:1", "output": "おはよう。"} for n in range(4)]
    write(tmp_path / "data", "test", "alt-e-to-j", GOOD, samples=rows, metrics=["comet_wmt22"])
    write(tmp_path / "data", "test", "mawps", GOOD, samples=samples(2, 2, 0))
    opened = open_jaster(f"jaster:{tmp_path / 'data'}", shots=0)
    store = tmp_path / "results.duckdb"
    evaluate(
        CHECKPOINT, opened.protocol, opened.items, store=store, render=render, open_engine=Parrot
    )
    told = {one.metric: one for one in format_report(store, queries.evaluations(store)[0]).corpus}
    assert told["comet"].value is None
    assert "missing, not 0" in told["comet"].note
    assert "MT" in boards(store)[0][0].standings[0].measured.missing

    def comet(
        sources: Sequence[str], predictions: Sequence[str], references: Sequence[str]
    ) -> list[float]:
        assert sorted(sources) == [row["input"] for row in rows]
        assert (predictions, references) == (["1"] * 4, ["おはよう。"] * 4)
        return [0.2, 0.4, 0.6, 1.2]

    for scorer in (comet, None):  # scoring again without COMET keeps what is there
        rescore_all(store, (), scorer)
        report = format_report(store, queries.evaluations(store)[0])
        assert {one.metric: one.value for one in report.corpus}["comet"] == pytest.approx(0.6)
        measured = boards(store)[0][0].standings[0].measured
        assert measured.genres["MT"].mean == pytest.approx(0.55)
        assert measured.score.mean == pytest.approx((0.55 + 0.5) / 2)
