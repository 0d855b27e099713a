"""The terminal as every command writes to it: names and texts are shown as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.visible import guard_terminal

if TYPE_CHECKING:
    from rich.console import Console


def terminal(*, stderr: bool = False, quiet: bool = False) -> Console:
    """A console on which a name such as `[bold]` is neither style nor fault, and where control
    characters are shown by their codes."""
    from rich.console import Console

    guard_terminal()
    return Console(stderr=stderr, quiet=quiet, markup=False, emoji=False)
