"""Reads a training configuration from YAML and says, by file and line, what is wrong with one."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar, get_args, get_type_hints

import msgspec
import yaml

from harness.errors import HarnessError
from harness.yaml_file import NO_VALUE, compose, first_line, read_text

T = TypeVar("T")


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML 1.1, but 1e-3 and 2.0e9 are numbers, as everywhere else."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)

# Where msgspec found a fault: "... - at `$.data[0].weight`".
_FAULT = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<place>.*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\[\.\.\.\]")


def load_config(path: Path, kind: type[T]) -> T:
    """The frozen dataclass `kind` that a YAML file states; fields with defaults may be left out.

    Types and bounds are those of the annotations (`Annotated[int, msgspec.Meta(ge=1)]`). Relative
    paths stay as they are written: they are relative to where the command is started.

    Raises HarnessError `FILE:LINE: ...` for YAML that does not parse, a setting that is unknown,
    stands twice, is missing, or has a value of another type or out of bounds.
    """
    text = read_text(path, "the configuration", "name a YAML file")
    node = compose(text, str(path), _Loader)
    if not isinstance(node, yaml.MappingNode):
        raise HarnessError(f"{path}:1: expected lines of `setting: value`")
    _check_names(path, node, kind)
    try:
        values = yaml.load(text, Loader=_Loader)
        return msgspec.convert(values, kind, dec_hook=_decode)
    except msgspec.ValidationError as error:
        found = _FAULT.match(str(error))
        assert found is not None
        place = found["place"] or ""
        _fault(path, _node_at(node, place), f"{place.lstrip('.') or 'the file'}: {found['what']}")
    except NO_VALUE as error:
        mark = getattr(error, "problem_mark", None) or node.start_mark
        raise HarnessError(
            f"{path}:{mark.line + 1}: not a plain value ({first_line(error)}); correct it"
        ) from None


def _decode(kind: type, value: Any) -> Any:
    """Paths, which JSON and YAML hold as text."""
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise ValueError(f"Expected `{kind.__name__}`, got {value!r}")


def _check_names(path: Path, node: yaml.Node, kind: Any) -> None:
    """Settings of a dataclass, and of those within it: each known and given once, none missing.
    What is of another type than `kind` is left to msgspec to name."""
    if not is_dataclass(kind):
        _check_within(path, node, kind)
        return
    if not isinstance(node, yaml.MappingNode):
        return
    known = {each.name: each for each in fields(kind)}
    hints = get_type_hints(kind)
    seen: set[str] = set()
    for key, value in node.value:
        name = key.value if isinstance(key, yaml.ScalarNode) else "a list or mapping"
        if name not in known:
            _fault(path, key, f"{name!r} is no setting here; there are {', '.join(known)}")
        if name in seen:
            _fault(path, key, f"{name!r} stands twice; remove one")
        seen.add(name)
        _check_names(path, value, hints[name])
    for name, each in known.items():
        if each.default is MISSING and each.default_factory is MISSING and name not in seen:
            _fault(path, node, f"`{name}` is missing; add a line `{name}: ...`")


def _check_within(path: Path, node: yaml.Node, kind: Any) -> None:
    """The values of a mapping or list whose annotation names a dataclass."""
    inner = [each for each in get_args(kind) if is_dataclass(each)]
    if not inner:
        return
    if isinstance(node, yaml.MappingNode):
        below = [value for _, value in node.value]
    else:
        below = node.value if isinstance(node, yaml.SequenceNode) else [node]
    for each in below:
        _check_names(path, each, inner[0])


def _node_at(node: yaml.Node, place: str) -> yaml.Node:
    """The node that msgspec's path names, or the nearest one around it."""
    for step in _STEP.finditer(place):
        if step[1] is not None and isinstance(node, yaml.MappingNode):
            below = [value for key, value in node.value if key.value == step[1]]
        elif step[2] is not None and isinstance(node, yaml.SequenceNode):
            below = node.value[int(step[2]) : int(step[2]) + 1]
        else:
            below = []
        if not below:
            break
        node = below[0]
    return node


def _fault(path: Path, node: yaml.Node, text: str) -> NoReturn:
    raise HarnessError(f"{path}:{node.start_mark.line + 1}: {text}")


def fault_at(path: Path, place: str, text: str) -> NoReturn:
    """Raises HarnessError `FILE:LINE: ...` for a value that a file's types allow and its meaning
    does not; `place` is msgspec's path to it, such as `.phases[0].weights`."""
    node = yaml.compose(path.read_text(encoding="utf-8"), Loader=_Loader)
    assert node is not None  # it was read before
    _fault(path, _node_at(node, place), f"{place.lstrip('.')}: {text}")
