"""Brings answers that other harnesses logged into the store, and scores them as our own.

Every row is checked before the first is written. The rows of one file become one evaluation of
the checkpoint they are said to come from; importing the same file again changes nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from harness.checkpoint import Checkpoint
from harness.engines.types import Generation, Request, Sampling
from harness.errors import HarnessError
from harness.evaluate import evaluation_id, items_hash
from harness.evaluation_rows import (
    Planned,
    checkpoint_row,
    generation_row,
    item_row,
    protocol_row,
    reading_rows,
    request_row,
    score_rows,
)
from harness.items.jaster_datasets import DATASETS, METRIC_NAMES, Dataset
from harness.items.schema import FormatRule, Item, Metric, content_hash
from harness.protocols.jaster import LLMJP_INTRO, Jaster
from harness.protocols.types import Answer, Ask
from harness.store import database, queries, write

OutputFormat = Literal["llm-jp-eval-table", "lm-eval-samples", "jsonl"]
FORMATS: tuple[OutputFormat, ...] = ("llm-jp-eval-table", "lm-eval-samples", "jsonl")
MAX_FAULTS = 20


@dataclass(frozen=True)
class Logged:
    """One logged answer. place is `file:line`, or `file: row N` of a table."""

    place: str
    dataset: str
    input: str
    gold: str
    text: str
    prompt: str = ""
    shots: int | None = None
    model: str = ""
    metric: str | None = None


@dataclass(frozen=True)
class ImportedOutputs:
    """evaluation ids by number of few-shots, rows taken in, and log-likelihood rows left out."""

    evaluations: tuple[str, ...]
    rows: int
    left_out: int


def import_outputs(
    file: Path,
    layout: OutputFormat,
    *,
    store: Path,
    checkpoint: str | None = None,
    dataset: str | None = None,
) -> ImportedOutputs:
    """Reads a file of logged answers into the store as evaluations under `jaster/llmjp-1.3`.

    checkpoint  the name it gets; by default what the log says
    dataset     of logs that do not say (lm-eval names its file after the task)

    Raises HarnessError with `file:line: cause, fix` for every faulty row (nothing is written
    then), and where the store already holds another answer to one of the questions.
    """
    readers = {
        "llm-jp-eval-table": _read_table,
        "lm-eval-samples": _read_lm_eval,
        "jsonl": _read_jsonl,
    }
    faults: list[str] = []
    left_out: list[str] = []
    rows = list(readers[layout](file, dataset, faults, left_out))
    if faults:
        shown = faults[:MAX_FAULTS]
        if len(faults) > MAX_FAULTS:
            shown.append(f"... and {len(faults) - MAX_FAULTS} more faults")
        raise HarnessError("\n".join(shown))
    if not rows:
        raise HarnessError(
            f"{file}: no answers in it"
            + (f" ({len(left_out)} rows hold log-likelihoods only)" if left_out else "")
        )
    names = {checkpoint or row.model for row in rows}
    if len(names) != 1 or not (name := names.pop()):
        raise HarnessError(
            f"{file}: the log names {len(names) or 'no'} models; say whose answers these are with "
            "--checkpoint NAME"
        )
    database.prepare(store)
    write.ingest(store)
    made = [
        _store(file, name, shots, [row for row in rows if row.shots == shots], store)
        for shots in sorted({row.shots for row in rows}, key=lambda one: -1 if one is None else one)
    ]
    return ImportedOutputs(tuple(made), len(rows), len(left_out))


def _store(file: Path, name: str, shots: int | None, rows: list[Logged], store: Path) -> str:
    protocol = Jaster("jaster", "llmjp-1.3", (0 if shots is None else shots,))
    measured = Checkpoint(
        name=name,
        fingerprint=content_hash(["imported outputs", name]),
        path=None,
        notes=(f"answers imported from {file.name}",),
    )
    engine = f"imported from {file.name}"
    copies: Counter[tuple[str, str, str]] = Counter()
    entries: list[tuple[Planned, Generation, Logged]] = []
    for row in rows:
        content = (row.dataset, row.input, row.gold)
        item = _item(row, len(entries) + 1, copies[content])
        copies[content] += 1
        sampling = Sampling(max_tokens=item.max_tokens or 1)
        key = content_hash(["imported", measured.fingerprint, item.hash, row.prompt])
        ask = Ask(item, (), sampling, completion=row.prompt)
        generation = Generation(key, row.text, "stop")
        entries.append((Planned(ask, Request(key, row.prompt, sampling)), generation, row))
    keys = [entry.request.key for entry, _, _ in entries]
    known = queries.answered(store, measured.fingerprint, keys, protocol.hash)
    for entry, _, row in entries:
        stored = known.get(entry.request.key)
        if stored is not None and stored.text != row.text:
            raise HarnessError(
                f"{row.place}: {name} has another answer to this question in the store already; "
                "import this log under another --checkpoint name"
            )
    items = [entry.ask.item for entry, _, _ in entries]
    evaluation = evaluation_id(measured.fingerprint, protocol, items, 1, 0)
    scores: list[write.Row] = []
    readings: list[write.Row] = []
    for entry, generation, _ in entries:
        answer = Answer(generation.text, generation.finish_reason)
        scores += score_rows(protocol, entry, answer)
        readings += reading_rows(protocol, entry, answer)
    failures = Counter(str(row["failure"]) for row in scores if row["failure"])
    now = datetime.now(UTC)
    count = len(entries)
    write.spool(
        store,
        {
            "checkpoints": [checkpoint_row(measured)],
            "protocols": [protocol_row(protocol)],
            "items": [item_row(item) for item in items],
            "requests": [request_row(evaluation, entry) for entry, _, _ in entries],
            "generations": [
                generation_row(measured, engine, entry, generation)
                for entry, generation, _ in entries
            ],
            "scores": scores,
            "readings": readings,
            "evaluations": [
                {
                    "id": evaluation,
                    "fingerprint": measured.fingerprint,
                    "protocol_hash": protocol.hash,
                    "items_hash": items_hash(items),
                    "suite": protocol.suite,
                    "items": count,
                    "samples": 1,
                    "seed": 0,
                    "engine": engine,
                    "state": "complete",
                    "planned": count,
                    "done": count,
                    "failed": 0,
                    "failures": json.dumps(dict(failures.most_common())),
                    "started_at": now,
                    "finished_at": now,
                }
            ],
        },
    )
    write.ingest(store)
    return evaluation


def _item(row: Logged, number: int, copy: int) -> Item:
    known = DATASETS.get(row.dataset)
    if known is None:
        metric: Metric = METRIC_NAMES.get(row.metric or "exact_match", "exact")
        rule = FormatRule("lines" if metric == "set_f1" else "span")
        known = Dataset(row.dataset, "other", 0, metric, rule)
    instruction, shots = _frame(row.prompt)
    return Item(
        id=f"{row.dataset}/{number:05d}",
        genre=known.category,
        turns=(row.input,),
        answer=row.gold,
        format=known.format,
        metric=known.metric,
        skill=row.dataset,
        dataset=row.dataset,
        instruction=instruction,
        shots=shots,
        max_tokens=known.output_length or None,
        copy=copy,
    )


def _frame(prompt: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Instruction and shots of a prompt in llm-jp-eval's frame; empty for any other."""
    if not prompt.startswith(LLMJP_INTRO):
        return "", ()
    head, *blocks = prompt.split("\n\n### 入力:\n")
    _, _, instruction = head.partition("### 指示:\n")
    pairs = [block.partition("\n\n### 応答:\n") for block in blocks[:-1]]
    return instruction, tuple((given, answer) for given, _, answer in pairs)


