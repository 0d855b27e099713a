"""The store of a made-up closed loop: two given rounds, of which one was rolled back, and two of
synthesis that were kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.regression.record import Regression
from harness.store.loops import StageRow, add_stage
from harness.store.regressions import record
from harness.store.watched import Watched, add_watched, mark_rolled_back
from tests.comparison_store import PROTOCOL, MadeScores, by_item, keep

RUN = "cub"
GENRES = ("math", "coding", "reasoning", "writing")
ITEMS = 60
# Share of right answers by genre, after: web; crawl; the first made round; the second.
PROOF = {
    "math": (0.15, 0.05, 0.50, 0.80),
    "coding": (0.20, 0.15, 0.45, 0.60),
    "reasoning": (0.50, 0.45, 0.50, 0.50),
    "writing": (0.70, 0.50, 0.70, 0.70),
}
NAMES = ("step_1000", "step_001500", "step_1500", "step_2000")
STEPS = (1000, 1500, 1500, 2000)
BROKE = "web-dump entered the mixture (0 % → 80 %)"
_AT = datetime(2026, 2, 1, tzinfo=UTC)


def made_scores(at: int, suite: str, genres: Mapping[str, Sequence[float]] = PROOF) -> MadeScores:
    """The evaluation of the checkpoint after round `at`, which counts from 0."""
    scores = {
        item: values
        for genre, shares in genres.items()
        for item, values in by_item(
            [float(number < shares[at] * ITEMS) for number in range(ITEMS)], genre, content=suite
        ).items()
    }
    return MadeScores(
        f"{RUN}/{NAMES[at]}",
        {"strict": scores},
        run=RUN,
        step=STEPS[at],
        suite=suite,
        protocol={**PROTOCOL, "evalset": suite},
        later=at,
    )


def point(at: int) -> dict[str, Any]:
    one = made_scores(at, "proof")
    step = STEPS[at]
    return {"path": one.name, "step": step, "fingerprint": one.fingerprint, "tokens": 1000 * step}


def fingerprint(at: int) -> str:
    return made_scores(at, "proof").fingerprint


def regression() -> Regression:
    """What crawl broke, as `harness watch` records it."""
    return Regression(
        baseline=made_scores(0, "steer").id,
        candidate=made_scores(1, "steer").id,
        protocol_hash=made_scores(1, "steer").protocol_hash,
        suite="steer",
        genre="math",
        dataset="all",
        metric="strict",
        evidence={"change": -0.312, "low": -0.401, "high": -0.223, "symptoms": []},
        policy={},
        policy_hash="p",
        cause=[{"kind": "entered", "what": "web-dump", "sentence": BROKE}],
        run=RUN,
        baseline_step=STEPS[0],
        step=STEPS[1],
        status="fixed",
        fixed_at_step=STEPS[0],
    )


def made_loop(
    store: Path,
    *,
    proof: Mapping[str, Sequence[float]] = PROOF,
    rounds: int = 4,
    named: bool = True,
    told: bool = True,
) -> None:
    """Writes the loop's first `rounds` rounds.

    told   whether its stages are recorded, and not its checkpoints alone
    named  whether measurements say which suites steer and which prove, as old ones do not
    """
    order = [0, 1, 2, 3][:rounds]
    for at in order:
        keep(store, made_scores(at, "proof", proof), made_scores(at, "steer"))
        if at == 1:
            record(store, [regression()])
            add_watched(store, _verdict())
            mark_rolled_back(store, RUN, [fingerprint(1)], STEPS[0], "rolled_back/round-02")
    number = 0
    for at in order if told else ():
        for stage, inputs, outputs in _stages(at, named):
            number += 1
            add_stage(
                store,
                StageRow(
                    run=RUN,
                    number=number,
                    round=at + 1,
                    phase=("web", "crawl", "round-3", "round-4")[at],
                    made=at > 1,
                    stage=stage,
                    inputs=inputs,
                    outputs=outputs,
                    seconds={"train": 5400.0}.get(stage, 180.0),
                    ended_at=_AT,
                ),
            )


def _verdict() -> Watched:
    made = made_scores(1, "steer")
    return Watched(
        RUN, STEPS[1], made.fingerprint, "p", made.name, 1, "regressed", False,
        {"regressions": [regression().id]}, _AT,
    )  # fmt: skip


def _stages(at: int, named: bool) -> list[tuple[str, dict[str, str], dict[str, Any]]]:
    made = at > 1
    after, before = fingerprint(at), fingerprint(0 if at < 3 else at - 1)
    weights: dict[str, float] = (
        {"wiki": 0.3, "books": 0.1, f"round-{at + 1}": 0.6}
        if made
        else {"wiki": 3.0, "books": 1.0}
        if at == 0
        else {"wiki": 0.2, "web-dump": 0.8}
    )
    suites = {"steer": ["steer"], "proof": ["proof"]} if named else {}
    stages: list[tuple[str, dict[str, str], dict[str, Any]]] = []
    counts = {2: {"math": 1200, "coding": 600}, 3: {"math": 700, "coding": 900, "reasoning": 200}}
    if made:
        kept = {
            f"{genre}\t{genre}/{part}": count // 2
            for genre, count in counts[at].items()
            for part in ("buy", "share")
        }
        lags = {"math": [0.65, 0.5, 0.8], "coding": [0.5, 0.4, 0.6]}
        stages += [
            ("plan", {"student": before}, {"plan": "p", "lagging": lags, "demand": counts[at]}),
            (
                "synthesize",
                {"plan": "p"},
                {
                    "home": "synthesized",
                    "shards": {"program-00000.parquet": "s"},
                    "kept": kept,
                    "samples": sum(counts[at].values()),
                },
            ),
        ]
    verdict = "regressed" if at == 1 else "good"
    critical = [
        {"suite": "steer", "genre": "math", "step": STEPS[1], "change": -0.312, "low": -0.401,
         "high": -0.223, "causes": [BROKE], "symptoms": [], "sentence": _SENTENCE}
    ] if at == 1 else []  # fmt: skip
    stages += [
        ("mixture", {}, {"phase": {"name": "", "weights": weights, "tokens": 0, "steps": 500}}),
        ("train", {}, {"checkpoints": [point(at)], "tokens": 500_000}),
        (
            "judge",
            {"checkpoint": after, "policy": "p"},
            {
                "verdicts": [{"step": STEPS[at], "verdict": verdict, "genres": {}}],
                "critical": critical,
                "back_to": STEPS[0] if critical else 0,
            },
        ),
        ("measure", {"checkpoint": after}, {"step": STEPS[at], "dollars": 0.0, **suites}),
    ]
    if made:
        gains = {
            genre: {"gain": 0.3 if genre == "math" else 0.1, "se": 0.05, "samples": count}
            for genre, count in {**counts[at], "writing": 0}.items()
        }
        stages.append(("learn", {"before": before, "after": after}, {"gains": gains}))
    end: dict[str, Any] = {"standing": point(0 if at == 1 else at), "phases": []}
    if at == 1:
        end |= {"marked": {"web-dump": BROKE}, "why": _SENTENCE}
    stages.append(("roll back" if at == 1 else "keep", {"checkpoint": after}, end))
    return stages


_SENTENCE = f"math -31.2 points (-40.1 to -22.3) at step 1500: {BROKE}"
