"""Tells whether a text is Japanese by its letters."""

from __future__ import annotations

import re

_KANA = re.compile("[\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\uff66-\uff9f]")
_KANJI = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]")
_JAPANESE = re.compile(f"{_KANA.pattern}|{_KANJI.pattern}|[々〆]")


def letters(text: str) -> int:
    """How many characters of a text are letters of any script; digits and signs are none."""
    return sum(character.isalpha() for character in text)


def japanese_share(text: str) -> float:
    """Share of kana and kanji among a text's letters, 0.0 to 1.0; 1.0 when it has no letters.

    Chinese is written in kanji as well: see `is_japanese`.
    """
    rest = _JAPANESE.sub("", text)
    japanese, other = len(text) - len(rest), letters(rest)
    return japanese / (japanese + other) if japanese + other else 1.0


def is_japanese(text: str, threshold: float = 0.5) -> bool:
    """Whether at least `threshold` of the letters are Japanese.

    A text without any kana that uses characters outside JIS X 0213 (这, 们, 说) is Chinese. One in
    traditional characters that Japanese shares is not told apart.
    """
    if japanese_share(text) < threshold:
        return False
    return bool(_KANA.search(text)) or all(map(_is_jis, _KANJI.findall(text)))


def _is_jis(character: str) -> bool:
    for encoding in ("cp932", "shift_jis_2004"):
        try:
            character.encode(encoding)
        except UnicodeEncodeError:
            continue
        return True
    return False
