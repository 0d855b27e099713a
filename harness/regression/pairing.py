"""Which evaluations of a baseline and a candidate may be compared, and why others may not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError
from harness.regression.difference import protocol_difference
from harness.store.lineage import judges_of, temperatures
from harness.store.paired import Judge
from harness.store.queries import (
    EvaluationRow,
    evaluations,
    find_evaluation,
    protocol_definition,
)

# Where a rule verifies an answer, this protocol rates by it what a judge would have rated.
_RATED_BY_RULE = ("mt-bench", "harness-1")
_HIGHEST = 10.0


@dataclass(frozen=True)
class Pair:
    """One suite's evaluations, all of one protocol and asked in one manner.

    bases  one, or several whose scores are pooled;  judge: whose ratings count, if anybody's
    """

    suite: str
    bases: tuple[EvaluationRow, ...]
    cand: EvaluationRow
    judge: Judge | None

    @property
    def base(self) -> EvaluationRow:
        """The last baseline, which stands for all in messages."""
        return self.bases[-1]


@dataclass(frozen=True)
class Pairs:
    """What two sides have in common, and the latest evaluations of suites that only one has."""

    pairs: tuple[Pair, ...]
    only_base: tuple[EvaluationRow, ...]
    only_cand: tuple[EvaluationRow, ...]


def find_pairs(
    path: Path,
    bases: Sequence[Sequence[EvaluationRow]],
    cand: Sequence[EvaluationRow],
    suites: Sequence[str] = (),
    judge: str | None = None,
) -> Pairs:
    """The evaluations to compare, one pair for each suite that all sides have.

    bases, cand  what each name stands for (`named_evaluations`)
    suites       only these;  judge: whose ratings count, where several have judged

    Of several evaluations of a suite, those under one protocol are taken, before others those over
    the same items, and the latest. Raises HarnessError where the sides have no suite in common,
    where both are one evaluation, and where they were measured differently, naming the difference.
    """
    sides = [[row for row in side if not suites or row.suite in suites] for side in (*bases, cand)]
    names = [{row.suite for row in side} for side in sides]
    shared = sorted(set.intersection(*names))
    if not shared:
        had = "; ".join(
            f"{side[-1].checkpoint} has {', '.join(sorted({row.suite for row in side}))}"
            for side in (*bases, cand)
        )
        asked = f" among {', '.join(suites)}" if suites else ""
        raise HarnessError(f"no suite in common{asked}: {had}; evaluate both on one suite")
    by_suite = [[[row for row in side if row.suite == suite] for side in sides] for suite in shared]
    differ = [rows for rows in by_suite if _ids(rows[0]) != _ids(rows[-1])]
    if not differ:
        raise HarnessError(
            f"BASE and CAND are the same evaluation ({cand[-1].id[:12]} of "
            f"{cand[-1].checkpoint}); name two"
        )
    return Pairs(
        tuple(_pair(path, rows, judge) for rows in differ),
        _lacking(sides[0], names[-1]),
        _lacking(sides[-1], set.intersection(*names[:-1])),
    )


def named_evaluations(path: Path, name: str) -> list[EvaluationRow]:
    """Every evaluation that a name stands for, oldest first: all of a checkpoint, by its name,
    fingerprint or path, or else the one whose id begins so.

    Raises HarnessError where there is none, or several ids begin so.
    """
    place = str(Path(name).expanduser().resolve())
    found = evaluations(path, "c.name = ? OR e.fingerprint = ? OR c.path = ?", [name, name, place])
    return found or [find_evaluation(path, name)]


def _ids(rows: Sequence[EvaluationRow]) -> set[str]:
    return {row.id for row in rows}


def _lacking(side: Sequence[EvaluationRow], others: set[str]) -> tuple[EvaluationRow, ...]:
    """The latest evaluation of each suite that the others do not have."""
    latest = {row.suite: row for row in side if row.suite not in others}
    return tuple(latest[suite] for suite in sorted(latest))


def _pair(path: Path, sides: list[list[EvaluationRow]], judge: str | None) -> Pair:
    """The best pair of one suite; refuses where no evaluation of the candidate fits."""
    best: tuple[EvaluationRow, ...] | None = None
    for cand in reversed(sides[-1]):
        chosen = tuple(
            max(
                (row for row in side if row.protocol_hash == cand.protocol_hash),
                key=lambda row: (
                    row.items_hash == cand.items_hash,
                    (row.samples == 1) == (cand.samples == 1),
                    row.samples == cand.samples,
                    row.started_at,
                ),
                default=None,
            )
            for side in sides[:-1]
        )
        bases = tuple(row for row in chosen if row is not None)
        if len(bases) == len(chosen):
            fits = all(row.items_hash == cand.items_hash for row in bases)
            if best is None or fits:
                best = (*bases, cand)
            if fits:
                break
    if best is None:
        raise HarnessError(_refusal(path, sides[0][-1], sides[-1][-1]))
    for row in best[:-1]:
        _check_sampling(path, row, best[-1])
    return Pair(best[-1].suite, best[:-1], best[-1], judge_of(path, best, judge))


def _refusal(path: Path, base: EvaluationRow, cand: EvaluationRow) -> str:
    found = protocol_difference(
        protocol_definition(path, base.protocol_hash),
        protocol_definition(path, cand.protocol_hash),
    )
    named = "; ".join(f"{part}: {', '.join(entries)}" for part, entries in found.items())
    cure = "evaluate one of them again under the other's protocol"
    if list(found) == ["version"]:
        cure = "`harness score` scores stored answers again under the version installed here"
    return (
        f"{base.suite}: {base.checkpoint} ({base.protocol}, {base.protocol_hash[:8]}) and "
        f"{cand.checkpoint} ({cand.protocol}, {cand.protocol_hash[:8]}) were measured under "
        f"different protocols, which are never compared ({named}); {cure}"
    )


def _check_sampling(path: Path, base: EvaluationRow, cand: EvaluationRow) -> None:
    """Refuses greedy answers beside drawn ones: a protocol asks one answer greedily and draws
    several, and their scores differ for that alone."""
    if (base.samples == 1) == (cand.samples == 1):
        return
    heat = [temperatures(path, row.id) for row in (base, cand)]
    if heat[0] != heat[1]:
        shown = [", ".join(f"{one:g}" for one in sorted(found)) for found in heat]
        raise HarnessError(
            f"{cand.suite}: {base.checkpoint} and {cand.checkpoint} were asked differently, which "
            f"is never compared (sampling: temperature {shown[0]} → {shown[1]}, {base.samples} → "
            f"{cand.samples} answers an item); evaluate one of them again with the other's "
            "--samples, 2 or more where answers are drawn"
        )


def judge_of(path: Path, rows: Sequence[EvaluationRow], wanted: str | None) -> Judge | None:
    """Whose ratings count where evaluations of one suite are compared; None where nobody judged.

    Raises HarnessError where not all were judged alike, or several judges fit and none is wanted.
    """
    by_row = [judges_of(path, row.id) for row in rows]
    if not any(by_row):
        return None
    suite, cand = rows[-1].suite, rows[-1]
    for row, judges in zip(rows, by_row, strict=True):
        if not judges:
            raise HarnessError(
                f"{suite}: {row.checkpoint} has not been judged and the other side has "
                f"(judge: none → {_named(next(found for found in by_row if found))}); judge it too"
            )
    common = set.intersection(*map(set, by_row))
    if not common:
        parts = " → ".join(_named(judges) for judges in (by_row[0], by_row[-1]))
        raise HarnessError(
            f"{suite}: {rows[0].checkpoint} and {cand.checkpoint} were judged differently, which "
            f"is never compared (judge: {parts}); judge one of them again as the other was"
        )
    fitting = sorted(one for one in common if wanted is None or one[0] == wanted)
    if len(fitting) != 1:
        raise HarnessError(
            f"{suite}: both sides were judged by {_named(sorted(common))}; choose one with --judge"
        )
    definition = protocol_definition(path, cand.protocol_hash)
    by_rule = (definition.get("protocol"), definition.get("name")) == _RATED_BY_RULE
    decided = (float(definition["lowest"]), _HIGHEST) if by_rule else None
    return Judge(*fitting[0], decided)


def _named(judges: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{name} with prompts {prompts[:8]}" for name, prompts in judges)
