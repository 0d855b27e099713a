"""Reads items from JSONL and evalsets from folders, and names the line of every fault."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import HarnessError
from harness.items.check import Check, ChoiceCheck, FieldGold, FieldsCheck
from harness.items.code_task import CodeTask, CodeTest
from harness.items.jsonl import (
    LineError,
    decode,
    json_object,
    lower_first,
    numbered_lines,
    raise_faults,
    read_bytes,
)
from harness.items.schema import Constraint, FormatRule, Item, check_item, content_hash
from harness.scoring.constraints import constraint_fault
from harness.scoring.verify import check_fault

HEADER = ("name", "version", "licence", "made-by", "reviewed")
_PACKAGE = Path(__file__).resolve().parents[1]
# The wheel carries the sets inside the package; a checkout has them beside it.
_HOMES = (_PACKAGE / "_evalsets", _PACKAGE.parent / "evalsets")


@dataclass(frozen=True)
class EvalSet:
    """Items that belong together.

    name, version, licence  from the card's header; of a bare JSONL file the name is the file's
                            and the other two are empty
    card                    the whole text of card.md, header included
    hash                    SHA-256 (hex) over the sorted pairs of item id and item hash: changes
                            exactly when an item is added, removed, renamed or altered, whatever
                            the order or the number of files
    """

    name: str
    version: str
    items: tuple[Item, ...]
    card: str
    licence: str
    hash: str


def load_items(path: Path) -> tuple[Item, ...]:
    """The items of one JSONL file, in file order; blank lines are skipped.

    Raises HarnessError when the file cannot be read, is not UTF-8, holds a line that is not an
    item, repeats an id or a content, or holds no item. All faults of the file are named at once,
    one `path:line: fault, expectation` a line, up to MAX_FAULTS.
    """
    return _load([path])


def load_evalset(path: Path) -> EvalSet:
    """The evalset of a directory that holds card.md and one or more *.jsonl files (read in the
    order of their names, ids and contents unique over all of them), or of one JSONL file.

    Raises HarnessError as `load_items` does, and when the card is missing or its header is wrong.
    """
    if not path.is_dir():
        items = load_items(path)
        return EvalSet(path.stem, "", items, "", "", _set_hash(items))
    paths = sorted(path.glob("*.jsonl"))
    if not paths:
        raise HarnessError(
            f"{path}: holds no *.jsonl file, expected items.jsonl or one file a genre; "
            "evalsets/README.md shows the schema"
        )
    card = _read_card(path / "card.md")
    header = _header(path / "card.md", card)
    items = _load(paths)
    return EvalSet(
        header["name"], header["version"], items, card, header["licence"], _set_hash(items)
    )


def list_evalsets() -> tuple[str, ...]:
    """Names of the evalsets that come with the harness, sorted."""
    return tuple(
        sorted(
            {
                folder.name
                for home in _HOMES
                if home.is_dir()
                for folder in home.iterdir()
                if folder.is_dir() and any(folder.glob("*.jsonl"))
            }
        )
    )


def find_home(name: str) -> Path:
    """The folder of a set that comes with the harness, whatever its layout.

    Raises HarnessError when this installation has none of that name.
    """
    for home in _HOMES:
        if (home / name).is_dir():
            return home / name
    raise HarnessError(f"the evalset {name} is not part of this installation; install it again")


def find_evalset(name: str) -> Path:
    """Where the evalset `name` lies, for `load_evalset`: the folder of a set that comes with the
    harness, else `name` itself as the path of a directory or JSONL file.

    Raises HarnessError, with the names that exist, when there is neither.
    """
    if name in list_evalsets():
        return find_home(name)
    try:
        if name and Path(name).exists():
            return Path(name)
    except (OSError, ValueError):  # a name no file system can hold is a name that is not there
        pass
    raise HarnessError(
        f"no evalset {name!r}: expected one of {', '.join(list_evalsets()) or '(none)'}, "
        "or the path of a directory with card.md and *.jsonl, or of a JSONL file"
    )


def _set_hash(items: Sequence[Item]) -> str:
    return content_hash(sorted([item.id, item.hash] for item in items))


def _load(paths: Sequence[Path]) -> tuple[Item, ...]:
    items: list[Item] = []
    faults: list[str] = []
    places: dict[str, str] = {}  # id or content hash → path:line of its first item
    for path in paths:
        empty = True
        for number, line in numbered_lines(path):
            empty = False
            place = f"{path}:{number}"
            try:
                item = _item(line, number)
                for key, what, fix in (
                    (f"id {item.id}", f"duplicate id {item.id!r}", "expected a unique id"),
                    (item.hash, "duplicate content", "expected each question once; remove one"),
                ):
                    if key in places:
                        raise LineError(f"{what}, first seen at {places[key]}; {fix}")
            except LineError as fault:
                faults.append(f"{place}: {fault}")
                continue
            places[f"id {item.id}"] = places[item.hash] = place
            items.append(item)
        if empty:
            faults.append(f"{path}:1: the file holds no item, expected one JSON object a line")
    raise_faults(faults)
    return tuple(items)


def _item(line: bytes, number: int) -> Item:
    raw = json_object(decode(line, number))
    _check_fields(raw, Item, "")
    if isinstance(raw.get("format"), dict):
        _check_fields(raw["format"], FormatRule, "format.")
    for position, constraint in enumerate(_list(raw.get("constraints"))):
        if isinstance(constraint, dict):
            _check_fields(constraint, Constraint, f"constraints[{position}].")
    if isinstance(raw.get("code"), dict):
        _check_code_fields(raw["code"], "code.")
    for position, check in enumerate(_list(raw.get("checks"))):
        if isinstance(check, dict):
            _check_check_fields(check, f"checks[{position}].")
    try:
        # The text was read by `json` above, for the column of a fault and for repeated keys,
        # which a direct msgspec decode does not tell; the types are msgspec's to check.
        item = msgspec.convert(raw, Item, strict=True)
    except msgspec.ValidationError as error:
        raise LineError(f"wrong value: {lower_first(str(error))} (`$` is the item)") from None
    if (fault := check_item(item)) is not None:
        raise LineError(fault)
    for position, one in enumerate(item.constraints):
        if (fault := constraint_fault(one.id, one.kwargs)) is not None:
            raise LineError(f"`constraints[{position}]`: {fault}")
    for position, check in enumerate(item.checks):
        if check is not None and (fault := check_fault(check)) is not None:
            raise LineError(f"`checks[{position}]`: {fault}")
    return item


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _check_code_fields(raw: Mapping[str, Any], at: str) -> None:
    _check_fields(raw, CodeTask, at)
    for position, test in enumerate(_list(raw.get("tests"))):
        if isinstance(test, dict):
            inner = f"{at}tests[{position}]."
            _check_fields(test, CodeTest, inner)
            if "args" in test and "expected" not in test:
                raise LineError(
                    f"missing `{inner}expected`, expected the value that the call returns"
                )


def _check_check_fields(raw: Mapping[str, Any], at: str) -> None:
    _check_fields(raw, Check, at)
    if isinstance(raw.get("code"), dict):
        _check_code_fields(raw["code"], f"{at}code.")
    if isinstance(raw.get("choice"), dict):
        _check_fields(raw["choice"], ChoiceCheck, f"{at}choice.")
    for position, constraint in enumerate(_list(raw.get("constraints"))):
        if isinstance(constraint, dict):
            _check_fields(constraint, Constraint, f"{at}constraints[{position}].")
    if isinstance(raw.get("json"), dict):
        _check_fields(raw["json"], FieldsCheck, f"{at}json.")
        held = raw["json"]["fields"]
        for key, one in held.items() if isinstance(held, dict) else ():
            if isinstance(one, dict):
                _check_fields(one, FieldGold, f"{at}json.fields.{key}.")


def _check_fields(raw: Mapping[str, Any], kind: type[Any], at: str) -> None:
    """msgspec ignores unknown keys of a dataclass; a misspelt `acept` must not pass."""
    known = [field.name for field in fields(kind)]
    for key in raw:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean `{at}{close[0]}`?" if close else f"known: {', '.join(known)}"
            raise LineError(f"unknown field {at + key!r}, expected only an item's fields; {hint}")
    needed = [
        field.name
        for field in fields(kind)
        if field.default is MISSING and field.default_factory is MISSING
    ]
    missing = [f"`{at}{name}`" for name in needed if name not in raw]
    if missing:
        expected = ", ".join(f"`{at}{name}`" for name in needed)
        raise LineError(f"missing {', '.join(missing)}, expected at least {expected}")


def _read_card(path: Path) -> str:
    if not path.is_file():
        raise HarnessError(
            f"{path}: missing, expected a card that starts with a header between two `---` "
            f"lines, with {', '.join(HEADER)}"
        )
    data = read_bytes(path)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        number = data[: error.start].count(b"\n") + 1
        raise HarnessError(f"{path}:{number}: not UTF-8, expected UTF-8 text") from None


def _header(path: Path, card: str) -> dict[str, str]:
    """The `key: value` lines between the two `---` lines at the top of a card."""
    lines = [line.rstrip() for line in card.split("\n")]
    if lines[0] != "---":
        raise HarnessError(
            f"{path}:1: starts with {lines[0][:40]!r}, expected `---` and a header with "
            f"{', '.join(HEADER)}"
        )
    if "---" not in lines[1:]:
        raise HarnessError(
            f"{path}:1: the header has no end, expected a second line `---` after its last field"
        )
    end = lines.index("---", 1)
    header: dict[str, str] = {}
    for number, line in enumerate(lines[1:end], start=2):
        key, colon, value = (part.strip() for part in line.partition(":"))
        if not colon or not value or key not in HEADER:
            raise HarnessError(
                f"{path}:{number}: {line[:60]!r} is no header line, expected `key: value` with a "
                f"key of {', '.join(HEADER)}"
            )
        if key in header:
            raise HarnessError(f"{path}:{number}: `{key}` occurs twice, expected it once")
        header[key] = value
    missing = [key for key in HEADER if key not in header]
    if missing:
        raise HarnessError(
            f"{path}:{end + 1}: the header ends without {', '.join(missing)}; add the lines above"
        )
    return header
