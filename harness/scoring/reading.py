"""Finds what a raw answer itself calls its answer: marks such as 答えは, boxes; drops echoes."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass

from harness.scoring.normalise import normalise, unify

# Only this many marks, the last ones, and this much text behind each are looked at: nobody marks
# an answer more often, and garbage must not cost quadratic time.
_MOST_MARKS = 64
_MOST_BOXES = 16
_LONGEST_VALUE = 600

_MARK = re.compile(
    r"(?P<word>(?<![不未誤])(?:答え|こたえ|解答|回答|正解|正答|応答|結論|(?<![一-鿿])[解答])"
    r"|(?<![A-Za-z])(?:[Aa]nswer|ANSWER|A(?=[ ]?:)))"
    r"(?:[ ]?[)\]」】*])?"
    r"(?:[ ]?(?:は|が|:|=|=>|→|⇒|is(?![a-z]))|(?<=[)\]」】])|(?=\n))"
    r"[ 、,:*]{0,4}"
    r"(?:(?:以下|次|下記)の(?:通り|とおり|ように)(?:です|になります|となります)?[。:]?)?"
)
# A first word that says more than an ordinary mark: 最終的な答え, したがって答えは.
_FINAL = re.compile(
    r"(?:最終的?な?|最終的に|したがって|従って|よって|ゆえに|[Ff]inal)[、, ]?(?:正しい|の)?$"
)
_WRONG = re.compile(r"(?:間違った|誤った|違う|不適切な|もし|仮に|例えば、?)$")
_OPEN_QUESTION = re.compile(r"(?:何|なに|どれ|どの|どちら|いくつ|いくら|どこ|誰|だれ|いつ)")
_INSTRUCTION = re.compile(r"(?:ください|下さい|なさい|せよ|こと|ですか|ますか|でしょうか)[。.?!]*$")
# What turns a reading of an answer into its denial or a supposition.
DENIAL = re.compile(
    r"[」』\"')\]】* ]{0,3}(?:(?:で|じゃ)(?:は|も)?(?:な(?!り)|ありません|ございません)|じゃな|以外"
    r"|だと(?!思|おも|考|判断|言え|いえ|分か|わか)|なら|の場合|とすると|とすれば|と仮定|と(?:は|も)(?:言え|いえ|限)"
    r"|でも|[はも](?:誤|間違|違|不正解|不適切|正しくな|正解では|適切では|除)|を(?:除|選ば(?:な|ず))"
    r"|が(?:誤|間違|不正解|不適切|正しくな|正解では|正解と(?:は|も)|適切では)|か(?:[?。もど]|$)|でしょうか)"
)

_HEADER_WORD = r"(?:応答|回答|答え|解答|正解|出力|A|Answer|Assistant|アシスタント)"
_HEADER = re.compile(
    rf"(?:#{{1,4}} ?{_HEADER_WORD}|[【\[]{_HEADER_WORD}[】\]]|{_HEADER_WORD} ?(?=:))[ :]*",
    re.IGNORECASE,
)
_NEW_QUESTION = re.compile(
    r"(?:#{1,4} ?(?:指示|入力|質問|問題|Instruction|Input|Question)"
    r"|[【\[]?(?:質問|問題|設問|問|指示|入力|前提|文章|例題|Q|Question|Human|User|ユーザー)"
    r" ?[0-9]{0,3}[】\]]? ?:)"
)
_QUESTION_END = re.compile(r"(?:か。?|\?|ください。?|下さい。?|なさい。?|せよ。?)$")
_FENCE = re.compile(r"[ \t]*```(?!.*```)")
_INLINE_FENCE = re.compile(r"```([^`]*)```")
_BOLD = re.compile(r"(?<![0-9A-Za-z)])\*\*|\*\*(?![0-9A-Za-z(])")
_BOXED = re.compile(r"[\\¥](?:boxed|fbox) ?\{")
_LATEX = (
    (re.compile(r"[\\¥][dt]?frac\{([0-9]+)\}\{([0-9]+)\}"), r"\1/\2"),
    (re.compile(r"[\\¥](?:text|mathrm|mathbf|textbf)\{([^{}]*)\}"), r"\1"),
    (re.compile(r"[\\¥][,;! ]|\{,\}(?=[0-9])"), ""),
)
_ENDING = re.compile(
    r"(?:(?:が|は)?(?:答え|正解|回答|解答)(?:です|だ|である|となります|になります)"
    r"|(?:だと|と|に)(?:思います|思われます|考えます|考えられます|なります|なりました|いうことになります)"
    r"|(?:で)?(?:ございます)|であると(?:思います|考えられます)|です(?:ね|よ)?|でした)$"
)
_PLAIN_ENDING = re.compile(_ENDING.pattern + "|(?:である|だ)$")
_CLOSERS = {"「": "」", "『": "』", '"': '"', "'": "'", "【": "】"}


@dataclass(frozen=True)
class Marked:
    """A text that the answer itself calls the answer.

    value  from the mark to the end of its line, or the next line when the mark ends its own
    rest   from the mark to the end of the answer
    final  whether it is called final: boxed, 最終的な答え, したがって答えは
    """

    value: str
    rest: str
    final: bool


def clean(raw: str, prompt: str = "") -> str:
    """The answer's own text, through `normalise.unify`, in this order: thoughts up to </think>
    dropped; bold marks and lines of code fences dropped; an echo of the prompt, or leading lines
    of it that ask or instruct, dropped; a leading header such as ### 応答: dropped; cut where the
    model goes on to ask itself a new question (### 入力:, 質問:, Q2:)."""
    text = unify(raw)
    if "</think>" in text:
        text = text.rpartition("</think>")[2]
    elif "<think>" in text:
        return ""
    text = _BOLD.sub("", text)
    lines = [_INLINE_FENCE.sub(r"\1", line) for line in text.split("\n") if not _FENCE.match(line)]
    text = _without_echo("\n".join(lines).strip(), unify(prompt).strip())
    return _own_answer(text)


def asks_again(text: str) -> bool:
    """Whether an answer goes on to ask itself another question (### 入力:, 質問:, Q2:)."""
    return any(_NEW_QUESTION.match(line) for line in text.strip().split("\n")[1:])


def headed(text: str) -> str | None:
    """What follows a header such as ### 応答:, 回答: or 答え: at the start of a text, or None."""
    found = _HEADER.match(text)
    return text[found.end() :] if found and found.end() else None


def _without_echo(text: str, prompt: str) -> str:
    if not prompt:
        return text
    if text.startswith(prompt) and text[len(prompt) :].strip():
        text = text[len(prompt) :].strip()
    asked = {line.strip() for line in prompt.split("\n")}
    lines = text.split("\n")
    skip = 0
    while skip < len(lines) - 1:
        line = lines[skip].strip()
        if line and not (line in asked and _QUESTION_END.search(line[-10:])):
            break
        skip += 1
    kept = "\n".join(lines[skip:]).strip()
    return kept or text


def _own_answer(text: str) -> str:
    lines = text.split("\n")
    start = 0
    if _NEW_QUESTION.match(lines[0]):
        headers = (n for n, line in enumerate(lines) if n and _HEADER.match(line))
        start = next(headers, len(lines))
        if start == len(lines):
            return text
    kept: list[str] = []
    for line in lines[start:]:
        if _NEW_QUESTION.match(line) and any(k.strip() for k in kept):
            break
        kept.append(line)
    answer = "\n".join(kept).strip()
    if answer.startswith("#") and (header := _HEADER.match(answer)):
        answer = answer[header.end() :].strip() or answer
    return answer


def boxed(text: str) -> str | None:
    """What the last \\boxed{...} of a text holds, LaTeX text commands removed."""
    held = boxes(text)
    return held[-1] if held else None


def boxes(text: str) -> list[str]:
    """What the last few closed \\boxed{...} of a text hold, in order; [] when the last is open."""
    held: list[str] = []
    last = None
    for found in deque(_BOXED.finditer(text), maxlen=_MOST_BOXES):
        last = _held(text, found.end())
        if last is not None:
            held.append(last)
    return held if last is not None else []


def _held(text: str, start: int) -> str | None:
    depth = 1
    for position in range(start, min(len(text), start + _LONGEST_VALUE)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if not depth:
            value = text[start:position]
            for pattern, replacement in _LATEX:
                value = pattern.sub(replacement, value)
            return value.strip()
    return None


def marks(text: str) -> list[Marked]:
    """What a cleaned text marks as its answer, in order; denied (間違った答えは), asked
    (答えは何ですか) and instructed (答えは数字のみで書いてください) marks are left out."""
    found: list[Marked] = []
    for mark in deque(_MARK.finditer(text), maxlen=_MOST_MARKS):
        before = text[max(0, mark.start() - 12) : mark.start()]
        starts_line = not before or before.endswith("\n")
        if _WRONG.search(before) or (mark["word"] == "A" and not starts_line):
            continue
        rest = text[mark.end() :].lstrip()
        value = rest[:_LONGEST_VALUE].split("\n", 1)[0].strip()
        sentence = value.split("。", 1)[0]
        if not value or _OPEN_QUESTION.match(value) or _INSTRUCTION.search(sentence[-12:]):
            continue
        found.append(Marked(value, rest, _FINAL.search(before) is not None))
    return found


def statement(text: str, marked: bool = True) -> str:
    """The answer in a line that states it: the quoted part of 「東京」です。, else its first
    sentence without です, になります, だと思います, が正解です, and behind a mark also without だ
    and である, which may end an answer of its own (吾輩は猫である)."""
    text = text.strip(" *")
    closer = _CLOSERS.get(text[:1])
    if closer is not None:
        end = text.find(closer, 1)
        after = text[end + 1 :].strip(" 。.")
        if end > 1 and (not after or _without_ending(after.split("。", 1)[0], True) == ""):
            return text[1:end]
    sentence = text.split("。", 1)[0].rstrip(" .!*") if not text.startswith("。") else text
    return normalise(_without_ending(sentence, marked))


def _without_ending(sentence: str, marked: bool) -> str:
    head, tail = sentence[:-24], sentence[-24:]
    return head + (_PLAIN_ENDING if marked else _ENDING).sub("", tail)
