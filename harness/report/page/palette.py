"""The colours of a report: drawn in their light variant, shown by the page as variables of its
style sheet, so that one figure serves light, dark and print."""

from __future__ import annotations

import re

# name -> (light, dark). Each light value occurs once, since figures are recoloured by it. Text and
# lines keep a contrast of 4.5 and 3 to 1 with their ground (WCAG 2.2, AA).
COLOURS = {
    "ground": ("#fdfdfc", "#14171a"),
    "raised": ("#f4f5f3", "#1d2125"),
    "ink": ("#1c2126", "#e8eaec"),
    "muted": ("#58616a", "#a6afb8"),
    "rule": ("#dcdfe1", "#363c42"),
    "subject": ("#1a5fb4", "#78aeed"),
    "rival1": ("#a2500a", "#f0a45e"),
    "rival2": ("#6a3fa0", "#c3a3ee"),
    "rival3": ("#0f6e63", "#5cc9b9"),
    "rival4": ("#8a1c5b", "#f08fc4"),
    "good": ("#1b7340", "#6fd39a"),
    "bad": ("#b3261e", "#ff8a80"),
    "unsure": ("#8a5a00", "#e6b450"),
    "phase": ("#e9edf2", "#22282f"),
    "dirty": ("#fbe3df", "#45201d"),
}
LINES = ("subject", "rival1", "rival2", "rival3", "rival4")
LIGHT = {name: light for name, (light, _) in COLOURS.items()}
FONT = (
    "'Noto Sans CJK JP', 'Noto Sans JP', 'Hiragino Sans', 'Yu Gothic UI', Meiryo, "
    "system-ui, sans-serif"
)

_BY_COLOUR = {light: name for name, light in LIGHT.items()}


def variables(number: int) -> str:
    """Declarations of the style sheet: 0 for light, 1 for dark."""
    return "".join(f"--{name}:{pair[number]};" for name, pair in COLOURS.items())


def themed(svg: str) -> str:
    """A figure with its colours replaced by the page's variables."""
    return re.sub(
        r"#[0-9a-f]{6}\b",
        lambda found: f"var(--{_BY_COLOUR[found[0]]})" if found[0] in _BY_COLOUR else found[0],
        svg,
    )
