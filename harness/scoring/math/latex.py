"""Writes the plain notation as LaTeX, which math-verify reads."""

from __future__ import annotations

import re

_NAMES = (
    "arcsin|arccos|arctan|sinh|cosh|tanh|sin|cos|tan|cot|sec|csc|log|ln|exp|lim|max|min|gcd|lcm"
)
_FUNCTION = re.compile(rf"(?<![A-Za-z\\])({_NAMES})(?![a-z])")
_SIGNS = {
    "π": r"\pi ", "∞": r"\infty ", "<=": r"\le ", ">=": r"\ge ", "*": r"\cdot ", "∪": r"\cup ",
    "±": r"\pm ", "度": r"^{\circ}", "∈": r"\in ", "%": r"\%",
}  # fmt: skip
_ROOT = re.compile(r"(?:√|(?<![A-Za-z\\])sqrt(?=\()|root([0-9]+)(?=\())")
# Of an angle in degrees a function's argument is in radians.
_DEGREES = re.compile(r"(?<![0-9.])([0-9]+(?:\.[0-9]+)?)\s?(?:度|\^\{?\s?\\circ\s?\}?)")
_TOWER = re.compile(r"\^[A-Za-z0-9]\s?\^")
_UNKNOWN = re.compile(r"[^\x20-\x7e]")
_WORD = re.compile(r"(?<![A-Za-z\\])[A-Za-z]{4,}")


def to_latex(text: str) -> str | None:
    """The LaTeX of a canonical text; None when it holds a sign or a word that no formula has."""
    if "\\" not in text:
        text = text.replace("{", "\\{").replace("}", "\\}")
        text = _FUNCTION.sub(r"\\\1 ", text)
        if _WORD.search(re.sub(r"sqrt|root", "", text)):
            return None
    text = _DEGREES.sub(r"(\\frac{\1\\pi}{180})", text)
    text = _roots(text)
    text = _arguments(text)
    if _TOWER.search(text):  # LaTeX has no double superscript
        return None
    for sign, command in _SIGNS.items():
        text = text.replace("\\" + sign, sign).replace(sign, command)
    if _UNKNOWN.search(text) or "$" in text:
        return None
    return text


def _closing(text: str, start: int) -> int:
    depth = 0
    for position in range(start, len(text)):
        depth += (text[position] == "(") - (text[position] == ")")
        if not depth:
            return position
    return -1


def _roots(text: str) -> str:
    """√(x) and √2 as \\sqrt{x} and \\sqrt{2}."""
    written, position = [], 0
    while found := _ROOT.search(text, position):
        written.append(text[position : found.start()])
        degree = f"[{found[1]}]" if found[1] else ""
        start = found.end()
        if text[start : start + 1] == "(" and (end := _closing(text, start)) > 0:
            written.append(f"\\sqrt{degree}{{{_roots(text[start + 1 : end])}}}")
            position = end + 1
        elif number := re.compile(r"[0-9]+|[A-Za-z]").match(text, start):
            written.append(f"\\sqrt{degree}{{{number[0]}}}")
            position = number.end()
        else:
            written.append("\\sqrt")
            position = start
    return "".join([*written, text[position:]])


def _arguments(text: str) -> str:
    """x^(2) as x^{2}."""
    written, position = [], 0
    while (start := text.find("^(", position)) >= 0:
        end = _closing(text, start + 1)
        if end < 0:
            break
        written.append(f"{text[position:start]}^{{{_arguments(text[start + 2 : end])}}}")
        position = end + 1
    return "".join([*written, text[position:]])
