"""The baseline file: names the last good evaluations, and moves only when a comparison passes."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from harness.errors import HarnessError
from harness.regression.compare import Comparison
from harness.store.queries import EvaluationRow, evaluations


class Baseline(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the file says, as JSON.

    checkpoint, fingerprint  whose evaluations they are
    evaluations              id by suite
    policy                   hash of the policy under which the file last moved
    """

    checkpoint: str
    fingerprint: str
    evaluations: dict[str, str]
    policy: str
    version: int = 1


def read_baseline(file: Path) -> Baseline:
    """Raises HarnessError where the file is missing, torn or of another version."""
    try:
        found = msgspec.json.decode(file.read_bytes(), type=Baseline)
    except FileNotFoundError:
        raise HarnessError(
            f"{file}: no baseline yet; start it by naming one: "
            f"`harness compare BASE CAND --baseline {file}`"
        ) from None
    except OSError as error:
        raise HarnessError(f"{file}: cannot read the baseline ({error.strerror})") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HarnessError(
            f"{file}: not a baseline ({error}); restore it, or start it anew with BASE and CAND"
        ) from None
    if found.version != 1:
        raise HarnessError(
            f"{file}: a baseline of version {found.version}; this harness knows version 1"
        )
    return found


def baseline_evaluations(path: Path, file: Path, baseline: Baseline) -> list[EvaluationRow]:
    """The evaluations that a baseline names. Raises HarnessError where the store lacks one."""
    ids = list(baseline.evaluations.values())
    found = evaluations(path, "list_contains(?, e.id)", [ids])
    lacking = set(ids) - {row.id for row in found}
    if lacking or not ids:
        raise HarnessError(
            f"{file}: {path} does not hold the evaluation {min(lacking, default='')[:12]} of "
            f"{baseline.checkpoint} that it names; use the store that it was made with, or "
            "evaluate that checkpoint again"
        )
    return found


def move_baseline(file: Path, comparison: Comparison, before: Baseline | None = None) -> Baseline:
    """Writes the candidate of a passed comparison as the new baseline, at once or not at all.

    Suites that only the candidate has enter with it; what the file says of suites that were not
    compared stays, if `before` is what it said. Raises HarnessError where the file cannot be
    written, ValueError for a comparison that did not pass.
    """
    if comparison.gate.outcome != "pass":
        raise ValueError(f"a baseline moves only on pass, not on {comparison.gate.outcome}")
    rows: dict[str, EvaluationRow] = {
        compared.pair.suite: compared.pair.cand for compared in comparison.suites
    }
    first = next(iter(rows.values()))
    rows |= {row.suite: row for row in comparison.only_cand}
    kept = before.evaluations if before is not None else {}
    evaluated = kept | {suite: row.id for suite, row in rows.items()}
    moved = Baseline(
        checkpoint=first.checkpoint,
        fingerprint=first.fingerprint,
        evaluations=dict(sorted(evaluated.items())),
        policy=comparison.policy.hash,
    )
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(moved), indent=2) + b"\n")
        unfinished.replace(file)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise HarnessError(
            f"{file}: cannot write the baseline ({error.strerror}); it is as it was"
        ) from None
    return moved
