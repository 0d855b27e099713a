"""Reads which one of a closed set of labels an answer gives."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

from harness.scoring.normalise import normalise, unify
from harness.scoring.reading import DENIAL, Marked, statement

_DECORATION = r"[ 「『\"'(\[【<*、,:・]{0,6}"
_FILLER = (
    r"(?:おそらく|恐らく|たぶん|やはり|もちろん|間違いなく)?(?:、|,)?"
    r"(?:選択肢|番号|記号|ラベル|肢)?(?:の|は|:)?"
)
_CLOSING = r"[ 」』\"')\]】>*]{0,4}"
_ASSERTION = (
    r"(?:番|案)?(?:です(?:ね|よ)?|でした|である|だ|になります|となります|だと思います|と(?:思い|考え)ます"
    r"|が(?:正解|正しい|適切|答え)(?:です|だ|である|と(?:思い|考え)ます)?|を(?:選び|選択し)ます|を選ぶ)?"
)
# Behind a label in running text: no letter, kanji, katakana or digit that would make it another
# word, but 番 and 案 as in Aの案.
_AFTER = r"(?![0-9A-Za-z一-鿿ァ-ヺー々]|[.,][0-9]|つ|さん|くん|ちゃん)|(?=[番案](?!目))"
_OR = re.compile(
    _CLOSING
    + r"(?:と|、|,|か|または|又は|もしくは|あるいは|および|及び|/|・|~|-|から|or|and)"
    + r" ?"
)
_CHOSEN = re.compile(
    _CLOSING + r"(?:番|案)?(?:が|を|は)(?:最も|もっとも|一番|、)*"
    r"(?:正解(?!で(?:は|も)|と(?:は|も))|正しい(?!と(?:は|も)|わけ|か)|適切(?:です|だ|である|と(?:考|思|言え|いえ)|な)"
    r"|ふさわしい(?!と(?:は|も))|選び|選択(?:し|する)|選ぶ|答え(?!で(?:は|も)))"
)
_LEADING = re.compile(
    r"(?:正しい|適切な|ふさわしい|当てはまる|あてはまる|該当する|適当な)(?:の|もの|選択肢|記述|文|説明)?"
    r"は|選択肢は|選ぶべきは"
)


# Behind these, a sentence that is nothing but a label is marked: よって、Bです。
_THEREFORE = re.compile(r"(?:よって|したがって|従って|ゆえに|以上より|以上から|結局|つまり)[、, ]?")


def read_label(
    text: str, marked: list[Marked], box: str | None, labels: tuple[str, ...], prompt: str
) -> str | None:
    """The label that a cleaned answer gives, or None. In this order:

    1. the box, when it holds a label;
    2. the first sentence or line that is nothing but a label (A, (A)です。, Aが正解です, or an
       option line of the prompt such as A. 東京), unless another sentence is nothing but another
       label, or a mark names another;
    3. marks: 答えはA, 正解：(B), 正しいのはC, よってCです, Dを選びます. All must agree, or the last
       must be final (最終的な答え, よって答えは). A mark that is denied (Aではない) or supposed
       (Aなら) is none, and one that names two labels (AまたはB) ends the search;
    4. the answer is the text of exactly one option in the prompt;
    5. exactly one label is mentioned in the whole text and not denied.
    """
    plain: dict[str, str] = {}
    for label in labels:
        plain.setdefault(unify(label), label)
    if box is not None and (inside := _whole(box, plain, prompt)):
        return inside
    alone = _alone(text, plain, prompt)
    if len(set(alone.values())) > 1:
        return None
    named = _named(text, marked, plain)
    if named is None:
        return None
    if alone and min(alone) == 0:
        first = alone[0]
        return first if not named or set(named) == {first} else None
    if named:
        agreed = len(set(named)) == 1
        return named[-1] if agreed or (marked and marked[-1].final) else None
    if (chosen := _by_option_text(text, marked, plain, prompt)) is not None:
        return chosen
    mentioned = {plain[found[0]] for found in _mentions(text, plain)}
    return mentioned.pop() if len(mentioned) == 1 else None


@lru_cache(maxsize=64)
def _pattern(labels: tuple[str, ...]) -> re.Pattern[str]:
    """Any label as a word of running text, longest first."""
    return re.compile(
        "|".join(
            f"{_before(label)}{re.escape(label)}(?:{_AFTER})"
            if label[-1:].isascii() or label[-1:].isdecimal()
            else f"{_before(label)}{re.escape(label)}(?=$|[^0-9A-Za-zぁ-んァ-ヺー一-鿿々]"
            "|です|でし|だ|であ|で(?:は|も|し)|じゃ|と|に|が|を|は|の(?!で)|も|以外|なら|か|または|あるいは|および|及び)"
            for label in sorted(labels, key=len, reverse=True)
        )
    )


def _before(label: str) -> str:
    """A label must not be the tail of a longer word of its own script."""
    first = label[:1]
    if first.isascii():
        return r"(?<![0-9A-Za-z])(?<![0-9][.,])" if first.isalnum() else ""
    if "ぁ" <= first <= "ん":
        return r"(?<![ぁ-ん](?<![はがをともで]))"
    if "ァ" <= first <= "ヺ":
        return "(?<![ァ-ヺー])"
    return "(?<![一-鿿々])"


def _whole(unit: str, plain: dict[str, str], prompt: str) -> str | None:
    """The label that a sentence consists of, assertion and decoration aside."""
    found = _whole_pattern(tuple(plain)).fullmatch(unit.strip()[:200])
    if found is not None:
        return plain.get(found["label"]) or _case_blind(found["label"], plain)
    for label, original in plain.items():
        head = normalise(unit[: len(label) + 3]).lstrip("([「")
        if head.startswith(label) and len(unit) > len(label) + 1:
            squeezed = "".join(unit.split())
            # An option repeated as it stands in the prompt: A. 東京
            if any(squeezed == "".join(line.split()) for line in unify(prompt).split("\n")):
                return original
    return None


@lru_cache(maxsize=64)
def _whole_pattern(labels: tuple[str, ...]) -> re.Pattern[str]:
    names = "|".join(re.escape(label) for label in sorted(labels, key=len, reverse=True))
    return re.compile(
        rf"{_DECORATION}{_FILLER}{_DECORATION}(?P<label>(?i:{names})){_CLOSING}{_ASSERTION}{_CLOSING}[。.!:]?"
    )


def _case_blind(text: str, plain: dict[str, str]) -> str | None:
    same = {original for label, original in plain.items() if label.casefold() == text.casefold()}
    return same.pop() if len(same) == 1 else None


def _alone(text: str, plain: dict[str, str], prompt: str) -> dict[int, str]:
    """Sentences that are nothing but a label: their number in the text and the label."""
    units = [unit for unit in re.split(r"[\n。]", text) if unit.strip()]
    found: dict[int, str] = {}
    for number, unit in enumerate(units[:400]):
        if len(unit) <= 200 and (label := _whole(unit, plain, prompt)):
            found[number] = label
    return found


def _named(text: str, marked: list[Marked], plain: dict[str, str]) -> list[str] | None:
    """Labels that marks name, in order; None when one mark names two of them."""
    found: list[str] = []
    values = [mark.value for mark in marked]
    leads = list(_LEADING.finditer(text))[-16:]
    values = [text[lead.end() : lead.end() + 200].split("\n", 1)[0] for lead in leads] + values
    for value in values:
        labels = _at_start(value, plain)
        if len(labels) > 1:
            return None
        found += labels
    for lead in list(_THEREFORE.finditer(text))[-16:]:
        sentence = re.split(r"[\n。]", text[lead.end() : lead.end() + 200], maxsplit=1)[0]
        if label := _whole(sentence, plain, ""):
            found.append(label)
    for mention in _mentions(text, plain):
        if _CHOSEN.match(text, mention.end()):
            found.insert(0, plain[mention[0]])
    return found


def _at_start(value: str, plain: dict[str, str]) -> list[str]:
    """The label with which a marked value begins; two when it offers an alternative."""
    start = _start_pattern(tuple(plain)).match(value)
    if start is None:
        whole = _whole(value.split("。", 1)[0], plain, "")
        return [whole] if whole else []
    if DENIAL.match(value, start.end()):
        return []
    label = plain[start["label"]]
    other = _OR.match(value, start.end())
    if other is not None:
        second = _start_pattern(tuple(plain)).match(value, other.end())
        if second is not None and not DENIAL.match(value, second.end()):
            return list(dict.fromkeys((label, plain[second["label"]])))
    return [label]


@lru_cache(maxsize=64)
def _start_pattern(labels: tuple[str, ...]) -> re.Pattern[str]:
    def word(label: str) -> str:
        if label[-1:].isascii():
            return re.escape(label) + f"(?:{_AFTER})"
        # Directly behind a mark the word's own left edge is sure; its right edge is not.
        return (
            re.escape(label)
            + "(?=$|[^0-9A-Za-zぁ-んァ-ヺー一-鿿々]|です|でし|だ|であ|で(?:は|も|し|、)|じゃ"
            "|と|に(?:な|該|当)|が|を|は|の(?!で)|も|以外|なら|か|または|もしくは|及び)"
        )

    names = "|".join(word(label) for label in sorted(labels, key=len, reverse=True))
    return re.compile(rf"{_DECORATION}{_FILLER}{_DECORATION}(?P<label>{names})")


def _mentions(text: str, plain: dict[str, str]) -> list[re.Match[str]]:
    """Labels in running text that are not denied. An English article (A boy) is none."""
    return [
        found
        for found in _pattern(tuple(plain)).finditer(text)
        if not DENIAL.match(text, found.end())
        and not (found[0] == "A" and re.match(r" [a-z]", text[found.end() : found.end() + 2]))
    ]


def _by_option_text(
    text: str, marked: list[Marked], plain: dict[str, str], prompt: str
) -> str | None:
    options = option_texts(prompt, tuple(plain))
    wanted = {normalise(mark.value) for mark in marked} | {statement(mark.value) for mark in marked}
    wanted |= {normalise(text[:300]), statement(text[:300])}
    hits = [label for label, option in options.items() if option in wanted]
    return plain[hits[0]] if len(hits) == 1 else None


def option_texts(prompt: str, labels: tuple[str, ...]) -> dict[str, str]:
    """The options of a prompt, label → normalised text, where it lists all labels in order as
    `A. 東京`, `A：東京`, `A) 東京` or `(A) 東京`, on lines of their own or in one; else nothing."""
    prompt = unify(prompt)
    sign = re.compile(
        r"(?<![0-9A-Za-z])\(?(" + "|".join(re.escape(label) for label in labels) + r")[ ]?[.:)、]"
    )
    places = list(sign.finditer(prompt))
    for first in range(len(places) - len(labels), -1, -1):
        run = places[first : first + len(labels)]
        if tuple(place[1] for place in run) != labels:
            continue
        spans = [prompt[a.end() : b.start()] for a, b in pairwise(run)]
        spans.append(prompt[run[-1].end() :].strip().split("\n", 1)[0])
        texts = [normalise(span.strip(" 　\n/,、・")) for span in spans]
        if all(texts) and len(set(texts)) == len(texts):
            return dict(zip(labels, texts, strict=True))
    return {}
