"""A scripted teacher for the tests of synthesis: it answers by what a prompt holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from harness.gaps.plan import Line
from training.synthesis.types import Order, Prompt, Reply

# Text for the whole of a prompt (its messages, joined) and its seed.
Script = Callable[[str, int], str]


@dataclass
class Teacher:
    """Replies are a function of the prompt alone, as journalled replies are. `calls` holds how
    many prompts each call asked."""

    script: Script
    finish: str = "stop"
    calls: list[int] = field(default_factory=list)
    prompts: list[Prompt] = field(default_factory=list)

    def __call__(self, prompts: Sequence[Prompt]) -> list[Reply]:
        self.calls.append(len(prompts))
        self.prompts.extend(prompts)
        return [Reply(self.script(text_of(one), one.seed), self.finish) for one in prompts]


def text_of(prompt: Prompt) -> str:
    return "\n".join(one.content for one in prompt.messages)


def by_mark(**replies: str) -> Script:
    """A script that gives the reply of the first mark that a prompt holds."""

    def script(text: str, seed: int) -> str:
        for name, reply in replies.items():
            if MARKS[name] in text:
                return reply
        raise AssertionError(f"no reply to {text[:200]!r}")

    return script


# What only one kind of prompt holds.
MARKS = {
    "persona": "次の人物になったつもりで",
    "evolve": "作り変え方：",
    "change": "もう一度尋ねます",
    "describe": "同じ働きをする関数を書かせる",
    "program": "関数 `answer()`",
    "tested": "【テスト】という行を置き",
    "solution": "一つの ```python のブロック",
    "object": "JSONオブジェクト一つだけを書いてください",
    "concluded": "答え：（答えだけ）",
    "exchange": "取り上げる事実：",
    "text": "必ず入れる事実：",
    "judge": "10段階で評価",
    "free": "",
}


def order(
    genre: str,
    count: int = 3,
    start: int = 0,
    seed: int = 0,
    skill: str = "",
    level: int | None = None,
    **settings: str,
) -> Order:
    line = Line(genre, skill, level, 100, settings=settings)
    return Order(line, seed, start, count)
