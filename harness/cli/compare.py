"""`harness compare`: a candidate beside its baseline, with a verdict and an exit status."""

from __future__ import annotations

import click

from harness.cli.options import store_option, table_options


@click.command("compare")
@click.argument("names", metavar="[BASE] CAND", nargs=-1)
@store_option
@table_options
def command(names: tuple[str, ...], store: str | None, output: str | None) -> int:
    """x"""
    from harness.policy_file import load_policy
    from harness.regression import compare
    from harness.store.database import store_path
    from harness.store.queries import refresh

    path = store_path(store)
    refresh(path)
    found = compare(path, names[0].split(","), names[1], load_policy(None))
    for one in found.verdicts:
        m, d = one.measured, one.decision
        print(
            m.place,
            m.change.n,
            round(d.change, 4),
            round(d.low, 4),
            round(d.high, 4),
            m.test,
            one.p,
            one.verdict,
            d.items_needed,
        )
    print(found.gate)
    return found.gate.status
