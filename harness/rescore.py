"""Computes every score of an evaluation again from the text in the store; no model is asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.engines.types import Request, Sampling
from harness.errors import HarnessError
from harness.evaluate import evaluation_id, items_hash
from harness.evaluation_rows import Planned, protocol_row, reading_rows, request_row, score_rows
from harness.items.schema import Item
from harness.protocols.catalogue import protocol_from
from harness.protocols.types import Answer, Ask, Protocol
from harness.scoring import nfkc
from harness.store import queries, write
from harness.store.judgments import links_of
from harness.store.queries import EvaluationRow, ScorableAnswer

Comet = Callable[[Sequence[str], Sequence[str], Sequence[str]], list[float]]


@dataclass(frozen=True)
class Rescored:
    """What `rescore` did to one evaluation.

    evaluation  its id; a new one where the protocol scores in a newer way than before, for scores
                of two protocol hashes never mix
    answers     stored answers that were scored
    changed     (key, metric) pairs whose value or failure class is not as it was
    """

    evaluation: str
    answers: int
    changed: int
    is_new: bool


def rescore(store: Path, evaluation: EvaluationRow, comet: Comet | None = None) -> Rescored:
    """Scores the stored answers of an evaluation by its protocol as this version defines it.

    comet  scores translations from (sources, predictions, references); without it those that the
           store has already are kept. They count as the strict scores of translations

    The same protocol hash: the scores are replaced. Another one (scoring has changed since): a
    further evaluation of the same answers, the earlier one stays.

    Raises HarnessError where this version does not know the protocol.
    """
    protocol = protocol_from(queries.protocol_definition(store, evaluation.protocol_hash))
    items = queries.items_of(store, evaluation.id)
    answers = queries.stored_answers(store, evaluation.id)
    is_new = protocol.hash != evaluation.protocol_hash
    name = evaluation.id
    if is_new:
        name = evaluation_id(
            evaluation.fingerprint,
            protocol,
            list(items.values()),
            evaluation.samples,
            evaluation.seed,
        )
    scores: list[write.Row] = []
    readings: list[write.Row] = []
    requests: list[write.Row] = []
    for stored in answers:
        item = items[stored.item_hash]
        ask = Ask(
            item,
            (),
            Sampling(),
            stored.sample,
            stored.turn,
            stored.kind,
            continuations=item.format.labels if stored.kind == "choice" else (),
        )
        entry = Planned(ask, Request(stored.key, ""))
        if is_new:
            requests.append(request_row(name, entry))
        if stored.finish_reason == "error":
            continue
        answer = Answer(stored.text, stored.finish_reason, stored.likelihoods)
        scores += score_rows(protocol, entry, answer)
        readings += reading_rows(protocol, entry, answer)
    before = queries.scores_of(store, evaluation.id)
    scores += _comet_rows(protocol, answers, items, readings, before, comet)
    changed = _changed(before, scores)
    batch: dict[str, list[write.Row]] = {"scores": scores, "readings": readings}
    if is_new:
        batch |= {
            "protocols": [protocol_row(protocol)],
            "requests": requests,
            "judged": [link | {"evaluation": name} for link in links_of(store, evaluation.id)],
        }
    write.spool(store, batch)
    write.ingest(store)
    write.spool(store, {"evaluations": [_row(store, evaluation, protocol, name, items)]})
    write.ingest(store)
    return Rescored(name, len(answers), changed, is_new)


def _comet_rows(
    protocol: Protocol,
    answers: Sequence[ScorableAnswer],
    items: Mapping[str, Item],
    readings: Sequence[write.Row],
    before: Mapping[tuple[str, str], tuple[float, str | None]],
    comet: Comet | None,
) -> list[write.Row]:
    read = {row["key"]: str(row["normalised"]) for row in readings}
    keys = [
        (one.key, items[one.item_hash])
        for one in answers
        if items[one.item_hash].metric == "comet" and one.key in read
    ]
    if comet is None:
        values = {key: before[key, "comet"][0] for key, _ in keys if (key, "comet") in before}
    else:
        found = comet(
            [item.turns[0] for _, item in keys],
            [read[key] for key, _ in keys],
            [nfkc(item.answer) for _, item in keys],
        )
        values = {key: value for (key, _), value in zip(keys, found, strict=True)}
    return [
        {
            "key": key,
            "protocol_hash": protocol.hash,
            "metric": metric,
            # COMET is about 0 to 1, and now and then a little beyond; a strict score is not.
            "value": value if metric == "comet" else min(1.0, max(0.0, value)),
            "failure": None,
        }
        for key, value in values.items()
        for metric in ("comet", "strict")
    ]


def _changed(before: Mapping[tuple[str, str], Any], after: list[write.Row]) -> int:
    new = {(row["key"], row["metric"]): (row["value"], row["failure"]) for row in after}
    return sum(before.get(key) != new.get(key) for key in before.keys() | new.keys())


def _row(
    store: Path,
    old: EvaluationRow,
    protocol: Protocol,
    name: str,
    items: Mapping[str, Item],
) -> write.Row:
    _, _, failures = queries.counts(store, name, protocol.hash)
    return {
        "id": name,
        "fingerprint": old.fingerprint,
        "protocol_hash": protocol.hash,
        "items_hash": items_hash(list(items.values())),
        "suite": old.suite,
        "items": old.items,
        "samples": old.samples,
        "seed": old.seed,
        "engine": old.engine,
        "state": old.state,
        "planned": old.planned,
        "done": old.done,
        "failed": old.failed,
        "failures": json.dumps(failures),
        # A further evaluation is the later one of the two.
        "started_at": old.started_at if name == old.id else datetime.now(UTC),
        "finished_at": old.finished_at if name == old.id else datetime.now(UTC),
    }


def rescore_all(
    store: Path,
    names: tuple[str, ...],
    comet: Comet | None = None,
    report: Callable[[EvaluationRow, Rescored], None] = lambda row, result: None,
) -> list[Rescored]:
    """`rescore` for the evaluations that the names stand for (see `queries.find_evaluation`), or
    for all of the store."""
    queries.refresh(store)
    rows = (
        [queries.find_evaluation(store, name) for name in names]
        if names
        else queries.evaluations(store)
    )
    if not rows:
        raise HarnessError(f"{store}: no evaluations yet; `harness eval CHECKPOINT` makes one")
    done = []
    for row in rows:
        result = rescore(store, row, comet)
        report(row, result)
        done.append(result)
    return done
