"""Brings an answer's typography and LaTeX into one plain notation, which the exact reader reads."""

from __future__ import annotations

import re
import unicodedata

from harness.scoring.normalise import unify

_VULGAR = re.compile(r"([0-9０-９]?)\s?([¼-¾⅐-⅞↉])")
_SUPERSCRIPT = re.compile(r"[⁰¹²³⁴-⁹⁺⁻ⁿ]+")
_SUBSCRIPT = re.compile(r"[₀-₉]+")
# Signs that NFKC would change beyond recognition, or that have a plain spelling.
_SIGNS = str.maketrans(
    {
        "㎡": "m^2", "㎠": "cm^2", "㎢": "km^2", "㎟": "mm^2", "㎥": "m^3", "㎤": "cm^3",
        "㏄": "cc", "ℓ": "L", "㍑": "L", "℃": "度C", "°": "度", "˚": "度", "º": "度",
        "×": "*", "✕": "*", "⋅": "*", "∙": "*", "÷": "/", "∕": "/", "⁄": "/",
        "≦": "<=", "≤": "<=", "≧": ">=", "≥": ">=", "⩽": "<=", "⩾": ">=", "＜": "<", "＞": ">",
        "…": "...", "⋯": "...", "′": "'", "∅": "解なし", "Ø": "解なし", "Π": "π", "𝜋": "π",
        "￥": "¥", "＄": "$", "％": "%", "∠": "", "≈": "約", "≒": "約",
    }
)  # fmt: skip
_DOTTED = re.compile("([0-9])\u0307")

_WRAPPERS = (
    (re.compile(r"\\\((.*)\\\)", re.DOTALL), 1),
    (re.compile(r"\\\[(.*)\\\]", re.DOTALL), 1),
    (re.compile(r"\$\$([^$]*)\$\$"), 1),
    (re.compile(r"\$([^$]*)\$"), 1),
    (re.compile(r"\*\*([^*]*)\*\*"), 1),
    (re.compile(r"[「『](.*)[」』]", re.DOTALL), 1),
)
_ENDING = re.compile(
    r"(?<=.)(?:(?:と|に)なります|になる|となる|(?:で)?ございます|である|でした|です(?:ね|よ)?|だ)$"
)
_LEADING = re.compile(
    r"(?:金(?=[0-9一-九十百千万壱弐参])|約|およそ|おおよそ|ちょうど|最終的な?|答え?(?:は|:)|[∴=])\s*"
)

_SWAPS = {
    "cdot": "*", "times": "*", "div": "/", "pi": "π", "infty": "∞", "degree": "度",
    "le": "<=", "leq": "<=", "leqq": "<=", "leqslant": "<=", "lt": "<",
    "ge": ">=", "geq": ">=", "geqq": ">=", "geqslant": ">=", "gt": ">",
    "pm": "±", "cup": "∪", "in": "∈", "emptyset": "解なし", "varnothing": "解なし",
    "ldots": "...", "dots": "...", "cdots": "...", "lbrace": "{", "rbrace": "}",
    "quad": " ", "qquad": " ", "left": "", "right": "", "displaystyle": "", "big": "", "Big": "",
    "bigl": "", "bigr": "", "Bigl": "", "Bigr": "", "circ": "度", "ell": "L", "yen": "¥",
    "colon": ":", "approx": "約", "fallingdotseq": "約", "therefore": "", "angle": "", "limits": "",
}  # fmt: skip
_TEXT = {"text", "textrm", "textbf", "mathrm", "mathbf", "mathit", "mbox", "textit", "operatorname"}
_UNWRAPPED = {"boxed", "fbox", "underline", "displaylines"}
_FRACTIONS = {"frac", "dfrac", "tfrac", "cfrac"}
_COMMAND = re.compile(r"\\(?:([A-Za-z]+)\s?|(.))", re.DOTALL)
_CASES = re.compile(
    r"(?:\\left\s?\\\{)?\s?\\begin\{(?:cases|aligned|array)\}(?:\{[lcr]*\})?(.*?)"
    r"\\end\{(?:cases|aligned|array)\}(?:\s?\\right\s?\.)?"
)
_SHORT_POWER = re.compile(r"\^\(([0-9])\)(?![0-9])")
_DEEPEST = 30


class NotPlainError(Exception):
    """The LaTeX has something that the plain notation cannot say."""


def tidy(text: str) -> str:
    """The text through NFKC with its mathematical signs kept: ¾ and 1¾ as (3/4) and 1と(3/4), x²
    as x^(2), ㎡ as m^2, × as *, ≦ as <=, ° as 度; wrappers ($, 「」, **), です and 約 removed."""
    return bare(" ".join(tidy_signs(text).split()))


def tidy_signs(text: str) -> str:
    """The first half of `tidy`: NFKC with mathematical signs kept, nothing removed."""
    text = _VULGAR.sub(_vulgar, text)
    text = _SUPERSCRIPT.sub(lambda found: f"^({_digits(found[0])})", text)
    text = _SUBSCRIPT.sub(lambda found: f"_({_digits(found[0])})", text)
    text = _DOTTED.sub(r"\\dot{\1}", text)
    return unify(text.translate(_SIGNS)).translate(_SIGNS)


