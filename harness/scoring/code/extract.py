"""Finds the program in a chat answer; never invents text that the answer does not hold."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass

from harness.items.code_task import CodeTask

# A longer answer is a loop, not a program; parsing it would only cost time.
LONGEST = 60_000
# What an explanation needs at the least, in Japanese letters: a heading (考え方) explains nothing.
LEAST_EXPLAINED = 10
# Bounds on how often a text is parsed: a run of prose must not cost minutes.
_MOST_STARTS, _MOST_ENDS, _MOST_LINES = 40, 40, 400

_FENCE = re.compile(r"^([ \t>]*)(`{3,}|~{3,})[ \t]*([^`\n]*?)[ \t]*$")
_LANGUAGES = frozenset(("", "python", "py", "python3", "py3", "python2", "pycon", "{.python}"))
_JAPANESE = re.compile(r"[ぁ-ゖァ-ヺー々一-鿿]")
_PROMPT = re.compile(r"^[ \t]*(?:>>>|\.\.\.)(?: |$)")
_ASSIGNED = re.compile(
    r"(?:answer|code|solution|回答|解答|答え)\s*[=＝:：]\s*(\"\"\"|''')(?P<code>.*?)\1", re.S
)
_STARTS = re.compile(
    r"(?:(?:async )?def|class|import|from|if|for|while|try|with|print|return|global|@|#)(?:\W|$)"
    r"|[A-Za-z_][A-Za-z_0-9, ]*(?:\[[^\]]*\])? *[-+*/]?=|[A-Za-z_][A-Za-z_0-9.]*\("
)
# Statements that go on with a program at its top level; anything else ends a continuation.
_KEPT = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)


@dataclass(frozen=True)
class Block:
    """A fenced block: the language on its fence, its text, whether a second fence closed it."""

    language: str
    text: str
    closed: bool


def extract_code(text: str, task: CodeTask) -> str | None:
    """The program that an answer gives, or None.

    In this order: thoughts up to </think> are dropped; fenced blocks (of Python, or without a
    language), the last that defines the entry point, helpers of other blocks before it when it
    uses them; the longest run of lines without a fence that is Python and defines the entry point,
    REPL prompts taken off; what answer = \"\"\"...\"\"\" holds; a continuation of a signature that
    the prompt left open, cut at its first statement at the top level that is none of def, class
    and import.

    Every line of what comes back stands in the text, except the task's own `given` code before a
    continuation. Full-width signs are not mended inside code: a program that does not parse has to
    fail where it is run. Never raises.
    """
    text = own_text(text)
    if not text.strip() or len(text) > LONGEST:
        return None
    fenced = [block for block in blocks(text) if block.language in _LANGUAGES]
    found = [code for block in fenced if (code := _without_prompts(block.text)).strip()]
    if found:
        chosen = _choose(found, task)
        if not _defines(chosen, task) and (body := _continuation(chosen, task)) is not None:
            return body
        return chosen
    if (bare := _bare(_without_fences(text), task)) is not None:
        return bare
    if (assigned := _ASSIGNED.search(text)) is not None and assigned["code"].strip():
        return _tidy(assigned["code"])
    return _continuation(text, task)


def well_formed(text: str, task: CodeTask) -> str | None:
    """The program of an answer that is exactly what was asked for, or None: one closed fenced
    block of Python and nothing around it, or bare code that parses and, where a function was
    asked for, defines it.

    Of the kind explain: `LEAST_EXPLAINED` Japanese letters or more, no thoughts, and then that
    block, which ends the answer."""
    text = text.replace("\r\n", "\n").strip()
    if len(text) > LONGEST:
        return None
    if task.kind == "explain":
        explanation, text = _at_first_fence(text)
        letters = len(_JAPANESE.findall(explanation))
        if letters < LEAST_EXPLAINED or own_text(explanation) != explanation:
            return None
    found = blocks(text)
    if found:
        lines = text.split("\n")
        whole = all(line.startswith(("```", "~~~")) for line in (lines[0], lines[-1]))
        one = len(found) == 1 and found[0].closed and found[0].language in _LANGUAGES
        return found[0].text if whole and one and found[0].text.strip() else None
    return text if _before_prose(text) == text and _defines(text, task) else None


def _at_first_fence(text: str) -> tuple[str, str]:
    """The text before its first fence, and the text from there on."""
    lines = text.split("\n")
    first = next((at for at, line in enumerate(lines) if _FENCE.match(line)), len(lines))
    return "\n".join(lines[:first]), "\n".join(lines[first:])


def own_text(text: str) -> str:
    """The answer without its thoughts; nothing where they do not end. CR LF becomes LF."""
    text = text.replace("\r\n", "\n")
    if "</think>" in text:
        return text.rpartition("</think>")[2]
    return "" if "<think>" in text else text


def blocks(text: str) -> list[Block]:
    """Fenced blocks in order; a block that no fence closes goes on to the end of the text."""
    found: list[Block] = []
    inside: list[str] | None = None
    indent, fence, language = "", "", ""
    for line in text.split("\n"):
        match = _FENCE.match(line)
        if inside is None:
            if match:
                indent, fence, language, inside = match[1], match[2], match[3].lower(), []
        elif match and match[2][0] == fence[0] and len(match[2]) >= len(fence) and not match[3]:
            found.append(Block(_language(language), "\n".join(inside), True))
            inside = None
        else:
            inside.append(line[len(indent) :] if line.startswith(indent) else line)
    if inside is not None:
        found.append(Block(_language(language), "\n".join(inside), False))
    return found


def _language(label: str) -> str:
    """The first word of a fence's label: `python title=a.py` is Python."""
    return re.split(r"[ \t:,]", label, maxsplit=1)[0]


