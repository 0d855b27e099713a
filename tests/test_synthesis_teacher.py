"""Teachers, real and served: replies are kept, nothing is paid for twice, budgets hold, and their
licence stands in every shard."""

from __future__ import annotations

import io
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from harness.cli.main import harness
from harness.engines.types import Message
from harness.errors import HarnessError
from harness.gaps.plan import Line, Plan
from harness.gaps.plan_file import write_plan
from harness.judge.budget import Price
from tests.judge_server import JudgeServer, judge_server
from tests.synthesis_generators import in_catalogue, open_screen, words
from training.synthesis.asking import Asking, BudgetSpentError, Limits
from training.synthesis.export import export
from training.synthesis.journal import Journal, prompt_key
from training.synthesis.licences import checkpoint_licence, stated
from training.synthesis.lineage import Round
from training.synthesis.run import Settings, round_home, synthesize
from training.synthesis.shards import read_metadata, read_pairs, samples_in
from training.synthesis.teachers import open_teacher
from training.synthesis.types import Prompt, Reply

LINES = (
    Line("stem", "物理", None, 12, generator="asked"),
    Line("math", "math/unit", 1, 5),
    Line("stem", "化学", None, 8, generator="asked"),
)
NO_LIMITS = Limits()
PLAN = Plan("demo", "0" * 64, "", "uniform", 1, 3, LINES)


def reply(body: dict[str, Any]) -> str:
    """A Japanese answer that depends on the question alone and is like no other."""
    asked = json.dumps(body["messages"], ensure_ascii=False)
    return f"はい。{words(asked, 24)}の話をいたします。"


@pytest.fixture
def server() -> Iterator[JudgeServer]:
    with judge_server() as running:
        running.reply = reply
        yield running


@pytest.fixture(autouse=True)
def generators() -> Iterator[None]:
    with in_catalogue():
        yield


def target(server: JudgeServer) -> str:
    return f"openai:{server.url}#judge-1"


@contextmanager
def asking(
    server: JudgeServer, output: Path, limits: Limits = NO_LIMITS, **options: Any
) -> Iterator[Asking]:
    teacher = open_teacher(target(server), **{"concurrency": 4, **options})
    journal = Journal(output / "replies.sqlite")
    try:
        yield Asking(teacher, journal, round_home(output, PLAN).name, limits)
    finally:
        teacher.close()
        journal.close()


def make(server: JudgeServer, output: Path, limits: Limits = NO_LIMITS, chunk: int = 100) -> Round:
    with asking(server, output, limits) as one:
        return synthesize(PLAN, output, open_screen, Settings(chunk=chunk), one)


def contents(made: Round) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in made.shards}


def rows(shards: Mapping[str, bytes]) -> dict[str, list[dict[str, Any]]]:
    return {name: pq.read_table(io.BytesIO(shards[name])).to_pylist() for name in sorted(shards)}


def prompts(count: int) -> list[Prompt]:
    return [Prompt((Message("user", f"{number}番"),), 8, seed=number) for number in range(count)]


def test_a_served_teacher_writes_what_no_program_can(server: JudgeServer, tmp_path: Path) -> None:
    made = make(server, tmp_path)
    counts = made.lineage["counts"]
    assert counts["kept"] == 25
    assert counts["tried"] == counts["kept"] + sum(counts["dropped"].values())
    by_file = {path.name: list(samples_in([path])) for path in made.shards}
    assert set(by_file) == {"program-00000.parquet", "teacher-00000.parquet"}
    name = f"judge-1@127.0.0.1:{server.server_address[1]}"
    for row in by_file["teacher-00000.parquet"]:
        assert (row.sample.origin.teacher, row.licence) == (name, "unknown")
    assert {row.sample.origin.teacher for row in by_file["program-00000.parquet"]} == {""}
    # The shard's own file says who wrote it and under which licence.
    about = read_metadata(made.home / "teacher-00000.parquet")
    assert about["written-by"] == name
    assert about["licence"]["name"] == "unknown"
    assert read_metadata(made.home / "program-00000.parquet")["licence"] is None
    spent = made.lineage["spent"]
    assert spent["replies"] == sum(server.paid.values()) == 40
    # What is asked says how it is to be drawn.
    assert all(body["max_tokens"] == 16 and "seed" in body for body in server.bodies)


