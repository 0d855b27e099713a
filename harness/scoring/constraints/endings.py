"""Constraints on how an answer and its sentences start and end, and on its punctuation."""

from __future__ import annotations

import re

from harness.scoring.constraints.lengths import ENDS, sentences

_QUOTATION = re.compile("「.*?」|『.*?』")
_STOPS = re.compile("[。！？]")
_QUOTES = "」』"
OPTIONS = ("はい、そうです。", "いいえ、違います。", "どちらとも言えません。")

# A noun at a sentence's end is told by its last character, which no inflected word ends in, or is
# one of those that are often written in hiragana; others (りんご) are missed.
_NOUN = re.compile(
    "(?:[一-龯々ァ-ヺーA-Za-z0-9Ａ-Ｚａ-ｚ０-９%％]"
    "|こと|もの|ところ|ため|ひと|とき|とおり|ほか|うち|あいだ|まま|さん|たち|[しかよきな]さ)$"
)
_POLITE = re.compile(
    "(?:です|ます|でした|ました|ません|でしょう|ましょう|ください|下さい|ませ)(?:か|ね|よ|よね)?$"
)
_BRACKETS = "」』)）\"'* "
_CLOSING = " \t　。.！？!?…」』)）\"'*"


def no_comma(text: str) -> bool:
    return "、" not in text


def no_period(text: str) -> bool:
    return "。" not in text


def constrained_response(text: str) -> bool:
    """One of the three set answers of OPTIONS occurs."""
    return any(option in text for option in OPTIONS)


def quotation(text: str) -> bool:
    """The whole answer is between 「 and 」."""
    text = text.strip()
    return len(text) > 1 and text.startswith("「") and text.endswith("」")


def start_checker(text: str, start_phrase: str) -> bool:
    """The answer starts with a phrase; an opening 「 or 『 before it is not looked at."""
    return text.strip().lstrip("「『").startswith(start_phrase.strip())


def end_checker(text: str, end_phrase: str) -> bool:
    """The answer ends with a phrase; a closing 」 or 』 behind it is not looked at."""
    return text.strip().strip(_QUOTES).endswith(end_phrase.strip().strip(_QUOTES))


def sentence_unified_end(text: str, ending: str) -> bool:
    """Every sentence outside quotations ends with the same words; 。！？ end a sentence, a line
    end does not."""
    parts = _STOPS.split(_QUOTATION.sub("", text))
    return all(one.endswith(ending) for one in parts if one.strip())


def polite_endings(text: str) -> bool:
    """Every sentence ends politely (です, ます and their forms). Quotations are left out, and so
    are lines without a full stop, such as headings, unless the answer has no full stop at all."""
    found = sentences(_QUOTATION.sub("", text))
    stopped = [one for one in found if one.rstrip(_BRACKETS)[-1:] in tuple(ENDS)]
    plain = [one.rstrip(_CLOSING) for one in stopped or found]
    return any(plain) and all(_POLITE.search(one) for one in plain if one)


def nominal_ending(text: str, count: int) -> bool:
    """At least this many sentences end in a noun (体言止め), outside quotations."""
    parts = _STOPS.split(_QUOTATION.sub("", text))[:-1]
    return sum(_NOUN.search(one) is not None for one in parts) >= count