def _choose(found: list[str], task: CodeTask) -> str:
    if not task.entry_point:
        # Programs: the last block that parses and prints, since a sample of output is a block too.
        programs = [code for code in found if _prints(code)]
        return (programs or [code for code in found if _parses(code)] or found)[-1]
    defining = [index for index, code in enumerate(found) if _defines(code, task)]
    if not defining:
        return max(found, key=lambda code: (_parses(code), f"def {task.entry_point}" in code))
    main = defining[-1]
    return "\n\n".join(
        [*_helpers(found[main], [found[i] for i in range(len(found)) if i != main]), found[main]]
    )


def _helpers(main: str, others: list[str]) -> list[str]:
    """Other blocks, in order, that define a name which `main`, or such a block, uses and lacks."""
    wanted = _used(main) - _made(main)
    taken: set[int] = set()
    for _ in others:
        for index, other in enumerate(others):
            made = _made(other)
            if index not in taken and made & wanted and not made & _made(main):
                taken.add(index)
                wanted |= _used(other)
    return [others[index] for index in sorted(taken)]


def _made(code: str) -> set[str]:
    """Names that a program defines at its top level."""
    tree = _tree(code)
    names: set[str] = set()
    for node in tree.body if tree else ():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


def _used(code: str) -> set[str]:
    tree = _tree(code)
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} if tree else set()


def _prints(code: str) -> bool:
    tree = _tree(code)
    if tree is None:
        return False
    return bool(_used(code) & {"print", "input", "sys"}) or any(
        isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(tree)
    )


def _defines(code: str, task: CodeTask) -> bool:
    """Whether code parses and, where a function was asked for, has it at its top level."""
    if not task.entry_point:
        return _prints(code)
    return task.entry_point in _made(code)


def _parses(code: str) -> bool:
    return _tree(code) is not None


