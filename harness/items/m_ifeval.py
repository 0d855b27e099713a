"""Reads the prompts of M-IFEval (`ja_input_data.jsonl`) as items of constraints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.items.jsonl import LineError, decode, json_object, numbered_lines, raise_faults
from harness.items.schema import INSTRUCTION_GENRE, Constraint, FormatRule, Item, check_item
from harness.scoring.constraints import constraint_fault

FIELDS = ("key", "prompt", "instruction_id_list", "kwargs")
_PREFIX = "m-ifeval/"


def load_m_ifeval(path: Path) -> tuple[Item, ...]:
    """The prompts of a file in IFEval's form, one object a line with the keys of FIELDS.

    An item is named `m-ifeval/KEY`; its skill is the family of its first instruction, e.g.
    `instruction/letters`. Keyword arguments that are null, which other writers of this form leave
    in, count as absent.

    Raises HarnessError that names every fault with its line: bytes that are not UTF-8, a byte
    order mark, broken JSON, a missing key, an unknown instruction id, arguments that do not fit
    it, lists of different lengths, a key or prompt given twice, an empty file.
    """
    items: list[Item] = []
    faults: list[str] = []
    seen: dict[str, int] = {}  # item id or content hash → line of its first item
    for number, line in numbered_lines(path):
        try:
            item = _item(json_object(decode(line, number)))
            for known, what in (
                (item.id, f"key {item.id.removeprefix(_PREFIX)}"),
                (item.hash, "this prompt"),
            ):
                if known in seen:
                    raise LineError(f"{what} was on line {seen[known]} already; remove one of them")
        except LineError as fault:
            faults.append(f"{path}:{number}: {fault}")
            continue
        seen[item.id] = seen[item.hash] = number
        items.append(item)
    if not items and not faults:
        faults.append(f"{path}:1: the file holds no prompt, expected one JSON object a line")
    raise_faults(faults)
    return tuple(items)


def _item(raw: dict[str, Any]) -> Item:
    if missing := [name for name in FIELDS if name not in raw]:
        raise LineError(
            f"missing {', '.join(f'`{name}`' for name in missing)}, expected the keys "
            f"{', '.join(FIELDS)} of M-IFEval's input data"
        )
    key, prompt, names, kwargs = (raw[name] for name in FIELDS)
    if isinstance(key, bool) or not isinstance(key, int | str):
        raise LineError(f"`key` is {key!r}, expected a number or a text")
    if not isinstance(prompt, str):
        raise LineError(f"`prompt` is a {type(prompt).__name__}, expected a text")
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise LineError("`instruction_id_list` is not a list of ids, expected one or more texts")
    if not isinstance(kwargs, list) or not all(isinstance(one, dict) for one in kwargs):
        raise LineError("`kwargs` is not a list of objects, expected one for each instruction")
    if len(names) != len(kwargs):
        raise LineError(
            f"{len(names)} in `instruction_id_list` but {len(kwargs)} in `kwargs`, expected one "
            "object of arguments for each instruction ({} where it takes none)"
        )
    constraints = tuple(_constraint(name, given) for name, given in zip(names, kwargs, strict=True))
    item = Item(
        id=f"{_PREFIX}{key}",
        genre=INSTRUCTION_GENRE,
        turns=(prompt,),
        answer="",
        format=FormatRule("free"),
        metric="constraints",
        skill=f"instruction/{names[0].split(':')[-2]}",
        constraints=constraints,
    )
    if (fault := check_item(item)) is not None:
        raise LineError(fault.replace("`turns`", "`prompt`"))
    return item


def _constraint(name: str, given: dict[str, Any]) -> Constraint:
    kwargs = {key: value for key, value in given.items() if value is not None}
    if (fault := constraint_fault(name, kwargs)) is not None:
        raise LineError(fault)
    return Constraint(name, kwargs)
