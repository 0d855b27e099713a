"""Reads MT-Bench in FastChat's layout: questions, reference answers, model answers, judgments.

Stability's, Nejumi's, Swallow's and llm-jp-judge's files have this layout too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from harness.errors import HarnessError
from harness.items.jsonl import LineError, decode, json_object, numbered_lines, raise_faults
from harness.items.schema import GENRES, FormatRule, Item, check_item

# The genres whose answers FastChat has judged against a reference.
REFERENCE_GENRES = ("math", "reasoning", "coding")
# What a directory's questions are read from, the first that is there: Stability's `question.jsonl`
# leaves math and coding out, its `question_full.jsonl` has all 80.
QUESTION_FILES = ("question_full.jsonl", "question.jsonl")
_GENRE_NAMES = {
    "role-play": "roleplay",
    "mathematics": "math",
    "code": "coding",
    "programming": "coding",
}

_Row = TypeVar("_Row")


@dataclass(frozen=True)
class FastchatAnswer:
    """One model answer, from `model_answer/MODEL.jsonl`.

    place     file:line
    question  the item's id
    model     the file's name, by which judgments call it; `model_id` within may differ
    choice    which of several answers to the question
    turns     its answers by turn, raw; may be empty
    """

    place: str
    question: str
    model: str
    choice: int
    turns: tuple[str, ...]


@dataclass(frozen=True)
class FastchatJudgment:
    """One judgment of one answer, from `model_judgment/JUDGE_single.jsonl`.

    turn         which turn is judged, from 0 (FastChat counts from 1)
    judge        the model that judged, and the name of the prompt that it was asked with
    asked, text  the prompt as sent and the reply, raw
    score        what FastChat read; None where it stored −1
    repeat       0, or how often the same model, question, turn, judge and prompt came before: a
                 row judged again is a second judgment, and FastChat's mean counts both
    """

    place: str
    question: str
    model: str
    turn: int
    judge: str
    prompt: str
    asked: str
    text: str
    score: float | None
    repeat: int = 0


def load_fastchat_items(
    path: Path,
    references: Path | None = None,
    reference_genres: Collection[str] = REFERENCE_GENRES,
) -> tuple[Item, ...]:
    """The questions of a file, or of a directory (see QUESTION_FILES), as items for a judge.

    references        a file of reference answers; of a directory, left out, the one file in its
                      `reference_answer/`. The first choice counts, as in FastChat
    reference_genres  whose items get their references; what no judge is shown is not part of an
                      item and its hash

    An item's id is its question_id as text, 1 and "1" alike. The list `reference` that English
    questions carry is not read: FastChat does not show it to the judge. Without a file of
    references (a directory may have none) items have none.

    Raises HarnessError that names every fault with its line: a question or category that is not
    known or given twice, a turn without text, a reference missing; and for a directory without
    questions or with several files of references.
    """
    if path.is_dir():
        references = references or _only_references(path)
        path = _questions_of(path)
    known = _references(references) if references is not None else None

    def item(raw: dict[str, Any], place: str) -> Item:
        del place
        name, genre = _question_id(raw), _genre(raw)
        turns = _texts(raw, "turns")
        shown: tuple[str, ...] = ()
        if known is not None and genre in reference_genres:
            if name not in known:
                raise LineError(f"question {name} ({genre}) has no reference in {references}")
            shown = known[name][: len(turns)]
            if len(shown) < len(turns):
                raise LineError(
                    f"question {name} has {len(turns)} turns and {len(shown)} references in "
                    f"{references}, expected one a turn"
                )
        made = Item(
            id=name,
            genre=genre,
            turns=turns,
            answer="",
            format=FormatRule("free"),
            metric="judge",
            references=shown,
        )
        if (fault := check_item(made)) is not None:
            raise LineError(fault)
        return made

    items = _rows(path, item)
    _require_once(path, [one.id for one in items])
    return items


def load_fastchat_answers(path: Path) -> tuple[FastchatAnswer, ...]:
    """The answers of one model's file, one row for each of its choices.

    Raises HarnessError that names every fault with its line.
    """

    def answers(raw: dict[str, Any], place: str) -> tuple[FastchatAnswer, ...]:
        name = _question_id(raw)
        return tuple(
            FastchatAnswer(place, name, path.stem, number, turns)
            for number, turns in enumerate(_choices(raw))
        )

    found = tuple(one for row in _rows(path, answers) for one in row)
    _require_once(path, [one.question for one in found if one.choice == 0])
    return found


def load_fastchat_judgments(path: Path) -> tuple[FastchatJudgment, ...]:
    """The rows of a file of single-answer judgments, in the file's order, duplicates numbered.

    Raises HarnessError that names every fault with its line.
    """
    rows = _rows(path, _judgment)
    seen = Counter[tuple[str, str, int, str, str]]()
    numbered: list[FastchatJudgment] = []
    for row in rows:
        key = (row.model, row.question, row.turn, row.judge, row.prompt)
        numbered.append(replace(row, repeat=seen[key]))
        seen[key] += 1
    return tuple(numbered)


def _judgment(raw: dict[str, Any], place: str) -> FastchatJudgment:
    judge = raw.get("judge")
    if not isinstance(judge, list) or len(judge) != 2 or not all(isinstance(x, str) for x in judge):
        raise LineError("`judge` is missing, expected [model, prompt]")
    turn, score = raw.get("turn", 1), raw.get("score")
    if turn not in (1, 2) or isinstance(turn, bool):
        raise LineError(f"`turn` is {turn!r}, expected 1 or 2")
    if isinstance(score, bool) or not isinstance(score, int | float):
        raise LineError(f"`score` is {score!r}, expected a number")
    return FastchatJudgment(
        place,
        _question_id(raw),
        _text(raw, "model"),
        int(turn) - 1,
        judge[0],
        judge[1],
        _text(raw, "user_prompt"),
        _text(raw, "judgment"),
        None if score == -1 else float(score),
    )


def _references(path: Path) -> Mapping[str, tuple[str, ...]]:
    def reference(raw: dict[str, Any], place: str) -> tuple[str, tuple[str, ...]]:
        del place
        return _question_id(raw), _choices(raw)[0]

    found = _rows(path, reference)
    _require_once(path, [name for name, _ in found])
    return dict(found)


def _questions_of(directory: Path) -> Path:
    for name in QUESTION_FILES:
        if (directory / name).is_file():
            return directory / name
    raise HarnessError(
        f"{directory}: no {' or '.join(QUESTION_FILES)}; pass the file of questions itself"
    )


def _only_references(directory: Path) -> Path | None:
    files = sorted((directory / "reference_answer").glob("*.jsonl"))
    if len(files) > 1:
        names = ", ".join(one.name for one in files)
        raise HarnessError(
            f"{directory / 'reference_answer'}: {len(files)} files of references ({names}); "
            "name the one that your protocol uses"
        )
    return files[0] if files else None


def _rows(path: Path, read: Callable[[dict[str, Any], str], _Row]) -> tuple[_Row, ...]:
    """What `read` makes of each line's object and its place; all faults in one HarnessError."""
    rows: list[_Row] = []
    faults: list[str] = []
    for number, line in numbered_lines(path):
        try:
            rows.append(read(json_object(decode(line, number)), f"{path}:{number}"))
        except LineError as fault:
            faults.append(f"{path}:{number}: {fault}")
    if not rows and not faults:
        faults.append(f"{path}:1: the file is empty, expected one JSON object a line")
    raise_faults(faults)
    return tuple(rows)


