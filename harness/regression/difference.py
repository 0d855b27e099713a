"""Names what two protocols of different hash do differently: prompt, judge, sampling, version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

# What a setting belongs to, by its name in a protocol's definition.
_PARTS = {
    "prompt": (
        "protocol",
        "suite",
        "name",
        "evalset",
        "variant",
        "shots",
        "frame",
        "intro",
        "system",
        "template",
        "turns",
        "carried",
        "choice",
    ),
    "judge": ("judge", "lowest", "shown", "structured", "aggregation"),
    "items": ("dropped", "items", "datasets", "limit"),
    "sampling": (
        "temperature",
        "temperatures",
        "top_p",
        "max_tokens",
        "stop",
        "repetition_penalty",
        "answers",
        "samples",
    ),
    "version": ("version", "scoring", "constraints", "code"),
}
_LONG = 40


def protocol_difference(base: Mapping[str, Any], cand: Mapping[str, Any]) -> dict[str, list[str]]:
    """The settings in which two protocol definitions differ, as "name before → after", by the part
    they belong to: prompt, judge, items, sampling, version, or other."""
    before, after = dict(_flat(base)), dict(_flat(cand))
    found: dict[str, list[str]] = {}
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            shown = f"{name} {_shown(before.get(name))} → {_shown(after.get(name))}"
            found.setdefault(_part(name), []).append(shown)
    order = [*_PARTS, "other"]
    return dict(sorted(found.items(), key=lambda entry: order.index(entry[0])))


def _part(name: str) -> str:
    head = name.split(".")[0]
    return next((part for part, names in _PARTS.items() if head in names), "other")


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, entry in value.items():
        if isinstance(entry, Mapping):
            yield from _flat(entry, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", entry


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    text = str(value).replace("\n", "⏎")
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"
