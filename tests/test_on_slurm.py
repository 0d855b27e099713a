"""`--on slurm`: a task for each checkpoint, one store; through submitit's local executor, and
through commands that stand in for Slurm's."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.checkpoint import discover, targets_in
from harness.cli.main import harness
from harness.errors import HarnessError
from harness.slurm import Cluster, Ended, Task, results, submit
from harness.store import database
from tests.conftest import make_checkpoint
from tests.test_kill import doubled

pytest.importorskip("submitit", reason="submitit is not installed: pip install 'harness[slurm]'")

# Quick tasks: one that goes well, one that fails with a sentence.
GOOD, BAD = Task(("--help",)), Task(("/absent",))

# The tasks run the copy, as with Slurm: submitit moves its file away once this has answered.
SBATCH = """#!/bin/bash
cp "$1" {folder}/submitted.sh
echo "Submitted batch job 77"
for task in 0 1; do
  SLURM_JOB_ID=$((78 + task)) SLURM_ARRAY_JOB_ID=77 SLURM_ARRAY_TASK_ID=$task \\
  SLURM_JOB_NUM_NODES=1 SLURM_NTASKS=1 SLURM_NODEID=0 SLURM_PROCID=0 SLURM_LOCALID=0 \\
  SLURM_JOB_NODELIST=here bash {folder}/submitted.sh > /dev/null 2>&1 &