def _require_once(path: Path, names: list[str]) -> None:
    lines = [number for number, _ in numbered_lines(path)]
    first: dict[str, int] = {}
    faults = list[str]()
    for line, name in zip(lines, names, strict=True):
        if name in first:
            faults.append(
                f"{path}:{line}: question {name} was on line {first[name]} already; remove one"
            )
        first.setdefault(name, line)
    raise_faults(faults)


def _question_id(raw: dict[str, Any]) -> str:
    name = raw.get("question_id")
    if isinstance(name, bool) or not isinstance(name, int | str) or not str(name).strip():
        raise LineError(f"`question_id` is {name!r}, expected a number or a text")
    text = str(name).strip()
    return str(int(text)) if text.isascii() and text.isdigit() and len(text) < 20 else text


def _genre(raw: dict[str, Any]) -> str:
    category = _text(raw, "category").strip().lower()
    genre = _GENRE_NAMES.get(category, category)
    if genre not in GENRES:
        raise LineError(f"`category` is {category!r}, expected one of {', '.join(GENRES)}")
    return genre


def _choices(raw: dict[str, Any]) -> tuple[tuple[str, ...], ...]:
    choices = raw.get("choices")
    if not isinstance(choices, list) or not choices:
        raise LineError("`choices` is missing or empty, expected [{index, turns}]")
    return tuple(_all_choices(choices))


def _all_choices(choices: list[Any]) -> Iterator[tuple[str, ...]]:
    for number, choice in enumerate(choices):
        if not isinstance(choice, dict):
            raise LineError(f"`choices[{number}]` is no object, expected {{index, turns}}")
        yield _texts(choice, "turns")


def _text(raw: dict[str, Any], name: str) -> str:
    value = raw.get(name)
    if not isinstance(value, str):
        raise LineError(f"`{name}` is missing or no text")
    return value


def _texts(raw: dict[str, Any], name: str) -> tuple[str, ...]:
    value = raw.get(name)
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise LineError(f"`{name}` is no list of texts, expected one text a turn")
    return tuple(value)
