"""Reads YAML that people write, and says by file and line what is wrong with it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import yaml

from harness.errors import HarnessError

_LARGEST = 2**63 - 1
# A test of a setting's value, and what it expects in words.
Check = tuple[Callable[[Any], bool], str]


# What PyYAML raises where a scalar is not of the kind that it says, or a structure holds itself.
NO_VALUE = (
    *(yaml.YAMLError, ValueError, TypeError, KeyError, IndexError, AttributeError),
    *(OverflowError, RecursionError),
)


# An escape that YAML makes a character of which no text may consist.
_HALF = re.compile(r"\\(?:u|U0000)[dD][89a-fA-F][0-9a-fA-F]{2}")


def first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def is_number(value: Any) -> bool:
    """Whether a value is a finite number; true and false are none."""
    if isinstance(value, float):
        return math.isfinite(value)
    return is_whole(value, -_LARGEST)


def is_whole(value: Any, least: int = 0) -> bool:
    """Whether a value is a whole number of at least `least` that the store can hold; true and
    false are none."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= _LARGEST


def read_text(path: Path, what: str, cure: str) -> str:
    """The text of a file. Raises HarnessError, naming it, where it can't be read; `what` it is
    ("the policy"), `cure` what to do."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise HarnessError(f"{path}: not UTF-8 text; save {what} as UTF-8") from None
    except OSError as error:
        raise HarnessError(
            f"{path}: cannot read {what} ({error.strerror or error}); {cure}"
        ) from None


def compose(
    text: str, name: str, loader: type[yaml.SafeLoader] = yaml.SafeLoader
) -> yaml.Node | None:
    """The nodes of a text, None for an empty one. Raises HarnessError `NAME:LINE: ...`."""
    if half := _HALF.search(text):
        line = text[: half.start()].count("\n") + 1
        raise HarnessError(
            f"{name}:{line}: {half[0]} is half of a surrogate pair; write the character itself"
        )
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise HarnessError(f"{name}:{line}: not valid YAML ({problem}); correct the line") from None
    except RecursionError:
        raise HarnessError(f"{name}:1: nested too deep to be read; correct the file") from None
    return node


def mapping(node: yaml.Node, name: str, checks: Mapping[str, Check], what: str) -> dict[str, Any]:
    """The values of a mapping: each key is in `checks`, stands once, and has the value expected.

    Raises HarnessError `NAME:LINE: ...` for the first that does not.
    """
    if not isinstance(node, yaml.MappingNode):
        fault(name, node, f"expected {what}: lines of `setting: value`")
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = key_node.value if isinstance(key_node, yaml.ScalarNode) else "a list or mapping"
        if key not in checks:
            fault(name, key_node, f"{key!r} is no setting here; there are {', '.join(checks)}")
        if key in found:
            fault(name, key_node, f"{key!r} stands twice in {what}; remove one")
        value = _plain(value_node, name)
        test, expected = checks[key]
        if not test(value):
            fault(name, value_node, f"{key} is {value!r}, expected {expected}")
        found[key] = value
    return found


def entries(node: yaml.Node, wanted: str) -> list[yaml.Node]:
    """The nodes of the list under a key of a mapping, () without one."""
    for key, value in node.value:
        if key.value == wanted:
            return list(value.value)
    return []


def fault(name: str, node: yaml.Node, text: str) -> NoReturn:
    """Raises HarnessError `NAME:LINE: TEXT` for the line on which a node begins."""
    raise HarnessError(f"{name}:{node.start_mark.line + 1}: {text}")


def _plain(node: yaml.Node, name: str) -> Any:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node, deep=True)
    except NO_VALUE as error:
        fault(name, node, f"not a plain value ({first_line(error)}); correct it")
    finally:
        loader.dispose()
