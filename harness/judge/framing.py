"""Makes an answer safe to show to a judge: a boundary it cannot forge, no sign that acts."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.items.schema import content_hash
from harness.judge.own_words import CLOSING, OPENING
from harness.judge.written import STRICT, WIDTH, is_verdict
from harness.scoring.normalise import unify
from harness.visible import visible

# Raised whenever a text can be shown otherwise: part of every prompt's hash.
FRAMING_VERSION = 1

# What chat templates and base models take for a change of role, in any width. The signs that make
# them act are replaced by look-alikes that no tokenizer knows as special.
_BAR = "[|｜]"
_CONTROL = re.compile(
    "|".join(
        (
            rf"[<＜]{_BAR}[^|｜<>\n]{{1,48}}{_BAR}[>＞]",
            r"[<＜]{1,2}/?(?:s|SYS|bos|eos|pad|unk|start_of_turn|end_of_turn|system|user|assistant|"
            r"think|thinking|tool_call|tool_response|im_start|im_end)[>＞]{1,2}",
            r"[\[［]/?(?:INST|THINK|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)[\]］]",
            r"^[ \u3000]*[#＃]{2,4}[ \u3000]*(?:応答|指示|入力|回答|質問|評価|システム|ユーザー?|"
            r"アシスタント|Instruction|Input|Response|System|User|Human|Assistant)"
            r"[ \u3000]*[:：]?[ \u3000]*$",
        )
    ),
    re.I | re.M,
)
_BOUNDARY_LIKE = re.compile(rf"^[ \u3000]*[▼▲](?=.*(?:{OPENING}|{CLOSING}))", re.M)
_LOOK_ALIKE = str.maketrans("<>[]#＜＞［］＃⟦⟧【】", "‹›〔〕♯‹›〔〕♯〔〕〔〕") | {
    ord("〚"): "〔〔",
    ord("〛"): "〕〕",
    ord("⟦"): "〔〔",
    ord("⟧"): "〕〕",
}


def neutralise(text: str) -> str:
    """A text in which nothing acts on a judge, each change visible in it:

    - chat-template tokens (`<|im_start|>`, `[INST]`, `### 応答:` on a line of its own) keep their
      words but get ‹ › 〔 〕 ♯ for their signs;
    - a verdict such as `[[10]]` becomes `〔〔10〕〕`, which no reader takes for one: a judge that
      repeats the answer does not rate by it;
    - ▼ and ▲ become ▽ and △ on lines that look like our boundaries;
    - characters that nobody sees (zero-width, bidirectional, tag and control characters, lone
      surrogates) become ‹U+200B› and so on. Joiners within emoji and variants of kanji stay.

    Line ends become \\n. Applying it twice changes nothing more.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = visible(text)
    text = _CONTROL.sub(lambda match: match[0].translate(_LOOK_ALIKE), text)
    text = _BOUNDARY_LIKE.sub(lambda match: match[0].replace("▼", "▽").replace("▲", "△"), text)
    return _without_verdicts(text)


def boundary_of(texts: Sequence[str]) -> str:
    """A code that stands in none of the texts, in whatever width or case: the SHA-256 of them all,
    so that equal content has an equal prompt, and nobody can write a text that holds its own."""
    folded = ["".join(unify(text).split()).casefold() for text in texts]
    for attempt in range(1000):
        code = content_hash([attempt, *folded])[:12]
        if not any(code in text for text in folded):
            return code
    raise AssertionError("a thousand hashes of a text cannot all stand in it")


def shortened(text: str, limit: int) -> str:
    """At most `limit` characters of a text, and a note of how many were left out."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}\n（以下{len(text) - limit}文字を省略）"


def _without_verdicts(text: str) -> str:
    folded, parts, done = text.translate(WIDTH), list[str](), 0
    for match in re.finditer(STRICT, folded):
        if is_verdict(match[1]):
            parts += text[done : match.start()], text[slice(*match.span())].translate(_LOOK_ALIKE)
            done = match.end()
    return "".join((*parts, text[done:]))
