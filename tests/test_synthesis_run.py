"""A round of synthesis: the same samples whatever the chunks, workers and kills; counts that add
up; nothing without the evalsets."""

from __future__ import annotations

import importlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
from click.testing import CliRunner

from harness.cli.main import harness
from harness.errors import HarnessError
from harness.gaps.plan import Line, Plan
from harness.gaps.plan_file import write_plan
from tests.synthesis_generators import in_catalogue, open_screen
from training.synthesis import screening
from training.synthesis.catalogue import GENERATORS, generator
from training.synthesis.lineage import Round, read_round
from training.synthesis.run import Progress, Settings, round_home, synthesize
from training.synthesis.shards import read_metadata, samples_in

PROGRAMS = Plan(
    student="demo",
    fingerprint="0" * 64,
    target="goals",
    policy="uniform",
    round=1,
    seed=11,
    lines=(
        Line("math", "", None, 60),
        Line("reasoning", "reasoning/ordering", 2, 40),
        Line("math", "", None, 20, "uniform"),
        Line("format", "", 1, 0),
        Line("extraction", "", None, 30),
    ),
)


def mixed_plan(samples: int = 50, number: int = 1, seed: int = 5) -> Plan:
    lines = (
        Line("stem", "物理", None, samples, generator="mixed"),
        Line("stem", "化学", None, samples, "uniform", generator="mixed"),
    )
    return Plan("demo", "0" * 64, "best", "uniform", number, seed, lines)


@pytest.fixture
def generators() -> Iterator[None]:
    with in_catalogue():
        yield


def contents(made: Round) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in made.shards}


def test_chunks_and_workers_change_nothing(tmp_path: Path) -> None:
    wanted = contents(synthesize(PROGRAMS, tmp_path / "a", open_screen))
    for name, settings in (("b", Settings(chunk=7)), ("c", Settings(workers=2, chunk=13))):
        assert contents(synthesize(PROGRAMS, tmp_path / name, open_screen, settings)) == wanted


def test_a_longer_line_begins_with_the_shorter_ones_samples(tmp_path: Path) -> None:
    def ids(samples: int) -> list[str]:
        plan = Plan("d", "0", "", "u", 1, 3, (Line("math", "", None, samples),))
        made = synthesize(plan, tmp_path / str(samples), open_screen)
        return [row.sample.id for row in samples_in(made.shards)]

    assert ids(40)[:25] == ids(25)


@pytest.mark.parametrize("chunk", [1, 9, 1000])
def test_every_candidate_is_counted_once(tmp_path: Path, chunk: int, generators: None) -> None:
    seen: list[Progress] = []
    settings = Settings(chunk=chunk)
    made = synthesize(mixed_plan(), tmp_path, open_screen, settings, report=seen.append)
    counts = made.lineage["counts"]
    assert counts["wanted"] == counts["kept"] == 100
    assert counts["tried"] == counts["kept"] + sum(counts["dropped"].values())
    for line in made.lineage["lines"]:
        assert (line["kept"], line["ended"]) == (50, "met")
        assert line["tried"] == line["kept"] + sum(line["dropped"].values())
        # 5 good ones in 10; the last one wanted is candidate 98.
        assert line["tried"] == 99
    dropped = {"unreadable": 20, "verification": 20, "politeness": 20, "decontamination": 20}
    # The second line's copies are of its own first sample, as the first line's are.
    assert counts["dropped"] == dropped | {"near-duplicates": 18}
    assert seen[-1].kept == 100
    assert set(made.lineage["examples"]) == set(counts["dropped"])
    assert made.complete
    assert not (made.home / "work").exists()


def test_no_sample_of_an_earlier_round_is_made_again(tmp_path: Path, generators: None) -> None:
    first = synthesize(mixed_plan(), tmp_path, open_screen)
    second = synthesize(mixed_plan(number=2), tmp_path, open_screen)
    assert second.lineage["earlier"] == [first.home.name]
    ids = [{row.sample.id for row in samples_in(one.shards)} for one in (first, second)]
    assert not ids[0] & ids[1]
    # Every candidate that the first round kept is a near-duplicate now.
    assert second.lineage["counts"]["dropped"]["near-duplicates"] >= 100


def test_a_line_is_given_up_when_its_attempts_are_used_up(tmp_path: Path, generators: None) -> None:
    made = synthesize(mixed_plan(10), tmp_path, open_screen, Settings(attempts=1.5))
    for line in made.lineage["lines"]:
        assert line["ended"] == "exhausted"
        assert line["tried"] == 15
        assert line["kept"] == 8
    assert made.complete


