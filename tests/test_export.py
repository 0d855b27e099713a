"""`harness export` and `harness sql`: what other tools get, and what a query cannot do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner, Result

from harness.cli import main as entry
from harness.errors import HarnessError
from harness.export.metrics import measures
from harness.export.tables import query, table_query, tables, write_parquet
from harness.export.trackers import to_mlflow, to_tensorboard, to_wandb
from tests.comparison_store import MadeScores, by_item, keep

ESCAPES = "\x1b[2J\u202eかくれた <script>alert(1)</script> | ![x](http://example.invalid/y)"


def command(*words: object) -> Result:
    return CliRunner().invoke(entry.harness, [str(word) for word in words])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "results.duckdb"
    for step in (1, 2):
        scores: dict[Any, list[float | None]] = {
            **by_item([1.0] * step + [0.0] * (4 - step), "math"),
            **by_item([1.0, 1.0, 0.0, 0.0], "reasoning"),
        }
        one = MadeScores(f"tiger/step_{step}", {"strict": scores}, run="tiger", step=step)
        keep(path, one)
    odd = by_item([0.0], "math")
    answers = dict.fromkeys(odd, ESCAPES)
    keep(path, MadeScores("odd", {"strict": odd}, answers=answers, later=3))
    return path


def test_measures_are_the_stored_means(store: Path) -> None:
    first, second = measures(store, ["tiger"])
    assert (first.evaluation.step, second.evaluation.step) == (1, 2)
    assert first.values["made-up/math"] == pytest.approx(0.25)
    assert second.values["made-up/math"] == pytest.approx(0.5)
    assert second.values["made-up/total"] == pytest.approx(0.5)
    assert first.values["made-up/math/low"] < 0.25 < first.values["made-up/math/high"]
    with pytest.raises(HarnessError, match="puma"):
        measures(store, ["puma"])


def test_every_table_becomes_parquet(store: Path, tmp_path: Path) -> None:
    for table in tables(store):
        output = tmp_path / f"{table}.parquet"
        result = command("export", "parquet", table, "-o", output, "--store", store)
        assert result.exit_code == 0, result.output
        (count,) = query(store, f'SELECT count(*) AS n FROM "{table}"')[0]
        assert pq.read_metadata(output).num_rows == count["n"]
    with pytest.raises(HarnessError, match=r"no table 'nothing'; there are .*scores"):
        table_query(store, "nothing")


def test_a_faulty_query_leaves_no_file(store: Path, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="nowhere"):
        write_parquet(store, "SELECT * FROM nowhere", tmp_path / "x.parquet")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("DELETE FROM scores", "only queries"),
        ("DROP TABLE scores", "only queries"),
        ("INSERT INTO scores VALUES ('a', 'b', 'c', 1, NULL, 'd')", "only queries"),
        ("COPY scores TO '{folder}/out.csv'", "only queries"),
        ("ATTACH '{folder}/other.duckdb'", "only queries"),
        ("SET enable_external_access = true", "only queries"),
        ("PRAGMA database_list; SELECT 1", "2 SQL statements"),
        ("SELECT 1; DROP TABLE scores", "2 SQL statements"),
        ("SELECT * FROM read_csv('/etc/passwd')", "[Pp]ermission|disabled"),
        ("SELECT * FROM read_text('/etc/passwd')", "[Pp]ermission|disabled"),
        ("SELECT * FROM '/etc/passwd'", "."),
        ("SELECT * FROM glob('/etc/*')", "[Pp]ermission|disabled"),
        ("SELECT * FROM read_parquet('https://example.com/x')", "[Pp]ermission|disabled|abled"),
        ("SELECT * FROM duckdb_secrets()", "[Pp]ermission|disabled"),
        ("INSTALL httpfs", "only queries"),
        ("LOAD httpfs", "only queries"),
        ("EXPORT DATABASE '{folder}/out'", "only queries"),
        ("CALL pragma_version()", "only queries"),
        ("SELECT getenv('HOME')", "getenv"),
        ("SELECT * FROM reader", "reader"),  # a variable of this program is no table
        ("SELECT nothing FROM scores", "nothing"),
        ("SELEC 1", "syntax"),
    ],
)
def test_a_query_reads_the_store_and_nothing_else(
    store: Path, tmp_path: Path, sql: str, why: str
) -> None:
    before = store.read_bytes()
    with pytest.raises(HarnessError, match=why):
        query(store, sql.replace("{folder}", str(tmp_path)))
    assert store.read_bytes() == before
    assert list(tmp_path.iterdir()) == []


def test_sql_prints_rows_and_says_when_there_are_more(store: Path, tmp_path: Path) -> None:
    asked = "SELECT metric, count(*) AS n FROM scores GROUP BY ALL"
    rows = json.loads(command("sql", asked, "--json", "--store", store).output)
    assert rows == [{"metric": "strict", "n": 17}]
    assert "no rows" in command("sql", "SELECT 1 WHERE false", "--store", store).output
    shown = command("sql", "FROM scores", "--most", 3, "--store", store).output
    assert "more than 3 rows" in shown
    piped = CliRunner().invoke(
        entry.harness, ["sql", "--csv", "--store", str(store)], input="SELECT 1 AS one"
    )
    assert piped.output == "one\n1\n"
    output = tmp_path / "rows.parquet"
    assert command("sql", "FROM items", "--parquet", output, "--store", store).exit_code == 0
    assert pq.read_metadata(output).num_rows == 8


def test_answers_are_text_in_the_terminal_and_in_markdown(store: Path) -> None:
    for words in (("sql", "SELECT text FROM generations"), ("show", "odd")):
        shown = command(*words, "--store", store).output
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        assert "U+001B" in shown.replace("\n", "")
    table = command("sql", "SELECT text FROM generations", "--markdown", "--store", store).output
    assert "<script>" not in table
    assert "&lt;script&gt;" in table
    assert "](http" not in table
    assert all(line.count("|") - line.count("\\|") == 2 for line in table.splitlines())


def test_a_model_card_keeps_what_it_holds(store: Path, tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    card.write_text("---\nlicense: apache-2.0\nlanguage: ja\n---\n\n# 虎\n\n本文。\n", "utf-8")
    for _ in range(2):
        result = command(
            "export", "model-card", "tiger", "-o", card, "--model", "Tiger", "--store", store
        )
        assert result.exit_code == 0, result.output
    _, front, body = card.read_text(encoding="utf-8").split("---\n", 2)
    data = yaml.safe_load(front)
    assert data["license"] == "apache-2.0"
    assert "本文。" in body
    (index,) = data["model-index"]
    assert index["name"] == "Tiger"
    values = {one["task"]["name"]: one["metrics"][0]["value"] for one in index["results"]}
    assert values["made-up: math"] == pytest.approx(0.5)
    new = tmp_path / "new.md"
    assert command("export", "model-card", "tiger", "-o", new, "--store", store).exit_code == 0
    assert "model-index" in new.read_text(encoding="utf-8")


def test_a_card_that_cannot_be_read_is_left_alone(store: Path, tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    text = "---\n- a list\n---\n# 虎\n"
    card.write_text(text, "utf-8")
    result = command("export", "model-card", "tiger", "-o", card, "--store", store)
    assert isinstance(result.exception, HarnessError)
    assert card.read_text(encoding="utf-8") == text


def test_tensorboard_gets_each_evaluation_once(store: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="needs harness[tensorboard]")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = measures(store, ["tiger"])
    assert to_tensorboard(found[:1], tmp_path) == 1
    assert to_tensorboard(found, tmp_path) == 1
    assert to_tensorboard(found, tmp_path) == 0
    events = EventAccumulator(str(tmp_path / "tiger"))
    events.Reload()
    assert [(one.step, one.value) for one in events.Scalars("made-up/math")] == [
        (1, pytest.approx(0.25)),
        (2, pytest.approx(0.5)),
    ]


def test_mlflow_gets_each_evaluation_once(store: Path, tmp_path: Path) -> None:
    pytest.importorskip("mlflow", reason="needs harness[mlflow]")
    from mlflow.tracking import MlflowClient

    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    found = measures(store, ["tiger"])
    assert to_mlflow(found[:1], "tests", uri) == 1
    assert to_mlflow(found, "tests", uri) == 1
    assert to_mlflow(found, "tests", uri) == 0
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("tests")
    (run,) = client.search_runs([experiment.experiment_id])
    history = client.get_metric_history(run.info.run_id, "made-up/math")
    assert [(one.step, one.value) for one in history] == [(1, 0.25), (2, 0.5)]


def test_wandb_gets_each_evaluation(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb", reason="needs harness[wandb]")
    monkeypatch.chdir(tmp_path)
    assert to_wandb(measures(store, ["tiger"]), "tests", mode="offline") == 2
    assert list(tmp_path.glob("wandb/offline-run-*/*.wandb"))


def test_a_missing_client_is_named(store: Path, tmp_path: Path) -> None:
    missing = [name for name in ("wandb", "mlflow") if not _has(name)]
    if not missing:
        pytest.skip("every client is installed")
    result = command("export", missing[0], "tiger", "--store", store)
    assert isinstance(result.exception, HarnessError)
    assert f"harness[{missing[0]}]" in str(result.exception)


def _has(name: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(name) is not None


def test_the_store_is_still_a_store(store: Path) -> None:
    with duckdb.connect(str(store), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM evaluations").fetchone() == (3,)
