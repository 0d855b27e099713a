"""The judge of one command: opened once, shared by its suites, and its faults told at the end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.judge_options import (
    JudgeSettings,
    open_budget,
    open_judge,
    open_judging,
    print_judged,
    watched,
)
from harness.errors import HarnessError

if TYPE_CHECKING:
    from rich.console import Console

    from harness.judge.judging import Judging
    from harness.judge.types import Judge
    from harness.protocols.types import Protocol


class Judges:
    """The judge of one command, opened when a suite first needs it, and its faults."""

    def __init__(self, console: Console, settings: JudgeSettings, store: Path) -> None:
        self.console = console
        self.settings = settings
        self.store = store
        self.budget = open_budget(settings)
        self.judge: Judge | None = None
        self.faults: list[str] = []
        self.asked: dict[str, Judging] = {}  # one of each set of prompts that was put to use

    def check(self, protocols: Sequence[Protocol]) -> None:
        """Raises HarnessError where the judge or its prompts are missing, before anything else is
        asked."""
        for protocol in protocols:
            judging = self.open(protocol)
            if judging is not None:
                judging.close()

    def open(self, protocol: Protocol) -> Judging | None:
        """A judging for a protocol that has one, None for any other or without a judge."""
        from harness.protocols.mt_bench import MtBench

        if self.settings.judge is None or not isinstance(protocol, MtBench):
            return None
        if self.judge is None:
            self.judge = open_judge(self.settings)
        return open_judging(self.settings, self.judge, self.budget, protocol, self.store)

    def finish(self, judging: Judging, *, cancel: bool) -> None:
        """Waits for the judgments (with `cancel` for those in flight alone) and reports them."""
        with watched(self.console, judging):
            progress = judging.close(cancel=cancel)
        print_judged(self.console, progress, judging.judge.name)
        if progress.asked:
            self.asked.setdefault(judging.prompts.hash, judging)
        if progress.fault is not None:
            self.faults.append(progress.fault)

    def run_canaries(self) -> None:
        """Has frozen answers rated by every judge and set of prompts that was asked anything."""
        from harness.judge.canary import run_canary, told

        for used in self.asked.values():
            if self.faults:
                return
            run = run_canary(
                self.store,
                used.judge,
                used.prompts,
                structured=used.structured,
                sampling=used.sampling,
                budget=self.budget,
            )
            self.console.print(f"  {told(run)}", markup=False, highlight=False)
            if run.progress.fault is not None:
                self.faults.append(run.progress.fault)

    def raise_fault(self) -> None:
        if self.faults:
            raise HarnessError(self.faults[0])

    def close(self) -> None:
        if self.judge is not None:
            self.judge.close()
