"""Reasoning probes that keep track of something: who holds what, which way someone faces, who is
whose relative, which rule turns one word into another."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise, product

from harness.items.probes.family import Draw, Family, Problem
from harness.items.probes.pools import (
    FEMALE_NAMES,
    KANA_WORDS,
    LETTERS,
    MALE_NAMES,
    OBJECTS,
)
from harness.items.probes.reasoning_order import NAME, people
from harness.items.schema import FormatRule


def _tracking(draw: Draw, level: int) -> Problem:
    n = (3, 3, 3, 4, 5)[level - 1]
    names = people(draw, level, n)
    if level <= 2:
        thing = "ボール" if level == 1 else draw.entity(OBJECTS)
        holder = draw.randrange(n)
        path = [holder]
        for _ in range(2 if level == 1 else draw.randrange(3, 5)):
            path.append(draw.choice([person for person in range(n) if person != path[-1]]))
        text = f"{names[path[0]]}が{thing}を持っている。"
        text += "".join(f"{names[a]}は{names[b]}に渡した。" for a, b in pairwise(path))
        steps = [names[person] for person in path]
        answer = path[-1]
    else:
        things = draw.entities(OBJECTS, n)
        held = list(range(n))  # person -> thing
        text = "、".join(f"{name}は{thing}" for name, thing in zip(names, things, strict=True))
        text += "を持っている。"
        steps = sorted(f"{name}={thing}" for name, thing in zip(names, things, strict=True))
        for _ in range((2, 4, 6)[level - 3]):
            if level == 5 and draw.random() < 0.25:  # everyone passes to the next in a ring
                ring = draw.sample(range(n), n)
                text += "全員が同時に、矢印の先の人へ持ち物を渡した："
                text += f"{'→'.join(names[person] for person in [*ring, ring[0]])}。"
                received = {b: held[a] for a, b in pairwise([*ring, ring[0]])}
                held = [received[person] for person in range(n)]
                first = ring.index(min(ring, key=names.__getitem__))
                steps.append(">".join(names[person] for person in ring[first:] + ring[:first]))
                continue
            a, b = draw.sample(range(n), 2)
            who = names[a]
            if level >= 4 and draw.random() < 0.4:
                who = f"{things[held[a]]}を持っている人"
            text += f"{who}と{names[b]}が持ち物を交換した。"
            steps.append("<>".join(sorted((who, names[b]))))
            held[a], held[b] = held[b], held[a]
        asked = draw.choice([t for t in range(n) if held[t] != t] or range(n))
        thing, answer = things[asked], held.index(asked)
    return Problem(
        slots={"story": text, "thing": thing},
        content=f"tracking|{thing}|{';'.join(steps)}",
        answer=names[answer],
        format=NAME,
        metric="exact",
    )


TRACKING = Family(
    name="reasoning/tracking",
    version=1,
    templates=(
        "{story}今、{thing}を持っているのはだれですか。名前だけを答えてください。",
        "{story}\n最後に{thing}を持っている人の名前だけを書いてください。",
        "次の文を読み、{thing}を今持っている人の名前だけを答えてください。\n{story}",
        "{thing}は最後にだれの手にありますか。名前だけで答えてください。\n{story}",
        "【できごと】{story}\n【問い】最後に{thing}を持っている人\n【答え方】名前のみ",
        "{story}では、{thing}は今だれが持っていますか。名前以外は書かないでください。",
        "{story}さて、{thing}の今の持ち主は？ 名前をひとつだけ答えて。",
        "持ち物の記録：{story}\n{thing}の最後の持ち主（名前だけ）：",
        "{thing}の行方を追ってください。{story}最終的な持ち主の名前だけを出力すること。",
    ),
    problem=_tracking,
)

COMPASS = ("北", "東", "南", "西")
TURNS = {1: "右へ90度", 2: "180度", 3: "左へ90度"}


def _direction(draw: Draw, level: int) -> Problem:
    names = people(draw, level, 2 if level == 5 else 1)
    count = (draw.randrange(1, 3), 3, 4, 6, 4)[level - 1]
    start = facing = draw.randrange(4)
    text = f"{names[0]}は{COMPASS[start]}を向いている。"
    steps: list[str] = []
    for turn_of, name in enumerate(names):
        if turn_of:  # the second person starts relative to the first
            relation = draw.choice((1, 2, 3))
            words = {1: "から見て右の方角", 2: "と反対の方角", 3: "から見て左の方角"}[relation]
            text += f"{name}は初め、向きを変えた後の{names[0]}{words}を向いている。"
            facing = (facing + relation) % 4
            steps.append(f"/{relation}")
        turns = [draw.choice((1, 3) if level <= 2 else (1, 2, 3)) for _ in range(count)]
        facing = (facing + sum(turns)) % 4
        text += f"{name}は{'、続いて'.join(TURNS[turn] for turn in turns)}向きを変えた。"
        steps += [str(turn) for turn in turns]
    return Problem(
        slots={"story": text, "name": names[-1]},
        content=f"direction|{','.join(names)}|{start}|{''.join(steps)}",
        answer=COMPASS[facing],
        format=FormatRule(kind="choice", labels=COMPASS),
        metric="exact",
    )


DIRECTION = Family(
    name="reasoning/direction",
    version=1,
    templates=(
        "{story}{name}は今どの方角を向いていますか。東・西・南・北の一字で答えてください。",
        "{story}\n{name}が最後に向いている方角を、東西南北の漢字一字だけで書いてください。",
        "{name}が最後に向く方角はどれですか。東、西、南、北のうち一字だけで答えてください。\n{story}",
        "【動き】{story}\n【問い】{name}の今の向き\n【答え方】東・西・南・北のどれか一字",
        "{story}では、{name}の向きはどうなりましたか。東・西・南・北から一字だけ選んでください。",
        "向きを考える問題です。{story}{name}が向いている方角を、東西南北のどれか一字で答えること。",
        "{story}ここで{name}の真正面はどちらの方角ですか。東西南北のどれか一文字だけでお願いします。",
        "記録：{story}\n{name}の最終的な向き（東・西・南・北のいずれか一文字）：",
        "{name}を上から見ていたとします。{story}最後の方角を一字（東／西／南／北）で記しなさい。",
    ),
    problem=_direction,
)


@dataclass(frozen=True)
class Fact:
    """`{person}は{other}の{word}だ`: word is one of PARENTS, CHILDREN or SIBLINGS."""

    person: int
    word: str
    other: int


PARENTS, CHILDREN, SIBLINGS = ("父", "母"), ("息子", "娘"), ("兄", "姉", "弟", "妹")
FEMALE_WORDS = {"母", "娘", "姉", "妹"}
Pairs = frozenset[tuple[int, int]]


def _compose(first: Iterable[tuple[int, int]], then: Pairs) -> Pairs:
    """Relational product: (x, z) such that first holds of (x, y) and then of (y, z)."""
    return frozenset((x, z) for x, y in first for y2, z in then if y == y2)


def kinship(facts: Iterable[Fact]) -> dict[str, Pairs]:
    """Everything that follows about relatives: for each word the pairs (person, other) such that
    the person is the other's 祖父, おば and so on.

    Siblings share their parents, and children of one parent are siblings. A person's sex is known
    only where a word of the facts tells it.
    """
    facts = list(facts)
    female = {fact.person: fact.word in FEMALE_WORDS for fact in facts}
    parent: Pairs = frozenset(
        (fact.person, fact.other) if fact.word in PARENTS else (fact.other, fact.person)
        for fact in facts
        if fact.word not in SIBLINGS
    )
    sibling: Pairs = frozenset(
        pair
        for fact in facts
        if fact.word in SIBLINGS
        for pair in ((fact.person, fact.other), (fact.other, fact.person))
    )
    while True:
        child = frozenset((b, a) for a, b in parent)
        parents = parent | _compose(parent, sibling)
        siblings = sibling | _compose(child, parent) | _compose(sibling, sibling)
        siblings = frozenset((a, b) for a, b in siblings if a != b)
        if (parents, siblings) == (parent, sibling):
            break
        parent, sibling = parents, siblings
    grandparent = _compose(parent, parent)
    uncle = _compose(sibling, parent)
    either = {
        "親": parent,
        "祖父母": grandparent,
        "曽祖父母": _compose(parent, grandparent),
        "おじおば": uncle,
        "おいめい": frozenset((b, a) for a, b in uncle),
        "いとこ": _compose(_compose(child, sibling), parent),
        "孫": frozenset((b, a) for a, b in grandparent),
    }
    found = {"いとこ": either["いとこ"], "孫": either["孫"]}
    for both, male_word, female_word in (
        ("親", "父", "母"),
        ("祖父母", "祖父", "祖母"),
        ("曽祖父母", "曽祖父", "曽祖母"),
        ("おじおば", "おじ", "おば"),
        ("おいめい", "おい", "めい"),
    ):
        for word, sex in ((male_word, False), (female_word, True)):
            found[word] = frozenset(p for p in either[both] if female.get(p[0]) is sex)
            # Someone of unknown sex might be one too, so that nobody is the only one.
            unknown = {p[1] for p in either[both] if p[0] not in female}
            found[word] = frozenset(p for p in found[word] if p[1] not in unknown)
    return found


def _family_facts(draw: Draw, level: int) -> tuple[list[Fact], list[bool]]:
    """Facts that tie a random family tree together, and who is female. The common ancestor is
    not always named."""
    n = (3, 3, 4, 6, 7)[level - 1]
    hidden = level > 1 and draw.random() < 0.5
    size = n + 1 if hidden else n
    parent, depth = [-1], [0]
    for person in range(1, size):
        if level == 1:
            parent.append(person - 1)
        elif hidden and person <= 2:  # an ancestor who is not named needs two children
            parent.append(0)
        else:
            parent.append(draw.choice([p for p in range(person) if depth[p] <= 2]))
        depth.append(depth[parent[-1]] + 1)
    age = draw.sample(range(size), size)  # orders siblings
    female = [draw.random() < 0.5 for _ in range(size)]
    facts = []
    for person in range(1, size):
        elder = [other for other in range(1, person) if parent[other] == parent[person]]
        if hidden and parent[person] == 0 and not elder:
            continue
        a, b = person, parent[person]
        if elder and ((b == 0 and hidden) or draw.random() < 0.4):
            a, b = draw.sample((person, draw.choice(elder)), 2)
            older = age[a] < age[b]
            word = (("弟", "妹"), ("兄", "姉"))[older][female[a]]
        elif draw.random() < 0.5:
            word = CHILDREN[female[a]]
        else:
            a, b = b, a
            word = PARENTS[female[a]]
        facts.append(Fact(a - hidden, word, b - hidden))
    return facts, female[hidden:]


def _kinship(draw: Draw, level: int) -> Problem:
    easy = ("祖父", "祖母", "孫")
    middle = (*easy, "おじ", "おば", "おい", "めい", "父", "母")
    hard = ("いとこ", "曽祖父", "曽祖母", "おじ", "おば", "祖父", "祖母", "おい", "めい")
    wanted = (easy, middle, middle, hard, hard)[level - 1]
    while True:
        facts, female = _family_facts(draw, level)
        stated = {(fact.person, fact.other) for fact in facts}
        stated |= {(b, a) for a, b in stated}
        queries: dict[str, list[tuple[int, int]]] = {}
        for word, pairs in kinship(facts).items():
            others = [other for _, other in pairs]
            single = sorted(p for p in pairs if others.count(p[1]) == 1 and p not in stated)
            if word in wanted and single:
                queries[word] = single
        if queries:
            break
    word = draw.choice(sorted(queries))
    answer, other = draw.choice(queries[word])
    if level == 1:
        names = draw.sample(LETTERS, len(female))
    else:
        men = draw.entities(MALE_NAMES, female.count(False))
        women = draw.entities(FEMALE_NAMES, female.count(True))
        names = [women.pop() if is_female else men.pop() for is_female in female]
    draw.shuffle(facts)
    lines = [f"{names[fact.person]}は{names[fact.other]}の{fact.word}だ。" for fact in facts]
    return Problem(
        slots={"facts": "".join(lines), "question": f"{names[other]}の{word}はだれですか。"},
        content=f"kinship|{''.join(sorted(lines))}|{names[other]}の{word}",
        answer=names[answer],
        format=NAME,
        metric="exact",
    )


KINSHIP = Family(
    name="reasoning/kinship",
    version=1,
    templates=(
        "{facts}{question}名前だけを答えてください。",
        "{facts}\n{question}\n名前だけを書いてください。",
        "親族についての問題です。{facts}{question}名前だけで答えてください。",
        "{question}名前だけを答えてください。\n家族関係：{facts}",
        "【家族】{facts}\n【問い】{question}\n【答え方】名前のみ",
        "{facts}ここに出てくる人のうち、{question}名前以外は書かないでください。",
        "{facts}それでは、{question}ひとりの名前だけを答えて。",
        "家系メモ：{facts}\n確認：{question}\n返答は名前だけにすること。",
        "家系図を思い浮かべてください。{facts}さて、{question}説明なしで、名前だけを記してください。",
    ),
    problem=_kinship,
)

# What a rule may do to a word of three or more characters.
OPERATIONS: dict[str, Callable[[str], str]] = {
    "reverse": lambda word: word[::-1],
    "first to the end": lambda word: word[1:] + word[0],
    "last to the front": lambda word: word[-1] + word[:-1],
    "swap the first two": lambda word: word[1] + word[0] + word[2:],
    "swap the last two": lambda word: word[:-2] + word[-1] + word[-2],
    "swap the ends": lambda word: word[-1] + word[1:-1] + word[0],
    "drop the first": lambda word: word[1:],
    "drop the last": lambda word: word[:-1],
    "double the first": lambda word: word[0] + word,
    "double the last": lambda word: word + word[-1],
    "first again at the end": lambda word: word + word[0],
}


@cache
def _outcomes(word: str) -> dict[tuple[str, ...], str]:
    """What each rule, one operation or two in a row, makes of a word."""
    outcomes: dict[tuple[str, ...], str] = {
        (name,): operation(word) for name, operation in OPERATIONS.items()
    }
    for first, second in product(OPERATIONS, repeat=2):
        if len(outcomes[(first,)]) >= 2:
            outcomes[first, second] = OPERATIONS[second](outcomes[(first,)])
    return outcomes


def predictions(examples: Iterable[tuple[str, str]], query: str) -> set[str]:
    """What every rule that explains all examples makes of the query."""
    pairs = list(examples)
    return {
        result
        for rule, result in _outcomes(query).items()
        if all(_outcomes(before).get(rule) == after for before, after in pairs)
    }


def _rule(draw: Draw, level: int) -> Problem:
    count = 4 if level >= 4 else 3  # examples and the query
    while True:
        if level == 1:
            words = ["".join(draw.sample(LETTERS, 3)) for _ in range(count)]
        else:
            long = level in (3, 5)
            words = draw.entities([w for w in KANA_WORDS if (len(w) > 3) is long], count)
        operations = draw.choices(list(OPERATIONS), k=2 if level >= 4 else 1)
        results = []
        for word in words:
            for operation in operations:
                word = OPERATIONS[operation](word)
            results.append(word)
        examples = list(zip(words, results, strict=True))[:-1]
        changed = all(word != result for word, result in zip(words, results, strict=True))
        simple = level >= 4 and any(
            all(operation(before) == after for before, after in examples)
            for operation in OPERATIONS.values()
        )
        if changed and not simple and predictions(examples, words[-1]) == {results[-1]}:
            break
    texts = [f"{before}→{after}" for before, after in examples]
    return Problem(
        slots={"examples": "、".join(texts), "query": words[-1]},
        content=f"rule|{';'.join(sorted(texts))}|{words[-1]}",
        answer=results[-1],
        format=FormatRule(kind="span", max_chars=12),
        metric="exact",
    )


RULE = Family(
    name="reasoning/rule",
    version=1,
    templates=(
        "{examples}。同じ規則で「{query}」は何になりますか。変えた後の文字列だけを答えてください。",
        "{examples}\n同じように「{query}」を変えるとどうなりますか。結果の文字列だけを書いてください。",
        "規則を見つけてください。{examples}、{query}→？ ？に入る文字列だけを答えてください。",
        "「{query}」を次の例と同じ規則で書きかえ、その結果だけを答えてください。\n例：{examples}",
        "【例】{examples}\n【問題】{query}→？\n【答え方】？に入る文字列のみ",
        "{examples}という並べかえや書きかえの規則があります。"
        "「{query}」に当てはめた結果だけを書くこと。",
        "暗号の例です。{examples}。では「{query}」はどう書きますか。文字列だけで答えて。",
        "変換表：{examples}、{query}→（　）\n（　）の中身だけを出力してください。",
        "ある機械に言葉を入れると形が変わります。{examples}。"
        "「{query}」を入れると出てくる文字列だけを記してください。",
    ),
    problem=_rule,
)
