"""The suites of a loop, and that none of the items which steer it is among those that prove it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from training.loop.config import Loop

if TYPE_CHECKING:
    from harness.protocols.catalogue import Suite


def suite_names(loop: Loop, suites: str) -> list[str]:
    """What the store calls the suites of an option."""
    return [each.protocol.suite for each in _opened(loop, suites)]


def check_apart(loop: Loop) -> None:
    """Raises HarnessError where an item, or its question alone, both steers and proves."""
    evaluate = loop.config.evaluate
    steer, proof = (_opened(loop, each) for each in (evaluate.steer, evaluate.proof))
    names = {each.protocol.suite for each in steer} & {each.protocol.suite for each in proof}
    if names:
        raise HarnessError(
            f"{', '.join(sorted(names))} is the name of a suite that steers and of one that "
            "proves; give one of them another name in its card"
        )
    asked = {item.turns: item.id for suite in steer for item in suite.items}
    both = [
        (item.id, asked[item.turns])
        for suite in proof
        for item in suite.items
        if item.turns in asked
    ]
    if both:
        raise HarnessError(
            f"{len(both)} questions that prove steer too (the first: {both[0][0]}, which is "
            f"{both[0][1]}); what steers proves nothing: remove them from one of the suites"
        )


def judge_dollars(store: Path) -> float:
    """What all judgments in a store have cost, as far as prices are known."""
    from harness.store.database import connect
    from harness.store.queries import refresh

    refresh(store)
    with connect(store, read_only=True) as connection:
        row = connection.execute("SELECT coalesce(sum(cost), 0) FROM judgments").fetchone()
    assert row is not None
    return float(row[0])


def _opened(loop: Loop, suites: str) -> tuple[Suite, ...]:
    evaluate = loop.config.evaluate
    return _open(suites, loop.store, evaluate.limit, evaluate.seed)


@cache
def _open(suites: str, store: Path, limit: int | None, seed: int) -> tuple[Suite, ...]:
    from harness.protocols.catalogue import open_suite
    from harness.protocols.mt_bench_suite import imported_parts
    from harness.store.database import prepare
    from harness.store.queries import imported

    prepare(store)
    return tuple(
        open_suite(
            name,
            limit=limit,
            seed=seed,
            imported=imported(store, "jaster"),
            official=imported_parts(store, name),
        )
        for name in (each.strip() for each in suites.split(","))
        if name
    )
