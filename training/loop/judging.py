"""The verdict on a round: `harness watch` over its checkpoints, and what is critical in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from training.loop.commands import HARNESS, launched, run_command
from training.loop.config import Loop
from training.loop.state import Round, State

if TYPE_CHECKING:
    from harness.store.regressions import Regression
    from harness.store.watched import Watched

# What makes a component a suspect: it came, or took more of the mixture.
_KINDS = ("entered", "share")


def judge(loop: Loop, state: State, now: Round) -> tuple[dict[str, str], dict[str, Any]]:
    """Has every new checkpoint judged on the steering items, oldest first.

    A round is critical where at its end a regression that began in it still stands, of a genre that
    the policy calls critical: a dip that recovers within the round is none. It is taken back to the
    last good checkpoint before the first of them.

    Raises HarnessError where there is no good checkpoint to go back to.
    """
    from harness.regression.policy_file import load_policy
    from harness.store.regressions import regressions
    from harness.store.watched import watched
    from training.hook import is_critical

    policy_hash = _watch(loop, now)
    rows = [row for row in watched(loop.store, loop.run, policy_hash) if row.stands]
    mine = {point.fingerprint for point in now.trained}
    judged = sorted((row for row in rows if row.fingerprint in mine), key=lambda row: row.step)
    if len(judged) < len(mine):
        raise HarnessError(
            f"round {now.number}: {len(mine) - len(judged)} of {len(mine)} checkpoints have no "
            "verdict; what `harness watch` says above is why"
        )
    policy = load_policy(loop.config.evaluate.policy)
    steps = {point.step for point in now.trained}
    standing = [
        one
        for one in regressions(loop.store, status=["open"], run=loop.run)
        if one.policy_hash == policy_hash
        and one.step in steps
        and is_critical(policy, one.suite, one.genre)
    ]
    return {"checkpoint": now.trained[-1].fingerprint, "policy": policy_hash}, {
        "verdicts": [_verdict(row) for row in judged],
        "critical": [_critical(one) for one in _first_by_place(standing)],
        "regressions": sorted(one.id for one in standing),
        "back_to": _back_to(state, rows, standing) if standing else 0,
        "suspects": _suspects(now, standing),
    }


def _watch(loop: Loop, now: Round) -> str:
    """Runs `harness watch` once, and says under what hash its verdicts are kept."""
    from harness.watching.asking import open_watch

    evaluate = loop.config.evaluate
    command = [*HARNESS, "watch", str(loop.base.output), "--suite", evaluate.steer, "--once"]
    command += ["--oldest-first", "--settle", "0", "--engine", evaluate.engine]
    command += ["--seed", str(evaluate.seed), "--store", str(loop.store)]
    command += [] if evaluate.limit is None else ["--limit", str(evaluate.limit)]
    for name, value in evaluate.watch.items():
        command += [f"--{name}", f"{value:g}"]
    # 1 is an open regression and 2 is doubt: both are verdicts.
    run_command(f"judge of round {now.number}", launched(evaluate.launch, command), fine=(0, 1, 2))
    watch, asker = open_watch(
        loop.base.output,
        evaluate.steer,
        loop.store,
        engine=evaluate.engine,
        limit=evaluate.limit,
        seed=evaluate.seed,
        policy=loop.watch_policy,
    )
    asker.close()
    return watch.policy_hash


def _verdict(row: Watched) -> dict[str, Any]:
    return {
        "step": row.step,
        "verdict": row.verdict,
        "genres": {
            one["genre"]: one["verdict"]
            for one in row.evidence.get("genres", [])
            if one["verdict"] != "good"
        },
    }


def _first_by_place(found: Sequence[Regression]) -> list[Regression]:
    """The earliest regression of each suite and genre, by step."""
    ordered = sorted(found, key=lambda one: (one.step or 0, one.suite, one.genre))
    return list({(one.suite, one.genre): one for one in reversed(ordered)}.values())[::-1]


def _critical(one: Regression) -> dict[str, Any]:
    change = one.evidence
    causes = [str(cause["sentence"]) for cause in one.cause]
    sentence = (
        f"{one.genre} {change['change'] * 100:+.1f} points ({change['low'] * 100:+.1f} to "
        f"{change['high'] * 100:+.1f}) at step {one.step}"
    )
    return {
        "suite": one.suite,
        "genre": one.genre,
        "step": one.step,
        "change": change["change"],
        "low": change["low"],
        "high": change["high"],
        "causes": causes,
        "symptoms": [str(each["sentence"]) for each in change.get("symptoms", [])],
        "sentence": sentence + (f": {causes[0]}" if causes else ""),
    }


def _back_to(state: State, rows: Sequence[Watched], standing: Sequence[Regression]) -> int:
    first = min(one.step or 0 for one in standing)
    good = [
        row.step
        for row in rows
        if state.standing.step <= row.step < first and row.verdict in ("first", "good")
    ]
    # What was kept is what there is, be it in doubt.
    back = max([*good, state.standing.step])
    if not back:
        raise HarnessError(
            f"the first checkpoints of the run are its worst already (step {first}); there is "
            "nothing to go back to: mend the first phase's data, and begin in another output"
        )
    return back


def _suspects(now: Round, standing: Sequence[Regression]) -> dict[str, str]:
    """Components that entered the mixture, or took more of it, where something critical broke; the
    largest for each regression. Those of a made round are its shards, which the next round does not
    take up anyway."""
    phase: Mapping[str, Any] = now.done["mixture"]["phase"]
    found: dict[str, str] = {}
    for one in standing:
        grown = [
            cause
            for cause in one.cause
            if cause["kind"] in _KINDS
            and cause["what"] in phase["weights"]
            and (cause["after"] or 0) > (cause["before"] or 0)
        ]
        if grown:
            found.setdefault(str(grown[0]["what"]), str(grown[0]["sentence"]))
    return found
