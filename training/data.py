"""Samples for pretraining: generated probe questions and plain Japanese text.

A mixture names components and their weights. A component is `text`, `copy`, or a probe genre
(`math`) or family (`math/addition`); probe samples come from the training split alone.
"""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.engines.types import Message
from harness.errors import HarnessError
from training.batch import Encoded
from training.chat_tokens import render_dialogue

if TYPE_CHECKING:
    from harness.items.probes.family import Family

TEXT, COPY = "text", "copy"

# Families whose answers do not depend on what the words in the question mean.
_MEANINGLESS = ("format/copy", "format/lines", "format/json", "format/bracket", "format/times")

# Training samples a family, over all levels, that are searched for characters.
_INVENTORY_DRAWS = 200


@dataclass(frozen=True)
class Sample:
    """A question and its answer; without a prompt it is plain text and all of it is learned."""

    prompt: str
    answer: str


def select_families(name: str, catalogue: Sequence[Family]) -> list[Family]:
    """The families of a component: one by its full name, or all of a genre."""
    chosen = [family for family in catalogue if name in (family.name, family.genre)]
    if not chosen:
        genres = sorted({family.genre for family in catalogue})
        raise HarnessError(
            f"the mixture names {name!r}, expected {TEXT}, {COPY}, a probe genre "
            f"({', '.join(genres)}) or a family such as {catalogue[0].name}"
        )
    return chosen


def component_samples(name: str, *, count: int, level: int, seed: int) -> list[Sample]:
    """`count` samples of one component of a mixture; the same arguments give the same samples.

    `level` is the highest difficulty of probe samples.
    """
    if name == TEXT:
        return list(text_samples(count, seed))
    if name == COPY:
        return list(copy_samples(count, seed))
    from harness.items.probes.catalogue import FAMILIES
    from harness.items.probes.generate import training_samples

    families = select_families(name, FAMILIES)
    items = training_samples(families, levels=range(1, level + 1), count=count, seed=seed)
    draw = random.Random(f"{name}/{seed}")
    return [
        rename(Sample(item.turns[0], item.answer), draw)
        if item.genre == "extraction" or item.skill in _MEANINGLESS
        else Sample(item.turns[0], item.answer)
        for item in items
    ]


def rename(sample: Sample, draw: random.Random) -> Sample:
    """The same question about things of another, random name.

    A pool holds a few hundred names, which a model learns by heart instead of learning to copy, and
    then fails on the evaluation's. Only for questions that do not ask what a name means.
    """
    fresh: dict[str, str] = {}

    def replace(match: re.Match[str]) -> str:
        name = match[0]
        if name not in fresh:
            length = max(1, len(name) + draw.randint(-1, 1))
            fresh[name] = "".join(draw.choices(_name_characters(), k=length))
        return fresh[name]

    pattern = _name_pattern()
    return Sample(pattern.sub(replace, sample.prompt), pattern.sub(replace, sample.answer))


@functools.cache
def inventory_texts() -> tuple[str, ...]:
    """Texts with every character that probes can hold: templates, the pools of both splits, and
    training samples of every family and level for the words in between.

    The evaluation's entities lend their characters and nothing else; they are never trained on.
    """
    from harness.items.probes.catalogue import FAMILIES
    from harness.items.probes.generate import training_samples

    templates = [template for family in FAMILIES for template in family.templates]
    drawn = [
        text
        for item in training_samples(count=_INVENTORY_DRAWS * len(FAMILIES))
        for text in (*item.turns, item.answer)
    ]
    return (*templates, *drawn, *_pool_entries())


def boilerplate(samples: Iterable[Sample]) -> Iterator[str]:
    """What is left of training prompts when the names in them are cut out: instructions and the
    fixed words of statements, each as often as it occurs."""
    for sample in samples:
        yield from filter(None, _name_pattern().split(sample.prompt))


@functools.cache
def _name_pattern() -> re.Pattern[str]:
    """Finds pool entries of two characters or more, the longest first."""
    names = sorted((name for name in _pool_entries() if len(name) > 1), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, names)))


