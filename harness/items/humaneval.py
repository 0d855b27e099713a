"""Reads HumanEval, JHumanEval and MBPP files as coding items that are tested by asserts."""

from __future__ import annotations

import ast
import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.items.code_task import CodeTask, CodeTest
from harness.items.jsonl import LineError, decode, json_object, numbered_lines, raise_faults
from harness.items.schema import FormatRule, Item, check_item

HUMANEVAL_FIELDS = ("task_id", "prompt", "canonical_solution", "test", "entry_point")
MBPP_FIELDS = ("task_id", "text", "code", "test_list")

_KANA = re.compile("[\u3041-\u30fa]")
# Asked in the language of the problem; the words are this project's, not the benchmarks'.
_ASK_JA = (
    "次のPythonの関数を、ドキュメント文字列の説明どおりに実装してください。\n"
    "```python\n{code}\n```\n"
    "関数の定義全体（必要なimport文を含む）を、```python で始まるコードブロック1つだけで"
    "出力してください。コードブロックの外には何も書かないでください。"
)
_ASK_EN = (
    "Implement this Python function as its docstring describes.\n"
    "```python\n{code}\n```\n"
    "Print the whole definition, with the imports that it needs, as one code block that starts "
    "with ```python. Write nothing outside the block."
)
_ASK_MBPP = (
    "{text}\n"
    "The function must pass these tests:\n"
    "```python\n{tests}\n```\n"
    "Print the program as one code block that starts with ```python. Write nothing outside the "
    "block."
)


def load_code_file(path: Path) -> tuple[Item, ...]:
    """The problems of a `.jsonl` or `.jsonl.gz` file, one object a line: of HumanEval or JHumanEval
    with the keys HUMANEVAL_FIELDS, of MBPP with MBPP_FIELDS. Further keys are not looked at.

    An item keeps its `task_id` (MBPP's numbers become `MBPP/12`), is asked in Japanese where its
    docstring is, and has one test for the whole `test` of HumanEval, or for each assert of MBPP
    (`test_list` and `challenge_test_list`, each after `test_setup_code`).

    Raises HarnessError that names every fault with its line: bytes that are not UTF-8, broken
    JSON, a key missing or of the wrong type, a test that does not define `check`, a task given
    twice, an empty file, a damaged archive.
    """
    items: list[Item] = []
    faults: list[str] = []
    seen: dict[str, int] = {}  # item id or content hash → line of its first item
    for number, line in _lines(path):
        try:
            item = _item(json_object(decode(line, number)))
            for known, what in ((item.id, f"task {item.id}"), (item.hash, "this problem")):
                if known in seen:
                    raise LineError(f"{what} was on line {seen[known]} already; remove one of them")
        except LineError as fault:
            faults.append(f"{path}:{number}: {fault}")
            continue
        seen[item.id] = seen[item.hash] = number
        items.append(item)
    if not items and not faults:
        faults.append(f"{path}:1: the file holds no problem, expected one JSON object a line")
    raise_faults(faults)
    return tuple(items)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    if path.suffix != ".gz":
        yield from numbered_lines(path)
        return
    try:
        data = gzip.decompress(path.read_bytes())
    except FileNotFoundError:
        raise HarnessError(f"{path}: no such file; check the path") from None
    except (OSError, EOFError, zlib.error) as error:
        raise HarnessError(f"{path}: no readable gzip archive ({error}); fetch it again") from None
    for number, line in enumerate(data.split(b"\n"), start=1):
        if line.strip():
            yield number, line


def _item(raw: dict[str, Any]) -> Item:
    if "entry_point" in raw or "prompt" in raw:
        item = _humaneval(raw)
    elif "test_list" in raw or "text" in raw:
        item = _mbpp(raw)
    else:
        raise LineError(
            f"neither of HumanEval nor of MBPP, expected the keys {', '.join(HUMANEVAL_FIELDS)} or "
            f"{', '.join(MBPP_FIELDS)}"
        )
    if (fault := check_item(item)) is not None:
        raise LineError(fault)
    return item


