"""The options by which `harness eval` and `harness score` are given a judge."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from harness.errors import HarnessError

if TYPE_CHECKING:
    from rich.console import Console

    from harness.engines.ray import RayCluster
    from harness.engines.types import Engine
    from harness.judge.budget import Budget
    from harness.judge.judging import Judging
    from harness.judge.types import Judge, JudgeProgress
    from harness.protocols.mt_bench import MtBench

F = TypeVar("F", bound=Callable[..., Any])

# Calls of a local judge that wait at once, for its engine to batch; each is a thread.
_WAITING = 64
_WAITING_ON_CLUSTER = 1024  # what four replicas hold


@dataclass(frozen=True)
class JudgeSettings:
    """What the user said about judging; `judge` None: nobody is asked. On a `cluster` a local
    judge is asked there."""

    judge: str | None
    prompts: Path | None
    repeats: int
    budget: float | None
    price: str | None
    per_minute: float | None
    concurrency: int
    tokens: int
    timeout: float
    rejudge_failed: bool
    cluster: RayCluster | None = None


def judge_options(function: F) -> F:
    """Adds the options; the command gets them as keywords for `judge_settings`."""
    for option in reversed(
        [
            click.option(
                "--judge",
                "--rejudge",
                "judge",
                metavar="URL#MODEL|DIR",
                help="Who rates open answers: a server (http://host:8000/v1#model) or a local "
                "checkpoint. Without one they stay unjudged.",
            ),
            click.option(
                "--judge-prompts",
                type=click.Path(path_type=Path, exists=True, dir_okay=False),
                help="The official judge prompts of the protocol (FastChat's judge_prompts.jsonl, "
                "or llm-jp-judge's YAML).",
            ),
            click.option(
                "--judge-repeats",
                type=click.IntRange(min=1),
                default=1,
                show_default=True,
                help="How often each answer is judged.",
            ),
            click.option(
                "--judge-budget",
                type=click.FloatRange(min=0),
                help="Spend at most this in this run, in the currency of --judge-price.",
            ),
            click.option(
                "--judge-price", metavar="IN,OUT", help="Of a million tokens in, and out."
            ),
            click.option(
                "--judge-rate",
                type=click.FloatRange(min=0, min_open=True),
                help="Calls started in a minute at most.",
            ),
            click.option(
                "--judge-concurrency",
                type=click.IntRange(min=1),
                default=8,
                show_default=True,
                help="Calls in flight at once.",
            ),
            click.option(
                "--judge-tokens",
                type=click.IntRange(min=1),
                default=2048,
                show_default=True,
                help="New tokens that a verdict may take; the protocols say 2048.",
            ),
            click.option(
                "--judge-timeout",
                type=click.FloatRange(min=0, min_open=True),
                default=600.0,
                show_default=True,
                help="Seconds that one try of a call may take.",
            ),
            click.option(
                "--rejudge-failed",
                is_flag=True,
                help="Ask again where a verdict could not be read.",
            ),
        ]
    ):
        function = option(function)
    return function


def judge_settings(options: dict[str, Any]) -> JudgeSettings:
    """Raises HarnessError for options that do not go together."""
    settings = JudgeSettings(
        options["judge"],
        options["judge_prompts"],
        options["judge_repeats"],
        options["judge_budget"],
        options["judge_price"],
        options["judge_rate"],
        options["judge_concurrency"],
        options["judge_tokens"],
        options["judge_timeout"],
        options["rejudge_failed"],
    )
    if settings.judge is None and settings.rejudge_failed:
        raise HarnessError("--rejudge-failed needs the judge that failed: name it with --judge")
    if settings.budget is not None and settings.price is None:
        raise HarnessError("--judge-budget needs --judge-price IN,OUT, the price of tokens")
    return settings


def open_judge(settings: JudgeSettings) -> Judge:
    """Raises HarnessError where no server answers, or the directory holds no checkpoint."""
    from harness.judge.calls import ServedJudge

    assert settings.judge is not None
    address = settings.judge.removeprefix("openai:")
    if address.startswith(("http://", "https://")):
        url, _, model = address.partition("#")
        if not model:  # also URL/MODEL
            head, version, model = url.partition("/v1/")
            url = head + "/v1" if version else url
        return ServedJudge(
            url.rstrip("/"),
            model or None,
            concurrency=settings.concurrency,
            per_minute=settings.per_minute,
            timeout=settings.timeout,
        )
    return _local(address, settings)


def _local(target: str, settings: JudgeSettings) -> Judge:
    from harness.checkpoint import discover
    from harness.engines.prompt import load_renderer
    from harness.engines.select import open_engine, open_spread
    from harness.judge.local import LocalJudge

    found = discover(target)
    if len(found) != 1 or found[0].path is None:
        raise HarnessError(f"--judge {target}: {len(found)} checkpoints there, expected one")
    (one,) = found
    path = found[0].path

    def opened() -> Engine:
        if settings.cluster is None:
            return open_engine("auto", path=path).engine
        same = one.fingerprint
        return open_spread("auto", settings.cluster, path=path, fingerprint=same).engine

    return LocalJudge(
        f"{one.name}@{one.fingerprint[:12]}",
        str(path),
        load_renderer(path),
        opened,
        max(_WAITING if settings.cluster is None else _WAITING_ON_CLUSTER, settings.concurrency),
    )


def open_budget(settings: JudgeSettings) -> Budget:
    """Raises HarnessError for a price that is not two numbers."""
    from harness.judge.budget import Budget, Price

    if settings.price is None:
        return Budget(None, None)
    try:
        given, taken = map(float, settings.price.split(","))
    except ValueError:
        raise HarnessError(
            f"--judge-price {settings.price}: expected two numbers, e.g. 2.5,10"
        ) from None
    return Budget(settings.budget, Price(given, taken))


def open_judging(
    settings: JudgeSettings, judge: Judge, budget: Budget, protocol: MtBench, store: Path
) -> Judging:
    """Raises HarnessError where the protocol's judge prompts are neither given nor imported."""
    from harness.judge.judging import Judging
    from harness.judge.rate import prompts_for
    from harness.judge.types import SAMPLING
    from harness.protocols.mt_bench_suite import import_name
    from harness.store.queries import imported

    prompts = settings.prompts
    if prompts is None and not protocol.is_ours:
        record = imported(store, import_name(protocol.name, "judge-prompts"))
        prompts = record[0] if record else None
    return Judging(
        store,
        judge,
        prompts_for(protocol, prompts),
        repeats=settings.repeats,
        structured=protocol.variant.structured,
        sampling=replace(SAMPLING, max_tokens=settings.tokens),
        budget=budget,
        rejudge_failed=settings.rejudge_failed,
    )


@contextmanager
def watched(console: Console, judging: Judging) -> Iterator[None]:
    """Shows how far judging is, how many calls gave no rating, and the money spent."""
    with console.status("Judging") as status:
        judging.report = lambda progress: status.update(_status(progress))
        yield


def _status(progress: JudgeProgress) -> str:
    text = f"Judging: {progress.reused + progress.asked} of {progress.wanted}"
    if failures := sum(progress.failures.values()):
        text += f", {failures} without a rating"
    if progress.cost is not None:
        text += f", {progress.cost:.4f} spent"
    return text


def print_judged(console: Console, progress: JudgeProgress, name: str) -> None:
    """One line on what became of the judgments that were wanted."""
    text = (
        f"  judged by {name}: wanted {progress.wanted} = reused {progress.reused} + asked "
        f"{progress.asked} + left {progress.left}"
    )
    if progress.failures:
        text += ", without a rating: " + ", ".join(
            f"{kind} {number}" for kind, number in sorted(progress.failures.items())
        )
    text += f"; {progress.prompt_tokens:,} + {progress.completion_tokens:,} tokens"
    if progress.cost is not None:
        text += f", {progress.cost:.4f} spent"
    console.print(text, markup=False, highlight=False)