def test_shards_and_lineage_say_where_samples_come_from(tmp_path: Path) -> None:
    made = synthesize(PROGRAMS, tmp_path, open_screen)
    (shard,) = made.shards
    about = read_metadata(shard)
    assert about["student"] == "demo"
    assert (about["policy"], about["seed"], about["target"]) == ("uniform", 11, "goals")
    assert about["counts"] == made.lineage["counts"]
    assert about["teacher"] is None
    assert about["licence"] is None
    assert about["rows"] == 150
    assert set(about["evalsets"]) >= {"basics", "if-ja", "code-ja", "mt-bench-ja"}
    for row in samples_in([shard]):
        assert row.filters == tuple(made.lineage["filters"])
        assert row.sample.proof.proven
        assert PROGRAMS.lines[row.line].purpose == row.purpose
        assert row.licence == ""


def test_a_complete_round_is_read_not_made_again(tmp_path: Path) -> None:
    first = synthesize(PROGRAMS, tmp_path, open_screen)

    def refuse() -> object:
        raise AssertionError("nothing is to be made")

    again = synthesize(PROGRAMS, tmp_path, refuse)  # type: ignore[arg-type]
    assert again.lineage == first.lineage


def test_nothing_is_made_where_an_evalset_cannot_be_read(tmp_path: Path) -> None:
    fault = HarnessError("evalsets/basics/math.jsonl:3: broken JSON")
    with (
        mock.patch("harness.items.load.load_items", side_effect=fault),
        mock.patch("harness.items.load._load", side_effect=fault),
        pytest.raises(HarnessError, match="broken JSON"),
    ):
        synthesize(PROGRAMS, tmp_path, screening.open_screen)
    assert not list(tmp_path.rglob("*.parquet"))


def test_work_begun_under_other_settings_is_not_mixed(tmp_path: Path, generators: None) -> None:
    class Stop(Exception):  # noqa: N818
        pass

    def stop(progress: Progress) -> None:
        raise Stop

    with pytest.raises(Stop):
        synthesize(mixed_plan(), tmp_path, open_screen, Settings(chunk=10), report=stop)
    with pytest.raises(HarnessError, match=r"begun under another attempts \(10.0, now 3.0\)"):
        synthesize(mixed_plan(), tmp_path, open_screen, Settings(attempts=3.0))
    made = synthesize(mixed_plan(), tmp_path, open_screen)
    assert made.complete


def test_work_begins_anew_where_evaluation_items_have_come(
    tmp_path: Path, generators: None
) -> None:
    class Stop(Exception):  # noqa: N818
        pass

    def stop(progress: Progress) -> None:
        raise Stop

    with pytest.raises(Stop):
        synthesize(mixed_plan(), tmp_path, open_screen, Settings(chunk=10), report=stop)
    more = replace(open_screen(), evalsets={"new": 1})
    seen: list[Progress] = []
    made = synthesize(mixed_plan(), tmp_path, lambda: more, report=seen.append)
    assert seen[-1].reused == 0
    assert made.lineage["evalsets"] == {"new": 1}


def test_two_processes_do_not_make_one_round(tmp_path: Path, generators: None) -> None:
    faults: list[str] = []

    def begin_again(progress: Progress) -> None:
        if not faults:
            with pytest.raises(HarnessError) as told:
                synthesize(mixed_plan(), tmp_path, open_screen)
            faults.append(str(told.value))

    made = synthesize(mixed_plan(), tmp_path, open_screen, report=begin_again)
    assert "another process is making this round" in faults[0]
    assert made.lineage["counts"]["kept"] == 100


def test_an_output_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HarnessError, match="cannot be written"):
        synthesize(PROGRAMS, tmp_path / "file" / "o", open_screen)


def test_every_name_of_the_catalogue_is_a_generator_of_that_version() -> None:
    for entry in GENERATORS.values():
        assert callable(generator(entry.name))
        module = importlib.import_module(entry.place.partition(":")[0])
        assert entry.id == module.NAME


def test_an_exception_at_any_chunk_leaves_a_round_that_goes_on_exactly(
    tmp_path: Path, generators: None
) -> None:
    plan = mixed_plan()
    whole = contents(synthesize(plan, tmp_path / "whole", open_screen))

    class Stop(Exception):  # noqa: N818
        pass

    for after in range(1, 9, 2):
        left = after

        def stop(progress: Progress) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise Stop

        output = tmp_path / str(after)
        with pytest.raises(Stop):
            synthesize(plan, output, open_screen, Settings(chunk=20), report=stop)
        last: list[Progress] = []
        made = synthesize(plan, output, open_screen, Settings(chunk=31), report=last.append)
        assert contents(made) == whole
        assert last[-1].reused > 0


