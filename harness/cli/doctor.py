"""`harness doctor`: what works here, and the command that mends what does not."""

from __future__ import annotations

import platform
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from harness.cli.options import print_rows, store_option, table_options
from harness.cli.terminal import terminal


@dataclass(frozen=True)
class Check:
    """One thing examined; fix is a command, empty when nothing is to be mended."""

    what: str
    works: bool
    detail: str
    fix: str = ""


@click.command("doctor")
@store_option
@table_options
def command(store: str | None, output: str | None) -> None:
    """Say what works here (Python, engines, training, sandbox, store), and what mends the rest."""
    from harness.store.database import store_path

    checks = [
        _python(),
        *_engines(),
        *_packages(),
        _comet(),
        *_sandbox(),
        _store(store_path(store)),
        *_evalsets(),
    ]
    if output:
        print_rows([asdict(check) for check in checks], output)
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 1), show_header=False)
    for check in checks:
        mark = Text("✓", style="green") if check.works else Text("–", style="yellow")
        detail = Text(check.detail)
        if check.fix:
            detail.append(f"\n{check.fix}", style="cyan")
        table.add_row(mark, Text(check.what, style="bold"), detail)
    terminal().print(table)


def _python() -> Check:
    import os

    return Check(
        "python",
        sys.version_info >= (3, 11),
        f"{platform.python_version()} on {platform.machine()}, {os.cpu_count()} cores",
        "" if sys.version_info >= (3, 11) else "install Python 3.11 or later",
    )


def _engines() -> list[Check]:
    from harness.engines.select import available

    return [
        Check(f"engine {one.name}", one.works, one.reason, "" if one.works else one.fix)
        for one in available()
    ]


def _packages() -> list[Check]:
    from importlib.metadata import PackageNotFoundError, version

    checks = []
    for what, package, extra in (
        ("GGUF import", "gguf", "engines"),
        ("training", "megatron-core", "training"),
        ("--on ray", "ray", "ray"),
        ("--on slurm", "submitit", "slurm"),
        ("lm-eval", "lm-eval", "lm-eval"),
        ("BLEU of Japanese", "mecab-python3", "mt"),
        ("M-IFEval's words", "janome", "m-ifeval"),
    ):
        try:
            checks.append(Check(what, True, f"{package} {version(package)}"))
        except PackageNotFoundError:
            fix = f"pip install 'harness[{extra}]'"
            checks.append(Check(what, False, f"{package} is not installed", fix))
    return checks


def _sandbox() -> list[Check]:
    """The level in force, and the languages that it can run."""
    from harness.errors import HarnessError
    from harness.sandbox import LANGUAGES, LEVELS, best_level, least_level, support
    from harness.sandbox.languages import tool

    strict = support("strict")
    try:
        level = best_level(least_level())
    except HarnessError as error:
        return [Check("sandbox", False, str(error), strict.fix)]
    found = support(level)
    weaker = "" if level == LEVELS[0] else f"; not {LEVELS[0]}: {strict.reason}"
    languages = ", ".join(one for one in LANGUAGES if tool(one))
    return [
        Check(
            "sandbox",
            level == LEVELS[0],
            f"level {level} ({found.reason}{weaker}); runs {languages}",
            "" if level == LEVELS[0] else strict.fix,
        )
    ]


def _comet() -> Check:
    import os

    from harness.scoring.comet import MODEL_VARIABLE

    model = os.environ.get(MODEL_VARIABLE)
    if model and Path(model).is_file():
        return Check("COMET", True, model)
    detail = f"{MODEL_VARIABLE} names no file; translations are scored by BLEU alone"
    return Check("COMET", False, detail, f"export {MODEL_VARIABLE}=.../checkpoints/model.ckpt")


def _store(path: Path) -> Check:
    from harness.errors import HarnessError
    from harness.store.queries import refresh, summary

    if not path.exists():
        return Check("store", True, f"{path}: not there yet; `harness eval` makes it")
    try:
        refresh(path)
        numbers = summary(path)
    except HarnessError as error:
        return Check("store", False, str(error))
    counted = ", ".join(f"{number:,} {table}" for table, number in numbers.items())
    return Check("store", True, f"{path}: {counted}")


def _evalsets() -> list[Check]:
    from harness.errors import HarnessError
    from harness.items.load import find_evalset, load_evalset

    try:
        loaded = load_evalset(find_evalset("basics"))
    except HarnessError as error:
        return [Check("evalset basics", False, str(error))]
    return [Check("evalset basics", True, f"version {loaded.version}, {len(loaded.items)} items")]
