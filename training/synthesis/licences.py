"""Under which licence a teacher's texts stand, as far as its files or its user say."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_CARDS = ("README.md", "MODEL_CARD.md", "model_card.md")
_TEXTS = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "COPYING")
UNKNOWN = "unknown"

# What words in a licence's name or text forbid or demand; the first that fits is told.
_NON_COMMERCIAL = re.compile(
    r"\bnc\b|non[- ]?commercial|research[- ](?:only|purposes? only|use only)"
    r"|academic (?:use )?only|非商用|非営利|研究目的(?:に限|のみ)",
    re.IGNORECASE,
)
_NOTED = (
    (re.compile(r"\bllama\b", re.IGNORECASE), "the Llama terms bind models trained on its outputs"),
    (re.compile(r"\bgemma\b", re.IGNORECASE), "the Gemma terms bind models trained on its outputs"),
    (
        re.compile(r"\bqwen[- ](?:research|license)|tongyi", re.IGNORECASE),
        "the Qwen terms demand that models trained on its outputs say so",
    ),
    (
        re.compile(r"openai|anthropic|\bclaude|\bgpt\b", re.IGNORECASE),
        "its provider's terms may forbid training competing models on its outputs",
    ),
)
_SPDX = (
    (re.compile(r"Apache License,?\s+Version 2\.0", re.IGNORECASE), "apache-2.0"),
    (re.compile(r"\bMIT License\b|Permission is hereby granted, free of charge"), "mit"),
    (
        re.compile(r"Attribution-NonCommercial-ShareAlike|CC BY-NC-SA", re.IGNORECASE),
        "cc-by-nc-sa-4.0",
    ),
    (re.compile(r"Attribution-NonCommercial|CC BY-NC", re.IGNORECASE), "cc-by-nc-4.0"),
    (re.compile(r"Attribution-ShareAlike|CC BY-SA", re.IGNORECASE), "cc-by-sa-4.0"),
    (re.compile(r"Creative Commons Attribution|CC BY", re.IGNORECASE), "cc-by-4.0"),
    (re.compile(r"LLAMA\s+[\d.]*\s*COMMUNITY LICENSE", re.IGNORECASE), "llama"),
    (re.compile(r"Gemma Terms of Use", re.IGNORECASE), "gemma"),
    (re.compile(r"BSD 3-Clause"), "bsd-3-clause"),
)
# Beyond this a licence's name stands in its text no more.
_HEAD = 4000


@dataclass(frozen=True)
class Licence:
    """A teacher's licence.

    name     as it is stated ("apache-2.0", "cc-by-nc-4.0"), or "unknown"
    source   who says so: a file's name, "--teacher-licence", or ""
    warning  one sentence where training on its texts may be restricted, else ""
    """

    name: str
    source: str
    warning: str

    @property
    def commercial(self) -> bool | None:
        """Whether commercial use is allowed as far as the name says; None where it is unknown."""
        return None if self.name == UNKNOWN else not _NON_COMMERCIAL.search(_words(self.name))


def stated(name: str, source: str = "--teacher-licence", model: str = "") -> Licence:
    """The licence of a name, with what has to be said about it; `model` is the teacher's name,
    which may tell of further terms."""
    words = _words(name)
    if _NON_COMMERCIAL.search(words):
        warning = (
            f"the teacher's licence {name} is non-commercial: so are the samples, and perhaps "
            "every model trained on them"
        )
        return Licence(name, source, warning)
    for pattern, says in _NOTED:
        if pattern.search(words) or pattern.search(_words(model)):
            return Licence(name, source, f"the teacher's licence is {name}: {says}; read them")
    return Licence(name, source, "")


def unknown(place: str, model: str = "") -> Licence:
    """What is said where nothing states a licence."""
    noted = next((says for pattern, says in _NOTED if pattern.search(_words(model))), "")
    more = f"; {noted}" if noted else ""
    return Licence(
        UNKNOWN,
        "",
        f"{place} states no licence of the teacher{more}; state it with --teacher-licence, it "
        "stands in every shard",
    )


def checkpoint_licence(directory: Path, model: str = "") -> Licence:
    """The licence that a checkpoint's own files state: the model card's header, then config.json,
    then a licence file."""
    for name in _CARDS:
        if found := _card_licence(directory / name):
            return stated(found, name, model)
    config = _json(directory / "config.json")
    for key in ("license", "licence"):
        if isinstance(found := config.get(key), str) and found.strip():
            return stated(found.strip(), "config.json", model)
    for name in _TEXTS:
        text = _text(directory / name)[:_HEAD]
        if text.strip():
            return _licence_of_text(text, name, model)
    return unknown(str(directory), model)


def _licence_of_text(text: str, source: str, model: str) -> Licence:
    known = next((spdx for pattern, spdx in _SPDX if pattern.search(text)), None)
    if known is not None:
        return stated(known, source, model)
    first = next(line.strip() for line in text.splitlines() if line.strip())[:80]
    if _NON_COMMERCIAL.search(text):
        return stated(f"non-commercial ({first})", source, model)
    return stated(first, source, model)


def _card_licence(path: Path) -> str | None:
    """`license` of a card's YAML header; of `other`, its `license_name`."""
    text = _text(path)
    if not text.startswith("---"):
        return None
    header = text[3:].partition("\n---")[0]
    try:
        found = yaml.safe_load(header)
    except yaml.YAMLError:
        return None
    if not isinstance(found, dict):
        return None
    name = found.get("license", found.get("licence"))
    if isinstance(name, list):
        name = ", ".join(map(str, name))
    if isinstance(name, str) and name.lower() == "other":
        name = found.get("license_name", name)
    return name.strip() or None if isinstance(name, str) else None


def _words(name: str) -> str:
    """A name such as cc-by-nc-4.0 with its parts as words."""
    return re.sub(r"[-_/.]+", " ", name)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(_text(path) or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
