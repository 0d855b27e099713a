"""Documents and the facts in them: what knowledge rewriting starts from and is checked against."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.items.jsonl import (
    LineError,
    decode,
    json_object,
    numbered_lines,
    raise_faults,
    read_bytes,
)
from harness.items.schema import content_hash
from harness.scoring.format import BULLET
from harness.scoring.normalise import unify
from harness.scoring.numerals import numbers

# Words that name something: 「quoted」, katakana that is no unit, Latin, and kanji that end like a
# name.
_UNIT = (
    r"(?:キロ|センチ|ミリ|メガ|デシ)?(?:メートル|グラム|リットル|ワット|トン|バイト|カロリー)"
    r"|センチ|ヘクタール|パーセント|ポイント|ページ|グループ"
)
_NAME = re.compile(
    r"[「『]([^「」『』\n]{2,30})[」』]"
    rf"|(?<![ァ-ヺー])(?!(?:{_UNIT})(?![ァ-ヺー]))([ァ-ヺー]{{3,}})|([A-Za-z][A-Za-z0-9.-]+)"
    r"|((?:北海道|[一-鿿々]{1,6}(?:都|府|県|市|区|町|村|山|川|湖|島|駅|寺|城|神社|大学|会社|省|庁|時代"
    r"|戦争|条約|法)))"
)
_SENTENCE = re.compile(r"[^。\n]+。?")
_SHORTEST, _LONGEST = 8, 300


@dataclass(frozen=True)
class Document:
    """A text about its title. `facts` are sentences of it or about it that are to be learnt; where
    a file gives none, the sentences that hold a key."""

    title: str
    text: str
    facts: tuple[str, ...] = ()

    @cached_property
    def id(self) -> str:
        return content_hash([self.title, self.text])

    @cached_property
    def numbers(self) -> frozenset[str]:
        """Every number of the title, the text and the facts."""
        return numbers_of("\n".join((self.title, self.text, *self.facts)))


@dataclass(frozen=True)
class Fact:
    """One sentence of a document, and the names and numbers (`keys`) without which it is not told;
    numbers are canonical, as `numbers_of` gives them."""

    document: Document
    text: str
    names: tuple[str, ...]
    numbers: frozenset[str]

    def missing(self, text: str) -> str | None:
        """A name or number of the fact that a text lacks, or None."""
        said = unify(text)
        lost = [name for name in self.names if name not in said]
        lost += sorted(self.numbers - numbers_of(text))
        return lost[0] if lost else None

    def told_by(self, text: str) -> bool:
        """Whether a text holds a name or a number of the fact."""
        said = unify(text)
        return any(name in said for name in self.names) or bool(self.numbers & numbers_of(text))


def numbers_of(text: str) -> frozenset[str]:
    """The numbers that a text writes with digits, in canonical form (1,200 and 1200 are one);
    those that count the entries of a list are not part of it."""
    lines = (BULLET.sub("", line, count=1) for line in text.split("\n"))
    return frozenset(one.text for one in numbers(unify("\n".join(lines))))


def facts_of(document: Document) -> list[Fact]:
    """The facts of a document that can be checked: its own, or its sentences, of 8 to 300
    characters, that hold a name other than the title, or a number."""
    texts = document.facts or tuple(found[0] for found in _SENTENCE.finditer(document.text))
    facts = []
    for text in texts:
        text = text.strip()
        title = unify(document.title)
        found = _NAME.findall(unify(text))
        names = dict.fromkeys(name for groups in found for name in groups if name)
        apart = tuple(name for name in names if name not in title and title not in name)
        fact = Fact(document, text, apart, numbers_of(text))
        if _SHORTEST <= len(text) <= _LONGEST and (fact.names or fact.numbers):
            facts.append(fact)
    return facts


def facts_in(path: Path) -> tuple[Fact, ...]:
    """All facts of a file of documents: JSONL with `title`, `text` and perhaps `facts` (a list of
    sentences), or a text file whose documents are parted by blank lines, each with its title as
    its first line.

    Raises HarnessError that names the line of a fault, and for a file without a fact.
    """
    return _load(path, path.stat().st_mtime_ns if path.is_file() else 0)


@lru_cache(maxsize=4)
def _load(path: Path, stamp: int) -> tuple[Fact, ...]:
    documents = list(_jsonl(path) if path.suffix in (".jsonl", ".json") else _plain(path))
    found = tuple(fact for document in documents for fact in facts_of(document))
    if not found:
        raise HarnessError(
            f"{path}: holds no fact, expected documents with sentences that name things or numbers"
        )
    return found


def _jsonl(path: Path) -> Iterator[Document]:
    faults: list[str] = []
    documents = []
    for number, line in numbered_lines(path):
        try:
            documents.append(_document(json_object(decode(line, number))))
        except LineError as fault:
            faults.append(f"{path}:{number}: {fault}")
    raise_faults(faults)
    yield from documents


def _document(raw: dict[str, Any]) -> Document:
    title, text, facts = raw.get("title"), raw.get("text"), raw.get("facts", [])
    if not isinstance(title, str) or not title.strip() or not isinstance(text, str):
        raise LineError("`title` or `text` is missing or no text, expected both")
    if not isinstance(facts, list) or not all(isinstance(one, str) for one in facts):
        raise LineError("`facts` is no list of texts")
    return Document(title.strip(), text.strip(), tuple(facts))


def _plain(path: Path) -> Iterator[Document]:
    try:
        text = read_bytes(path).decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise HarnessError(f"{path}: byte {error.start + 1} is not UTF-8; convert it") from None
    for block in re.split(r"\n[ \t]*\n", text):
        title, _, body = block.strip().partition("\n")
        if title and not body.strip():
            raise HarnessError(
                f"{path}: {title[:40]!r} is a title without a text, expected the text on the lines "
                "after it"
            )
        if title:
            yield Document(title.strip(), body.strip())
