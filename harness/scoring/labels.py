"""Reads which one of a closed set of labels an answer gives."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

from harness.scoring.format import BULLET
from harness.scoring.normalise import normalise, unify
from harness.scoring.reading import DENIAL, Marked, boxes, statement

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


# A word label is denied from its left: not entailment, non-entailment, 非entailment.
_NOT_BEHIND = "(?<!非|不)" + "".join(
    rf"(?<!(?i:{word}))"
    for word in ("non[- ]", "not[- ]", "no[- ]", "not an ", "not a ", "not the ", "n't ", "non")
)
# パソコンではなくマザーボード
_RATHER = re.compile(
    r"(?P<denied>.{1,100})(?:で|じゃ)(?:は)?なく(?:て)?[、,]?[ ]?(?P<chosen>.{1,100})"
)
_LONGEST_OPTION = 1000
_MOST_UNITS = 400
_ARTICLE = re.compile(r" (?!(?:or|and) )[a-z]")
_LATIN_BEFORE = re.compile(r"[A-Za-z] $")


# Behind these, a sentence that is nothing but a label is marked: よって、Bです。
_THEREFORE = re.compile(r"(?:よって|したがって|従って|ゆえに|以上より|以上から|結局|つまり)[、, ]?")


def read_label(
    text: str, marked: list[Marked], box: str | None, labels: tuple[str, ...], prompt: str
) -> str | None:
    """The label that a cleaned answer gives, or None. In this order:

    1. the box, when it holds a label and no other box holds another;
    2. the first sentence or line that states a label and nothing else (A, (A)です。, Aが正解です,
       A. 東京, or 東京 where that is its option), unless another sentence so states another label,
       or a mark names another;
    3. marks: 答えはA, 正解：(B), 正しいのはC, よってCです, Dを選びます. All must agree, or the last
       must be final (最終的な答え, よって答えは). A mark that is denied (Aではない) or supposed
       (Aなら) is none, and one that names two labels (AまたはB) ends the search;
    4. the answer is the text of exactly one option in the prompt, or ends so behind a denial
       (パソコンではなくマザーボードです);
    5. exactly one label is mentioned in the whole text and not denied.

    A label that stands beside the text of another option (A：東京 where B is 東京) names two
    options: None. Whole-word ASCII labels are read in either case.
    """
    plain = _plain(labels)
    options = option_texts(prompt, tuple(plain))
    if box is not None:
        inside = {label for held in boxes(text) if (label := _stated(held, plain, options))}
        if inside:
            return inside.pop() if len(inside) == 1 else None
    if _contradicts(text, marked, options):
        return None
    alone = _alone(text, plain, options)
    if len(labels) > 2 and set(alone.values()) == set(labels):
        alone = {}  # the labels were listed, which is no answer yet
    if len(set(alone.values())) > 1:
        return None
    named = _named(text, marked, plain, options)
    if named is None:
        return None
    if alone and min(alone) == 0:
        first = alone[0]
        return first if not named or set(named) == {first} else None
    if named:
        agreed = len(set(named)) == 1
        return named[-1] if agreed or (marked and marked[-1].final) else None
    if (chosen := _by_option_text(text, marked, options)) is not None:
        return plain[chosen]
    mentioned = {_original(found[0], plain) for found in _mentions(text, plain)}
    return mentioned.pop() if len(mentioned) == 1 else None


@lru_cache(maxsize=64)
def _pattern(labels: tuple[str, ...]) -> re.Pattern[str]:
    """Any label as a word of running text, longest first."""
    return re.compile(
        "|".join(
            f"{_before(label)}{_name(label)}(?:{_AFTER})"
            if label[-1:].isascii() or label[-1:].isdecimal()
            else f"{_before(label)}{re.escape(label)}(?=$|[^0-9A-Za-zぁ-んァ-ヺー一-鿿々]"
            "|です|でし|だ|であ|で(?:は|も|し)|じゃ|と|に|が|を|は|の(?!で)|も|以外|なら|か|または|あるいは|および|及び)"
            for label in sorted(labels, key=len, reverse=True)
        )
    )


def _name(label: str) -> str:
    """The pattern of a label itself; whole words in either case, letters as they are written."""
    name = re.escape(label)
    return f"(?i:{name})" if len(label) > 1 and label.isascii() else name


def _before(label: str) -> str:
    """A label must not be the tail of a longer word of its own script."""
    first = label[:1]
    if first.isascii():
        if not first.isalnum():
            return ""
        return r"(?<![0-9A-Za-z°])(?<![0-9][.,])" + (
            r"(?<!-)" if first.isdecimal() else _NOT_BEHIND if len(label) > 1 else ""
        )
    if "ぁ" <= first <= "ん":
        return r"(?<![ぁ-ん](?<![はがをともで]))"
    if "ァ" <= first <= "ヺ":
        return "(?<![ァ-ヺー])"
    return "(?<![一-鿿々])"


def _stated(unit: str, plain: dict[str, str], options: dict[str, str]) -> str | None:
    """The label that a sentence or line states and nothing else: by itself, with its option's text
    (A. 東京), or by that text alone."""
    unit = unit.strip()
    if unit in plain:
        return plain[unit]
    if options and len(unit) <= _LONGEST_OPTION:
        beside = _beside_pattern(tuple(options)).match(unit)
        if beside is not None and _is_option(unit[beside.end() :], options[_of(beside, options)]):
            return plain[_of(beside, options)]
        # An option whose text is another's label (D.C) is read beside its own label only.
        hits = [
            label
            for label, option in options.items()
            if option not in plain and _is_option(unit, option)
        ]
        if len(hits) == 1:
            return plain[hits[0]]
    return _whole(unit, plain)


def _is_option(text: str, option: str) -> bool:
    return option in (normalise(text), statement(text))


def _whole(unit: str, plain: dict[str, str]) -> str | None:
    """The label that a sentence consists of, assertion and decoration aside."""
    found = _whole_pattern(tuple(plain)).fullmatch(unit.strip()[:200])
    return _original(found["label"], plain) if found else None


@lru_cache(maxsize=64)
def _whole_pattern(labels: tuple[str, ...]) -> re.Pattern[str]:
    names = "|".join(re.escape(label) for label in sorted(labels, key=len, reverse=True))
    return re.compile(
        rf"{_DECORATION}{_FILLER}{_DECORATION}(?P<label>(?i:{names})){_CLOSING}{_ASSERTION}{_CLOSING}[。.!:]?"
    )


def _original(text: str, plain: dict[str, str]) -> str:
    """The label that a pattern found, as the format rule writes it."""
    return plain.get(text) or _case_blind(text, plain) or text


def _case_blind(text: str, plain: dict[str, str]) -> str | None:
    same = {original for label, original in plain.items() if label.casefold() == text.casefold()}
    return same.pop() if len(same) == 1 else None


def _alone(text: str, plain: dict[str, str], options: dict[str, str]) -> dict[int, str]:
    """Sentences and lines that are nothing but a label: their number in the text and the label."""
    numbered = not any(label.isdecimal() for label in plain)
    found: dict[int, str] = {}
    number = 0
    for line in text.split("\n")[:_MOST_UNITS]:
        if numbered and (bullet := BULLET.match(line)):
            line = line[bullet.end() :]
        # An option's text may hold several sentences, and a line is tried as one before they are.
        whole = _stated(line, plain, options) if line.strip() else None
        units = [line] if whole else [unit for unit in line.split("。") if unit.strip()]
        for unit in units[: _MOST_UNITS - number]:
            label = whole or (_stated(unit, plain, options) if len(unit) <= 200 else None)
            if label:
                found[number] = label
            number += 1
    return found


def _named(
    text: str, marked: list[Marked], plain: dict[str, str], options: dict[str, str]
) -> list[str] | None:
    """Labels that marks name, in order; None when one mark names two of them."""
    found: list[str] = []
    values = [mark.value for mark in marked]
    leads = list(_LEADING.finditer(text))[-16:]
    values = [text[lead.end() : lead.end() + 200].split("\n", 1)[0] for lead in leads] + values
    for value in values:
        whole = _stated(value, plain, options) if options else None
        labels = [whole] if whole else _at_start(value, plain)
        if len(labels) > 1:
            return None
        found += labels
    for lead in list(_THEREFORE.finditer(text))[-16:]:
        sentence = re.split(r"[\n。]", text[lead.end() : lead.end() + 200], maxsplit=1)[0]
        if label := _stated(sentence, plain, options):
            found.append(label)
    for mention in _mentions(text, plain):
        if _CHOSEN.match(text, mention.end()):
            found.insert(0, _original(mention[0], plain))
    return found


def _at_start(value: str, plain: dict[str, str]) -> list[str]:
    """The label with which a marked value begins; two when it offers an alternative."""
    start = _start_pattern(tuple(plain)).match(value)
    if start is None:
        whole = _whole(value.split("。", 1)[0], plain)
        return [whole] if whole else []
    if DENIAL.match(value, start.end()):
        return []
    label = _original(start["label"], plain)
    other = _OR.match(value, start.end())
    if other is not None:
        second = _start_pattern(tuple(plain)).match(value, other.end())
        if second is not None and not DENIAL.match(value, second.end()):
            return list(dict.fromkeys((label, _original(second["label"], plain))))
    return [label]


@lru_cache(maxsize=64)
def _start_pattern(labels: tuple[str, ...]) -> re.Pattern[str]:
    def word(label: str) -> str:
        if label[-1:].isascii():
            return _name(label) + f"(?:{_AFTER})"
        # Directly behind a mark the word's own left edge is sure; its right edge is not.
        return (
            re.escape(label)
            + "(?=$|[^0-9A-Za-zぁ-んァ-ヺー一-鿿々]|です|でし|だ|であ|で(?:は|も|し|、)|じゃ"
            "|と|に(?:な|該|当)|が|を|は|の(?!で)|も|以外|なら|か|または|もしくは|及び)"
        )

    names = "|".join(word(label) for label in sorted(labels, key=len, reverse=True))
    return re.compile(rf"{_DECORATION}{_FILLER}{_DECORATION}(?P<label>{names})")


def _mentions(text: str, plain: dict[str, str]) -> list[re.Match[str]]:
    """Labels in running text that are not denied. An English article (A boy) is none, and yes and
    no inside an English sentence (no one knows) are words of it."""
    return [
        found
        for found in _pattern(tuple(plain)).finditer(text)
        if not DENIAL.match(text, found.end())
        and not (found[0] in ("A", "a") and _ARTICLE.match(text, found.end()))
        and not (found[0].casefold() in ("yes", "no") and _in_english(text, found))
    ]


def _in_english(text: str, found: re.Match[str]) -> bool:
    before = text[max(0, found.start() - 2) : found.start()]
    return bool(_LATIN_BEFORE.search(before) or _ARTICLE.match(text, found.end()))


def _by_option_text(text: str, marked: list[Marked], options: dict[str, str]) -> str | None:
    wanted = {normalise(mark.value) for mark in marked} | {statement(mark.value) for mark in marked}
    wanted |= {normalise(text[:300]), statement(text[:300])}
    denied = {_RATHER.fullmatch(stated) for stated in wanted}
    wanted |= {found["chosen"] for found in denied if found and found["denied"] in options.values()}
    hits = [label for label, option in options.items() if option in wanted]
    return hits[0] if len(hits) == 1 else None


def _contradicts(text: str, marked: list[Marked], options: dict[str, str]) -> bool:
    """Whether a label stands beside the text of another option: 2.パソコン where 1 is パソコン."""
    if not options:
        return False
    first = text[:300].split("\n", 1)[0]
    sign = _beside_pattern(tuple(options))
    for stated in (first, *(mark.value for mark in marked)):
        beside = sign.match(stated)
        if beside is None:
            continue
        rest = stated[beside.end() :]
        named = {statement(rest), normalise(rest)}
        hits = {label for label, option in options.items() if option in named}
        if hits and _of(beside, options) not in hits:
            return True
    return False


@lru_cache(maxsize=64)
def _beside_pattern(labels: tuple[str, ...]) -> re.Pattern[str]:
    names = "|".join(re.escape(label) for label in sorted(labels, key=len, reverse=True))
    return re.compile(rf"{_DECORATION}{_FILLER}{_DECORATION}(?P<label>{names})[ ]?[.:)、,\]】 ]+")


def _of(beside: re.Match[str], options: dict[str, str]) -> str:
    return _original(beside["label"], {label: label for label in options})


def mentioned(text: str, labels: tuple[str, ...]) -> list[str]:
    """The different labels that stand in a text (through `normalise.unify`) as words of their own
    and are not denied, in order."""
    plain = _plain(labels)
    return list(dict.fromkeys(_original(found[0], plain) for found in _mentions(text, plain)))


def whole_label(text: str, labels: tuple[str, ...]) -> str | None:
    """The label that a text states and nothing else: A, (A)です。, 選択肢Aが正解です."""
    return _whole(text, _plain(labels))


def leading_label(text: str, labels: tuple[str, ...]) -> str | None:
    """The label with which a text begins, signs and words such as 選択肢 aside."""
    found = _at_start(text, _plain(labels))
    return found[0] if found else None


def _plain(labels: tuple[str, ...]) -> dict[str, str]:
    """Labels by the form in which a text that went through `normalise.unify` holds them."""
    plain: dict[str, str] = {}
    for label in labels:
        plain.setdefault(unify(label), label)
    return plain


def option_texts(prompt: str, labels: tuple[str, ...]) -> dict[str, str]:
    """The options of a prompt, label → normalised text, where it lists all labels in order as
    `A. 東京`, `A：東京`, `A) 東京` or `(A) 東京`, on lines of their own or in one; else nothing."""
    prompt = unify(prompt)
    if listed := _on_one_line(prompt, labels):
        return listed
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


def _on_one_line(prompt: str, labels: tuple[str, ...]) -> dict[str, str]:
    """The options of Jaster's layout, 選択肢:A.大阪,B.東京 up to the end, or nothing. Their texts
    may hold signs that look like those of options: P(A, B)."""
    _, _, rest = prompt.rpartition("選択肢:")
    if rest == prompt:
        _, _, rest = prompt.rpartition("Choices:")
    rest = rest.strip()
    if rest == prompt.strip() or not rest.startswith(labels[0] + "."):
        return {}
    rest = rest[len(labels[0]) + 1 :]
    texts: list[str] = []
    for label in labels[1:]:
        sign = re.search(rf",[ ]?{re.escape(label)}\.", rest)
        if sign is None:
            return {}
        texts.append(normalise(rest[: sign.start()]))
        rest = rest[sign.end() :]
    texts.append(normalise(rest))
    distinct = all(texts) and len(set(texts)) == len(texts)
    return dict(zip(labels, texts, strict=True)) if distinct else {}
