"""A checkpoint that is replaced while it is evaluated: its answers are not the old one's."""

from __future__ import annotations

import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.checkpoint import Checkpoint, discover
from harness.engines.types import Generation, Request
from harness.errors import HarnessError
from harness.evaluate import Result, evaluate
from harness.protocols.short_answer import ShortAnswer
from harness.store import database, queries
from tests.test_checkpoint import change, make, own_cache
from tests.test_evaluate import letter, render

__all__ = ["own_cache"]
ITEMS = [letter(number) for number in range(4)]


@dataclass
class Meddling:
    """Answers "A"; something happens to the checkpoint after its second answer."""

    happens: Callable[[], object]
    answered: int = 0
    name: str = "meddling"
    description: str = "meddling"
    asked: list[str] = field(default_factory=list)

    def generate(self, queue: deque[Request]) -> Iterator[Generation]:
        while queue:
            request = queue.popleft()
            self.asked.append(request.key)
            if len(self.asked) == 2:
                self.happens()
            yield Generation(request.key, "A", "stop", 1, 1)

    def close(self) -> None:
        pass


def run(store: Path, one: Checkpoint, happens: Callable[[], object] = lambda: None) -> Result:
    return evaluate(
        one,
        ShortAnswer("t"),
        ITEMS,
        store=store,
        render=render,
        open_engine=lambda: Meddling(happens),
    )


def rows(store: Path, table: str) -> int:
    with database.connect(store, read_only=True) as connection:
        (found,) = connection.execute(f"SELECT count(*) FROM {table}").fetchall()
    return int(found[0])


def other_weights(directory: Path) -> None:
    make(directory.parent / "other", template=True)
    path = directory.parent / "other" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-4] + b"\x01\x02\x03\x04")
    path.replace(directory / "model.safetensors")


def other_in_place(directory: Path) -> None:
    path = directory / "model.safetensors"
    with path.open("r+b") as file:
        file.seek(-4, os.SEEK_END)
        file.write(b"\x01\x02\x03\x04")


def other_config(directory: Path) -> None:
    change(directory / "config.json", rope_theta=7.0)


def new_template(directory: Path) -> None:
    (directory / "chat_template.jinja").write_text("{{ messages[0] }}")


@pytest.mark.parametrize("meddle", [other_weights, other_in_place, other_config, new_template])
def test_a_replaced_checkpoint_makes_its_evaluation_void(
    tmp_path: Path, meddle: Callable[[Path], None]
) -> None:
    store = tmp_path / "s.duckdb"
    directory = make(tmp_path / "step_1", template=True)
    (one,) = discover(str(directory))
    with pytest.raises(HarnessError) as caught:
        run(store, one, lambda: meddle(directory))
    told = str(caught.value)
    assert told.startswith(f"{directory}: replaced while it was evaluated (")
    assert "the 4 answers of this call were taken back" in told
    assert "\n" not in told
    (row,) = queries.evaluations(store)
    assert (row.state, row.done, row.failed) == ("void", 0, 0)
    assert rows(store, "generations") == rows(store, "scores") == 0
    # What is there now is another checkpoint, and is asked everything.
    (now,) = discover(str(directory))
    assert now.fingerprint != one.fingerprint
    assert run(store, now).progress.done == 4
    assert {row.state for row in queries.evaluations(store)} == {"void", "complete"}


def test_answers_from_before_stay(tmp_path: Path) -> None:
    """Of an evaluation in two calls only the second one's answers are in doubt; put back, the
    checkpoint is asked for these alone."""
    store = tmp_path / "s.duckdb"
    directory = make(tmp_path / "step_1", template=True)
    (one,) = discover(str(directory))
    evaluate(
        one,
        ShortAnswer("t"),
        ITEMS[:1],
        store=store,
        render=render,
        open_engine=lambda: Meddling(lambda: None),
    )
    shutil.copytree(directory, tmp_path / "kept")
    with pytest.raises(HarnessError, match="the 3 answers of this call"):
        run(store, one, lambda: other_weights(directory))
    assert rows(store, "generations") == 1
    shutil.rmtree(directory)
    shutil.copytree(tmp_path / "kept", directory)
    (again,) = discover(str(directory))
    result = run(store, again)
    assert (result.progress.done, result.progress.reused) == (4, 1)
    assert all(row.state == "complete" for row in queries.evaluations(store))


def touch(directory: Path) -> None:
    later = time.time() + 100
    os.utime(directory / "model.safetensors", (later, later))


def copy_over(directory: Path) -> None:
    fresh = directory / "fresh"
    shutil.copyfile(directory / "model.safetensors", fresh)
    fresh.replace(directory / "model.safetensors")


def beside(directory: Path) -> None:
    (directory / "optimizer.pt").write_bytes(b"state")
    (directory / "README.md").write_text("new")


@pytest.mark.parametrize("happens", [touch, copy_over, beside, shutil.rmtree])
def test_the_same_bytes_are_no_replacement(
    tmp_path: Path, happens: Callable[[Path], object]
) -> None:
    """Nor is a directory that its trainer removes: what was loaded was right."""
    store = tmp_path / "s.duckdb"
    directory = make(tmp_path / "step_1", template=True)
    (one,) = discover(str(directory))
    assert run(store, one, lambda: happens(directory)).progress.done == 4
    assert queries.evaluations(store)[0].state == "complete"
