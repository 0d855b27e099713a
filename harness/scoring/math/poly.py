"""Exact arithmetic for the expressions that answers are made of: sums of rational multiples of
products of variables, π, i and square roots, in a form that is unique."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import isqrt

# What a sane answer never exceeds; a greater one is left to the worker, which has limits.
_MOST_TERMS = 400
_MOST_BITS = 6000
_MOST_EXPONENT = 1000
_GREATEST_RADICAND = 10**10

# A product of powers, sorted by name. "i" is the imaginary unit and "√p" the root of a prime p.
Monomial = tuple[tuple[str, int], ...]


class TooHardError(Exception):
    """The expression is beyond this arithmetic; nothing is said about its value."""


class Poly:
    """A Laurent polynomial over the rationals, immutable.

    Square roots of different primes, i, π and variables satisfy no relation but those that are
    worked in here (√p² = p, i² = -1), so two expressions are equal if and only if their terms are.
    """

    __slots__ = ("terms",)

    def __init__(self, terms: dict[Monomial, Fraction]) -> None:
        if len(terms) > _MOST_TERMS:
            raise TooHardError
        for value in terms.values():
            if value.numerator.bit_length() + value.denominator.bit_length() > _MOST_BITS:
                raise TooHardError
        self.terms = {monomial: value for monomial, value in terms.items() if value}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Poly) and self.terms == other.terms

    def __hash__(self) -> int:
        return hash(frozenset(self.terms.items()))

    def __repr__(self) -> str:
        return f"Poly({self.terms})"

    def __add__(self, other: Poly) -> Poly:
        terms = dict(self.terms)
        for monomial, value in other.terms.items():
            terms[monomial] = terms.get(monomial, Fraction(0)) + value
        return Poly(terms)

    def __neg__(self) -> Poly:
        return Poly({monomial: -value for monomial, value in self.terms.items()})

    def __sub__(self, other: Poly) -> Poly:
        return self + -other

    def __mul__(self, other: Poly) -> Poly:
        if len(self.terms) * len(other.terms) > 10 * _MOST_TERMS:
            raise TooHardError
        terms: dict[Monomial, Fraction] = {}
        for left, a in self.terms.items():
            for right, b in other.terms.items():
                monomial, factor = _product(left, right)
                terms[monomial] = terms.get(monomial, Fraction(0)) + a * b * factor
        return Poly(terms)

    def __truediv__(self, other: Poly) -> Poly:
        """Raises ZeroDivisionError, and TooHardError where the divisor has several terms that
        conjugates cannot make one."""
        numerator, divisor = self, other
        while len(divisor.terms) > 1:
            numbers = [name for name in sorted(divisor.names()) if name == "i" or name[0] == "√"]
            if not numbers:
                raise TooHardError
            conjugate = divisor._with_sign_changed(numbers[0])
            numerator, divisor = numerator * conjugate, divisor * conjugate
        if not divisor.terms:
            raise ZeroDivisionError
        ((monomial, value),) = divisor.terms.items()
        inverse, factor = _product((), tuple((name, -power) for name, power in monomial))
        return numerator * Poly({inverse: factor / value})

    def __pow__(self, exponent: int) -> Poly:
        if abs(exponent) > _MOST_EXPONENT:
            raise TooHardError
        if exponent < 0:
            return constant(1) / self**-exponent
        bits = max((value.numerator.bit_length() for value in self.terms.values()), default=0)
        if bits * exponent > 2 * _MOST_BITS:
            raise TooHardError
        result, base = constant(1), self
        while exponent:
            if exponent & 1:
                result = result * base
            exponent >>= 1
            if exponent:
                base = base * base
        return result

    def names(self) -> set[str]:
        return {name for monomial in self.terms for name, _ in monomial}

    def variables(self) -> set[str]:
        return {name for name in self.names() if name not in ("i", "π") and name[0] != "√"}

    def rational(self) -> Fraction | None:
        """The value where it is a rational number."""
        if not self.terms:
            return Fraction(0)
        return self.terms.get(()) if len(self.terms) == 1 else None

    def scaled(self) -> Poly:
        """The polynomial divided by the coefficient of its first term: equal for the two sides of
        equations that are multiples of each other."""
        if not self.terms:
            return self
        first = self.terms[min(self.terms)]
        return Poly({monomial: value / first for monomial, value in self.terms.items()})

    def approximate(self) -> float | None:
        """A real number near the value, for ordering; None with variables or i."""
        total = 0.0
        for monomial, value in self.terms.items():
            if value.numerator.bit_length() > 900 or value.denominator.bit_length() > 900:
                return None
            term = float(value)
            for name, power in monomial:
                if name == "π":
                    term *= 3.141592653589793**power
                elif name[0] == "√":
                    term *= int(name[1:]) ** (power / 2)
                else:
                    return None
            total += term
        return total

    def _with_sign_changed(self, name: str) -> Poly:
        return Poly(
            {
                monomial: -value if dict(monomial).get(name, 0) % 2 else value
                for monomial, value in self.terms.items()
            }
        )


def constant(value: Fraction | int) -> Poly:
    return Poly({(): Fraction(value)})


def symbol(name: str) -> Poly:
    """A variable, "π" or "i"."""
    return Poly({((name, 1),): Fraction(1)})


def square_root(value: Poly) -> Poly:
    """The principal root of a rational number; TooHardError for anything else."""
    number = value.rational()
    if number is None or max(abs(number.numerator), number.denominator) > _GREATEST_RADICAND:
        raise TooHardError
    root = constant(Fraction(1, number.denominator))
    if number < 0:
        root = root * symbol("i")
    for prime in _prime_factors(abs(number.numerator) * number.denominator):
        root = root * symbol(f"√{prime}")
    return root if number else constant(0)


def root(value: Poly, degree: int) -> Poly:
    """The real root of a rational number where it is rational or a square root."""
    if degree == 2:
        return square_root(value)
    number = value.rational()
    if number is None or not 2 < degree <= 64 or (number < 0 and degree % 2 == 0):
        raise TooHardError
    sign = -1 if number < 0 else 1
    top, bottom = (
        _whole_root(abs(part), degree) for part in (number.numerator, number.denominator)
    )
    return constant(Fraction(sign * top, bottom))


def _whole_root(value: int, degree: int) -> int:
    near = round(value ** (1 / degree)) if value < 10**300 else 0
    if near**degree != value:
        raise TooHardError
    return near


def _prime_factors(value: int) -> Iterator[int]:
    square = isqrt(value)
    if square * square == value:  # also saves the long search for a great prime's square
        for prime in _prime_factors(square) if square > 1 else ():
            yield prime
            yield prime
        return
    divisor = 2
    while divisor * divisor <= value:
        if divisor > 10**5:
            raise TooHardError
        while value % divisor == 0:
            yield divisor
            value //= divisor
        divisor += 1 if divisor == 2 else 2
    if value > 1:
        yield value


def _product(left: Monomial, right: Monomial) -> tuple[Monomial, Fraction]:
    """Two monomials multiplied, and the number that their roots and i's leave."""
    powers = dict(left)
    for name, power in right:
        powers[name] = powers.get(name, 0) + power
    factor = Fraction(1)
    for name, power in powers.items():
        if name == "i":
            factor *= -1 if power % 4 >= 2 else 1
            powers[name] = power % 2
        elif name[0] == "√":
            factor *= Fraction(int(name[1:])) ** (power // 2)
            powers[name] = power % 2
        elif abs(power) > _MOST_EXPONENT:
            raise TooHardError
    return tuple(sorted((name, power) for name, power in powers.items() if power)), factor