def _tree(code: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of invalid escapes in the answer's strings
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _bare(text: str, task: CodeTask) -> str | None:
    """The longest run of lines that is a program, without a fence around it."""
    lines = _without_prompts(text).split("\n")
    first = [at for at, line in enumerate(lines) if _STARTS.match(line)]
    ends = [at for at in range(1, len(lines) + 1) if lines[at - 1].strip()]
    # Each start is tried with as few ends as find an answer: prose is cut off where parsing fails.
    for start in first[:_MOST_STARTS]:
        end = next((at for at in reversed(ends) if at > start), None)
        for _ in range(_MOST_ENDS):
            if end is None or end <= start:
                break
            code = "\n".join(lines[start:end])
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    ast.parse(code)
            except SyntaxError as error:
                # No program reaches beyond the line that cannot be read.
                last = start + (error.lineno or 1) - 1
                end = next((at for at in reversed(ends) if start < at <= min(last, end - 1)), None)
                continue
            except (ValueError, RecursionError, MemoryError):
                break
            code = _before_prose(code)
            if _defines(code, task):
                return code
            break
    return None


def _before_prose(code: str) -> str:
    """Code up to a line at the top level that parses but is prose: 以上です is a name in Python."""
    tree = _tree(code)
    for node in tree.body if tree else ():
        if isinstance(node, ast.Expr) and not isinstance(node.value, ast.Call | ast.Constant):
            line = code.split("\n")[node.lineno - 1]
            if not line.isascii():
                return "\n".join(code.split("\n")[: node.lineno - 1]).rstrip()
    return code


def _without_prompts(text: str) -> str:
    """A REPL transcript's own lines, prompts taken off and output dropped; other text unchanged.

    A docstring's examples are no transcript: the code's first line that is not empty decides."""
    lines = text.split("\n")
    first = next((line for line in lines if line.strip()), "")
    if not _PROMPT.match(first) or "\n".join(lines).count(">>>") == 0:
        return _tidy(text)
    return "\n".join(_PROMPT.sub("", line, count=1) for line in lines if _PROMPT.match(line))


def _without_fences(text: str) -> str:
    return "\n".join(line for line in text.split("\n") if not _FENCE.match(line))


def _tidy(code: str) -> str:
    """A block without empty lines around it and without an indentation that all lines share."""
    lines = code.strip("\n").split("\n")
    shared = min((len(one) - len(one.lstrip(" ")) for one in lines if one.strip()), default=0)
    return "\n".join(one[shared:] for one in lines).rstrip()


def _continuation(text: str, task: CodeTask) -> str | None:
    """`given` and the lines that go on with it, where `given` ends within a function."""
    if not task.entry_point or task.kind not in ("function", "explain") or not task.given.strip():
        return None
    given = task.given.rstrip("\n")
    lines = re.sub(r"\A(?:[ \t]*\n)+", "", text).rstrip("\n").split("\n")[:_MOST_LINES]
    if not lines[0].strip():
        return None
    if lines[0][0] not in " \t":
        # Either the whole body came without its indentation, or a model that starts right after
        # the indentation left it off its first line alone.
        whole = any(line.startswith("return") for line in lines[1:])
        lines = ["    " + line if whole or not at else line for at, line in enumerate(lines)]
    for end in range(len(lines), 0, -1):
        code = given + "\n" + "\n".join(lines[:end])
        if (tree := _tree(code)) is None:
            continue
        main = [node for node in tree.body if getattr(node, "name", None) == task.entry_point]
        if not main or not _has_body(main[-1]):
            return None
        return _cut(code, tree, given.count("\n") + 1)
    return None


def _has_body(node: ast.stmt) -> bool:
    """Whether a function does more than hold its docstring and prose that happens to parse."""
    body = getattr(node, "body", [])
    return any(not isinstance(one, ast.Expr) and not isinstance(one, ast.Pass) for one in body)


def _cut(code: str, tree: ast.Module, given: int) -> str:
    """The code up to its first statement at the top level, after `given` lines, that is none of
    def, class and import."""
    for node in tree.body:
        if node.lineno > given and not isinstance(node, _KEPT):
            return "\n".join(code.split("\n")[: node.lineno - 1]).rstrip()
    return code.rstrip()
