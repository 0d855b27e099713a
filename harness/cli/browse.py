"""`harness browse`: looks through the store in the terminal."""

from __future__ import annotations

import importlib.util

import click

from harness.cli.options import store_option


@click.command("browse")
@store_option
def command(store: str | None) -> None:
    """Look through the store: evaluations, their items and answers, judgments, and two
    evaluations side by side (d). / searches, w shows wrong answers only, Escape goes back.
    """
    from harness.errors import HarnessError
    from harness.store.database import store_path
    from harness.store.queries import refresh

    if importlib.util.find_spec("textual") is None:
        raise HarnessError("textual is not installed; pip install 'harness[browse]'")
    path = store_path(store)
    refresh(path)
    from harness.browse.app import Browser

    Browser(path).run()
