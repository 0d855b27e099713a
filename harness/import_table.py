"""Reads score tables that others published: a long or wide CSV, or a list of models in YAML."""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from harness.errors import HarnessError
from harness.items.jsonl import raise_faults, read_bytes
from harness.store.published import Published, add_published
from harness.yaml_file import compose

# What a cell holds where there is no score.
_MISSING = ("", "-", "–", "—", "n/a", "na", "nan", "none", "null")
_MODEL_ID = ("model_id", "id")
_GROUP = ("category", "group")


@dataclass(frozen=True)
class ImportedTable:
    """What one import did: scores, models and groups read, columns that hold no scores, and
    whether the store has changed."""

    source: str
    scores: int
    models: int
    groups: tuple[str, ...]
    passed_over: tuple[str, ...]
    changed: bool


def import_table(
    file: Path, *, store: Path, name: str | None = None, licence: str | None = None
) -> ImportedTable:
    """Takes the scores of `read_table` into the store under a name (the file's, without its
    ending), in place of what it held under that name; the same file again changes nothing.

    Raises HarnessError as `read_table` does; nothing is written then.
    """
    rows, passed_over = read_table(file)
    source = name or file.stem
    digest = hashlib.sha256(read_bytes(file)).hexdigest()
    changed = add_published(store, source, digest, licence, rows)
    return ImportedTable(
        source,
        len(rows),
        len({(one.model, one.model_id) for one in rows}),
        tuple(dict.fromkeys(one.group for one in rows)),
        passed_over,
        changed,
    )


def read_table(file: Path) -> tuple[list[Published], tuple[str, ...]]:
    """The scores of a table, each key once, and the columns of a wide CSV that hold none.

    YAML (.yml, .yaml)  a list of models, each with `name` or `id` (or both) and `results`, which
                        holds groups of benchmarks with their values; other keys are passed over.
                        The layout of the Swallow leaderboard
    CSV, long           columns model, benchmark and value; metric, category (or group) and
                        model_id (or id) are optional
    CSV, wide           a column model; every other column that holds numbers is a benchmark

    A cell that is empty, or says "-" or "n/a", is a score that there is not. Raises HarnessError
    with `file:line: cause, fix` for every faulty row and where one key has two values.
    """
    faults: list[str] = []
    passed_over: tuple[str, ...] = ()
    if file.suffix in (".yml", ".yaml"):
        found = list(_read_yaml(file, faults))
    elif file.suffix == ".csv":
        found, passed_over = _read_csv(file, faults)
    else:
        raise HarnessError(f"{file}: expected a .csv, .yml or .yaml with a table of scores")
    kept = _without_repeats(file, found, faults)
    raise_faults(faults)
    if not kept:
        raise HarnessError(f"{file}: no scores in it; expected models, benchmarks and numbers")
    return kept, passed_over


def _without_repeats(file: Path, rows: Sequence[Published], faults: list[str]) -> list[Published]:
    kept: dict[tuple[str, ...], Published] = {}
    for row in rows:
        first = kept.setdefault(row.key, row)
        if first.value != row.value:
            faults.append(
                f"{file}:{row.line}: {row.model} has {row.benchmark} {row.value:g}, but line "
                f"{first.line} gave {first.value:g}; correct one of them"
            )
    return list(kept.values())


