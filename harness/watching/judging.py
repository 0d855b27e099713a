"""The verdict of `harness watch` on one checkpoint: asks it, judges it, records what it came to."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.attribution import suspects, symptoms
from harness.checkpoint import Checkpoint
from harness.errors import HarnessError
from harness.evaluate import items_hash
from harness.items.schema import Item, content_hash
from harness.protocols.catalogue import Suite
from harness.protocols.partial import Partial
from harness.protocols.types import Protocol
from harness.runs import lineage_of
from harness.statistics import Decision, PairedDifference
from harness.statistics.noise import CheckpointNoise
from harness.statistics.spending import Schedule, spent_at
from harness.store.regressions import Regression, record, regressions, set_status
from harness.store.watched import (
    SampleScores,
    Watched,
    WatchVerdict,
    add_watched,
    mark_anchor,
    sample_scores,
)
from harness.watching.screening import (
    Genre,
    GenreVerdict,
    Items,
    Policy,
    Table,
    checkpoint_noise,
    confirm,
    screen,
    still_low,
)
from harness.watching.settled import Signature, signature

RULE = "watch"
METRIC = "strict"

# Asks a checkpoint the items of a suite by this protocol; answers the evaluation's id.
Evaluator = Callable[[Checkpoint, Protocol, Sequence[Item], int], str]
Notifier = Callable[[Mapping[str, Any]], None]
Log = Callable[[str], None]


@dataclass(frozen=True)
class Watch:
    """What is watched and how.

    evaluate  asks a checkpoint, as `Evaluator`: (checkpoint, protocol, items, samples) → id
    notify    takes a message, or raises HarnessError; then it stays owed
    settle    seconds for which a checkpoint's files must not have changed
    oldest_first  whether checkpoints are judged by step; else the newest comes first
    """

    directory: Path
    suites: tuple[Suite, ...]
    store: Path
    evaluate: Evaluator
    policy: Policy = field(default_factory=Policy)
    seed: int = 0
    settle: float = 5.0
    allow_pickle: bool = False
    oldest_first: bool = False
    notify: Notifier | None = None
    log: Log = lambda line: None
    sleep: Callable[[float], None] = time.sleep

    @property
    def policy_hash(self) -> str:
        """Of everything that makes two verdicts comparable."""
        asked = [[suite.protocol.hash, items_hash(suite.items)] for suite in self.suites]
        return content_hash([RULE, asdict(self.policy), asked, self.seed])


def judge(
    watch: Watch, run: str, checkpoint: Checkpoint, rows: Sequence[Watched]
) -> Watched | None:
    """The verdict on one checkpoint, recorded; None where its files changed meanwhile."""
    assert checkpoint.path is not None
    assert checkpoint.step is not None
    before = signature(checkpoint.path)
    earlier = sorted(
        (row for row in rows if row.step < checkpoint.step and row.stands),
        key=lambda row: row.step,
    )
    standing = [
        row
        for row in standing_regressions(watch, run, ["open", "acknowledged"])
        if (row.step or 0) < checkpoint.step
    ]
    tables = _tables(watch, rows)
    pools = _pools(watch, earlier, tables, standing)
    if not pools:
        ids = _ask(watch, checkpoint, _everything(watch))
        _table(watch, ids)
        verdict = _watched(watch, run, checkpoint, rows, "first", {"evaluations": ids})
        return _settle(watch, checkpoint, before, replace(verdict, is_anchor=True), [])
    baselines = {genre: [items for _, items in pool] for genre, pool in pools.items()}
    noise = checkpoint_noise(_quiet(rows, tables))
    # What broke before is asked again with all samples: silence of the screen is no recovery.
    suspect = {(row.suite, row.genre) for row in standing if row.status == "open"}
    ids, screened, flagged = _ask_in_stages(watch, checkpoint, baselines, noise, suspect)
    level = _level(watch.policy, rows)
    verdicts = confirm(baselines, _table(watch, ids), screened, flagged, noise, watch.policy, level)
    fixed, lasting = _follow_up(standing, verdicts)
    known = {(row.suite, row.genre) for row in lasting}
    fresh = [
        _regression(
            watch, run, checkpoint, one, [row for row, _ in pools[one.suite, one.genre]], ids
        )
        for one in verdicts
        if one.verdict == "regressed" and (one.suite, one.genre) not in known
    ]
    evidence = {
        "evaluations": ids,
        "level": level,
        "baseline_steps": {
            f"{suite}/{genre}": [row.step for row, _ in pool]
            for (suite, genre), pool in pools.items()
        },
        "genres": [one.to_dict() for one in verdicts],
        "regressions": [row.id for row in (*fresh, *lasting)],
        "new": [row.id for row in fresh],
        "fixed": [row.id for row in fixed],
    }
    word = _word(verdicts, lasting)
    made = _settle(
        watch, checkpoint, before, _watched(watch, run, checkpoint, rows, word, evidence), fresh
    )
    if made is not None:
        set_status(watch.store, [row.id for row in fixed], "fixed", fixed_at_step=checkpoint.step)
        if word == "good" and _good_since_anchor(earlier) + 1 >= watch.policy.anchors:
            _ask(watch, checkpoint, _everything(watch))
            mark_anchor(watch.store, made)
    return made


def _ask_in_stages(
    watch: Watch,
    checkpoint: Checkpoint,
    baselines: Mapping[Genre, Sequence[Items]],
    noise: Mapping[Genre, CheckpointNoise],
    suspect: set[Genre],
) -> tuple[dict[str, str], dict[Genre, tuple[PairedDifference, Decision]], list[Genre]]:
    """Asks one sample of all, a few fresh ones where that is low, and all where those are too.
    Answers the evaluations, what the screen saw, and the genres that have all samples."""
    policy = watch.policy
    ids = _ask(watch, checkpoint, {})
    screened = screen(baselines, _table(watch, ids), noise, policy)
    flagged = [
        genre
        for genre, (_, decision) in screened.items()
        if decision.p_regressed < policy.screen or genre in suspect
    ]
    if not flagged:
        return ids, screened, []
    look = dict.fromkeys(flagged, min(policy.look, policy.samples))
    _ask(watch, checkpoint, look)
    low = still_low(baselines, _table(watch, ids), flagged, noise, policy)
    kept = [genre for genre in flagged if genre in low or genre in suspect]
    _ask(watch, checkpoint, look | dict.fromkeys(kept, policy.samples))
    return ids, screened, kept


def _level(policy: Policy, rows: Sequence[Watched]) -> float:
    """What the next comparison of the run may spend of α; next to nothing after `planned`."""
    number = 1 + sum(row.verdict != "first" for row in rows)
    schedule: Schedule = "dyadic" if policy.planned is None else "equal"
    return max(spent_at(number, policy.alpha, schedule, policy.planned), 1e-12)


def _word(verdicts: Sequence[GenreVerdict], lasting: Sequence[Regression]) -> WatchVerdict:
    states = {one.verdict for one in verdicts}
    if "regressed" in states:
        return "regressed"
    return "inconclusive" if "doubtful" in states or lasting else "good"


def _good_since_anchor(earlier: Sequence[Watched]) -> int:
    count = 0
    for row in earlier:
        count = 0 if row.is_anchor else count + (row.verdict == "good")
    return count


def _settle(
    watch: Watch,
    checkpoint: Checkpoint,
    before: Signature,
    verdict: Watched,
    fresh: Sequence[Regression],
) -> Watched | None:
    assert checkpoint.path is not None
    if signature(checkpoint.path) != before:
        return None
    if fresh:
        record(watch.store, fresh)
    add_watched(watch.store, verdict)
    return verdict


def _watched(
    watch: Watch,
    run: str,
    checkpoint: Checkpoint,
    rows: Sequence[Watched],
    verdict: WatchVerdict,
    evidence: dict[str, Any],
) -> Watched:
    now = datetime.now(UTC)
    # One regression is one message, however many checkpoints it lasts; doubt wakes nobody.
    is_news = bool(evidence.get("new") or evidence.get("fixed"))
    return Watched(
        run=run,
        step=checkpoint.step or 0,
        fingerprint=checkpoint.fingerprint,
        policy_hash=watch.policy_hash,
        checkpoint=checkpoint.name,
        number=sum(row.verdict != "first" for row in rows),
        verdict=verdict,
        is_anchor=False,
        evidence=evidence,
        judged_at=now,
        notified_at=None if is_news and watch.notify else now,
    )


def _ask(watch: Watch, checkpoint: Checkpoint, fresh: Mapping[Genre, int]) -> dict[str, str]:
    """Asks one sample of every item, and so many fresh ones by genre; evaluation ids by suite."""
    return {
        suite.protocol.suite: watch.evaluate(
            checkpoint,
            Partial(
                suite.protocol,
                {genre: n for (name, genre), n in fresh.items() if name == suite.protocol.suite},
            ),
            suite.items,
            watch.policy.samples + 1,
        )
        for suite in watch.suites
    }


def _everything(watch: Watch) -> dict[Genre, int]:
    return {
        (suite.protocol.suite, item.genre): watch.policy.samples
        for suite in watch.suites
        for item in suite.items
    }


def _table(watch: Watch, ids: Mapping[str, str]) -> Table:
    """Scores by genre. Raises HarnessError for a suite without the metric that is watched."""
    parts = sample_scores(watch.store, list(ids.values()), METRIC)
    answer: dict[Genre, Mapping[str, SampleScores]] = {}
    for suite, evaluation in ids.items():
        if evaluation not in parts:
            raise HarnessError(
                f"--suite {suite}: no answer has a `{METRIC}` score; harness watch judges suites "
                "that are scored without a judge"
            )
        answer |= parts[evaluation]
    return answer


def _tables(watch: Watch, rows: Sequence[Watched]) -> dict[str, Table]:
    """Scores of judged checkpoints, by fingerprint."""
    return {row.fingerprint: _table(watch, row.evidence["evaluations"]) for row in rows}


def _quiet(rows: Sequence[Watched], tables: Mapping[str, Table]) -> dict[Genre, list[Table]]:
    """By genre, the scores by step of the checkpoints at which nothing broke: what they still vary
    by is noise. A doubtful drop stays in, or noise would be cut to what looks quiet."""
    answer: dict[Genre, list[Table]] = {}
    for row in sorted((row for row in rows if row.stands), key=lambda row: row.step):
        broken = _genres_with(row, {"regressed"})
        for genre in tables[row.fingerprint]:
            if genre not in broken:
                answer.setdefault(genre, []).append(tables[row.fingerprint])
    return answer


def _genres_with(row: Watched, verdicts: set[str]) -> set[Genre]:
    return {
        (one["suite"], one["genre"])
        for one in row.evidence.get("genres", [])
        if one["verdict"] in verdicts
    }


def _pools(
    watch: Watch,
    earlier: Sequence[Watched],
    tables: Mapping[str, Table],
    standing: Sequence[Regression],
) -> dict[Genre, list[tuple[Watched, Items]]]:
    """The last good checkpoints of each genre, by step: those at which that genre was good. From a
    regression that a person acknowledged on, its level is what the genre is compared with."""
    accepted = {
        (row.suite, row.genre): row.step or 0 for row in standing if row.status == "acknowledged"
    }
    pools: dict[Genre, list[tuple[Watched, Items]]] = {}
    for row in earlier:
        bad = _genres_with(row, {"regressed", "doubtful"})
        for genre, items in tables[row.fingerprint].items():
            since = accepted.get(genre)
            if row.step >= since if since is not None else genre not in bad:
                pools.setdefault(genre, []).append((row, items))
    return {genre: pool[-watch.policy.pooled :] for genre, pool in pools.items()}


def standing_regressions(watch: Watch, run: str, status: Sequence[Any]) -> list[Regression]:
    """This policy's regressions of the run that are not fixed."""
    return [
        row
        for row in regressions(watch.store, status=status, run=run)
        if row.policy_hash == watch.policy_hash
    ]