def _read_bytes(file: Path) -> str:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise HarnessError(
            f"{file}: cannot be read ({error.strerror or error}); check the path"
        ) from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise HarnessError(
            f"{file}:{line}: not UTF-8; convert it, e.g. with `iconv -f CP932 -t UTF-8`"
        ) from None
    if not text.strip():
        raise HarnessError(f"{file}:1: the file is empty, expected logged answers")
    return text


def _read_table(
    file: Path, dataset: str | None, faults: list[str], left_out: list[str]
) -> Iterator[Logged]:
    """A W&B table as JSON: {"columns": [...], "data": [[...], ...]}, as llm-jp-eval logs it."""
    text = _read_bytes(file)
    try:
        table = json.loads(text)
        columns, data = table["columns"], table["data"]
        rows = [dict(zip(columns, cells, strict=True)) for cells in data]
    except json.JSONDecodeError as error:
        raise HarnessError(
            f"{file}:{error.lineno}: broken JSON at column {error.colno}: {error.msg}"
        ) from None
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise HarnessError(
            f"{file}: no table ({error}); expected an object with `columns` and `data`, each row "
            "as long as the columns"
        ) from None
    for number, row in enumerate(rows, 1):
        place = f"{file}: row {number}"
        fields = {
            "dataset": ("target_dataset", row.get("target_dataset") or dataset),
            "input": ("input", row.get("input")),
            "gold": ("true", row.get("true")),
            "text": ("pred", row.get("pred")),
        }
        if (logged := _logged(place, fields, faults)) is not None:
            shots = row.get("num_few_shots")
            yield replace(
                logged,
                prompt=str(row.get("prompt") or ""),
                shots=shots if isinstance(shots, int) else None,
                model="/".join(
                    str(row[name]) for name in ("basemodel_name", "run_name") if row.get(name)
                ),
            )


