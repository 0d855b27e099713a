"""Turns ratings into standings: one board a protocol, item set, judge and set of judge prompts."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.items.schema import GENRES
from harness.protocols.mt_bench import MtBench
from harness.statistics.components import variance_split
from harness.statistics.means import Estimate
from harness.statistics.ratings import Aggregate, Rating, aggregate
from harness.store.judgments import AnswerScores, Judged, Spent, answer_scores, judgments, spent
from harness.store.queries import EvaluationRow, evaluations, protocol_definition

HIGHEST = 10.0
# The names of the totals (`docs/leaderboard.md`), by how the protocol averages.
AGGREGATES = {"rows": "rating-mean", "genres": "genre-mean", "repeats": "repeat-mean"}
# Whoever has judged: (judge, hash of the set of prompts); None where nobody has.
JudgeKey = tuple[str, str] | None


@dataclass(frozen=True)
class JudgedScores:
    """One evaluation as one judge sees it.

    ratings   averaged as the protocol says; None where nothing is decided yet
    answers   answers there are; decided: by rule; judged: with a readable rating; the rest is
              unjudged. By genre: unjudged_by_genre
    verified  answers that are right, or keep to their constraints, among those that have a rule
              for it, by genre (right, of how many). Without a judge, either decides
    failures  judgments without a rating by class; calls: judgments in all
    noise     standard errors of the mean over all ratings by where they come from: questions,
              generation (several answers to a question) and judge (several judgings of an
              answer); what was not repeated is not told apart and is missing
    style     means of the other metrics over all answers, and by genre
    """

    evaluation: EvaluationRow
    judge: JudgeKey
    ratings: Aggregate | None
    answers: int
    decided: int
    judged: int
    unjudged_by_genre: dict[str, int]
    verified: dict[str, tuple[int, int]]
    failures: dict[str, int]
    judgments: int
    noise: dict[str, float]
    style: dict[str, float]
    style_by_genre: dict[str, dict[str, float]]
    spent: Spent | None

    @property
    def unjudged(self) -> int:
        return self.answers - self.decided - self.judged


@dataclass(frozen=True)
class JudgedStanding:
    """A row; rank, trajectory and before as in `standings.Standing`, the rank None without a score,
    scores on the scale they were given on."""

    rank: int | None
    scores: JudgedScores
    trajectory: tuple[tuple[int, float], ...] = ()
    before: EvaluationRow | None = None

    @property
    def name(self) -> str:
        return self.scores.evaluation.checkpoint

    @property
    def evaluation(self) -> EvaluationRow:
        return self.scores.evaluation

    def genre(self, name: str) -> float | None:
        found = self.scores.ratings.genres.get(name) if self.scores.ratings else None
        return None if found is None else found.mean


@dataclass(frozen=True)
class JudgedBoard:
    """Standings that may be compared: equal protocol, items, samples, judge and prompts.

    hidden  rows that are not shown; ranks count them
    """

    protocol: MtBench
    judge: JudgeKey
    items: int
    samples: int
    standings: tuple[JudgedStanding, ...]
    genres: tuple[str, ...]
    hidden: int = 0


def judged_boards(
    path: Path,
    *,
    suites: Sequence[str] = (),
    every_checkpoint: bool = False,
    all_item_sets: bool = False,
) -> tuple[list[JudgedBoard], int]:
    """As `standings.boards`, for suites that a judge rates. An evaluation that several judges have
    rated stands on as many boards; one that nobody has, on one without a judge."""
    protocols = {}
    groups: dict[tuple[str, str, str, int], list[EvaluationRow]] = defaultdict(list)
    for row in evaluations(path):
        if suites and row.suite not in suites:
            continue
        if row.protocol_hash not in protocols:
            definition = protocol_definition(path, row.protocol_hash)
            protocols[row.protocol_hash] = _judged_protocol(definition)
        if protocols[row.protocol_hash] is not None:
            groups[(row.suite, row.protocol_hash, row.items_hash, row.samples)].append(row)
    latest = {key[0]: key for key in sorted(groups, key=lambda key: groups[key][-1].started_at)}
    chosen = list(groups) if all_item_sets else list(latest.values())
    made: list[JudgedBoard] = []
    for key in sorted(chosen):
        protocol = protocols[key[1]]
        assert protocol is not None
        by_judge: dict[JudgeKey, list[JudgedScores]] = defaultdict(list)
        for scores in judged_scores(path, protocol, groups[key]):
            by_judge[scores.judge].append(scores)
        made += [
            _board(protocol, judge, by_judge[judge], every_checkpoint)
            for judge in sorted(by_judge, key=str)
        ]
    return made, len(groups) - len(chosen)


def _judged_protocol(definition: Mapping[str, Any]) -> MtBench | None:
    """The protocol of a definition if a judge rates it; most boards need none of the catalogue."""
    if definition.get("protocol") != "mt-bench":
        return None
    from harness.protocols.catalogue import protocol_from

    protocol = protocol_from(definition)
    assert isinstance(protocol, MtBench)
    return protocol


def judged_scores(
    path: Path, protocol: MtBench, rows: Sequence[EvaluationRow]
) -> list[JudgedScores]:
    """Every evaluation as each of its judges sees it; without any judge, once by rules alone."""
    ids = [row.id for row in rows]
    answers: dict[str, list[AnswerScores]] = defaultdict(list)
    for answer in answer_scores(path, ids):
        answers[answer.evaluation].append(answer)
    said: dict[str, dict[JudgeKey, list[Judged]]] = defaultdict(lambda: defaultdict(list))
    for one in judgments(path, ids):
        said[one.evaluation][one.judge, one.prompt_set].append(one)
    made = []
    for row in rows:
        judges: dict[JudgeKey, list[Judged]] = dict(said[row.id]) or {None: []}
        for judge, found in judges.items():
            took = None if judge is None else spent(path, row.id, *judge)
            made.append(_scores(protocol, row, judge, answers[row.id], found, took))
    return made


def _scores(
    protocol: MtBench,
    row: EvaluationRow,
    judge: JudgeKey,
    answers: Sequence[AnswerScores],
    found: Sequence[Judged],
    took: Spent | None,
) -> JudgedScores:
    lowest = float(protocol.variant.lowest)
    ratings: list[Rating] = []
    decided: dict[str, float] = {}
    verified: dict[str, tuple[int, int]] = {}
    for one in answers:
        right = one.scores.get("verified", one.scores.get("followed"))
        if right is None:
            continue
        count = verified.get(one.genre, (0, 0))
        verified[one.genre] = (count[0] + int(right == 1.0), count[1] + 1)
        if protocol.is_ours and (judge is None or "verified" in one.scores):
            decided[one.answer] = right
            value = lowest + right * (HIGHEST - lowest)
            ratings.append(Rating(one.item, one.genre, one.turn, one.sample, 0, value))
    readable = [one for one in found if one.value is not None and one.answer not in decided]
    ratings += [
        Rating(one.item, one.genre, one.turn, one.sample, one.repeat, one.value)
        for one in readable
        if one.value is not None
    ]
    rated = {one.answer for one in readable}
    unjudged = Counter(
        one.genre for one in answers if one.answer not in decided and one.answer not in rated
    )
    how = protocol.variant.aggregation
    return JudgedScores(
        row,
        judge,
        aggregate(ratings, how, (lowest, HIGHEST)) if ratings else None,
        len(answers),
        len(decided),
        len(rated),
        dict(unjudged),
        verified,
        dict(Counter(one.failure for one in found if one.failure is not None)),
        len(found),
        _noise(ratings),
        _style(answers),
        {
            genre: _style([one for one in answers if one.genre == genre])
            for genre in {one.genre for one in answers}
        },
        took,
    )


def _noise(ratings: Sequence[Rating]) -> dict[str, float]:
    questions = [(one.item, one.turn) for one in ratings]
    if len(set(questions)) < 2:
        return {}
    split = variance_split(
        [one.value for one in ratings], questions, [one.sample for one in ratings]
    )
    parts = {
        "questions": split.mean_variance_of_questions,
        "generation": split.mean_variance_of_generation,
        "judge": split.mean_variance_of_judge,
    }
    return {name: math.sqrt(part) for name, part in parts.items() if part is not None}


def _style(answers: Sequence[AnswerScores]) -> dict[str, float]:
    values: dict[str, list[float]] = defaultdict(list)
    for one in answers:
        for metric, value in one.scores.items():
            if metric not in ("verified", "followed"):
                values[metric].append(value)
    return {metric: sum(found) / len(found) for metric, found in sorted(values.items())}


def _board(
    protocol: MtBench, judge: JudgeKey, scores: Sequence[JudgedScores], every_checkpoint: bool
) -> JudgedBoard:
    # An evaluation of other seeds may stand twice for one checkpoint: the later one counts.
    current = {
        one.evaluation.fingerprint: one
        for one in sorted(scores, key=lambda one: one.evaluation.started_at)
    }
    runs: dict[str, list[JudgedScores]] = defaultdict(list)
    for one in current.values():
        row = one.evaluation
        is_part_of_run = row.run is not None and row.step is not None
        runs[f"run {row.run}" if is_part_of_run else row.fingerprint].append(one)
    found: list[JudgedStanding] = []
    for members in runs.values():
        members.sort(key=lambda one: one.evaluation.step or 0)
        path = tuple(
            (one.evaluation.step, one.ratings.score.mean)
            for one in members
            if one.evaluation.step is not None and one.ratings is not None
        )
        before = [None, *(one.evaluation for one in members[:-1])]
        rows = [
            JudgedStanding(None, one, path, last) for one, last in zip(members, before, strict=True)
        ]
        found += rows if every_checkpoint else rows[-1:]
    found.sort(
        key=lambda one: (-one.scores.ratings.score.mean if one.scores.ratings else 0, one.name)
    )
    every = [one.scores for one in found]
    first = every[0].evaluation
    present = {genre for one in every for genre in (*one.unjudged_by_genre, *_genres(one))}
    return JudgedBoard(
        protocol,
        judge,
        first.items,
        first.samples,
        tuple(replace(one, rank=_rank(one.scores, every)) for one in found),
        tuple(genre for genre in GENRES if genre in present),
    )


def _genres(one: JudgedScores) -> Sequence[str]:
    return list(one.ratings.genres) if one.ratings else []


def _rank(one: JudgedScores, rows: Sequence[JudgedScores]) -> int | None:
    if one.ratings is None:
        return None
    high = one.ratings.score.high
    return 1 + sum(other.ratings is not None and other.ratings.score.low > high for other in rows)


def to_dict(board: JudgedBoard, standing: JudgedStanding) -> dict[str, Any]:
    """A row for machines; ratings on the scale that the protocol shows."""
    one, row, shown = standing.scores, standing.scores.evaluation, board.protocol.variant.shown
    ratings = one.ratings

    def mean(estimate: Estimate) -> float:
        return estimate.mean / shown

    return {
        "suite": row.suite,
        "protocol": row.protocol,
        "judge": board.judge[0] if board.judge else None,
        "rank": standing.rank,
        "name": row.checkpoint,
        "checkpoint": row.checkpoint,
        "step": row.step,
        "aggregate": AGGREGATES[board.protocol.variant.aggregation],
        "score": mean(ratings.score) if ratings else None,
        "low": ratings.score.low / shown if ratings else None,
        "high": ratings.score.high / shown if ratings else None,
        "sd": ratings.sd / shown if ratings and ratings.sd is not None else None,
        "genres": {
            genre: mean(ratings.genres[genre]) for genre in board.genres if genre in ratings.genres
        }
        if ratings
        else {},
        "genre_intervals": {
            genre: [found.low / shown, found.high / shown]
            for genre, found in ratings.genres.items()
        }
        if ratings
        else {},
        "turns": {str(turn + 1): mean(found) for turn, found in ratings.turns.items()}
        if ratings
        else {},
        "answers": one.answers,
        "decided": one.decided,
        "judged": one.judged,
        "unjudged": one.unjudged,
        "verified": {genre: list(pair) for genre, pair in one.verified.items()},
        "judgments": one.judgments,
        "judge_failures": one.failures,
        "judge_calls": one.spent.calls if one.spent else 0,
        "judge_prompt_tokens": one.spent.prompt_tokens if one.spent else 0,
        "judge_completion_tokens": one.spent.completion_tokens if one.spent else 0,
        "judge_cost": one.spent.cost if one.spent else None,
        "noise": {name: error / shown for name, error in one.noise.items()},
        "style": one.style,
        "style_by_genre": one.style_by_genre,
        "items": row.items,
        "samples": row.samples,
        "done": row.done,
        "failed": row.failed,
        "state": row.state,
        "trajectory": [[step, value / shown] for step, value in standing.trajectory],
        "evaluation": row.id,
        "fingerprint": row.fingerprint,
        "protocol_hash": row.protocol_hash,
        "prompt_set": board.judge[1] if board.judge else None,
        "items_hash": row.items_hash,
    }