def _follow_up(
    standing: Sequence[Regression], verdicts: Sequence[GenreVerdict]
) -> tuple[list[Regression], list[Regression]]:
    """(fixed, lasting) of earlier regressions: fixed is what lies in the upper half of its drop
    again, on fresh samples, and is good."""
    by_genre = {(one.suite, one.genre): one for one in verdicts}
    fixed: list[Regression] = []
    lasting: list[Regression] = []
    for row in standing:
        now = by_genre.get((row.suite, row.genre))
        if now is None or row.status == "acknowledged":
            continue
        is_back = (
            now.confirmed is not None
            and now.verdict == "good"
            and now.confirmed.change >= row.evidence["change"] / 2
        )
        (fixed if is_back else lasting).append(row)
    return fixed, lasting


def _regression(
    watch: Watch,
    run: str,
    checkpoint: Checkpoint,
    verdict: GenreVerdict,
    pool: Sequence[Watched],
    ids: Mapping[str, str],
) -> Regression:
    last_good = pool[-1]
    baseline = last_good.evidence["evaluations"][verdict.suite]
    candidate = ids[verdict.suite]
    told = lineage_of(watch.store, run)
    compared = [*(row.fingerprint for row in pool), checkpoint.fingerprint]
    stages = [told[one] for one in compared if one in told]
    changed = suspects(stages, last_good.step, checkpoint.step or 0, pool[0].step)
    seen = symptoms(watch.store, baseline, candidate, verdict.genre)
    suite = next(one for one in watch.suites if one.protocol.suite == verdict.suite)
    decision = verdict.decision.to_dict()
    return Regression(
        baseline=baseline,
        candidate=candidate,
        protocol_hash=suite.protocol.hash,
        suite=verdict.suite,
        genre=verdict.genre,
        dataset="all",
        metric=METRIC,
        evidence=decision
        | {
            "n": verdict.items,
            "tau2": verdict.tau2,
            "p_run": verdict.p,
            "symptoms": [one.to_dict() for one in seen],
        },
        policy={"rule": RULE, **asdict(watch.policy)},
        policy_hash=watch.policy_hash,
        cause=[one.to_dict() for one in changed],
        run=run,
        baseline_step=last_good.step,
        step=checkpoint.step,
    )
