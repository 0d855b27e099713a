"""Tells whether a text is Japanese by its letters."""

from __future__ import annotations

_KANA = ((0x3041, 0x3096), (0x309D, 0x309F), (0x30A1, 0x30FA), (0x30FC, 0x30FF), (0xFF66, 0xFF9F))
_KANJI = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF))


def letters(text: str) -> int:
    """How many characters of a text are letters of any script; digits and signs are none."""
    return sum(character.isalpha() for character in text)


def japanese_share(text: str) -> float:
    """Share of kana and kanji among a text's letters, 0.0 to 1.0; 1.0 when it has no letters.

    Chinese is written in kanji as well: see `is_japanese`.
    """
    japanese = other = 0
    for character in text:
        if _is_in(character, _KANA) or _is_in(character, _KANJI) or character in "々〆":
            japanese += 1
        elif character.isalpha():
            other += 1
    return japanese / (japanese + other) if japanese + other else 1.0


def is_japanese(text: str, threshold: float = 0.5) -> bool:
    """Whether at least `threshold` of the letters are Japanese.

    A text without any kana that uses characters outside JIS X 0213 (这, 们, 说) is Chinese. One in
    traditional characters that Japanese shares is not told apart.
    """
    if japanese_share(text) < threshold:
        return False
    if any(_is_in(character, _KANA) for character in text):
        return True
    return all(_is_jis(character) for character in text if _is_in(character, _KANJI))


def _is_in(character: str, ranges: tuple[tuple[int, int], ...]) -> bool:
    code = ord(character)
    return any(first <= code <= last for first, last in ranges)


def _is_jis(character: str) -> bool:
    for encoding in ("cp932", "shift_jis_2004"):
        try:
            character.encode(encoding)
        except UnicodeEncodeError:
            continue
        return True
    return False