def test_time_that_is_over_stops_the_round_and_the_same_command_goes_on(
    tmp_path: Path, generators: None
) -> None:
    plan = mixed_plan()
    whole = contents(synthesize(plan, tmp_path / "whole", open_screen))
    stopped = synthesize(plan, tmp_path / "o", open_screen, Settings(hours=1e-9))
    assert not stopped.complete
    assert "hours are over" in stopped.lineage["stopped"]
    assert stopped.lineage["counts"]["kept"] == 0
    assert contents(synthesize(plan, tmp_path / "o", open_screen)) == whole


def plan_file(path: Path, plan: Plan) -> Path:
    write_plan(path, plan)
    return path


@pytest.mark.slow
def test_killed_at_any_moment_and_repeated_the_round_is_the_same_to_the_byte(
    tmp_path: Path,
) -> None:
    """SIGKILL of the real command, its worker processes and all, at random moments."""
    path = plan_file(tmp_path / "plan.yaml", PROGRAMS)

    def command(output: Path) -> list[str]:
        options = ["--workers", "2", "--chunk", "4", "-o", str(output)]
        return [sys.executable, "-m", "harness", "synthesize", str(path), *options]

    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    whole = contents(synthesize(PROGRAMS, tmp_path / "whole", open_screen))
    output = tmp_path / "killed"
    home = round_home(output, PROGRAMS)
    chance = random.Random(8)
    kills = 0
    while kills < 4:
        process = subprocess.Popen(
            command(output), env=environment, stdout=subprocess.DEVNULL, start_new_session=True
        )
        target = len(list(home.glob("work/part-*"))) + chance.randrange(1, 8)
        while len(list(home.glob("work/part-*"))) < target and process.poll() is None:
            time.sleep(0.002)
        time.sleep(chance.random() * 0.02)
        if process.poll() is not None:
            break
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
        # Nothing that is half written has the name of a part or of a shard.
        for part in [*home.glob("work/part-*"), *home.glob("*.parquet")]:
            read_metadata(part)
    assert kills >= 2
    assert subprocess.run(command(output), env=environment, check=False).returncode == 0
    assert contents(read_round(home)) == whole
    assert (home / "card.md").is_file()


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(harness, ["synthesize", *arguments])
    if isinstance(result.exception, HarnessError):
        return 3, str(result.exception)
    return result.exit_code, result.output


def test_the_command_makes_a_plan_and_says_what_became_of_it(tmp_path: Path) -> None:
    path = plan_file(tmp_path / "plan.yaml", PROGRAMS)
    code, dry = invoke(str(path), "--dry-run", "--json", "-o", str(tmp_path / "o"))
    assert code == 0
    assert [one["generator"] for one in json.loads(dry)] == ["program@1"] * 5
    assert not (tmp_path / "o").exists()
    options = ["-o", str(tmp_path / "o"), "--workers", "1"]
    code, said = invoke(str(path), *options)
    assert code == 0
    assert "150 of 150 samples" in said
    assert "candidates 150 = kept 150" in said
    code, table = invoke(str(path), *options, "--json")
    assert [one["kept"] for one in json.loads(table)] == [60, 40, 20, 0, 30]
    code, card = invoke("card", str(round_home(tmp_path / "o", PROGRAMS)))
    assert code == 0
    assert "20 samples drawn at random" in card


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (Line("writing", "", None, 5), "name a teacher with --teacher"),
        (Line("math", "", None, 5, generator="written"), "needs a teacher"),
        (Line("math", "", None, 5, generator="wirtten"), "no generator 'wirtten'; there are"),
        (Line("math", "math/nothing", None, 5), "name a teacher"),
        (Line("math", "", None, 0), "wants no samples"),
    ],
)
def test_a_plan_that_nothing_can_make_is_told(tmp_path: Path, line: Line, says: str) -> None:
    plan = Plan("demo", "0", "", "uniform", 1, 0, (line,))
    path = plan_file(tmp_path / "plan.yaml", plan)
    code, said = invoke(str(path), "-o", str(tmp_path / "o"))
    assert code == 3
    assert says in said


def test_a_faulty_plan_file_is_told_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text("version: 1\nstudent: demo\nfingerprint: '0'\nlines: 3\n")
    code, said = invoke(str(path))
    assert code == 3
    assert f"{path}:" in said
    code, said = invoke(str(tmp_path / "none.yaml"))
    assert code == 3
    assert "none.yaml" in said


def test_a_plan_for_another_student_is_not_made(tmp_path: Path) -> None:
    path = plan_file(tmp_path / "plan.yaml", PROGRAMS)
    code, said = invoke(str(path), "--student", "other/step_1", "-o", str(tmp_path / "o"))
    assert code == 3
    assert "made for demo" in said