def _humaneval(raw: dict[str, Any]) -> Item:
    _need(raw, HUMANEVAL_FIELDS)
    name, prompt, solution, test, entry = (_text(raw, key) for key in HUMANEVAL_FIELDS)
    if not entry.isidentifier():
        raise LineError(f"`entry_point` is {entry!r}, expected the function's name")
    if f"def {entry}" not in prompt:
        raise LineError(f"`prompt` does not define {entry}, expected the function to complete")
    if "def check(" not in test:
        raise LineError("`test` does not define `check`, expected `def check(candidate):`")
    ask = _ASK_JA if _KANA.search(prompt) else _ASK_EN
    task = CodeTask(
        kind="function",
        entry_point=entry,
        checks="assert-file",
        tests=(CodeTest(source=f"{test}\n\ncheck({entry})\n"),),
        given=prompt,
        reference=prompt + solution,
        # Answers of chat models leave out imports and helpers that the prompt shows.
        setup=_before(prompt, entry),
    )
    return _made(name, ask.format(code=prompt.strip("\n")), task)


def _mbpp(raw: dict[str, Any]) -> Item:
    _need(raw, MBPP_FIELDS)
    number = raw["task_id"]
    if isinstance(number, bool) or not isinstance(number, int | str):
        raise LineError(f"`task_id` is {number!r}, expected a number or a text")
    text, code = _text(raw, "text"), _text(raw, "code").replace("\r\n", "\n")
    shown = _texts(raw, "test_list")
    hidden = _texts(raw, "challenge_test_list") if "challenge_test_list" in raw else []
    if not shown:
        raise LineError("`test_list` is empty, expected one or more asserts")
    setup = raw.get("test_setup_code", "")
    if not isinstance(setup, str):
        raise LineError("`test_setup_code` is no text, expected Python")
    setup = setup.replace("\r\n", "\n")
    task = CodeTask(
        kind="function",
        entry_point=_tested(shown[0], code),
        checks="assert-file",
        # MBPP's setup builds values of the program's own classes, so it comes after the program.
        tests=tuple(CodeTest(source=f"{setup}\n{one}\n".lstrip()) for one in (*shown, *hidden)),
        reference=code,
    )
    ask = _ASK_MBPP.format(text=text.strip(), tests="\n".join(shown))
    return _made(f"MBPP/{number}" if isinstance(number, int) else number, ask, task)


def _made(name: str, ask: str, task: CodeTask) -> Item:
    return Item(
        id=name,
        genre="coding",
        turns=(ask,),
        answer="",
        format=FormatRule("free"),
        metric="code",
        skill=f"coding/{name.partition('/')[0].lower()}",
        code=task,
    )


def _before(prompt: str, entry: str) -> str:
    """What stands before the function to complete: imports and helpers. Nothing where that is no
    program by itself: the prompt of JHumanEval/64 opens with a stray quotation mark."""
    head, *rest = re.split(rf"^def {re.escape(entry)}\b", prompt, maxsplit=1, flags=re.M)
    if not rest or not head.strip():
        return ""
    try:
        ast.parse(head)
    except (SyntaxError, ValueError):
        return ""
    return head.strip("\n") + "\n"


def _tested(test: str, code: str) -> str:
    """The function that an assert calls: the first of the program's own that it names."""
    names = re.findall(r"^(?:def|class)\s+([A-Za-z_]\w*)", code, re.M)
    called = re.findall(r"([A-Za-z_]\w*)\s*\(", test)
    found: str | None = next((name for name in called if name in names), None)
    if found is None:
        raise LineError(f"`test_list` calls nothing that `code` defines ({', '.join(names[:3])})")
    return found


def _need(raw: dict[str, Any], names: tuple[str, ...]) -> None:
    if missing := [f"`{name}`" for name in names if name not in raw]:
        raise LineError(f"missing {', '.join(missing)}, expected the keys {', '.join(names)}")


def _text(raw: dict[str, Any], name: str) -> str:
    value: object = raw[name]
    if not isinstance(value, str) or not value.strip():
        raise LineError(f"`{name}` is {type(value).__name__} or empty, expected a text")
    return value


def _texts(raw: dict[str, Any], name: str) -> list[str]:
    value = raw[name]
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise LineError(f"`{name}` is no list of texts, expected Python asserts")
    return [one.replace("\r\n", "\n") for one in value]