def _read_jsonl(
    file: Path, dataset: str | None, faults: list[str], left_out: list[str]
) -> Iterator[Logged]:
    """{"dataset", "input", "prediction", "gold"} a line; also `prompt`, `shots`, `model`,
    `metric`."""
    for place, row in _objects(file, faults):
        fields = {
            "dataset": ("dataset", row.get("dataset") or dataset),
            "input": ("input", row.get("input")),
            "gold": ("gold", row.get("gold")),
            "text": ("prediction", row.get("prediction")),
        }
        metric = row.get("metric")
        if metric is not None and metric not in METRIC_NAMES:
            faults.append(
                f"{place}: unknown metric {metric!r}, expected one of {', '.join(METRIC_NAMES)}"
            )
            continue
        if (logged := _logged(place, fields, faults)) is not None:
            shots = row.get("shots")
            yield replace(
                logged,
                prompt=str(row.get("prompt") or ""),
                shots=shots if isinstance(shots, int) else None,
                model=str(row.get("model") or ""),
                metric=metric,
            )


def _read_lm_eval(
    file: Path, dataset: str | None, faults: list[str], left_out: list[str]
) -> Iterator[Logged]:
    """samples_TASK_TIME.jsonl of lm-eval's --log_samples."""
    task = dataset or _task(file)
    for place, row in _objects(file, faults):
        try:
            answer = row["resps"][0][0]
            arguments = row["arguments"]
            first = (
                arguments["gen_args_0"]["arg_0"]
                if isinstance(arguments, dict)
                else (arguments[0][0])
            )
        except (KeyError, IndexError, TypeError):
            faults.append(f"{place}: no lm-eval sample, expected `arguments` and `resps`")
            continue
        if not isinstance(answer, str):
            left_out.append(place)
            continue
        doc = row.get("doc")
        question = doc.get("input") or doc.get("question") if isinstance(doc, dict) else None
        fields = {
            "dataset": ("--dataset", task),
            "input": ("arguments", question if isinstance(question, str) else first),
            "gold": ("target", str(row["target"]) if "target" in row else None),
            "text": ("resps", answer),
        }
        if (logged := _logged(place, fields, faults)) is not None:
            yield replace(logged, prompt=str(first))


def _task(file: Path) -> str:
    name = file.stem.removeprefix("samples_")
    head, _, tail = name.rpartition("_")
    return head if head and tail[:4].isdigit() else name


def _objects(file: Path, faults: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(_read_bytes(file).split("\n"), 1):
        if not line.strip():
            continue
        place = f"{file}:{number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            faults.append(f"{place}: broken JSON ({error}); expected one object a line")
            continue
        if not isinstance(row, dict):
            faults.append(f"{place}: a JSON {type(row).__name__}, expected one object a line")
            continue
        yield place, row


def _logged(place: str, fields: dict[str, tuple[str, Any]], faults: list[str]) -> Logged | None:
    """fields: (name in the log, value) by field of Logged."""
    for name, (label, value) in fields.items():
        if not isinstance(value, str) or (name in ("dataset", "input") and not value.strip()):
            what = "is missing" if value is None else f"is {str(value)[:40]!r}"
            faults.append(f"{place}: `{label}` {what}, expected a text")
            return None
        if any("\ud800" <= sign <= "\udfff" for sign in value):
            faults.append(f"{place}: `{label}` holds half of a surrogate pair; write it whole")
            return None
    return Logged(place, **{name: value for name, (_, value) in fields.items()})
