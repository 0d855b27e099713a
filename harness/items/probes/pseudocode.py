"""Turns the Japanese pseudo-code of coding probes into Python of the subset that `program` runs."""

from __future__ import annotations

import re

from harness.errors import HarnessError

# One numbered line: "(3) ｜ ｜ kei ← kei + 1".
_LINE = re.compile(r"^\(\d+\) ((?:｜ )*)(\S.*)$", re.MULTILINE)
# What a line says, and its Python. A loop names both ends, so the last value is included.
_STATEMENTS = tuple(
    (re.compile(pattern), python)
    for pattern, python in (
        (r"(\w) を (.+) から (.+) まで (\d+) ずつ増やしながら繰り返す：",
         r"for \1 in range(\2, (\3) + 1, \4):"),
        (r"(\w) を (.+) から (.+) まで (\d+) ずつ減らしながら繰り返す：",
         r"for \1 in range(\2, (\3) - 1, -\4):"),
        (r"(.+) の間、繰り返す：", r"while \1:"),
        (r"もし (.+) ならば：", r"if \1:"),
        (r"そうでなければ：", "else:"),
        (r"表示する\((.+)\)", r"print(\1)"),
        (r"(\w+(?:\[.+\])?) ← (.+)", r"\1 = \2"),
    )
)  # fmt: skip
# ＝ compares; ÷ is the whole quotient.
_SIGNS = {"＝": "==", "≠": "!=", "≧": ">=", "×": "*", "÷": "//", "％": "%", "または": "or"}


def python_of(text: str) -> str:
    """The Python of the pseudo-code in a text: of all its lines that begin with a number in
    brackets. Raises HarnessError for a line of another form."""
    return "\n".join(_python_line(match[1], match[2]) for match in _LINE.finditer(text))


def _python_line(bars: str, statement: str) -> str:
    for pattern, python in _STATEMENTS:
        if match := pattern.fullmatch(statement):
            code = match.expand(python)
            for sign, operator in _SIGNS.items():
                code = code.replace(sign, operator)
            return "    " * bars.count("｜") + code
    raise HarnessError(
        f"pseudo-code line {statement[:60]!r} is of no known form, expected one of coding probes"
    )
