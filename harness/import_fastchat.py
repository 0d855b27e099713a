"""Brings FastChat's model answers and GPT-4 judgments into the store, under their protocol."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.checkpoint import Checkpoint
from harness.engines.types import Generation, Message, Request, Sampling
from harness.errors import HarnessError
from harness.evaluate import evaluation_id, items_hash
from harness.evaluation_rows import (
    Planned,
    checkpoint_row,
    generation_row,
    item_row,
    protocol_row,
    request_row,
    score_rows,
)
from harness.items.fastchat import (
    FastchatAnswer,
    FastchatJudgment,
    load_fastchat_answers,
    load_fastchat_items,
    load_fastchat_judgments,
)
from harness.items.schema import Item, content_hash
from harness.judge.reading import Reading, read_rating
from harness.protocols.mt_bench import MtBench
from harness.protocols.types import Answer, Ask
from harness.store import database, write

# What FastChat's judges were asked with.
_JUDGE_SAMPLING = Sampling(temperature=0.0, max_tokens=2048)
_Place = tuple[str, str, int]  # model, question, turn


@dataclass(frozen=True)
class ImportedFastchat:
    """What was taken in.

    evaluations   id by model
    answers       answers taken in; left_out: turns that the protocol does not ask
    judgments     judgments taken in; repeated: of an answer that had one already
    unreadable    judgments in which no rating can be read
    differing     places of judgments whose stored score is not what is read in their text
    """

    evaluations: Mapping[str, str]
    answers: int
    left_out: int
    judgments: int
    repeated: int
    unreadable: int
    differing: tuple[str, ...]


def import_fastchat(
    directory: Path,
    protocol: MtBench,
    *,
    store: Path,
    references: Path | None = None,
    judgments: Sequence[Path] = (),
) -> ImportedFastchat:
    """Reads `model_answer/*.jsonl` and every file of judgments of a directory in FastChat's layout.

    references  the file of reference answers, where the directory has several
    judgments   files to read instead of `model_judgment/*_single*.jsonl` and `*_single.jsonl`

    Judgments of answers that are not there are left out with their model only where all of its
    answers are missing; nothing is guessed. Importing again changes nothing.

    Raises HarnessError for any fault in a file, with its line, and for a judgment of an answer
    that the model's file does not hold.
    """
    items = {
        one.id: one for one in load_fastchat_items(directory, _references(directory, references))
    }
    answers: dict[str, list[FastchatAnswer]] = {}
    for file in sorted((directory / "model_answer").glob("*.jsonl")):
        answers[file.stem] = list(load_fastchat_answers(file))
    if not answers:
        raise HarnessError(f"{directory / 'model_answer'}: no *.jsonl, expected one file a model")
    files = judgments or sorted(
        {*directory.glob("model_judgment/*_single*.jsonl"), *directory.glob("*_single.jsonl")}
    )
    said = [row for file in files for row in load_fastchat_judgments(file)]
    database.prepare(store)
    write.ingest(store)
    made: dict[str, str] = {}
    keys: dict[_Place, tuple[str, str]] = {}
    taken = left_out = 0
    for model, rows in answers.items():
        made[model], placed, beyond = _store_answers(directory, protocol, model, rows, items, store)
        keys |= {(model, *place): (made[model], key) for place, key in placed.items()}
        taken += len(placed)
        left_out += beyond
    wanted = [row for row in said if row.turn < protocol.variant.turns]
    read = _store_judgments(protocol, wanted, keys, store)
    return ImportedFastchat(
        made,
        taken,
        left_out,
        len(wanted),
        sum(row.repeat > 0 for row in wanted),
        sum(one.rating is None for one in read),
        tuple(row.place for row, one in zip(wanted, read, strict=True) if one.rating != row.score),
    )


def _references(directory: Path, given: Path | None) -> Path | None:
    """The references to show a judge; FastChat itself uses `gpt-4.jsonl`."""
    usual = directory / "reference_answer" / "gpt-4.jsonl"
    return given or (usual if usual.is_file() else None)


def _store_answers(
    directory: Path,
    protocol: MtBench,
    model: str,
    rows: Sequence[FastchatAnswer],
    items: Mapping[str, Item],
    store: Path,
) -> tuple[str, dict[tuple[str, int], str], int]:
    """(evaluation id, key of the first choice's answer by question and turn, turns left out)."""
    measured = Checkpoint(
        name=model,
        fingerprint=content_hash(["imported outputs", model]),
        path=None,
        notes=(f"answers imported from {directory.name}",),
    )
    engine = f"imported from model_answer/{model}.jsonl"
    entries: list[tuple[Planned, Generation]] = []
    keys: dict[tuple[str, int], str] = {}
    asked: dict[str, Item] = {}
    left_out = 0
    for row in rows:
        item = items.get(row.question)
        if item is None:
            raise HarnessError(f"{row.place}: no question {row.question} in {directory}")
        asked[item.id] = item
        messages: tuple[Message, ...] = ()
        for turn, text in enumerate(row.turns[: len(item.turns)]):
            if turn >= protocol.variant.turns:
                left_out += 1
                continue
            messages = (*messages, Message("user", item.turns[turn]))
            (ask,) = protocol.requests([item], 1, 0)
            ask = Ask(item, messages, ask.sampling, row.choice, turn)
            key = content_hash(
                ["imported", measured.fingerprint, item.hash, messages, row.choice, text]
            )
            if row.choice == 0:
                keys[(row.question, turn)] = key
            request = Request(key, messages, ask.sampling)
            entries.append((Planned(ask, request), Generation(key, text, "stop")))
            messages = (*messages, Message("assistant", text))
    samples = 1 + max(row.choice for row in rows)
    evaluation = evaluation_id(measured.fingerprint, protocol, list(asked.values()), samples, 0)
    now = datetime.now(UTC)
    scores: list[write.Row] = []
    for entry, generation in entries:
        scores += score_rows(protocol, entry, Answer(generation.text, generation.finish_reason))
    write.spool(
        store,
        {
            "checkpoints": [checkpoint_row(measured)],
            "protocols": [protocol_row(protocol)],
            "items": [item_row(item) for item in asked.values()],
            "requests": [request_row(evaluation, entry) for entry, _ in entries],
            "generations": [
                generation_row(measured, engine, entry, made) for entry, made in entries
            ],
            "scores": scores,
            "evaluations": [
                {
                    "id": evaluation,
                    "fingerprint": measured.fingerprint,
                    "protocol_hash": protocol.hash,
                    "items_hash": items_hash(list(asked.values())),
                    "suite": protocol.suite,
                    "items": len(asked),
                    "samples": samples,
                    "seed": 0,
                    "engine": engine,
                    "state": "complete",
                    "planned": len(entries),
                    "done": len(entries),
                    "failed": 0,
                    "failures": "{}",
                    "started_at": now,
                    "finished_at": now,
                }
            ],
        },
    )
    write.ingest(store)
    return evaluation, keys, left_out


def _store_judgments(
    protocol: MtBench,
    rows: Sequence[FastchatJudgment],
    keys: Mapping[_Place, tuple[str, str]],
    store: Path,
) -> list[Reading]:
    """What our reader finds in each text, by FastChat's own rule."""
    scale = (float(protocol.variant.lowest), 10.0)
    names: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        names[row.judge].add(row.prompt)
    # The log names its prompts and does not hold their files: that is all they are known by.
    prompt_sets = {
        judge: content_hash(["imported prompts", protocol.id, sorted(found)])
        for judge, found in names.items()
    }
    readings: list[Reading] = []
    made: list[write.Row] = []
    links: list[write.Row] = []
    now = datetime.now(UTC)
    for row in rows:
        place = (row.model, row.question, row.turn)
        if place not in keys:
            raise HarnessError(
                f"{row.place}: {row.model} has no answer to question {row.question}, turn "
                f"{row.turn + 1}, in model_answer/"
            )
        evaluation, answer = keys[place]
        reading = read_rating(row.text, scale, "fastchat")
        readings.append(reading)
        key = content_hash(["imported", row.judge, row.prompt, answer, row.asked, row.repeat])
        made.append(
            {
                "key": key,
                "attempt": 0,
                "judge": row.judge,
                "prompt": row.prompt,
                "prompt_hash": content_hash(["imported prompt", row.prompt]),
                "repeat": row.repeat,
                "messages": json.dumps([asdict(Message("user", row.asked))], ensure_ascii=False),
                "sampling": json.dumps(asdict(_JUDGE_SAMPLING)),
                "text": row.text,
                "value": reading.rating,
                "failure": reading.failure,
                "error": None,
                "prompt_tokens": 0,
                "completion_tokens": 0,
                "cost": None,
                "latency": 0.0,
                "place": f"imported from {Path(row.place).name.partition(':')[0]}",
                "created_at": now,
            }
        )
        links.append(
            {
                "evaluation": evaluation,
                "answer": answer,
                "judge": row.judge,
                "prompt_set": prompt_sets[row.judge],
                "repeat": row.repeat,
                "key": key,
            }
        )
    write.spool(store, {"judgments": made, "judged": links})
    write.ingest(store)
    return readings
