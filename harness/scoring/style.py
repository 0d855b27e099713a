"""Language and style of an answer, as numbers of their own beside any rating."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from harness.scoring.language import japanese_share, letters
from harness.scoring.normalise import trim, unify
from harness.scoring.repetition import repetition

# Raised whenever a measure of an answer can change.
STYLE_VERSION = 1

Register = Literal["polite", "plain", "mixed", "none"]
# The rarer register may take this share of the sentences before a text counts as mixed.
TOLERATED = 0.1


@dataclass(frozen=True)
class Measure:
    """One number about one answer; None where the answer has nothing to measure it on."""

    metric: str
    value: float | None


@dataclass(frozen=True)
class Politeness:
    """Sentences by their ending: です・ます, だ・である and other plain predicates, or neither."""

    polite: int
    plain: int
    neither: int

    @property
    def consistency(self) -> float | None:
        """Share of the commoner register among the sentences that have one, 0.5 to 1.0; None when
        no sentence has one."""
        told = self.polite + self.plain
        return max(self.polite, self.plain) / told if told else None

    @property
    def register(self) -> Register:
        """The commoner register, when the other has at most TOLERATED of the sentences."""
        if self.consistency is None:
            return "none"
        if self.consistency < 1 - TOLERATED:
            return "mixed"
        return "polite" if self.polite > self.plain else "plain"


def style_measures(answer: str, finish_reason: str | None = None) -> tuple[Measure, ...]:
    """What can be said of an answer's language and style without a judge:

    japanese     share of kana and kanji among the letters outside code, 0.0 to 1.0
    politeness   `Politeness.consistency`: 1.0 when all sentences are です・ます, or none is
    polite       share of です・ます among the sentences with a register, 0.0 to 1.0
    repetition   share of the characters that lie in loops (`scoring.repetition`)
    truncated    1.0 when the token limit cut it, else 0.0; None when that is not known
    length       characters, without white space at either end
    """
    prose = without_code(answer)
    register = politeness(answer)
    told = register.polite + register.plain
    return (
        Measure("japanese", japanese_share(prose) if letters(prose) else None),
        Measure("politeness", register.consistency),
        Measure("polite", register.polite / told if told else None),
        Measure("repetition", repetition(answer)),
        Measure("truncated", None if finish_reason is None else float(finish_reason == "length")),
        Measure("length", float(len(trim(answer)))),
    )


def politeness(answer: str) -> Politeness:
    """Counts the sentences of an answer by register. Not looked at: code, formulas, headings,
    tables, block quotes, what stands in 「」『』 or parentheses (others' words), and items of lists
    without a full stop, which even polite texts write in plain or nominal form."""
    counts = {"polite": 0, "plain": 0, "neither": 0}
    for sentence in sentences(answer):
        counts[ending(sentence)] += 1
    return Politeness(**counts)


def ending(sentence: str) -> Literal["polite", "plain", "neither"]:
    """The register of a sentence by its last predicate.

    polite   です, ます and their forms, ください, ませ, with particles after them (ですよね)
    plain    だ, である and their forms; verbs, adjectives and た as dictionaries write them, with
             particles after them (行くよ); commands (せよ, しろ)
    neither  nouns, te-forms, greetings, other languages
    """
    text = _TRAILING.sub("", unify(sentence))
    if _POLITE.search(text):
        return "polite"
    bare = _PARTICLES.sub("", text)
    if _COMMAND.search(text) or _COMMAND.search(bare):
        return "plain"
    return "plain" if _PLAIN.search(bare) and not _NO_PREDICATE.search(bare) else "neither"


def sentences(answer: str) -> Iterator[str]:
    """The sentences of an answer that have a style of their own, see `politeness`."""
    text = _APART.sub("", without_code(answer.translate(_MARKS)))
    for line in text.split("\n"):
        if _SKIPPED.match(line):
            continue
        item = _ITEM.match(line)
        parts = _STOP.split(line[item.end() :] if item else line)
        if item:  # what follows the last stop is no sentence of its own
            parts = parts[:-1]
        yield from (part.strip() for part in parts if _WORD.search(part))


def without_code(text: str) -> str:
    """A text without fenced and inline code, formulas between $$ or \\[ \\], and URLs."""
    return _CODE.sub(" ", text)


_MARKS = str.maketrans("！？：（）．｜＃＞", "!?:().|#>")
_CODE = re.compile(
    r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)|`[^`\n]+`|\$\$.*?\$\$|\\\[(?:(?!\\\[).)*?\\\]|https?://[!-~]+",
    re.S,
)
# Others' words and asides, innermost pairs; what is left open stays. And marks of emphasis.
_APART = re.compile(r"「[^「」]*」|『[^『』]*』|\([^()\n]*\)|“[^“”\n]*”|\"[^\"\n]*\"|[*_]{2,}")
_SKIPPED = re.compile(r"\s*(?:#{1,6}\s|>|\||【[^】]*】\s*$)")
_ITEM = re.compile(r"\s*(?:[-*+・●○■□◆◇▪‣→]\s*|\(?\d{1,3}[.)、:]\s*|[①-⑳㈠-㈩]\s*)")
_STOP = re.compile(r"[。!?]+|\.(?=\s|$)|(?<=[ぁ-ん])…+(?=\s|$)")
_WORD = re.compile(r"[ぁ-んァ-ヶ一-龯]")

_TRAILING = re.compile(
    r"(?:[\s。.!?、,…~:;*_\"')\]}】〉》♪♡☆★]|\(笑\)"
    r"|[\u2600-\u27bf\ufe0f\u200d\U0001f000-\U0001faff])+\Z"
)
_POLITE = re.compile(
    r"(?:です|でした|でしょう?|ます|ました|ません|ませんでした|ましょう|ください|下さい|ませ)"
    r"(?:よね|かね|かな|けれども|けれど|けども|けど|ので|のに|から|って|とも|もの"
    r"|[かねよなわがしの])?\Z"
)
_PARTICLES = re.compile(
    r"(?:よね|よな|かね|かな|かしら|けれども|けれど|けども|けど|のに|から|って|もの|もん"
    r"|[かねよなわぞぜさがしの])\Z"
)
# Commands, and questions in のか, which no noun ends in.
_COMMAND = re.compile(
    r"(?:(?<![うむ])しろ|[見着起得]ろ|[きぎちにびみりえけげせぜてでねべめれ]ろ"
    r"|[えけせてねべめれげ]よ|(?<!よ)[るうくすつぬむぐぶ]な|の(?:か|かな|かね|かよ))\Z"
)
# だ and である; verbs, た and adjectives by their last letter.
_PLAIN = re.compile(r"(?:だ|だろ|である|じゃん|[ぁ-んァ-ヶー一-龯々][うくぐすつぬぶむるたい])\Z")
# What ends in such a letter and is no predicate: nouns, adverbs, forms that go on, set phrases.
_NO_PREDICATE = re.compile(
    r"(?:(?:の|な|た|る|い)よう|(?<![一-龯])(?:そう|どう|もう|こう|ほう)|ありがとう|おはよう|おめでとう"
    r"|さようなら|きょう|ふつう|ほんとう|[一二三四五六七八九]つ|ひとつ|ふたつ|みっつ|いくつ|いつ|やつ"
    r"|あなた|あした|また|まだ|ただ|ふた|うた|かた|ぼく|しく|なく|多く|近く|早く|全く|まったく"
    r"|おそらく|しばらく|なるべく|はい|くらい|ぐらい|いっぱい|せい|だいたい|いったい|いらっしゃい|なさい"
    r"|[違願思問扱集狙勢使争疑祝占匂笑誓戦救習買払憩償呪報災類幸互競装補舞会合迷酔追]い"
    r"|手伝い|(?:住|振る)舞い|住まい|味わい|にぎわい|賑わい|ふるまい|ちがい|ねらい|つかい)\Z"
)
