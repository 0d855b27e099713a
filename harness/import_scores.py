"""Reads scores that other harnesses summed up: CSV, lm-eval's results files, folders of them."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.items.jsonl import raise_faults, read_bytes
from harness.store.summaries import Summary, add_summaries, without_repeats

_NEEDED = ("run", "step", "task", "metric", "value")
_OPTIONAL = ("stderr", "n", "protocol", "higher_is_better")
_STEP = re.compile(r"(?:global_step|step|checkpoint|iter)[_-]?(\d+)(?!\d)")
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": None}


@dataclass(frozen=True)
class ImportedScores:
    """What one import did: scores read and new among them, runs with their number of steps, and
    files that hold no results."""

    rows: int
    new: int
    runs: Mapping[str, int]
    passed_over: int


def import_scores(
    source: Path,
    *,
    store: Path,
    run: str | None = None,
    step: int | None = None,
    columns: Mapping[str, str] | None = None,
) -> ImportedScores:
    """Takes the scores of `read_scores` into the store; importing them again adds nothing.

    Raises HarnessError as `read_scores` and `add_summaries` do; nothing is written then.
    """
    rows, passed_over = read_scores(source, run=run, step=step, columns=columns)
    new = add_summaries(store, rows)
    steps: dict[str, set[int]] = {}
    for row in rows:
        steps.setdefault(row.run, set()).add(row.step)
    return ImportedScores(
        len(rows), new, {name: len(found) for name, found in sorted(steps.items())}, passed_over
    )


def read_scores(
    source: Path,
    *,
    run: str | None = None,
    step: int | None = None,
    columns: Mapping[str, str] | None = None,
) -> tuple[list[Summary], int]:
    """The scores in a file or under a folder, each key once, and how many files held none.

    CSV needs the columns run, step, task, metric and value; stderr, n, protocol and
    higher_is_better are optional, others are passed over. JSON is lm-eval's results file of any
    version, or several checkpoints of them in lists, as BigScience publishes them. A folder is
    searched for both, at any depth.

    run, step  said here, they hold for every row; otherwise a results file tells them by its model
               (`pretrained=runs/a/step_100`, `revision=step100`) or by its own path
    columns    {ours: theirs} for a CSV whose header has other names

    Raises HarnessError with `file:line: cause, fix` for every faulty row, and where one key has two
    values, naming both.
    """
    faults: list[str] = []
    rows: list[Summary] = []
    passed_over = 0
    for file in _files(source):
        if file.suffix == ".csv":
            rows += _read_csv(file, run, step, columns or {}, faults)
            continue
        # In a folder, what is no results file by its name may be anything.
        is_ours = file == source or file.name.startswith("results")
        document = _json_object(file, faults if is_ours else [])
        if document is None or not isinstance(document.get("results"), dict):
            if source.is_file() and not faults:
                raise HarnessError(
                    f"{file}: no `results` in it, expected lm-eval's results file or a CSV"
                )
            passed_over += 1
            continue
        rows += _read_results(file, document, run, step, faults)
    raise_faults(faults)
    if not rows:
        raise HarnessError(
            f"{source}: no scores in it, expected a .csv with the columns {', '.join(_NEEDED)}, or "
            "lm-eval's results_*.json"
        )
    return without_repeats(rows), passed_over


def _files(source: Path) -> list[Path]:
    if source.is_dir():
        return sorted(
            path
            for path in source.rglob("*")
            if path.suffix in (".csv", ".json") and path.is_file()
        )
    if source.suffix not in (".csv", ".json"):
        raise HarnessError(
            f"{source}: expected a .csv, a .json of lm-eval's, or a folder with such files"
        )
    return [source]


def _read_csv(
    file: Path, run: str | None, step: int | None, columns: Mapping[str, str], faults: list[str]
) -> Iterator[Summary]:
    try:
        text = read_bytes(file).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise HarnessError(f"{file}: not UTF-8; save it as UTF-8") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise HarnessError(f"{file}:1: broken CSV ({error}); correct it") from None
    if unknown := [name for name in columns if name not in (*_NEEDED, *_OPTIONAL)]:
        raise HarnessError(
            f"--column {unknown[0]}: there is no such column of ours, expected one of "
            f"{', '.join((*_NEEDED, *_OPTIONAL))}"
        )
    names = {name: columns.get(name, name) for name in (*_NEEDED, *_OPTIONAL)}
    said = {"run": run, "step": None if step is None else str(step)}
    for name, theirs in names.items():
        if theirs in header or said.get(name) is not None:
            continue
        if name in _NEEDED or name in columns:
            raise HarnessError(
                f"{file}:1: no column {theirs!r} (it has {', '.join(header)}); name the one that "
                f"holds it with --column {name}=THEIRS"
            )
    places = {name: header.index(theirs) for name, theirs in names.items() if theirs in header}
    try:
        for cells in reader:
            if not cells:
                continue
            place = f"{file}:{reader.line_num}"
            if len(cells) != len(header):
                faults.append(f"{place}: {len(cells)} cells for {len(header)} columns")
                continue
            row = {name: cells[at].strip() for name, at in places.items()}
            row |= {name: value for name, value in said.items() if value is not None}
            if (read := _checked(place, row, faults)) is not None:
                yield read
    except csv.Error as error:
        raise HarnessError(f"{file}:{reader.line_num}: broken CSV ({error}); correct it") from None


# Of the store's integers.
_LARGEST = 2**63 - 1


def _checked(place: str, row: Mapping[str, str], faults: list[str]) -> Summary | None:
    def number(name: str, kind: type[int] | type[float]) -> Any:
        text = row.get(name, "")
        if not text and name not in _NEEDED:
            return None
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if isinstance(value, int) and value > _LARGEST:
            value = math.nan
        least = -math.inf if name == "value" else 0
        if not (math.isfinite(value) and value >= least):
            what = "a whole number" if kind is int else "a number"
            raise ValueError(
                f"`{name}` is {text!r}, expected {what}"
                + ("" if name == "value" else ", 0 or more")
            )
        return value

    try:
        for name in ("run", "task", "metric"):
            if not row[name]:
                raise ValueError(f"`{name}` is empty, expected a name")
        truth = row.get("higher_is_better", "").lower()
        if truth not in _TRUTH:
            raise ValueError(f"`higher_is_better` is {truth!r}, expected true or false")
        return Summary(
            run=row["run"],
            step=number("step", int),
            task=row["task"],
            protocol=row.get("protocol", ""),
            metric=row["metric"],
            value=number("value", float),
            stderr=number("stderr", float),
            n=number("n", int),
            higher_is_better=_TRUTH[truth],
            place=place,
        )
    except ValueError as error:
        faults.append(f"{place}: {error}")
        return None


def _json_object(file: Path, faults: list[str]) -> dict[str, Any] | None:
    try:
        value = json.loads(read_bytes(file))
    except json.JSONDecodeError as error:
        faults.append(f"{file}:{error.lineno}: broken JSON ({error.msg}); copy the file again")
        return None
    except UnicodeDecodeError:
        faults.append(f"{file}: not UTF-8; copy the file again")
        return None
    except (ValueError, RecursionError) as error:  # endless digits, endless nesting
        faults.append(f"{file}: unreadable JSON ({error}); copy the file again")
        return None
    return value if isinstance(value, dict) else None


def _read_results(
    file: Path, document: Mapping[str, Any], run: str | None, step: int | None, faults: list[str]
) -> Iterator[Summary]:
    steps = document.get("checkpoints")
    told_run, told_step = _origin(file, document)
    name = run or told_run
    if isinstance(steps, list):
        name = run or file.stem
    elif step is None and told_step is None:
        faults.append(
            f"{file}: neither the model's name nor the path tells the step; say it with --step, or "
            "keep the file under a folder such as step_1000"
        )
        return
    if not name:
        faults.append(f"{file}: whose scores these are is not told; say it with --run")
        return
    for task, found in document["results"].items():
        if not isinstance(found, dict):
            faults.append(f"{file}: task {task!r} holds no scores; copy the file again")
            continue
        how = _protocol(document, task)
        for key, value in found.items():
            metric, _, filtered = key.partition(",")
            is_metric = isinstance(value, (int, float, list)) and not isinstance(value, bool)
            if not is_metric or metric.endswith("_stderr") or metric in ("sample_len", "samples"):
                continue
            error = found.get(f"{metric}_stderr,{filtered}" if filtered else f"{metric}_stderr")
            label = metric if filtered in ("", "none") else f"{metric} ({filtered})"
            better = _better(document, task, metric)
            if isinstance(steps, list):
                values, errors = value, error if isinstance(error, list) else [None] * len(steps)
                if not (isinstance(values, list) and len(values) == len(errors) == len(steps)):
                    faults.append(
                        f"{file}: {task} {metric} has not one value for each of its "
                        f"{len(steps)} checkpoints; copy the file again"
                    )
                    continue
                triples = list(zip(steps, values, errors, strict=True))
            else:
                triples = [(step if step is not None else told_step, value, error)]
            for at, one, spread in triples:
                score, sd = _finite(one), _finite(spread)
                if score is None:
                    continue  # lm-eval writes NaN for what it could not compute.
                if (reached := _whole(at)) is None:
                    faults.append(f"{file}: step {str(at)[:40]!r} is no whole number; correct it")
                    continue
                yield Summary(
                    run=name,
                    step=reached,
                    task=task,
                    protocol=how,
                    metric=label,
                    value=score,
                    stderr=sd if sd is not None and sd >= 0 else None,
                    n=_items(document, task),
                    higher_is_better=better,
                    place=str(file),
                )


def _origin(file: Path, document: Mapping[str, Any]) -> tuple[str | None, int | None]:
    """(run, step) as the model's name tells them, else the path: the part before the step."""
    config = document.get("config")
    arguments = config.get("model_args") if isinstance(config, dict) else None
    if isinstance(arguments, str):
        arguments = dict(pair.partition("=")[::2] for pair in arguments.split(","))
    arguments = arguments if isinstance(arguments, dict) else {}
    model = str(arguments.get("pretrained") or document.get("model_name") or "")
    run: str | None = None
    step: int | None = None
    for text in (str(arguments.get("revision") or ""), model, str(file.resolve())):
        found = list(_STEP.finditer(text))
        if not found:
            continue
        step = _whole(found[-1][1])
        before = text[: found[-1].start()].rstrip("/_-. ")
        run = before.rpartition("/")[2] or None
        break
    if model and not _STEP.search(model):
        run = model.rstrip("/").rpartition("/")[2]
    return run, step


def _protocol(document: Mapping[str, Any], task: str) -> str:
    shots = _entry(document, "n-shot", task)
    version = _entry(document, "versions", task)
    parts = [f"{shots}-shot"] if isinstance(shots, int) else []
    if isinstance(version, (int, float, str)):
        parts.append(f"version {version}")
    return ", ".join(parts)


def _better(document: Mapping[str, Any], task: str, metric: str) -> bool | None:
    told = _entry(document, "higher_is_better", task)
    answer = told.get(metric) if isinstance(told, dict) else None
    return answer if isinstance(answer, bool) else None


def _items(document: Mapping[str, Any], task: str) -> int | None:
    told = _entry(document, "n-samples", task)
    number = told.get("effective") if isinstance(told, dict) else None
    return number if isinstance(number, int) and 0 <= number <= _LARGEST else None


def _finite(value: Any) -> float | None:
    if not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _whole(value: Any) -> int | None:
    """A step: a number or its digits."""
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if 0 <= number <= _LARGEST else None


def _entry(document: Mapping[str, Any], name: str, task: str) -> Any:
    table = document.get(name)
    return table.get(task) if isinstance(table, dict) else None