done
"""
SRUN = """#!/bin/bash
while [[ "$1" == --* ]]; do
  case "$1" in
    --output) out=${2//%A/$SLURM_ARRAY_JOB_ID}; shift;;
    --error) err=${2//%A/$SLURM_ARRAY_JOB_ID}; shift;;
  esac
  shift
done
place() { local text=${1//%a/$SLURM_ARRAY_TASK_ID}; echo "${text//%t/0}"; }
# submitit makes the folder of a task's logs when it hears the job's number, maybe after this.
mkdir -p "$(dirname "$(place "$out")")"
exec "$@" > "$(place "$out")" 2> "$(place "$err")"
"""
SACCT = """#!/bin/bash
echo "JobID|State|NodeList"
echo "77_0|RUNNING|here"
echo "77_1|RUNNING|here"
"""


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand-ins for sbatch, srun and sacct that run an array of two here; the folder in which the
    batch file is kept."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in (("sbatch", SBATCH), ("srun", SRUN), ("sacct", SACCT)):
        file = folder / name
        file.write_text(text.replace("{folder}", str(folder)))
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))
    return folder


def ended(
    tasks: list[Task], folder: Path, options: Mapping[str, str], cluster: Cluster
) -> list[Ended]:
    """How tasks ended, in their order."""
    states: list[Mapping[str, int]] = []
    submitted = submit(tasks, folder, options, cluster)
    found = {one.submitted.task: one for one in results(submitted, states.append)}
    assert all(sum(one.values()) == len(tasks) for one in states)
    return [found[task] for task in tasks]


def check_ends(good: Ended, bad: Ended) -> None:
    assert good.fault is None
    assert bad.fault is not None
    assert bad.fault.startswith("/absent: /absent does not exist, expected a Hugging Face")
    assert bad.fault.endswith(f"; its log is {bad.submitted.log}")
    assert "/absent does not exist" in bad.submitted.log.read_text()


def test_processes_of_this_machine(tmp_path: Path) -> None:
    check_ends(*ended([GOOD, BAD], tmp_path / "logs", {"time": "5"}, "local"))


@pytest.mark.timeout(120)
def test_an_array_job_with_the_users_options(tmp_path: Path, slurm: Path) -> None:
    options = {
        "partition": "gpu",
        "gpus-per-node": "1",
        "time": "1-2:30",
        "mem": "64G",
        "exclusive": "",
        "at-once": "1",
    }
    good, bad = ended([GOOD, BAD], tmp_path / "logs", options, "slurm")
    check_ends(good, bad)
    assert (good.submitted.id, bad.submitted.id) == ("77_0", "77_1")
    lines = (slurm / "submitted.sh").read_text().splitlines()
    asked = {line.removeprefix("#SBATCH --") for line in lines if line.startswith("#SBATCH")}
    assert asked >= {
        "array=0-1%1",
        "partition=gpu",
        "gpus-per-node=1",
        "time=1590",
        "mem=64G",
        "exclusive",
        "job-name=harness-eval",
        "nodes=1",
    }


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("90", 90), ("2:30", 3), ("2:00:00", 120), ("1-0", 1440), ("0-1:30:01", 91), ("1", 1)],
)
def test_times_are_read_as_sbatch_reads_them(
    text: str, minutes: int, tmp_path: Path, slurm: Path
) -> None:
    submit([GOOD, GOOD], tmp_path / "logs", {"time": text})
    assert f"#SBATCH --time={minutes}\n" in (slurm / "submitted.sh").read_text()


def test_what_is_refused(tmp_path: Path, slurm: Path) -> None:
    with pytest.raises(HarnessError, match="time=soon: expected minutes"):
        submit([GOOD], tmp_path, {"time": "soon"})
    with pytest.raises(HarnessError, match="at-once=few: expected a whole number"):
        submit([GOOD], tmp_path, {"at-once": "few"})
    (slurm / "sbatch").write_text(
        "#!/bin/bash\necho 'sbatch: error: invalid partition' >&2\nexit 1"
    )
    with pytest.raises(HarnessError, match=r"sbatch refused the job .*invalid partition"):
        submit([GOOD, BAD], tmp_path, {"partition": "none"})
    (slurm / "srun").unlink()
    if shutil.which("srun") is None:
        with pytest.raises(HarnessError, match="srun is not here"):
            submit([GOOD], tmp_path, {})


def test_the_command_for_each_checkpoint_of_a_run(tmp_path: Path) -> None:
    run, store = tmp_path / "run", tmp_path / "s.duckdb"
    for step in (1, 2):
        make_checkpoint(run / f"step_{step}", seed=step)
    (run / "step_3").mkdir()
    (run / "step_3" / "config.json").write_text("{}")
    options = ["--suite", "basics", "--limit", "8", "--engine", "transformers", "--seed", "3"]
    done = CliRunner().invoke(
        harness,
        ["eval", str(run), *options, "--on", "slurm:local", "--store", str(store)],
    )
    assert isinstance(done.exception, HarnessError)
    assert "1 of 3 checkpoints failed" in str(done.exception)
    assert "config.json has no `model_type`" in str(done.exception)
    assert f"{run / 'step_1'}: done" in done.output
    assert "run/step_2" in done.output  # on the leaderboard
    with database.connect(store, read_only=True) as connection:
        rows = connection.execute(
            "SELECT c.step, e.state, e.planned, e.done FROM evaluations e "
            "JOIN checkpoints c USING (fingerprint) ORDER BY c.step"
        ).fetchall()
    assert [(step, state, planned == done) for step, state, planned, done in rows] == [
        (1, "complete", True),
        (2, "complete", True),
    ]
    assert doubled(store) == 0


def test_an_id_for_who_does_not_wait(tmp_path: Path, slurm: Path, tiny_checkpoint: Path) -> None:
    base = ["eval", str(tiny_checkpoint), str(tiny_checkpoint.parent / "other"), "--quiet"]
    make_checkpoint(tiny_checkpoint.parent / "other", seed=5)
    words = ["--suite", "basics", "--no-canary", "--limit", "4", "--judge-tokens", "64"]
    (slurm / "sbatch").write_text("#!/bin/bash\necho 'Submitted batch job 77'")
    store = tmp_path / "s.duckdb"
    done = CliRunner().invoke(
        harness, [*base, *words, "--on", "slurm", "--no-wait", "--store", str(store)]
    )
    assert done.exception is None
    assert done.output == "77\n"
    (pickle, _) = sorted((tmp_path / "s.duckdb.slurm").rglob("*submitted.pkl"))
    from submitit.core.utils import DelayedSubmission

    task = DelayedSubmission.load(pickle).function
    first, *same = task.arguments
    assert first == str(tiny_checkpoint)
    assert same == [
        "--suite=basics",
        "--limit=4",
        "--judge-tokens=64",
        "--no-canary",
        *("--store", str(store), "--no-board"),
    ]


def test_options_of_an_array_job_need_one(tmp_path: Path, tiny_checkpoint: Path) -> None:
    for option in ("--slurm=partition=gpu", "--no-wait"):
        done = CliRunner().invoke(harness, ["eval", str(tiny_checkpoint), option])
        assert str(done.exception).endswith("add --on slurm")


def test_a_run_is_taken_apart_without_reading_its_weights(tmp_path: Path) -> None:
    for step in (20, 3):
        make_checkpoint(tmp_path / "run" / f"step_{step}", seed=step)
    found = targets_in(str(tmp_path / "run"))
    assert found == tuple(str(one.path) for one in discover(str(tmp_path / "run")))
    assert targets_in(found[0]) == (found[0],)
    assert targets_in("openai:http://host:1/v1#m") == ("openai:http://host:1/v1#m",)
    with pytest.raises(HarnessError, match="does not exist"):
        targets_in(str(tmp_path / "absent"))
