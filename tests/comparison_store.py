"""Stores of made-up scores, written as an evaluation writes them, for tests of comparisons."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.cli import main as entry
from harness.items.schema import FormatRule, Item, content_hash
from harness.store import database
from harness.store.write import ingest, spool

PROTOCOL: dict[str, Any] = {
    "protocol": "short-answer",
    "evalset": "made-up",
    "temperature": 0.7,
    "scoring": 3,
}
_START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class MadeItem:
    """An item; another content is another item of the same id.

    question, answer  what was asked and is right, where a test reads them
    """

    id: str
    genre: str = "math"
    dataset: str = ""
    cluster: str | None = None
    content: str = ""
    skill: str = ""
    level: int | None = None
    question: str = ""
    answer: str = "答え"

    @cached_property
    def hash(self) -> str:
        return content_hash([self.id, self.content])


@dataclass(frozen=True)
class MadeScores:
    """One evaluation: by metric and item the values of its samples (None: the request failed).

    answers  texts by item;  failures: class by item
    """

    name: str
    scores: Mapping[str, Mapping[MadeItem, Sequence[float | None]]]
    run: str | None = None
    step: int | None = None
    mixture: Mapping[str, float] | None = None
    parent: str | None = None
    protocol: Mapping[str, Any] = field(default_factory=lambda: PROTOCOL)
    suite: str = "made-up"
    temperature: float = 0.0
    samples: int = 1
    state: str = "complete"
    answers: Mapping[MadeItem, str] = field(default_factory=dict)
    failures: Mapping[MadeItem, str] = field(default_factory=dict)
    tokens: int = 5
    later: int = 0
    seed: int = 0
    engine: str = "made up"

    @cached_property
    def fingerprint(self) -> str:
        return content_hash(self.name)

    @cached_property
    def protocol_hash(self) -> str:
        return content_hash(dict(self.protocol))

    @cached_property
    def id(self) -> str:
        items = sorted({item.hash for scores in self.scores.values() for item in scores})
        return content_hash([self.name, self.protocol_hash, items, self.samples, self.seed])


def keep(path: Path, *evaluations: MadeScores) -> None:
    """Writes evaluations into a store, made where there is none."""
    database.prepare(path)
    for one in evaluations:
        spool(path, batch(one))
    ingest(path)


def by_item(
    values: Sequence[float | None], genre: str = "math", **more: Any
) -> dict[MadeItem, list[float | None]]:
    """One value an item, items named GENRE/000, GENRE/001, ..."""
    return {
        MadeItem(f"{genre}/{number:03d}", genre, **more): [value]
        for number, value in enumerate(values)
    }


def batch(one: MadeScores) -> dict[str, list[dict[str, Any]]]:
    """The rows of an evaluation by table."""
    items = {item.hash: item for scores in one.scores.values() for item in scores}
    answered: dict[tuple[str, int], bool] = {}
    scores = []
    for metric, by_items in one.scores.items():
        for item, values in by_items.items():
            for sample, value in enumerate(values):
                answered[item.hash, sample] = value is not None
                if value is not None:
                    scores.append(
                        {
                            "key": _key(one, item.hash, sample),
                            "protocol_hash": one.protocol_hash,
                            "metric": metric,
                            "value": float(value),
                            "failure": one.failures.get(item) if metric == "strict" else None,
                        }
                    )
    failed = sum(not ok for ok in answered.values())
    started = _START + timedelta(hours=one.later)
    return {
        "checkpoints": [
            {
                "fingerprint": one.fingerprint,
                "name": one.name,
                "path": None,
                "url": None,
                "run": one.run,
                "step": one.step,
                "tokens_seen": None,
                "parent": None if one.parent is None else content_hash(one.parent),
                "mixture": None if one.mixture is None else json.dumps(dict(one.mixture)),
                "phase": None,
                "learning_rate": None,
                "parameters": None,
                "recorded_at": started,
            }
        ],
        "protocols": [
            {
                "hash": one.protocol_hash,
                "id": f"{one.suite}/harness-1",
                "suite": one.suite,
                "definition": json.dumps(dict(one.protocol)),
            }
        ],
        "items": [_item(item) for item in items.values()],
        "evaluations": [
            {
                "id": one.id,
                "fingerprint": one.fingerprint,
                "protocol_hash": one.protocol_hash,
                "items_hash": content_hash(sorted(items)),
                "suite": one.suite,
                "items": len(items),
                "samples": one.samples,
                "seed": one.seed,
                "engine": one.engine,
                "state": one.state,
                "planned": len(answered),
                "done": len(answered) - failed,
                "failed": failed,
                "failures": "{}",
                "started_at": started,
                "finished_at": started if one.state == "complete" else None,
            }
        ],
        "requests": [
            {
                "evaluation": one.id,
                "key": _key(one, item, sample),
                "item_hash": item,
                "sample": sample,
                "turn": 0,
                "kind": "answer",
            }
            for item, sample in answered
        ],
        "generations": [
            _generation(one, items[item], sample, ok, started)
            for (item, sample), ok in answered.items()
        ],
        "scores": scores,
    }


def _generation(
    one: MadeScores, item: MadeItem, sample: int, ok: bool, at: datetime
) -> dict[str, Any]:
    return {
        "key": _key(one, item.hash, sample),
        "fingerprint": one.fingerprint,
        "item_hash": item.hash,
        "kind": "answer",
        "sample": sample,
        "turn": 0,
        "prompt": item.id,
        "sampling": json.dumps({"temperature": one.temperature}),
        "text": one.answers.get(item, "答え") if ok else "",
        "finish_reason": "stop" if ok else "error",
        "prompt_tokens": 10,
        "completion_tokens": one.tokens,
        "cached_tokens": 0,
        "latency": 0.1,
        "likelihoods": "[]",
        "error": None if ok else "too long",
        "engine": "made up",
        "created_at": at,
    }


def _item(item: MadeItem) -> dict[str, Any]:
    return {
        "hash": item.hash,
        "id": item.id,
        "genre": item.genre,
        "skill": item.skill,
        "level": item.level,
        "template": None,
        "seen": None,
        "cluster": item.cluster,
        "definition": msgspec.json.encode(
            Item(
                item.id,
                item.genre,
                (item.question or f"{item.id}は?",),
                item.answer,
                FormatRule("span"),
                "exact",
                dataset=item.dataset,
            )
        ).decode(),
        "dataset": item.dataset or None,
    }


def _key(one: MadeScores, item: str, sample: int) -> str:
    return content_hash([one.id, item, sample])


def rate(
    path: Path,
    one: MadeScores,
    judge: str,
    prompts: str,
    rating: Callable[[str, int], float | None],
    repeats: int = 2,
) -> None:
    """Gives every answer of a stored evaluation a judge's ratings; a first attempt that could not
    be read stands before each."""
    with database.connect(path) as connection:
        answers = connection.execute(
            "SELECT r.key, i.id FROM requests r JOIN items i ON i.hash = r.item_hash "
            "WHERE r.evaluation = ?",
            [one.id],
        ).fetchall()
        judgments, links = [], []
        for answer, item in answers:
            for repeat in range(repeats):
                key = content_hash([answer, judge, prompts, repeat])
                links.append((one.id, answer, judge, prompts, repeat, key))
                for attempt, value in ((0, None), (1, rating(item, repeat))):
                    judgments.append((key, attempt, judge, repeat, value))
        connection.executemany("INSERT INTO judged VALUES (?, ?, ?, ?, ?, ?)", links)
        connection.executemany(
            "INSERT INTO judgments VALUES (?, ?, ?, 'p', 'h', ?, '[]', '{}', '', ?, NULL, NULL, "
            "0, 0, NULL, 0, '', now())",
            judgments,
        )


# 40 items: 9 broke, 1 was mended, 30 stayed.
BEFORE = [1] * 9 + [0] + [1] * 20 + [0] * 10
AFTER = [0] * 9 + [1] + [1] * 20 + [0] * 10
Run = Callable[..., tuple[int, str, str]]


def command(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Runs `harness compare` on a store in this process: (exit status, stdout, stderr)."""
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    monkeypatch.setenv("COLUMNS", "120")

    def run(*arguments: str) -> tuple[int, str, str]:
        line = ["harness", "compare", *arguments, "--store", str(store)]
        monkeypatch.setattr("sys.argv", line)
        with pytest.raises(SystemExit) as end:
            entry.main()
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return run


def strict(
    name: str, values: Sequence[float | None], genre: str = "math", **more: Any
) -> MadeScores:
    return MadeScores(name, {"strict": by_item(values, genre)}, **more)


def rows(found: str) -> dict[str, dict[str, Any]]:
    document = json.loads(found)
    return {
        f"{one['genre']}/{one['dataset']}/{one['metric']}": one
        for suite in document["suites"]
        for one in suite["metrics"]
    }
