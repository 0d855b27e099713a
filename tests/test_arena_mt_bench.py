"""A judge's pairwise verdicts as battles, and its ratings beside the arena's, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.items.schema import GENRES
from tests.judge_server import JudgeServer, judge_server
from tests.test_mt_bench_cli import ITEMS, board, done, evalset, judged_by

__all__ = ["evalset"]  # a fixture


@pytest.fixture
def servers() -> Iterator[tuple[JudgeServer, JudgeServer]]:
    with judge_server() as one, judge_server() as other:
        yield one, other


def rows(*arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(done([*arguments, "--json"]))
    return found


def test_a_judge_fills_the_arena_and_is_measured_by_it(
    servers: tuple[JudgeServer, JudgeServer],
    evalset: Path,
    tmp_path: Path,
) -> None:
    store = str(tmp_path / "r.duckdb")
    judge, elsewhere = servers
    elsewhere.reply = lambda body: "別の回答です。"
    # Three models by what they answer: お答えします, よい回答です, 別の回答です.
    for url, model in (
        (judge.url, "model-1"),
        (judge.url, "judge-1"),
        (elsewhere.url, "judge-1"),
    ):
        target = f"openai:{url}#{model}"
        done(["eval", target, "--suite", str(evalset), "--store", store, "--quiet", "--no-canary"])
    suite = board(Path(store))[0]["suite"]
    names = [row["name"] for row in board(Path(store))]
    assert len(set(names)) == 3
    plain = next(name for name in names if name.startswith("model-1"))
    good = next(name for name in names if str(judge.server_address[1]) in name and name != plain)

    judge.reply = lambda body: "判定：[[A]]"  # whatever is first
    done(["pairwise", plain, good, "--suite", suite, *judged_by(judge), "--store", store])
    said = done(["arena", "judged", "--store", store])
    assert f"{4 * ITEMS} verdicts of kind judge, {4 * ITEMS} of them new" in said
    (pair, _) = rows("arena", "matrix", "--store", store)
    assert (pair["battles"], pair["ties"]) == (2 * ITEMS, 2 * ITEMS)

    def rating(body: dict[str, Any]) -> str:
        text = body["messages"][-1]["content"]
        return f"評価：[[{9 if '別の' in text else 6 if 'よい回答' in text else 2}]]"

    judge.reply = rating
    done(["score", *judged_by(judge), "--store", store])
    log = tmp_path / "votes.csv"
    third = next(name for name in names if name not in (plain, good))
    votes = [(third, good), (third, plain), (good, plain)] * 4
    votes += [(good, third), (plain, third), (plain, good)]
    lines = ["model_a,model_b,winner", *(f"{a},{b},model_a" for a, b in votes)]
    log.write_text("\n".join(lines) + "\n")
    done(["arena", "import", str(log), "--store", store])
    found = rows("arena", "correlate", "--suite", suite, "--kind", "import:votes", "--store", store)
    assert {row["genre"] for row in found} == {"all genres", *GENRES}
    assert {row["models"] for row in found} == {3}
    assert {round(row["spearman"], 9) for row in found} == {1.0}
