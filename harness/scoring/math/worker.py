"""The process that compares expressions by math-verify and sympy under limits; `pool` starts it."""

from __future__ import annotations

import sys
from typing import Any

from harness.line_worker import serve
from harness.scoring.math.latex import to_latex

_MEMORY = 2 * 2**30
_DEEPEST = 3000
# Points at which two expressions are evaluated, and the digits to which they must agree.
_POINTS = ("37/29", "-53/31", "5/17", "-11/47", "211/89")
_DIGITS = 40


def main() -> None:
    """Answers questions until its input ends."""
    sys.setrecursionlimit(_DEEPEST)
    serve(
        lambda question: _reply(question["answer"], question["gold"]),
        memory=_MEMORY,
        first=lambda: _compare("1", "1"),
    )


def _reply(answer: str, gold: str) -> dict[str, str]:
    try:
        return _compare(answer, gold)
    except MemoryError:
        return {"reason": "memory"}
    except RecursionError:
        return {"reason": "crashed"}
    except Exception:
        return {"reason": "crashed"}


def _compare(answer: str, gold: str) -> dict[str, str]:
    wanted = _parsed(gold)
    if wanted is None:
        return {"reason": "unparsable gold"}
    found = _parsed(answer)
    if found is None:
        return {"reason": "unparsable answer"}
    return {"outcome": "equal" if _equal(found, wanted) else "unequal"}


def _parsed(text: str) -> Any:
    """What math-verify makes of a canonical text; None when it cannot read all of it."""
    from math_verify import LatexExtractionConfig, parse

    latex = to_latex(text)
    if latex is None:
        return None
    found = parse(
        f"${latex}$",
        extraction_config=[LatexExtractionConfig()],
        fallback_mode="no_fallback",
        parsing_timeout=None,
    )
    return _exact_decimals(found[0]) if found else None


def _exact_decimals(value: Any) -> Any:
    """0.1 as 1/10, as it was written, and not the binary number next to it."""
    from sympy import Basic, Float, Rational

    if not isinstance(value, Basic):
        return value
    return value.xreplace({number: Rational(str(number)) for number in value.atoms(Float)})


def _equal(a: Any, b: Any) -> bool:
    """Equality of two parsed values. Expressions are equal when they agree to 40 digits wherever
    both can be evaluated, at no fewer than three points; all else is math-verify's judgment, in
    either order, so that it is symmetric."""
    from math_verify import verify
    from sympy import Basic, Expr
    from sympy.core.relational import Relational

    if isinstance(a, Relational) and isinstance(b, Expr):
        a = _right_side(a)
    if isinstance(b, Relational) and isinstance(a, Expr):
        b = _right_side(b)
    if isinstance(a, Expr) and isinstance(b, Expr):
        agreed = _agree(a, b)
        if agreed is not None:
            return agreed
    if isinstance(a, Basic) and isinstance(b, Basic) and a == b:
        return True
    return any(
        verify(gold, answer, strict=True, timeout_seconds=None, float_rounding=12)
        for gold, answer in ((a, b), (b, a))
    )


def _right_side(relation: Any) -> Any:
    """3 of x = 3."""
    from sympy import Eq, Symbol

    return (
        relation.rhs if isinstance(relation, Eq) and isinstance(relation.lhs, Symbol) else relation
    )


def _agree(a: Any, b: Any) -> bool | None:
    """Whether two expressions have the same values; None where too few can be computed."""
    from sympy import Derivative, Float, Integral, Limit, Product, Rational, Sum

    # Worked out symbolically where that can be: digits of an integral come at a price.
    a, b = (
        side.doit() if side.has(Integral, Sum, Product, Limit, Derivative) else side
        for side in (a, b)
    )
    symbols = sorted(a.free_symbols | b.free_symbols, key=str)
    compared = 0
    for shift in range(len(_POINTS) if symbols else 1):
        point = {
            name: Rational(_POINTS[(shift + place) % len(_POINTS)]) + place
            for place, name in enumerate(symbols)
        }
        left, right = (side.subs(point).evalf(_DIGITS, maxn=400) for side in (a, b))
        if not (left.is_number and right.is_number) or left.has("nan") or right.has("nan"):
            continue
        if not (left.is_finite and right.is_finite):
            continue
        size = max(abs(left), abs(right), Float(1))
        if abs(left - right) > size * Float(10) ** (10 - _DIGITS):
            return False
        # Both are near each other; is there any difference, however small?
        gap = (a - b).subs(point).evalf(15, maxn=1000)
        if gap != 0 and all(part == 0 or part._prec > 1 for part in gap.as_real_imag()):
            return False
        compared += 1
    return True if compared >= min(3, len(_POINTS) if symbols else 1) else None


if __name__ == "__main__":
    main()