def bare(text: str) -> str:
    """The text without what surrounds an expression: math delimiters, quotes, です, a full stop."""
    for _ in range(8):
        before = text
        text = text.strip(" 。、,;")
        if text.endswith(".") and not text.endswith(".."):
            text = text[:-1]
        for pattern, group in _WRAPPERS:
            if (found := pattern.fullmatch(text)) is not None:
                text = found[group]
        text = _ENDING.sub("", text.strip(), count=1)
        if text.startswith(("\\boxed{", "\\fbox{")) and text.endswith("}"):
            start = text.index("{")
            if _closing(text, start) == len(text) - 1:
                text = text[start + 1 : -1]
        if (lead := _LEADING.match(text)) is not None and lead.end() < len(text):
            text = text[lead.end() :]
        if text == before:
            break
    return text


def plain(text: str) -> str:
    """Tidied LaTeX in the plain notation; other text comes back as it is.

    Raises NotPlainError for commands that it does not know (\\sin, \\begin) and for loose braces.
    """
    text = text.replace("{,}", ",").replace("\\$", "\0").replace("$", "").replace("\0", "$")
    if (cases := _CASES.search(text)) is not None:  # equations that hold together
        rows = (row.strip(" ,").replace("&", "") for row in cases[1].split("\\\\"))
        text = _CASES.sub(lambda _: ", ".join(row for row in rows if row), text, count=1)
    if set(text) & set("\\{^_"):
        text = bare(_rewritten(text, 0))
    return _SHORT_POWER.sub(r"^\1", text)


def _vulgar(found: re.Match[str]) -> str:
    fraction = unicodedata.normalize("NFKC", found[2]).replace("\u2044", "/")
    return f"{found[1]}と({fraction})" if found[1] else f"({fraction})"


def _digits(text: str) -> str:
    return unicodedata.normalize("NFKC", text).replace("\u2212", "-")


def _closing(text: str, start: int) -> int:
    """Where the brace that opens at `start` closes, or -1."""
    depth = 0
    position = start
    while position < len(text):
        character = text[position]
        if character == "\\":
            position += 1
        elif character in "{}":
            depth += 1 if character == "{" else -1
            if not depth:
                return position
        position += 1
    return -1


def _argument(text: str, position: int) -> tuple[str, int]:
    """A command's argument, a group or one character, and where it ends."""
    while position < len(text) and text[position] == " ":
        position += 1
    if position >= len(text):
        raise NotPlainError
    if text[position] == "{":
        end = _closing(text, position)
        if end < 0:
            raise NotPlainError
        return text[position + 1 : end], end + 1
    if text[position] == "\\":
        found = _COMMAND.match(text, position)
        if found is None or found[1] in _FRACTIONS or found[1] == "sqrt":
            raise NotPlainError
        return found[0], found.end()
    return text[position], position + 1


def _rewritten(text: str, depth: int) -> str:
    if depth > _DEEPEST:
        raise NotPlainError
    written: list[str] = []
    position = 0
    while position < len(text):
        character = text[position]
        if character in "^_":
            inner, position = _argument(text, position + 1)
            inner = _rewritten(inner, depth + 1).strip()
            if inner == "度":
                written.append("度")
            elif inner in ("(", "-") or re.fullmatch(r"[A-Za-z0-9]|\([^()]*\)", inner):
                written.append(character + inner)  # of x^(2) the argument is what follows
            else:
                written.append(f"{character}({inner})")
            continue
        if character != "\\":
            written.append(character)
            position += 1
            continue
        found = _COMMAND.match(text, position)
        if found is None:
            raise NotPlainError
        position = found.end()
        piece, position = _command(text, found, position, written, depth)
        written.append(piece)
    return "".join(written)


def _command(
    text: str, found: re.Match[str], position: int, written: list[str], depth: int
) -> tuple[str, int]:
    name, sign = found[1], found[2]
    if sign is not None:
        if sign in "{}%#&|":
            return sign, position
        if sign in ",;:! ":
            return " " if sign != "!" else "", position
        raise NotPlainError
    if name in _FRACTIONS:
        top, position = _argument(text, position)
        bottom, position = _argument(text, position)
        before = "".join(written[-2:]).rstrip()[-1:]
        mixed = before.isdigit() and top.strip().isdecimal() and bottom.strip().isdecimal()
        top, bottom = _rewritten(top, depth + 1), _rewritten(bottom, depth + 1)
        return f"{'と' if mixed else ''}(({top})/({bottom}))", position
    if name == "sqrt":
        degree = ""
        if text[position : position + 1] == "[" and "]" in text[position:]:
            end = text.index("]", position)
            degree, position = text[position + 1 : end].strip(), end + 1
        inner, position = _argument(text, position)
        inner = _rewritten(inner, depth + 1)
        return (f"root{degree}({inner})" if degree else f"√({inner})"), position
    if name in ("dot", "overline", "bar", "overdot"):
        inner, position = _argument(text, position)
        if not inner.isdecimal():
            raise NotPlainError
        return (f"˙{inner}" if name == "dot" else f"[{inner}]"), position
    if name in _TEXT or name in _UNWRAPPED:
        inner, position = _argument(text, position)
        return (inner if name in _TEXT else _rewritten(inner, depth + 1)), position
    if name in _SWAPS:
        return _SWAPS[name], position
    raise NotPlainError
