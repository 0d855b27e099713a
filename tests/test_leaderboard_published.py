"""Others' score tables: read with file and line, kept once, shown marked and never ranked."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.import_table import import_table, read_table
from harness.protocols.mt_bench import MtBench
from harness.report.choice import Choice
from harness.report.published import BENCHMARK_MEAN, beside, chosen_published, published_boards
from harness.report.published_table import merged
from harness.report.standings import boards
from harness.store import database
from harness.store.published import published, sources
from harness.store.write import ingest, spool
from tests.comparison_store import MadeScores, batch, by_item, keep, rate, strict
from tests.leaderboard_cli import Run, command
from tests.shared_data import shared

LONG = """model,benchmark,metric,value,category,id
モデルA,JSQuAD,f1,0.81,ja,org/a
モデルA,JSQuAD,em,0.70,ja,org/a
モデルA,math,,0.5,ja,org/a
B,JSQuAD,f1,0.9,ja,org/b
B,JSQuAD,em,-,ja,org/b
B,MMLU,,61.5,en,org/b
"""
WIDE = """model,org,Ja Avg,math,stem
A,x,0.5,0.4,0.6
B,y,0.7,n/a,0.7
C,z,0.6,0.6,0.6
"""
YAML = """- name: Model One
  id: org/one
  params: 8
  results:
    ja_mtb:
      JMT Avg: 0.6
      math: 0.5
      stem: 0.7
- id: org/two
  results:
    ja_mtb: {JMT Avg: 0.3, math: 0.2, stem: 0.4}
    other:
      GPQA: 0.1
