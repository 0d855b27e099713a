"""Reads an expression in plain notation into exact form, and refuses what it is not sure of."""

from __future__ import annotations

import re
from fractions import Fraction
from math import factorial

from harness.scoring.math.numerals import RECURRING, recurring
from harness.scoring.math.poly import Poly, TooHardError, constant, root, symbol

_NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)")
_MIXED = re.compile(r"([0-9]+)と\(+([0-9]+)\)?/\(?([0-9]+)\)+")
_BASE = re.compile(r"([0-9][0-9A-F]*)_\(?\(?([0-9]{1,2})\)?\)?")
_VARIABLE = re.compile(r"[A-Za-zα-ωΑ-Ω](?:_\(?[A-Za-z0-9]{1,3}\)?)?")
_LETTERS = re.compile(r"[A-Za-z]+")
_FUNCTIONS = {
    "sin", "cos", "tan", "cot", "sec", "csc", "log", "ln", "exp", "lim", "max", "min", "gcd", "lcm",
    "mod", "det", "arg", "abs", "deg",
}  # fmt: skip
_ROOT = re.compile(r"root([0-9]+)(?=\()|sqrt(?=\()|√")
_DEEPEST = 40
_LONGEST_DIGITS = 1500


class UnreadError(Exception):
    """The text is no expression of this grammar."""


def expression(text: str) -> Poly:
    """The exact value of an expression: + - * / ^, juxtaposition, brackets, √, π, i, recurring
    decimals, mixed numbers (1と(1/2)), digits in another base (101_2), n!, and variables.

    Raises UnreadError for anything else, TooHardError and ZeroDivisionError for values that have
    no such form.
    """
    reader = _Reader(text)
    value = reader.sum(0)
    reader.space()
    if reader.position != len(text):
        raise UnreadError
    return value


class _Reader:
    """A position in a text, which each method moves past what it has read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def space(self) -> None:
        while self.text[self.position : self.position + 1] == " ":
            self.position += 1

    def take(self, signs: str) -> str:
        """The next sign, when it is one of these."""
        self.space()
        sign = self.text[self.position : self.position + 1]
        if not sign or sign not in signs:
            return ""
        self.position += 1
        return sign

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self.text, self.position)
        if found is not None:
            self.position = found.end()
        return found

    def sum(self, depth: int) -> Poly:
        if depth > _DEEPEST:
            raise TooHardError
        value = self.product(depth)
        while sign := self.take("+-"):
            other = self.product(depth)
            value = value + other if sign == "+" else value - other
        return value

    def product(self, depth: int) -> Poly:
        value = self.signed(depth)
        while True:
            if sign := self.take("*/·"):
                if self.text[self.position - 1 : self.position + 1] == "**":
                    raise UnreadError  # rewritten to ^ before
                other = self.signed(depth)
                value = value / other if sign == "/" else value * other
                continue
            self.space()
            following = self.text[self.position : self.position + 1]
            if not following or following in "+-)]},<>=:^!_":
                return value
            if following.isdigit() and self.text[self.position - 1] in "0123456789 ":
                raise UnreadError  # 12 34 is no product
            value = value * self.power(depth)

    def signed(self, depth: int) -> Poly:
        negative = False
        for _ in range(_DEEPEST):
            sign = self.take("+-")
            if not sign:
                break
            negative ^= sign == "-"
        value = self.power(depth)
        return -value if negative else value

    def power(self, depth: int) -> Poly:
        if depth > _DEEPEST:
            raise TooHardError
        base = self.primary(depth)
        while self.take("!"):
            number = base.rational()
            if number is None or number.denominator != 1 or not 0 <= number <= 200:
                raise TooHardError
            base = constant(factorial(int(number)))
        if not self.take("^"):
            return base
        negative = bool(self.take("-"))
        exponent = self.power(depth + 1).rational()
        if exponent is None:
            raise TooHardError
        exponent = -exponent if negative else exponent
        if exponent.denominator == 1:
            return base ** int(exponent)
        if exponent.denominator > 64 or abs(exponent.numerator) > 64:
            raise TooHardError
        return root(base, exponent.denominator) ** exponent.numerator

    def primary(self, depth: int) -> Poly:
        self.space()
        if found := self.match(_MIXED):
            if int(found[3]) == 0:
                raise ZeroDivisionError
            return constant(int(found[1]) + Fraction(int(found[2]), int(found[3])))
        if found := self.match(RECURRING):
            value = recurring(found)
            if value is None:
                raise UnreadError
            return constant(value)
        if found := self.match(_BASE):
            try:
                return constant(int(found[1], int(found[2])))
            except ValueError:
                raise UnreadError from None
        if found := self.match(_NUMBER):
            if len(found[0]) > _LONGEST_DIGITS:
                raise TooHardError
            return constant(Fraction(found[0]))
        if found := self.match(_ROOT):
            degree = int(found[1]) if found[1] else 2
            return root(self.power_free(depth + 1), degree)
        for opening, closing in ("()", "{}", "[]"):
            if self.take(opening):
                inner = self.sum(depth + 1)
                if not self.take(closing):
                    raise UnreadError
                return inner
        return self.variable()

    def power_free(self, depth: int) -> Poly:
        """What a root sign covers: one primary, so that √2^2 is (√2)²."""
        return self.primary(depth)

    def variable(self) -> Poly:
        if self.take("π"):
            return symbol("π")
        letters = _LETTERS.match(self.text, self.position)
        if letters is not None:
            word = letters[0]
            if word.startswith("pi") and word[2:3] in ("", "r"):
                self.position += 2
                return symbol("π")
            # A word is no product of its letters; xyz is.
            if len(word) > 3 or word in _FUNCTIONS or (len(word) > 1 and not word.islower()):
                raise UnreadError
        found = self.match(_VARIABLE)
        if found is None:
            raise UnreadError
        return symbol(re.sub(r"[()]", "", found[0]))
