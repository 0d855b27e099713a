"""Mathematical equality: Japanese notation read exactly, sympy under limits for the rest."""

from harness.scoring.math.equality import math_equal
from harness.scoring.math.find import extract_math_answer
from harness.scoring.math.verdict import INSTALL, MathVerdict

__all__ = ["INSTALL", "MathVerdict", "extract_math_answer", "math_equal"]