def _number(text: str) -> float | None:
    """A finite number, else None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _text(file: Path) -> str:
    try:
        return read_bytes(file).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise HarnessError(f"{file}: not UTF-8; save it as UTF-8") from None


# YAML


def _read_yaml(file: Path, faults: list[str]) -> Iterator[Published]:
    root = compose(_text(file), str(file))
    if not isinstance(root, yaml.SequenceNode):
        raise HarnessError(f"{file}:1: expected a list of models, each with `results`")
    for node in root.value:
        entry = _entries(node)
        model_id, name = (_scalar(entry.get(key)) for key in ("id", "name"))
        results = _entries(entry.get("results"))
        if not (model_id or name) or not results:
            lacking = "`results` with scores" if model_id or name else "`name` or `id`"
            faults.append(f"{_place(file, node)}: a model without {lacking}; add it")
            continue
        for group, benchmarks in results.items():
            if not isinstance(benchmarks, yaml.MappingNode):
                faults.append(
                    f"{_place(file, benchmarks)}: {group} of {name or model_id} is no mapping of "
                    "benchmarks to values; correct it"
                )
                continue
            for key, leaf in benchmarks.value:
                text = _scalar(leaf)
                value = None if text is None else _number(text)
                if value is None and (text is None or text.lower() not in _MISSING):
                    faults.append(
                        f"{_place(file, leaf)}: {group} {key.value} of {name or model_id} is "
                        f"{text or 'no plain value'!r}, expected a number; correct it"
                    )
                elif value is not None:
                    yield Published(
                        name or model_id or "",
                        model_id or "",
                        group,
                        str(key.value),
                        "",
                        value,
                        key.start_mark.line + 1,
                    )


def _entries(node: yaml.Node | None) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {str(key.value): value for key, value in node.value}


def _scalar(node: yaml.Node | None) -> str | None:
    return str(node.value).strip() if isinstance(node, yaml.ScalarNode) else None


def _place(file: Path, node: yaml.Node) -> str:
    return f"{file}:{node.start_mark.line + 1}"


# CSV


def _read_csv(file: Path, faults: list[str]) -> tuple[list[Published], tuple[str, ...]]:
    reader = csv.reader(io.StringIO(_text(file), newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise HarnessError(f"{file}:1: broken CSV ({error}); correct it") from None
    places = {name.lower(): name for name in header}
    if len(places) < len(header):
        lower = [name.lower() for name in header]
        twice = next(name for name in header if lower.count(name.lower()) > 1)
        raise HarnessError(f"{file}:1: two columns named {twice!r}; rename one")
    if "model" not in places:
        raise HarnessError(
            f"{file}:1: no column `model` (it has {', '.join(header)}); rename the one with the "
            "models' names"
        )
    rows: list[tuple[int, dict[str, str]]] = []
    try:
        for cells in reader:
            if not any(cells):
                continue
            if len(cells) != len(header):
                faults.append(
                    f"{file}:{reader.line_num}: {len(cells)} cells for {len(header)} columns; "
                    "correct the line"
                )
                continue
            row = dict(zip(header, (cell.strip() for cell in cells), strict=True))
            if not row[places["model"]]:
                faults.append(f"{file}:{reader.line_num}: `model` is empty; name the model")
                continue
            rows.append((reader.line_num, row))
    except csv.Error as error:
        raise HarnessError(f"{file}:{reader.line_num}: broken CSV ({error}); correct it") from None
    if {"benchmark", "value"} <= places.keys():
        return list(_long(file, rows, places, faults)), ()
    return _wide(file, rows, places, faults)


def _named(row: Mapping[str, str], places: Mapping[str, str], names: Sequence[str]) -> str:
    """The cell of the first of some columns that is there."""
    return next((row[places[name]] for name in names if name in places), "")


def _long(
    file: Path,
    rows: Sequence[tuple[int, dict[str, str]]],
    places: Mapping[str, str],
    faults: list[str],
) -> Iterator[Published]:
    for line, row in rows:
        benchmark, text = row[places["benchmark"]], row[places["value"]]
        if not benchmark:
            faults.append(f"{file}:{line}: `benchmark` is empty; name the benchmark")
            continue
        if text.lower() in _MISSING:
            continue
        value = _number(text)
        if value is None:
            faults.append(f"{file}:{line}: `value` is {text!r}, expected a number; correct it")
            continue
        yield Published(
            row[places["model"]],
            _named(row, places, _MODEL_ID),
            _named(row, places, _GROUP),
            benchmark,
            _named(row, places, ("metric",)),
            value,
            line,
        )


def _wide(
    file: Path,
    rows: Sequence[tuple[int, dict[str, str]]],
    places: Mapping[str, str],
    faults: list[str],
) -> tuple[list[Published], tuple[str, ...]]:
    aside = {places["model"], *(places[name] for name in (*_MODEL_ID, *_GROUP) if name in places)}
    benchmarks: list[str] = []
    passed_over: list[str] = []
    for name in places.values():
        if name in aside:
            continue
        has_scores = any(_number(row[name]) is not None for _, row in rows)
        (benchmarks if has_scores else passed_over).append(name)
    found = []
    for line, row in rows:
        for name in benchmarks:
            value = _number(row[name])
            if value is not None:
                found.append(
                    Published(
                        row[places["model"]],
                        _named(row, places, _MODEL_ID),
                        _named(row, places, _GROUP),
                        name,
                        "",
                        value,
                        line,
                    )
                )
            elif row[name].lower() not in _MISSING:
                faults.append(
                    f"{file}:{line}: `{name}` is {row[name]!r} where other rows have a number; "
                    "correct it, or leave the column out"
                )
    return found, tuple(passed_over)