"""


OTHER = strict("b", [1], suite="other", protocol={"protocol": "short-answer"})


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "results.duckdb"
    database.prepare(path)
    return path


@pytest.fixture
def leaderboard(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    return command(store, monkeypatch, capsys)


def file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_long_table(tmp_path: Path) -> None:
    found, passed_over = read_table(file(tmp_path, "t.csv", LONG))
    assert passed_over == ()
    assert [(one.model, one.benchmark, one.metric, one.value, one.line) for one in found] == [
        ("モデルA", "JSQuAD", "f1", 0.81, 2),
        ("モデルA", "JSQuAD", "em", 0.70, 3),
        ("モデルA", "math", "", 0.5, 4),
        ("B", "JSQuAD", "f1", 0.9, 5),
        ("B", "MMLU", "", 61.5, 7),
    ]
    assert {(one.model_id, one.group) for one in found} == {
        ("org/a", "ja"),
        ("org/b", "ja"),
        ("org/b", "en"),
    }


def test_a_wide_table(tmp_path: Path) -> None:
    found, passed_over = read_table(file(tmp_path, "t.csv", WIDE))
    assert passed_over == ("org",)
    assert [(one.model, one.benchmark, one.value) for one in found] == [
        ("A", "Ja Avg", 0.5),
        ("A", "math", 0.4),
        ("A", "stem", 0.6),
        ("B", "Ja Avg", 0.7),
        ("B", "stem", 0.7),
        ("C", "Ja Avg", 0.6),
        ("C", "math", 0.6),
        ("C", "stem", 0.6),
    ]


def test_yaml(tmp_path: Path) -> None:
    found, _ = read_table(file(tmp_path, "t.yml", YAML))
    assert [(one.model, one.model_id, one.group, one.benchmark, one.line) for one in found][:3] == [
        ("Model One", "org/one", "ja_mtb", "JMT Avg", 6),
        ("Model One", "org/one", "ja_mtb", "math", 7),
        ("Model One", "org/one", "ja_mtb", "stem", 8),
    ]
    assert [one.value for one in found if one.model == "org/two"] == [0.3, 0.2, 0.4, 0.1]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("t.csv", "name,math\na,1\n", "t.csv:1: no column `model`"),
        ("t.csv", "model,math\na,1,2\n", "t.csv:2: 3 cells for 2 columns"),
        ("t.csv", "model,math\n,1\n", "t.csv:2: `model` is empty"),
        ("t.csv", "model,math\na,1\nb,high\n", "t.csv:3: `math` is 'high'"),
        ("t.csv", "model,math,Math\na,1,2\n", "t.csv:1: two columns named 'math'"),
        ("t.csv", "model,benchmark,value\na,math,x\n", "t.csv:2: `value` is 'x'"),
        ("t.csv", "model,benchmark,value\na,,1\n", "t.csv:2: `benchmark` is empty"),
        (
            "t.csv",
            "model,benchmark,value\na,math,1\na,math,2\n",
            "t.csv:3: a has math 2, but line 2 gave 1",
        ),
        ("t.csv", "model,note\na,text\n", "no scores in it"),
        ("t.csv", 'model,math\na,"1\n', "broken CSV"),
        ("t.txt", "", "expected a .csv, .yml or .yaml"),
        ("t.yml", "a: [1", "t.yml:1: not valid YAML"),
        ("t.yml", "a: 1", "t.yml:1: expected a list of models"),
        ("t.yml", "- name: a\n  id: b\n", "t.yml:1: a model without `results`"),
        ("t.yml", "- x: 1\n  results: {g: {m: 1}}\n", "t.yml:1: a model without `name` or `id`"),
        ("t.yml", "- name: a\n  results:\n    g: 3\n", "t.yml:3: g of a is no mapping"),
        ("t.yml", "- name: a\n  results:\n    g:\n      m: x\n", "t.yml:4: g m of a is 'x'"),
        ("t.yml", "- name: a\n  results:\n    g:\n      m: [1]\n", "t.yml:4: g m of a is"),
        ("t.yml", "- name: a\n  results: {g: {m: .inf}}\n", "expected a number"),
    ],
)
def test_faults_name_file_and_line(tmp_path: Path, name: str, text: str, words: str) -> None:
    with pytest.raises(HarnessError) as error:
        read_table(file(tmp_path, name, text))
    assert words in str(error.value)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.text("abcモデル", min_size=1, max_size=6),
        st.dictionaries(
            st.sampled_from(["math", "stem", "JMMLU"]), st.floats(-1e6, 1e6), min_size=1
        ),
        min_size=1,
    )
)
def test_long_and_yaml_tell_the_same(
    tmp_path_factory: pytest.TempPathFactory, table: dict[str, dict[str, float]]
) -> None:
    folder = tmp_path_factory.mktemp("t")
    cells = [(model, name, value) for model, row in table.items() for name, value in row.items()]
    text = "model,benchmark,value\n" + "".join(f"{m},{b},{v!r}\n" for m, b, v in cells)
    entries = [{"name": model, "results": {"": row}} for model, row in table.items()]
    for path in (
        file(folder, "t.csv", text),
        file(folder, "t.yml", yaml.safe_dump(entries, allow_unicode=True, sort_keys=False)),
    ):
        found, _ = read_table(path)
        assert [(one.model, one.benchmark, one.value) for one in found] == cells


def test_importing_again_changes_nothing_and_a_new_file_replaces(
    tmp_path: Path, store: Path
) -> None:
    path = file(tmp_path, "table.csv", WIDE)
    first = import_table(path, store=store, licence="CC BY 4.0")
    assert (first.source, first.scores, first.models, first.changed) == ("table", 8, 3, True)
    before = sources(store)
    assert not import_table(path, store=store).changed
    assert sources(store) == before
    assert before[0].licence == "CC BY 4.0"
    path.write_text("model,math\nA,0.9\n", encoding="utf-8")
    assert import_table(path, store=store).changed
    assert [(one.model, one.value) for one in published(store, "table")] == [("A", 0.9)]
    assert sources(store)[0].licence == "CC BY 4.0"  # told before, and still its owner's
    import_table(path, store=store, name="other")
    assert [one.name for one in sources(store)] == ["other", "table"]


def test_a_faulty_file_changes_nothing(tmp_path: Path, store: Path) -> None:
    path = file(tmp_path, "table.csv", WIDE)
    import_table(path, store=store)
    path.write_text("model,math\nA,0.9\nB,x\n", encoding="utf-8")
    with pytest.raises(HarnessError):
        import_table(path, store=store)
    assert len(published(store, "table")) == 8


def test_boards_of_a_published_average(tmp_path: Path, store: Path) -> None:
    import_table(file(tmp_path, "t.csv", WIDE), store=store)
    (board,) = published_boards(store)
    assert (board.total, board.benchmarks) == ("Ja Avg", ("math", "stem"))
    assert [(row.place, row.model, row.score) for row in board.rows] == [
        (1, "B", 0.7),
        (2, "C", 0.6),
        (3, "A", 0.5),
    ]
    (few,) = chosen_published([board], Choice(patterns=("A", "C"), sort="math"))
    assert [(row.place, row.model) for row in few.rows] == [(2, "C"), (3, "A")]
    assert few.hidden == 1
    with pytest.raises(HarnessError, match="no published table named 'x'"):
        published_boards(store, "x")


def test_without_an_average_only_complete_models_have_a_mean(tmp_path: Path, store: Path) -> None:
    import_table(file(tmp_path, "t.csv", LONG), store=store)
    ja, en = published_boards(store)
    assert ja.total == BENCHMARK_MEAN
    assert ja.benchmarks == ("JSQuAD f1", "JSQuAD em", "math")
    assert ja.rows[0].score == pytest.approx(fmean([0.81, 0.70, 0.5]))
    assert (ja.rows[1].score, ja.rows[1].place) == (None, None)
    assert en.top == 61.5


def test_beside_ours_by_protocol_alone(tmp_path: Path, store: Path, leaderboard: Run) -> None:
    values = by_item([1] * 10 + [0] * 10) | by_item([1] * 15 + [0] * 5, "stem")
    keep(store, MadeScores("ours", {"strict": values}), OTHER)
    text = (
        "model,group,Avg,math,stem\n"
        "強いモデル,made-up/harness-1,90,95,85\n"
        "weak,made-up/harness-1,20,10,30\n"
        "else,made-up/other-2,50,50,50\n"
    )
    import_table(file(tmp_path, "theirs.csv", text), store=store, licence="CC0")
    made, _ = boards(store)
    ours = next(board for board in made if board.suite == "made-up")
    found = beside(ours, published_boards(store))
    assert [(one.model, one.score) for one in found] == [("強いモデル", 0.9), ("weak", 0.2)]
    table = leaderboard("--published", width=120)[1]
    lines = table[table.index("made-up") :].splitlines()
    body = [line for line in lines if any(name in line for name in ("ours", "強い", "weak"))][:3]
    # At the place of its score, marked, and without a rank.
    assert [line.split()[:2] for line in body] == [
        ["†", "強いモデル"],
        ["1", "ours"],
        ["†", "weak"],
    ]
    assert "† imported from theirs (CC0), not measured here; by the same protocol" in table
    assert "other/harness-1" not in table
    rows = json.loads(leaderboard("--published", "theirs", "--json")[1])
    marked = [one for one in rows if one.get("imported")]
    assert {one["name"] for one in marked} == {"強いモデル", "weak", "else"}
    assert all("rank" not in one for one in marked)
    assert marked[0]["licence"] == "CC0"
    plain = leaderboard(width=120)[1]
    assert "†" not in plain


def test_beside_ratings_of_the_judge_of_record_alone(
    tmp_path: Path, store: Path, leaderboard: Run
) -> None:
    protocol = MtBench("swallow-2025")
    assert protocol.variant.judge is not None
    made = MadeScores(
        "ours",
        {"length": by_item([0.0] * 6) | by_item([0.0] * 6, "stem")},
        protocol=dict(protocol.definition),
        suite="mt-bench:swallow-2025",
    )
    rows = batch(made)
    rows["protocols"][0]["id"] = protocol.id
    spool(store, rows)
    ingest(store)
    for judge, rating in ((protocol.variant.judge, 5), ("another", 9)):
        rate(store, made, judge, "p", lambda item, repeat, rating=rating: rating)  # type: ignore[misc]
    import_table(file(tmp_path, "t.yml", YAML), store=store)
    for width in (70, 100, 160):
        table = leaderboard("--published", width=width)[1]
        lines = [line.split() for line in table.splitlines()]
        found = [line for line in lines if line[1:2] in (["ours"], ["Model"], ["org/two"])][:3]
        # Ratings over 10, as the protocol shows them: 5 is 0.5.
        assert [line[0] for line in found] == ["†", "1", "†"]
        assert "0.500" in found[1]
        assert "judge another" not in table
    assert leaderboard(width=120)[1].count("not measured here") == 0
    narrow = leaderboard("--published", width=55)[1].splitlines()
    # Bars: on a scale of 1 to 10 a 5 and a 7 are 4/9 and 6/9 of the height.
    assert next(line.split() for line in narrow if "Model" in line)[-1] == "▄▆"


def test_published_in_every_width_and_form(tmp_path: Path, store: Path, leaderboard: Run) -> None:
    assert "import table" in leaderboard("--published")[1]
    import_table(file(tmp_path, "t.yml", YAML), store=store)
    wide, narrow = (leaderboard("--published", width=width)[1] for width in (140, 32))
    assert "licence not told" in wide
    assert "0.500  0.700" in wide
    assert "Benchmarks: math, stem." in narrow.replace("\n", "")
    assert leaderboard("--published", "--markdown")[1].startswith("| suite | imported |")
    assert leaderboard("--published", "nobody")[0] == 3
    names = json.loads(leaderboard("--published", "--sort", "math", "--json")[1])
    assert [one["name"] for one in names][:2] == ["Model One", "org/two"]


def test_import_from_the_command_line(
    tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from harness.cli import main as entry

    path = file(tmp_path, "t.csv", WIDE)

    def run() -> str:
        monkeypatch.setattr(
            "sys.argv", ["harness", "import", "table", str(path), "--store", str(store)]
        )
        with pytest.raises(SystemExit):
            entry.main()
        return capsys.readouterr().out

    assert "8 scores of 3 models, as t\ncolumns without numbers, passed over: org" in run()
    assert "the store had them already" in run()


def test_merging_keeps_an_order_that_is_not_by_score() -> None:
    assert merged([(0.9, "a"), (0.1, "b")], [(0.5, "x"), (None, "y")]) == ["a", "x", "b", "y"]
    assert merged([(0.1, "b"), (0.9, "a")], [(0.5, "x")]) == ["b", "a", "x"]


def test_the_swallow_table(store: Path) -> None:
    """Its own averages are the means of its benchmarks, to the three digits that it gives."""
    path = shared("score-tables", "swallow-v1.0.yml")
    result = import_table(path, store=store, name="swallow")
    assert (result.models, result.scores) == (155, 4312)
    assert result.groups == ("ja_basic", "ja_mtb", "en_basic", "other")
    made = published_boards(store, "swallow")
    assert [board.total for board in made] == ["Ja Avg", "JMT Avg", "En Avg", BENCHMARK_MEAN]
    assert [len(board.rows) for board in made] == [155, 83, 155, 155]
    assert made[1].protocol == "mt-bench-ja/swallow-2025"
    for board in made:
        for row in board.rows:
            assert row.score == pytest.approx(fmean(row.scores.values()), abs=1e-3)
