"""Shows what nobody would see in a text, so that it can neither act on its reader nor hide."""

from __future__ import annotations

import re

_INVISIBLE = re.compile(
    "[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5"
    "\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff"
    "\uffa0\ufff0-\ufffc\ufffe\uffff\U000e0000-\U000e0fff]"
)
_PICTURE = re.compile("[\u00a9\u00ae\u203c-\u3299\ufe0f\U0001f000-\U0001faff]")
_KANJI = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af]")


def visible(text: str) -> str:
    """The text with characters that nobody sees or that act (zero-width, bidirectional, tag and
    control characters but tab and line feed, lone surrogates) written as ‹U+200B› and so on.
    Joiners within emoji and variants of kanji stay. Applying it twice changes nothing more."""
    return _INVISIBLE.sub(_shown, text)


def guard_terminal() -> None:
    """From now on rich shows control and bidirectional characters of every text, wherever it came
    from, by their codes: a name from a stranger's file neither moves the cursor nor sets a title.
    Styles and progress bars are rich's own and stay."""
    from rich import control

    acting = [*range(9), *range(0xB, 0x20), *range(0x7F, 0xA0), 0x61C, 0x200E, 0x200F]
    acting += [*range(0x2028, 0x202F), *range(0x2066, 0x206A), *range(0xD800, 0xE000)]
    table: dict[int, str | None] = control._CONTROL_STRIP_TRANSLATE  # type: ignore[assignment]
    table.update({number: _shown_code(number) for number in acting})


def clipped(text: str, limit: int) -> str:
    """At most `limit` characters of a text made visible, and how many were left out."""
    if len(text) <= limit:
        return visible(text)
    return f"{visible(text[:limit])} … {len(text) - limit:,} more characters"


def _shown(match: re.Match[str]) -> str:
    character, text, at = match[0], match.string, match.start()
    before = text[at - 1 : at]
    if character in "\u200d\ufe0e\ufe0f" and _PICTURE.match(before):
        return character
    if character == "\ufe0f" and text[at + 1 : at + 2] == "\u20e3":  # a digit on a key
        return character
    if "\U000e0100" <= character <= "\U000e01ef" and _KANJI.match(before):
        return character
    return _shown_code(ord(character))


def _shown_code(number: int) -> str:
    return f"‹U+{number:04X}›"
