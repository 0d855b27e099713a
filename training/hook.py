"""Evaluates a training run's checkpoints as they are saved, and says whether to go on.

The judging is that of `harness watch`: every checkpoint against the last good ones, with the chance
of any false alarm bounded over the whole run. What is added here is when it happens, and what a
critical regression does to the run.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
import msgspec

from training.evaluate_config import EvaluateConfig

if TYPE_CHECKING:
    from harness.regression.policy import Policy
    from harness.store.watched import Watched
    from harness.watching.asking import Asker
    from harness.watching.judging import Watch

# What a trainer does after a checkpoint: a step to go back to is one with a checkpoint of its own.
Decision = Literal["continue", "stop"] | tuple[Literal["rollback"], int]
CONTINUE: Decision = "continue"

# Called after each save with the checkpoint's directory, its step and the tokens seen so far.
Hook = Callable[[Path, int, int], Decision]

SIDE_LOG = "harness_watch.log"


def harness_hook(*, log: Callable[[str], None] | None = None, **settings: Any) -> HarnessHook:
    """A hook for a training loop: `callbacks=[harness_hook(suite="probes:1", on_critical="stop")]`.

    settings  fields of `EvaluateConfig`;  log: takes a line on each verdict [stderr]

    Raises HarnessError for a setting that there is not, or a value out of bounds.
    """
    return HarnessHook(evaluate_config(**settings), log)


def evaluate_config(**settings: Any) -> EvaluateConfig:
    """The settings, checked as those of a configuration file are."""
    from harness.errors import HarnessError

    try:
        return msgspec.convert(settings, EvaluateConfig)
    except msgspec.ValidationError as error:
        known = ", ".join(EvaluateConfig.__struct_fields__)
        raise HarnessError(f"the harness callback: {error}; its settings are {known}") from None


def name_of(decision: Decision) -> str:
    """A decision as a phrase."""
    return decision if isinstance(decision, str) else f"rollback to step {decision[1]}"


class HarnessHook:
    """Called after each save as `Hook`; `close` at the end waits for what is still being judged.

    With how="process" a verdict comes while training goes on, so that it acts at a later save than
    the one it is about; its log is `harness_watch.log` in the run's directory.

    decision  the last one that was not to continue, else CONTINUE
    """

    def __init__(self, config: EvaluateConfig, log: Callable[[str], None] | None = None) -> None:
        self.config = config
        self.log = log or _to_stderr
        self.run: Path | None = None
        self.decision: Decision = CONTINUE
        self._saved: set[int] = set()
        self._told: set[tuple[int, str]] = set()
        self._process: subprocess.Popen[bytes] | None = None
        self._opened: tuple[Watch, Asker] | None = None
        self._policy: Policy | None = None

    def __call__(self, path: Path, step: int, tokens: int) -> Decision:
        """What to do after the checkpoint at `path`. An evaluation that fails is logged and stops
        nothing: training is worth more than one verdict."""
        from harness.errors import HarnessError

        self._saved.add(step)
        try:
            if self.run is None:
                self._begin(path.resolve().parent)
            if self.config.how == "here":
                self._judge_here()
            elif self.config.how == "process":
                self._judge_beside()
            self._take_log()
            self._part_from_put_aside()
            return self._decide()
        except HarnessError as error:
            self.log(f"{path.name}: not evaluated: {error}")
            return CONTINUE

    def close(self) -> Decision:
        """Waits until every checkpoint is judged, and says what the last verdicts come to."""
        from harness.errors import HarnessError

        if self.run is None:
            return CONTINUE
        try:
            if self._process is not None:
                self._process.wait()
                # What was saved after that pass had looked for checkpoints is owed one more.
                if self._saved - {row.step for row in self._rows(self._watch())}:
                    self._judge_beside()
                    self._process.wait()
            self._take_log()
            self._part_from_put_aside()
            return self._decide()
        except HarnessError as error:
            self.log(f"not evaluated: {error}")
            return CONTINUE

    def _take_log(self) -> None:
        """The run's own log into the store, where it writes one."""
        from harness.import_training import NAME, import_training

        assert self.run is not None
        if (self.run / NAME).is_file():
            import_training(self.run, store=self._watch().store)

    def _part_from_put_aside(self) -> None:
        """Makes what the trainer has put aside since, after a decision to roll back, a run of its
        own in the store: later checkpoints of the same steps are others."""
        from harness.checkpoint import discover
        from harness.store.watched import mark_rolled_back
        from training.run_directory import all_put_aside, step_of

        assert self.run is not None
        standing = [row for row in self._rows(self._watch()) if row.stands]
        for aside in all_put_aside(self.run):
            paths = {step_of(path): path for path in aside.checkpoints}
            away = [
                row
                for row in standing
                if row.step in paths
                and discover(str(paths[row.step]))[0].fingerprint == row.fingerprint
            ]
            for name in {row.run for row in away}:
                prints = [row.fingerprint for row in away if row.run == name]
                mark_rolled_back(self._watch().store, name, prints, aside.step, aside.branch)

    def _begin(self, run: Path) -> None:
        from harness.regression.policy_file import load_policy

        self.run = run
        self._policy = load_policy(Path(self.config.policy) if self.config.policy else None)
        watch = self._watch()
        # Verdicts of an earlier start of the same run are known.
        self._told = {(row.step, row.fingerprint) for row in self._rows(watch)}
        if self.config.how == "watch":
            self.log(f"its checkpoints are judged by: harness {' '.join(self._arguments())}")

    def _watch(self) -> Watch:
        """The watch that is run here, or that names what another process runs."""
        from harness.store.database import store_path
        from harness.watching.asking import open_watch
        from harness.watching.screening import Policy

        if self._opened is None:
            assert self.run is not None
            self._opened = open_watch(
                self.run,
                self.config.suite,
                store_path(self.config.store or None),
                engine=self._engine(),
                limit=self.config.limit,
                seed=self.config.seed,
                policy=Policy(samples=self.config.samples, planned=self.config.planned),
                log=self.log,
                settle=0.0,  # what is there appeared by rename, or its trainer has closed it
            )
        return self._opened[0]

    def _engine(self) -> Literal["auto", "vllm", "transformers"]:
        """In the process that trains always transformers: vLLM takes down the process group of
        whoever is there before it, and most of the memory."""
        return "transformers" if self.config.how == "here" else self.config.engine

    def _judge_here(self) -> None:
        from harness.watch import one_pass

        watch = self._watch()
        assert self._opened is not None
        try:
            with undisturbed_randomness():
                done = one_pass(watch)
        finally:
            self._opened[1].close()
        for directory, reason in done.waiting.items():
            self.log(f"{directory.name}: not evaluated: {reason}")

    def _judge_beside(self) -> None:
        """Starts a pass beside the training, unless one is still at work: it looks for new
        checkpoints until there are none."""
        assert self.run is not None
        if self._process is not None and self._process.poll() is None:
            return
        environment = dict(os.environ)
        if self.config.devices:
            environment["CUDA_VISIBLE_DEVICES"] = self.config.devices
        for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
            environment.pop(name, None)  # it is no part of the training's group
        with (self.run / SIDE_LOG).open("ab") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "harness.cli.main", *self._arguments(), "--once"],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,  # Ctrl-C ends the training, not a verdict half made
            )

    def _arguments(self) -> list[str]:
        config, watch = self.config, self._watch()
        given = ["watch", str(self.run), "--suite", config.suite, "--store", str(watch.store)]
        given += ["--engine", config.engine, "--seed", str(config.seed), "--settle", "0"]
        given += ["--samples", str(config.samples)]
        given += [] if config.limit is None else ["--limit", str(config.limit)]
        return given + ([] if config.planned is None else ["--planned", str(config.planned)])

    def _rows(self, watch: Watch) -> list[Watched]:
        from harness.store.watched import watched

        assert self.run is not None
        # As `harness watch` names the run: by the lineage of its checkpoints.
        names = {self.run.name, *(_run_name(path) for path in self.run.glob("*/lineage.json"))}
        rows = [
            row for name in sorted(names) for row in watched(watch.store, name, watch.policy_hash)
        ]
        return sorted(rows, key=lambda row: row.judged_at)

    def _decide(self) -> Decision:
        from harness.watch import sentence

        rows = self._rows(self._watch())
        fresh = [row for row in rows if (row.step, row.fingerprint) not in self._told]
        decision: Decision = CONTINUE
        for row in fresh:
            self._told.add((row.step, row.fingerprint))
            critical = self._critical(row)
            # A verdict of this process has been told by its watch.
            if self.config.how != "here":
                self.log(sentence(row))
            if critical:
                decision = self._reaction(row, rows)
                self.decision = self.decision if decision == CONTINUE else decision
                self.log(
                    f"{row.checkpoint}: critical in {', '.join(critical)}: {name_of(decision)}"
                )
        return decision

    def _critical(self, row: Watched) -> list[str]:
        """The genres whose regression at this checkpoint the policy calls critical."""
        assert self._policy is not None
        return [
            f"{one['suite']} {one['genre']}"
            for one in row.evidence.get("genres", [])
            if one["verdict"] == "regressed"
            and is_critical(self._policy, one["suite"], one["genre"])
        ]

    def _reaction(self, row: Watched, rows: Sequence[Watched]) -> Decision:
        if self.config.on_critical == "log":
            return CONTINUE
        good = [
            one.step
            for one in rows
            if one.step < row.step and one.stands and one.verdict in ("first", "good")
        ]
        if self.config.on_critical == "rollback" and good:
            return ("rollback", max(good))
        return "stop"


def is_critical(policy: Policy, suite: str, genre: str) -> bool:
    """Whether a policy calls a regression of a genre critical."""
    return policy.settings(suite, f"{genre}/all/strict").critical


@contextmanager
def undisturbed_randomness() -> Iterator[None]:
    """Whatever is drawn inside, the random numbers outside go on as if nothing had been."""
    import numpy as np
    import torch

    python, numeric = random.getstate(), np.random.get_state()
    devices = range(torch.cuda.device_count() if torch.cuda.is_available() else 0)
    with torch.random.fork_rng(devices=list(devices)):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numeric)


def _run_name(lineage: Path) -> str:
    from harness.checkpoint import read_lineage

    return read_lineage(lineage.parent).run or lineage.parent.parent.name


def _to_stderr(line: str) -> None:
    click.echo(f"harness: {line}", err=True)