@functools.cache
def _name_characters() -> tuple[str, ...]:
    """Kana, kanji and letters that occur in probes, of which random names are made."""
    return tuple(sorted({mark for text in inventory_texts() for mark in text if mark.isalpha()}))


def _pool_entries() -> list[str]:
    """Every text in the pools that probe families draw names and words from."""
    from harness.items.probes import pools, words

    def texts(value: object) -> Iterator[str]:
        if isinstance(value, str):
            yield value
        elif isinstance(value, tuple | list):
            for each in value:
                yield from texts(each)
        elif isinstance(value, dict):
            yield from texts([*value.keys(), *value.values()])

    public = [
        value
        for module in (pools, words)
        for name, value in vars(module).items()
        if not name.startswith("_")
    ]
    return sorted(set(texts(public)))


_PEOPLE = ("兄", "姉", "母", "父", "祖母", "弟", "妹", "友だち", "先生", "隣の人")
_PLACES = ("公園", "図書館", "駅前", "海辺", "市場", "学校", "山小屋", "喫茶店", "畑", "庭")
_DEEDS = ("散歩をした", "本を読んだ", "写真を撮った", "弁当を食べた", "話を聞いた", "絵をかいた")
_SKIES = ("晴れ", "くもり", "雨", "雪", "風の強い日", "霧の朝")
_THINGS = ("りんご", "鉛筆", "切手", "卵", "本", "皿", "花", "石")
_FEELINGS = ("楽しかった", "少し疲れた", "よい一日だった", "また行きたい", "静かだった")
_TEXTS = (
    "今日は{sky}だった。{person}と{place}で{deed}。{feeling}。",
    "{place}には{thing}が{n}個ある。{person}が{m}個持ってきた。",
    "{person}は朝{n}時に起きて、{place}へ行った。",
    "{n}月{m}日、{sky}。{place}で{deed}。",
    "{person}の好きなものは{thing}だ。だから{place}で{thing}をさがした。",
    "{sky}の日は{place}が静かだ。{person}はいつも{deed}。",
)


def text_samples(count: int, seed: int) -> Iterator[Sample]:
    """Short diary and description sentences, so that the model also learns plain Japanese."""
    draw = random.Random(f"{TEXT}/{seed}")
    for _ in range(count):
        yield Sample(
            "",
            draw.choice(_TEXTS).format(
                person=draw.choice(_PEOPLE),
                place=draw.choice(_PLACES),
                deed=draw.choice(_DEEDS),
                sky=draw.choice(_SKIES),
                thing=draw.choice(_THINGS),
                feeling=draw.choice(_FEELINGS),
                n=draw.randint(1, 12),
                m=draw.randint(1, 28),
            ),
        )


def copy_samples(count: int, seed: int) -> Iterator[Sample]:
    """Random strings to repeat. Every character of the inventory is read and written this way, so
    that a name never seen in training can still be copied out of a prompt."""
    draw = random.Random(f"{COPY}/{seed}")
    for _ in range(count):
        text = "".join(draw.choices(_name_characters(), k=draw.randint(2, 12)))
        yield Sample(f"写す：{text}", text)


def encode(samples: Iterable[Sample], tokenizer: Any) -> list[Encoded]:
    """Tokenizes samples exactly as the chat template renders them at evaluation."""
    samples = list(samples)
    if not samples:
        return []  # a tokenizer takes no empty batch
    prompts = [
        render_dialogue(
            (Message("user", sample.prompt),),
            tokenizer,
            "a sample of the mixture",
            open_answer=True,
        )
        if sample.prompt
        else tokenizer.bos_token
        for sample in samples
    ]
    # Tokenized apart: the prompt must end on a token boundary, as it does when it is asked.
    heads = tokenizer(prompts, add_special_tokens=False)["input_ids"]
    tails = tokenizer(
        [sample.answer + tokenizer.eos_token for sample in samples], add_special_tokens=False
    )["input_ids"]
    return [
        Encoded(
            np.array(head + tail, dtype=np.int64), np.arange(len(head) + len(tail)) >= len(head)
        )
        for head, tail in zip(heads, tails, strict=True)
    ]