def test_chunks_of_a_teachers_line_change_nothing(server: JudgeServer, tmp_path: Path) -> None:
    whole = contents(make(server, tmp_path / "a"))
    assert contents(make(server, tmp_path / "b", chunk=3)) == whole


def test_faults_are_tried_again_and_nothing_is_paid_for_twice(
    server: JudgeServer, tmp_path: Path
) -> None:
    whole = contents(make(server, tmp_path / "a"))
    chance, faults = random.Random(1), ["429", "500", "empty", "malformed", "cut", None, None]
    tries: Counter[str] = Counter()

    def plan(number: int, body: dict[str, Any]) -> str | None:
        """At most two faults a question: one that always fails is given up, and is no sample."""
        asked = json.dumps(body["messages"])
        tries[asked] += 1
        return chance.choice(faults) if tries[asked] <= 2 else None

    server.plan = plan
    server.paid.clear()
    with asking(server, tmp_path / "b") as one:
        one.teacher._server._backoff = 0.01  # type: ignore[attr-defined]
        made = synthesize(PLAN, tmp_path / "b", open_screen, Settings(), one)
    assert contents(made) == whole
    assert set(server.paid.values()) == {1}


def test_replies_in_the_journal_are_never_asked_for_again(
    server: JudgeServer, tmp_path: Path
) -> None:
    with asking(server, tmp_path) as one:
        first = one(prompts(10))
        assert one(list(reversed(prompts(10)))) == list(reversed(first))
        assert one(prompts(12))[:10] == first
    assert sum(server.paid.values()) == 12
    with asking(server, tmp_path) as one:
        assert one(prompts(12))[:10] == first
        assert one.spent.reused == 12
    assert sum(server.paid.values()) == 12


def test_seeds_make_two_questions_of_one_text(server: JudgeServer, tmp_path: Path) -> None:
    same = [Prompt((Message("user", "同じ"),), seed=seed) for seed in (1, 2, 1)]
    with asking(server, tmp_path) as one:
        one(same)
    assert len(server.bodies) == 2


