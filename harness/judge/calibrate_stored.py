"""A judge's card from the judgments in the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from harness.errors import HarnessError
from harness.items.jsonl import LineError, decode, json_object, numbered_lines, raise_faults
from harness.judge.calibration import Rated, SwappedPair
from harness.judge.card import JudgeCard, calibrate
from harness.judge.reading import Preference
from harness.scoring.normalise import trim
from harness.statistics.prediction_powered import CorrectedMean, corrected_mean
from harness.store.judgments import comparisons, judgments
from harness.store.queries import EvaluationRow, answers

# (question, answer) as calibration names them: an item's turn, and the key of a generation.
Place = tuple[str, str]
_VERDICT: dict[float, Preference] = {1.0: "A", 0.5: "tie", 0.0: "B"}


def card_of(
    store: Path,
    rows: Sequence[EvaluationRow],
    judge: str,
    prompt_set: str,
    references: Mapping[str, Mapping[Place, float]],
    *,
    pairs: bool = True,
) -> JudgeCard:
    """What the stored judgments of some evaluations say of a judge.

    references  ratings of the same answers by (question, answer), by whose they are
    pairs       also the comparisons of the first two evaluations
    """
    length = {one.key: len(trim(one.text)) for row in rows for one in answers(store, row.id)}
    rated = [
        Rated(_question(one.item, one.turn), one.answer, one.value, length[one.answer], one.failure)
        for one in judgments(store, [row.id for row in rows])
        if (one.judge, one.prompt_set) == (judge, prompt_set)
    ]
    swapped = _pairs(store, rows, judge, prompt_set) if pairs and len(rows) > 1 else []
    return calibrate(judge, prompt_set[:12], rated, swapped, references)


def ratings_by(store: Path, rows: Sequence[EvaluationRow], judge: str) -> dict[Place, float]:
    """Another judge's mean rating of each answer. Raises HarnessError where it has none."""
    found: dict[Place, list[float]] = {}
    for one in judgments(store, [row.id for row in rows]):
        if one.judge == judge and one.value is not None:
            place = (_question(one.item, one.turn), one.answer)
            found.setdefault(place, []).append(one.value)
    if not found:
        raise HarnessError(f"--against {judge}: it has rated none of these answers")
    return {place: fmean(values) for place, values in found.items()}


def human_ratings(store: Path, rows: Sequence[EvaluationRow], file: Path) -> dict[Place, float]:
    """Ratings of a file of {checkpoint, item, turn, rating} lines; several of one answer are
    averaged. Raises HarnessError that names every fault with its line."""
    known: dict[tuple[str, str, int], Place] = {}
    hashes = {
        one.answer: _question(one.item, one.turn)
        for one in judgments(store, [row.id for row in rows])
    }
    for row in rows:
        for one in answers(store, row.id):
            if one.key in hashes and one.sample == 0:
                known[row.checkpoint, one.item, one.turn + 1] = (hashes[one.key], one.key)
    found: dict[Place, list[float]] = {}
    faults: list[str] = []
    for number, line in numbered_lines(file):
        try:
            raw = json_object(decode(line, number))
            place = known.get(
                (str(raw.get("checkpoint")), str(raw.get("item")), raw.get("turn", 1))
            )
            rating = raw.get("rating")
            if place is None:
                raise LineError(
                    f"no judged answer of {raw.get('checkpoint')!r} to item {raw.get('item')!r}, "
                    f"turn {raw.get('turn', 1)!r}; expected one of the evaluations named"
                )
            if isinstance(rating, bool) or not isinstance(rating, int | float):
                raise LineError(f"`rating` is {rating!r}, expected a number")
        except LineError as fault:
            faults.append(f"{file}:{number}: {fault}")
            continue
        found.setdefault(place, []).append(float(rating))
    raise_faults(faults)
    return {place: fmean(values) for place, values in found.items()}


def corrected_means(
    store: Path,
    rows: Sequence[EvaluationRow],
    judge: str,
    prompt_set: str,
    humans: Mapping[Place, float],
) -> dict[str, CorrectedMean]:
    """Each checkpoint's mean as humans would rate it, from the judge's ratings of all answers and
    the humans' of some, by item; checkpoints of which humans rated fewer than two items, or all
    but one, are left out."""
    made: dict[str, CorrectedMean] = {}
    for row in rows:
        turns: dict[str, dict[Place, list[float]]] = {}
        for one in judgments(store, [row.id]):
            if (one.judge, one.prompt_set) == (judge, prompt_set) and one.value is not None:
                place = (_question(one.item, one.turn), one.answer)
                turns.setdefault(one.item, {}).setdefault(place, []).append(one.value)
        human: list[float] = []
        judged: list[float] = []
        alone: list[float] = []
        for places in turns.values():
            rated = [place for place in places if place in humans]
            values = [fmean(places[place]) for place in rated or places]
            if rated:
                human.append(fmean(humans[place] for place in rated))
            (judged if rated else alone).append(fmean(values))
        if min(len(human), len(alone)) > 1:
            made[row.checkpoint] = corrected_mean(human, judged, alone)
    return made


def _question(item: str, turn: int) -> str:
    return f"{item} turn {turn + 1}"


def _pairs(
    store: Path, rows: Sequence[EvaluationRow], judge: str, prompt_set: str
) -> list[SwappedPair]:
    told: dict[tuple[str, int, int, int], dict[bool, Preference | None]] = {}
    for one in comparisons(store, rows[0].id, rows[1].id, judge, prompt_set):
        verdict = None if one.value is None else _VERDICT[one.value]
        told.setdefault((one.item, one.turn, one.sample, one.repeat), {})[one.swapped] = verdict
    return [
        SwappedPair(_question(item, turn), found.get(False), found.get(True))
        for (item, turn, _, _), found in told.items()
    ]
