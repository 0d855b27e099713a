"""Evaluations as an array job of Slurm, through submitit: a task for each checkpoint.

Every task is `harness eval ONE_CHECKPOINT`, so it resumes when it is repeated, and all of them
write one store at once (docs/store.md).
"""

from __future__ import annotations

import logging
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harness.errors import HarnessError

# Seconds between two looks at the tasks; submitit itself asks Slurm once a minute.
_BEAT = 1.0
# Minutes that a task may take where `time` is not given.
_MINUTES = 24 * 60
# [days-]hours:minutes[:seconds], or minutes[:seconds], as sbatch reads them.
_TIME = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?")

Cluster = Literal["slurm", "local"]


@dataclass(frozen=True)
class Task:
    """`harness eval` of one checkpoint.

    arguments  of the command; the first names the checkpoint
    """

    arguments: tuple[str, ...]

    def __call__(self) -> int:
        """The exit status."""
        return subprocess.run([sys.executable, "-m", "harness", "eval", *self.arguments]).returncode

    def checkpoint(self) -> Any:
        """What submitit runs when the job was preempted or out of time: the same again, which goes
        on where it was."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


@dataclass(frozen=True)
class Submitted:
    """A task and its job: id (of Slurm, "ARRAY_TASK"), files of standard output and error."""

    task: Task
    job: Any

    @property
    def id(self) -> str:
        return str(self.job.job_id)

    @property
    def log(self) -> Path:
        return Path(self.job.paths.stderr)


@dataclass(frozen=True)
class Ended:
    """How a task ended; fault is one sentence that names its log, None where it went well."""

    submitted: Submitted
    fault: str | None


def submit(
    tasks: Sequence[Task], folder: Path, options: Mapping[str, str], cluster: Cluster = "slurm"
) -> list[Submitted]:
    """Submits tasks as one array job.

    folder   for logs and what submitit needs; on a file system that all nodes share
    options  of sbatch by their long names ("partition", "gpus-per-node", "time"; an empty value is
             a switch), and "at-once": tasks that run at the same time
    cluster  "local" runs them as processes of this machine instead, all at once

    Raises HarnessError where submitit or Slurm is missing, or sbatch takes no such option.
    """
    executor = _executor(folder, cluster)
    chosen = {name.replace("-", "_"): value or True for name, value in options.items()}
    settings: dict[str, Any] = {
        "name": "harness-eval",
        "timeout_min": _minutes(str(chosen.pop("time", _MINUTES))),
        "slurm_array_parallelism": _whole("at-once", str(chosen.pop("at_once", len(tasks)))),
    }
    if str(chosen.get("gpus_per_node")).isdigit():  # else with a type: h100:1
        settings["gpus_per_node"] = int(chosen.pop("gpus_per_node"))
    executor.update_parameters(**settings, slurm_additional_parameters=chosen)
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    try:
        with executor.batch():
            jobs = [executor.submit(task) for task in tasks]
    except (FailedJobError, FailedSubmissionError, OSError, subprocess.SubprocessError) as error:
        raise HarnessError(
            f"--on slurm: sbatch refused the job ({_last_line(str(error))})"
        ) from error
    return [Submitted(task, job) for task, job in zip(tasks, jobs, strict=True)]


def results(
    submitted: Sequence[Submitted], told: Callable[[Mapping[str, int]], None]
) -> Iterator[Ended]:
    """How each task ended, as it ends.

    told  hears every second how many tasks are in which state, in Slurm's words
    """
    open_tasks = list(submitted)
    while open_tasks:
        told(Counter(str(one.job.state).lower() for one in submitted))
        for one in [one for one in open_tasks if one.job.done()]:
            open_tasks.remove(one)
            yield Ended(one, _fault(one))
        if open_tasks:
            time.sleep(_BEAT)


def cancel(submitted: Sequence[Submitted]) -> None:
    """Ends what still runs."""
    for one in submitted:
        one.job.cancel(check=False)


def _fault(one: Submitted) -> str | None:
    from submitit.core.utils import FailedJobError, UncompletedJobError

    name = one.task.arguments[0]
    try:
        status = one.job.result()
    except (UncompletedJobError, FailedJobError):
        return f"{name}: the job ended as {one.job.state}; its log is {one.log}"
    if status == 0:
        return None
    said = _last_line(one.log.read_text(errors="replace")) if one.log.exists() else ""
    reason = said.removeprefix("error: ") or f"exit status {status}"
    return f"{name}: {reason}; its log is {one.log}"


def _executor(folder: Path, cluster: Cluster) -> Any:
    try:
        import submitit
    except ImportError:
        raise HarnessError(
            "--on slurm: submitit is not installed; run: pip install 'harness[slurm]'"
        ) from None
    # It warns twice of each sacct that failed; what becomes of a task is told at its end.
    logging.getLogger("submitit").setLevel(logging.ERROR)
    try:
        return submitit.AutoExecutor(folder / "%j", cluster=cluster)
    except RuntimeError:
        raise HarnessError(
            "--on slurm: srun is not here; run the command where jobs are submitted, or try it "
            "with --on slurm:local"
        ) from None


def _minutes(text: str) -> int:
    """Minutes, rounded up, of a duration as sbatch reads it."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise HarnessError(f"--slurm time={text}: expected minutes, HH:MM:SS or D-HH:MM")
    days, *rest = (int(part) if part else 0 for part in found.groups())
    first, second, third = rest
    if found[1] is not None or found[4] is not None:
        hours, minutes, seconds = first, second, third
    else:
        hours, minutes, seconds = 0, first, second
    return max(1, 24 * 60 * days + 60 * hours + minutes + (seconds > 0))


def _whole(name: str, text: str) -> int:
    if not text.isdigit():
        raise HarnessError(f"--slurm {name}={text}: expected a whole number")
    return int(text)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip()[:300] if lines else ""
