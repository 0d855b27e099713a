"""Asks a teacher for the answers to questions and proves them, each genre in its own way."""

from __future__ import annotations

from collections.abc import Sequence

from training.synthesis.agreement import agreed
from training.synthesis.asked import Outcome, Question
from training.synthesis.judged import free
from training.synthesis.programs import executed
from training.synthesis.types import Ask, Order


def answered(
    order: Order, ask: Ask, questions: Sequence[Question], judge: Ask | None = None
) -> list[Outcome]:
    """One outcome for each question, in their order, in one call of `ask` (and one of `judge`).

    math, reasoning  `samples` answers (5) are drawn; the commonest is kept when its share of all
                     that were drawn reaches `agree` (0.6), unreadable ones counting against it.
                     math: unless `program` is "no", the teacher also writes a program; one that
                     computes the same value proves the answer ("math-equality"), one that
                     computes another value refutes it
    coding           a solution with tests, which a second, independent solution has to pass too
    extraction       as reasoning; only objects with exactly the keys asked for, whose values all
                     stand verbatim in the passage, are readable
    all else         one answer; where there is a `judge`, or `judge` is "teacher", it has to be
                     rated `rating` (7) or better, else it is kept as unproven

    The names in quotes are settings of the line. Raises HarnessError for one that is wrong.
    """
    genre = order.line.genre
    if not questions:
        return []
    if genre == "coding":
        return executed(order, ask, questions)
    if genre in ("math", "reasoning", "extraction"):
        return agreed(order, ask, questions)
    if judge is None and order.line.settings.get("judge") == "teacher":
        judge = ask
    return free(order, ask, questions, judge)
