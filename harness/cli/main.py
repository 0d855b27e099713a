"""The `harness` command: a table of commands, each imported only when it is called."""

from __future__ import annotations

import atexit
import gc
import importlib
import io
import logging
import os
import signal
import sys
import threading
import traceback
from typing import NoReturn

import click

from harness import __version__
from harness.cli.machine_faults import machine_fault
from harness.errors import HarnessError
from harness.masking import mask_logs, masked
from harness.visible import visible

# name -> (module that holds it, what the overview says)
COMMANDS = {
    "eval": ("harness.cli.eval", "Measure checkpoints: every item, every answer, every score."),
    "compare": ("harness.cli.compare", "Say what a checkpoint broke, with an exit status."),
    "leaderboard": ("harness.cli.leaderboard", "Rank what was measured, with intervals."),
    "report": ("harness.cli.report", "One HTML file: the verdict, the curves, every flipped item."),
    "arena": ("harness.cli.arena", "Battles between models: import, play, vote, rate, pair."),
    "show": ("harness.cli.show", "Read one evaluation: items, answers, failures."),
    "browse": ("harness.cli.browse", "Look through the store: items, answers, two side by side."),
    "format": ("harness.cli.format", "What is lost to output format, what to knowledge."),
    "regressions": (
        "harness.cli.regressions",
        "What broke in a run, where, and whether it lasted.",
    ),
    "gaps": ("harness.cli.gaps", "What lags, how surely, and what data would close it."),
    "watch": ("harness.cli.watch", "Judge each checkpoint that a training run writes."),
    "synthesize": ("training.cli.synthesize", "Make the verified samples that a plan asks for."),
    "loop": ("training.cli.loop", "Train, judge, find what lags, synthesize for it, train again."),
    "score": ("harness.cli.score", "Score stored answers again, without a model."),
    "judge": ("harness.cli.judge", "Find out whether a judge can be trusted."),
    "pairwise": ("harness.cli.pairwise", "Have a judge compare two evaluations' answers."),
    "import": ("harness.cli.import_", "Bring other harnesses' answers and scores into the store."),
    "export": ("harness.cli.export", "Parquet, model cards, W&B, MLflow, TensorBoard."),
    "sql": ("harness.cli.sql", "One read-only query over the store."),
    "store": ("harness.cli.store", "Check, back up, restore, compact and salvage the store."),
    "prune": ("harness.cli.prune", "Remove old evaluations that nothing rests on."),
    "checkpoint": ("harness.cli.checkpoint", "Inspect checkpoints; import a GGUF."),
    "items": ("harness.cli.items", "Validate evalsets, import items, print probes."),
    "train": ("training.cli.train", "Pretrain, fine-tune, align; the health of a run."),
    "plan": ("training.cli.plan", "How far machines and hours go, for each size of model."),
    "doctor": ("harness.cli.doctor", "Say what works here, and what mends the rest."),
}

# Exit statuses: 0 pass, 1 regression, 2 inconclusive, 3 usage or data error.
USAGE_OR_DATA_ERROR = 3
# Python's own status after a traceback is 1, which a gate would take for a regression.
BUG = 70
# Python's own status where what was said last could not be written.
UNWRITTEN = 120
# New objects between two collections of the youngest; Python's own 700 is for small programs.
_OBJECTS = 20_000


class _LazyGroup(click.Group):
    """Knows its commands by name alone, so that `--help` imports none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        command = module.command
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=_LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="harness")
@click.pass_context
def harness(context: click.Context) -> None:
    """Measure every checkpoint of a Japanese LLM, and know what changed.

    Results live in results.duckdb (--store, or HARNESS_STORE).
    """
    if context.invoked_subcommand is None:
        from harness.cli.home import show_home

        show_home()


class TerminatedError(BaseException):
    """SIGTERM, raised where the program stands so that what is in hand is still committed. No
    Exception: whoever tries something again must not try this again."""


# Whether SIGTERM came: DuckDB turns what is raised within a query into an error of its own.
_asked_to_end = threading.Event()


def _terminated(number: int, frame: object) -> NoReturn:
    _asked_to_end.set()
    raise TerminatedError


def _end_terminated() -> NoReturn:
    click.echo("terminated (SIGTERM); repeat the command to go on", err=True)
    sys.exit(128 + signal.SIGTERM)


def _default_termination() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _collect_rarely() -> tuple[int, int, int]:
    """Importing torch, transformers and vLLM makes a million objects that stay: to look through
    them again and again is a fifth of the import. Returns the thresholds that were in force."""
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], _OBJECTS), *before[1:])
    return before


def main() -> None:
    """Runs the command line; a HarnessError becomes one sentence and exit status 3. Keys and
    passwords are masked in whatever is printed of a fault."""
    mask_logs()
    rare = _collect_rarely()
    before = None
    if threading.current_thread() is threading.main_thread():
        before = signal.signal(signal.SIGTERM, _terminated)
        # Processes that are forked off and ended by whoever made them have nothing to commit.
        os.register_at_fork(after_in_child=_default_termination)
    try:
        _run()
    finally:
        # Whoever called this from Python of their own gets their handling back.
        gc.set_threshold(*rare)
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def _run() -> NoReturn:
    try:
        status = harness.main(standalone_mode=False)
    except HarnessError as error:
        click.secho(f"error: {visible(masked(str(error)))}", fg="red", err=True)
        sys.exit(USAGE_OR_DATA_ERROR)
    except click.exceptions.Abort:
        click.echo("interrupted; repeat the command to go on", err=True)
        sys.exit(130)
    except TerminatedError:
        _end_terminated()
    except SystemExit as ended:
        # Where nobody reads the output any more click ends so, with a regression's status.
        if type(sys.stdout).__name__ == "_PacifyFlushWrapper":
            ended.code = 128 + signal.SIGPIPE
        raise
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(file=shown)
        click.echo(visible(masked(shown.getvalue())), err=True, nl=False)
        sys.exit(USAGE_OR_DATA_ERROR)
    except Exception as error:
        if _asked_to_end.is_set():
            _end_terminated()
        if told := machine_fault(error):
            click.secho(f"error: {visible(masked(told))}", fg="red", err=True)
            sys.exit(USAGE_OR_DATA_ERROR)
        click.echo(visible(masked(traceback.format_exc())), err=True, nl=False)
        sys.exit(BUG)
    sys.exit(status if isinstance(status, int) else 0)


def program() -> None:
    """`main` as a process of its own, which ends at once: to take a million objects of imported
    modules apart would take the interpreter a second."""
    status = 1

    def leave() -> None:
        logging.shutdown()
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except (OSError, ValueError):
            os._exit(status or UNWRITTEN)
        os._exit(status)

    # What is registered first is called last: all others have ended what they had to by then.
    atexit.register(leave)
    try:
        main()
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        raise


if __name__ == "__main__":
    program()