def test_threads_that_ask_the_same_get_one_reply(server: JudgeServer, tmp_path: Path) -> None:
    number = iter(range(100))
    server.reply = lambda body: f"{next(number)}番目の答えです。"
    server.pause = 0.05
    with asking(server, tmp_path) as one:
        found: list[list[Reply]] = []
        threads = [threading.Thread(target=lambda: found.append(one(prompts(4)))) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found[0] == found[1] == found[2]
    assert len(server.bodies) == 4


def test_a_journal_keeps_the_first_reply_and_survives_a_torn_end(tmp_path: Path) -> None:
    path = tmp_path / "replies.sqlite"
    (prompt,) = prompts(1)
    key = prompt_key("t", prompt)
    journal = Journal(path)
    assert journal.keep(key, "t", prompt, Reply("一", "stop", 3, 1), "r1").text == "一"
    other = Journal(path)
    assert other.keep(key, "t", prompt, Reply("二", "stop", 3, 1), "r2").text == "一"
    assert (journal.spent("r1"), journal.spent("r2")) == ((1, 3, 1), (0, 0, 0))
    assert prompt_key("other", prompt) != key
    # A transaction whose end never reached the log is not there.
    log = path.with_name("replies.sqlite-wal")
    journal.keep(prompt_key("t", prompts(2)[1]), "t", prompt, Reply("三", "stop"), "r1")
    torn = log.read_bytes()[:-100]
    copied = tmp_path / "copy" / "replies.sqlite"
    copied.parent.mkdir()
    copied.write_bytes(path.read_bytes())
    copied.with_name(log.name).write_bytes(torn)
    again = Journal(copied)
    assert again.find([key])[key].text == "一"
    assert again.spent("r1")[0] == 1
    (tmp_path / "text").write_text("no database, but a text that is long enough" * 30)
    with pytest.raises(HarnessError, match="not a journal"):
        Journal(tmp_path / "text")


def test_a_budget_of_tokens_holds_and_more_goes_on_exactly(
    server: JudgeServer, tmp_path: Path
) -> None:
    whole = make(server, tmp_path / "whole")
    output = tmp_path / "o"
    most, before = 1500, -1
    for _ in range(20):
        made = make(server, output, Limits(tokens=most))
        spent = made.lineage["spent"]
        assert spent["prompt_tokens"] + spent["completion_tokens"] <= most
        if made.complete:
            break
        assert f"{most:,} tokens are spent" in made.lineage["stopped"]
        kept = made.lineage["counts"]["kept"]
        # What could be made is there, and it is the beginning of the whole.
        assert kept >= before
        before = kept
        ids = {row.sample.id for row in samples_in(made.shards)}
        assert ids <= {row.sample.id for row in samples_in(whole.shards)}
        most += 700
    assert made.complete
    assert before > 5
    assert contents(made) == contents(whole)


def test_a_budget_of_money_holds(server: JudgeServer, tmp_path: Path) -> None:
    price = Price(1000.0, 2000.0)
    made = make(server, tmp_path, Limits(cost=2.0, price=price))
    spent = made.lineage["spent"]
    assert spent["cost"] == price.of(spent["prompt_tokens"], spent["completion_tokens"])
    assert spent["cost"] <= 2.0
    assert "2 is spent" in made.lineage["stopped"]


def test_a_deadline_withdraws_what_has_not_begun(server: JudgeServer, tmp_path: Path) -> None:
    server.pause = 0.2
    with asking(server, tmp_path, Limits(hours=0.5 / 3600)) as one:
        with pytest.raises(BudgetSpentError, match="hours are over"):
            one(prompts(400))
        assert 0 < len(server.paid) < 60
        assert one.spent.replies == len(server.paid)


def test_a_teacher_that_always_fails_ends_the_round(server: JudgeServer, tmp_path: Path) -> None:
    server.plan = lambda number, body: "structure"  # status 400: no further try
    with pytest.raises(HarnessError, match="questions to the teacher in a row failed"):
        make(server, tmp_path)
    server.plan = lambda number, body: "key"
    with pytest.raises(HarnessError, match="the teacher rejects the key"):
        make(server, tmp_path)
    server.plan = lambda number, body: None
    assert make(server, tmp_path).complete


def test_a_real_checkpoint_answers_in_one_batch(tmp_path: Path, tiny_checkpoint: Path) -> None:
    """Through the command line's own way of opening it, with an engine that runs here."""
    teacher = open_teacher(str(tiny_checkpoint), engine="transformers")
    with pytest.MonkeyPatch.context():
        journal = Journal(tmp_path / "replies.sqlite")
        one = Asking(teacher, journal, "r")
        try:
            asked = [
                Prompt((Message("user", f"日本の{number}"),), 6, seed=number)
                for number in range(40)
            ]
            replies = one(asked)
            assert one(asked) == replies
            assert one.spent.reused == 40
            # Seeds decide: another order gives each question the same reply.
            journal.close()
            other = Journal(tmp_path / "other.sqlite")
            again = Asking(teacher, other, "r")(list(reversed(asked)))
        finally:
            teacher.close()
    assert [one.text for one in again] == [one.text for one in reversed(replies)]
    assert all(one.finish in ("stop", "length") and one.completion_tokens for one in replies)
    assert len({one.text for one in replies}) > 20
    assert teacher.about.identity
    other.close()


def test_a_round_with_a_real_checkpoint_adds_up_and_is_repeated_from_its_journal(
    tmp_path: Path, tiny_checkpoint: Path
) -> None:
    def made(output: Path, chunk: int) -> Round:
        teacher = open_teacher(str(tiny_checkpoint), engine="transformers")
        journal = Journal(tmp_path / "replies.sqlite")
        try:
            one = Asking(teacher, journal, "r")
            return synthesize(PLAN, output, open_screen, Settings(chunk=chunk, attempts=1), one)
        finally:
            teacher.close()
            journal.close()

    first = made(tmp_path / "a", 100)
    counts = first.lineage["counts"]
    assert counts["tried"] == counts["kept"] + sum(counts["dropped"].values())
    assert counts["kept"] >= 5  # the program's
    assert first.complete
    second = made(tmp_path / "b", 7)
    assert contents(second) == contents(first)


def test_an_engine_that_fails_is_told_to_all_who_wait(tmp_path: Path) -> None:
    from training.synthesis.licences import unknown
    from training.synthesis.teachers import About, LocalTeacher

    def broken() -> Any:
        raise RuntimeError("out of memory")

    def render(messages: Any) -> Any:
        from harness.engines.prompt import Rendered

        return Rendered("text", False)

    about = About("tiny", "/models/tiny", "0", unknown("/models/tiny"))
    teacher = LocalTeacher(about, render, broken)
    journal = Journal(tmp_path / "replies.sqlite")
    one = Asking(teacher, journal, "r")
    for _ in range(2):
        with pytest.raises(HarnessError, match=r"the teacher's engine failed \(out of memory\)"):
            one(prompts(3))
    teacher.close()


KILLED = """
import sys
from tests.synthesis_generators import in_catalogue
from harness.cli.main import main
with in_catalogue():
    sys.argv = ["harness", "synthesize", *sys.argv[1:]]
    main()
"""


def test_killed_while_asking_no_kept_reply_is_paid_for_again(
    server: JudgeServer, tmp_path: Path
) -> None:
    whole = contents(make(server, tmp_path / "whole"))
    server.paid.clear()
    server.pause = 0.03
    path = tmp_path / "plan.yaml"
    write_plan(path, PLAN)
    output = tmp_path / "o"
    options = ["--teacher", target(server), "--teacher-concurrency", "2", "--workers", "1"]
    command = [sys.executable, "-c", KILLED, str(path), "-o", str(output), *options]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    chance = random.Random(2)
    kills = 0
    while kills < 3:
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wanted = sum(server.paid.values()) + chance.randrange(3, 9)
        while sum(server.paid.values()) < wanted and process.poll() is None:
            time.sleep(0.005)
        if process.poll() is not None:
            break
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
        time.sleep(0.2)
    assert kills >= 2
    with sqlite3.connect(output / "replies.sqlite") as connection:
        (kept,) = connection.execute("SELECT count(*) FROM replies").fetchone()
    # All that was delivered is kept, but what was in flight at a kill.
    assert kept >= len(server.paid) - 2 * kills
    assert subprocess.run(command, env=environment, check=False).returncode == 0
    home = round_home(output, PLAN)
    shards = {path.name: path.read_bytes() for path in home.glob("*.parquet")}
    # First by rows: where a shard differs, that says which sample does.
    assert rows(shards) == rows(whole)
    assert shards == whole
    assert sum(server.paid.values()) - len(server.paid) <= 2 * kills


@pytest.mark.parametrize(
    ("files", "name", "warns"),
    [
        ({"README.md": "---\nlicense: apache-2.0\n---\n# M"}, "apache-2.0", None),
        ({"README.md": "---\nlicense: cc-by-nc-4.0\n---\n"}, "cc-by-nc-4.0", "non-commercial"),
        (
            {"README.md": "---\nlicense: other\nlicense_name: my-research-only\n---\n"},
            "my-research-only",
            "non-commercial",
        ),
        ({"README.md": "---\nlicense: [mit, gemma]\n---\n"}, "mit, gemma", "Gemma terms"),
        ({"README.md": "# no header", "LICENSE": "MIT License\n\nCopyright"}, "mit", None),
        ({"LICENSE": "  Apache License\n Version 2.0, January 2004"}, "apache-2.0", None),
        (
            {"LICENSE.txt": "Attribution-NonCommercial 4.0 International"},
            "cc-by-nc-4.0",
            "non-commercial",
        ),
        ({"LICENSE": "LLAMA 3.1 COMMUNITY LICENSE AGREEMENT"}, "llama", "Llama terms"),
        (
            {"LICENSE": "House licence\nFor research purposes only."},
            "non-commercial (House licence)",
            "non-commercial",
        ),
        ({"config.json": '{"license": "bigscience-openrail"}'}, "bigscience-openrail", None),
        ({"config.json": "broken", "README.md": "---\n: [\n---\n"}, "unknown", "--teacher-licence"),
        ({}, "unknown", "states no licence"),
    ],
)
def test_a_checkpoints_licence_is_what_its_files_say(
    tmp_path: Path, files: dict[str, str], name: str, warns: str | None
) -> None:
    for file, text in files.items():
        (tmp_path / file).write_text(text)
    found = checkpoint_licence(tmp_path)
    assert found.name == name
    assert (warns is None) == (found.warning == "")
    assert warns is None or warns in found.warning
    assert found.commercial == (
        None if name == "unknown" else "non-commercial" not in found.warning
    )


def test_a_stated_licence_is_held_against_the_models_name() -> None:
    assert stated("apache-2.0").warning == ""
    assert "non-commercial" in stated("CC BY-NC-SA 4.0").warning
    assert "Llama terms" in stated("custom", model="Meta-Llama-3-8B").warning
    assert "competing models" in stated("proprietary", model="gpt-4o").warning


def test_the_command_states_the_licence_and_warns(server: JudgeServer, tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    write_plan(path, PLAN)

    def invoke(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(harness, ["synthesize", str(path), *arguments])
        if isinstance(result.exception, HarnessError):
            return 3, str(result.exception)
        return result.exit_code, result.output

    options = ["--teacher", target(server), "-o", str(tmp_path / "o"), "--workers", "1"]
    code, said = invoke(*options, "--teacher-licence", "cc-by-nc-4.0")
    assert code == 0
    assert "warning: the teacher's licence cc-by-nc-4.0 is non-commercial" in said
    home = round_home(tmp_path / "o", PLAN)
    assert read_metadata(home / "teacher-00000.parquet")["licence"]["name"] == "cc-by-nc-4.0"
    assert (
        "cc\\-by\\-nc" in (home / "card.md").read_text()
        or "cc-by-nc-4.0" in (home / "card.md").read_text()
    )
    assert invoke("--max-tokens", "5")[1].startswith("--max-tokens is of a teacher")
    assert "two numbers" in invoke(*options, "--price", "1")[1]
    assert "needs --price" in invoke(*options, "--max-cost", "1")[1]
    assert "does not serve" in invoke("--teacher", f"openai:{server.url}#none")[1]


def test_pairs_are_the_students_own_best_and_worst_answers(
    server: JudgeServer, tmp_path: Path
) -> None:
    lines = (
        Line("math", "math/arithmetic", 1, 6, generator="pairs", settings={"samples": "4"}),
        Line("stem", "物理", None, 5, generator="written"),
    )
    plan = Plan("demo", "0" * 64, "", "uniform", 1, 3, lines)
    path = tmp_path / "plan.yaml"
    write_plan(path, plan)

    def student(body: dict[str, Any]) -> str:
        """Right or wrong, as the seed has it; bare or with words."""
        first, second = map(int, re.findall(r"[0-9]+", body["messages"][-1]["content"])[:2])
        value = first + second + body["seed"] % 2
        return f"{value}" if body["seed"] % 3 else f"答えは{value}です。"

    server.reply = student

    def invoke(*arguments: str) -> str:
        options = ["--student", target(server), "-o", str(tmp_path / "o"), *arguments]
        result = CliRunner().invoke(harness, ["synthesize", "pairs", str(path), *options])
        assert result.exit_code == 0, result.exception
        return result.output

    assert "stopped: 1,500 tokens are spent" in invoke("--max-tokens", "1500")
    paid = sum(server.paid.values())
    assert paid > 0
    assert "6 of 6 pairs" in invoke()
    (home,) = (tmp_path / "o").glob("pairs-0001-*")
    pairs = read_pairs(home / "pairs-00000.parquet")
    for pair in pairs:
        first, second = map(int, re.findall(r"[0-9]+", pair.messages[0].content)[:2])
        assert pair.chosen == str(first + second)
        assert pair.rejected != pair.chosen
        assert pair.method == "verifier"
    assert len({pair.messages for pair in pairs}) == 6
    # What the first run paid for was not asked again, and a complete round asks nothing.
    bodies = len(server.bodies)
    assert len({json.dumps(body, sort_keys=True) for body in server.bodies}) == bodies
    assert "6 of 6 pairs" in invoke()
    assert len(server.bodies) == bodies
    done = export(tmp_path / "o", "dpo", tmp_path / "dpo.jsonl")
    assert done.rows == 6
    # The plan's other line is for a teacher, and a round of samples is not for pairs.
    result = CliRunner().invoke(harness, ["synthesize", str(path), "--dry-run"])
    assert "harness synthesize pairs" in str(result.exception)
