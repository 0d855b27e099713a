"""Worked solutions of what follows: comparisons, truth-tellers, syllogisms, compounds."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from itertools import product

from harness.items.probes.family import Problem
from harness.items.probes.reasoning_logic import ROLES, Said, honesty
from harness.items.probes.reasoning_order import SCALES
from training.synthesis.traces.reasoning_places import read_clues
from training.synthesis.traces.trace import Trace, Tracer, numbers_in

Draw = random.Random


def _transitivity(draw: Draw, problem: Problem) -> Trace:
    _, more, text, claim = problem.content.split("|")
    scale = next(one for one in SCALES if one.more == more)
    pairs = [(who[0], who[1]) for _, who, _ in read_clues(text)]
    ((_, (a, b), _),) = read_clues(claim)
    asked = problem.slots["claim"]
    listed = "、".join(f"{x}＞{y}" for x, y in pairs)
    steps = [
        draw.choice(
            (
                f"「{scale.more}」ほうを左にして「＞」で表すと、{listed}となります。",
                f"{scale.more}ほうを大きいと考えて整理すると、{listed}です。",
            )
        )
    ]
    for first, last, verdict in ((a, b, "はい"), (b, a, "いいえ")):
        if path := _path(pairs, first, last):
            steps.append(
                f"つなげると{'＞'.join(path)}となり、{first}は{last}より{scale.more}とわかります。"
            )
            fits = "一致します" if verdict == "はい" else "合いません"
            steps.append(f"これは「{asked}」と{fits}。")
            return Trace(tuple(steps), verdict)
    known = sorted({name for pair in pairs for name in pair})
    one, other = _line(known, [*pairs, (a, b)]), _line(known, [*pairs, (b, a)])
    steps.append(
        draw.choice(
            (
                f"しかし、{a}と{b}を直接にも間接にも比べる手がかりがありません。",
                f"この関係をどうつなげても、{a}と{b}の間の順は決まりません。",
            )
        )
    )
    steps.append(
        f"実際、{'＞'.join(one)}でも{'＞'.join(other)}でも、手がかりはすべて成り立ちます。"
    )
    return Trace(tuple(steps), "不明")


def _path(pairs: Sequence[tuple[str, str]], first: str, last: str) -> list[str]:
    """Names from one to another, each before the next; empty where there is no way."""
    ways = [[first]]
    while ways:
        way = ways.pop(0)
        if way[-1] == last:
            return way
        ways += [[*way, y] for x, y in pairs if x == way[-1]]
    return []


def _line(names: Sequence[str], pairs: Sequence[tuple[str, str]]) -> list[str]:
    """One order of all names that keeps every pair."""
    left, order = list(names), list[str]()
    while left:
        top = next(one for one in left if not any(y == one and x in left for x, y in pairs))
        left.remove(top)
        order.append(top)
    return order


_FACT = re.compile(r"([^:;]*):([a-z]+)\(([^()]*)\)([0-9]*)")


def _truth_tellers(draw: Draw, problem: Problem) -> Trace:
    _, count, facts, asked = problem.content.split("|")
    n = int(count)
    read = [(who, kind, about.split(",") if about else [], int(number))
            for who, kind, about, number in _FACT.findall(facts)]  # fmt: skip
    names = sorted({name for who, _, about, _ in read for name in (who, *about) if name})
    if len(names) < n:
        raise ValueError("somebody is never named")
    statements = [
        Said(
            names.index(who) if who else None,
            kind,
            tuple(names.index(one) for one in about),
            number,
        )
        for who, kind, about, number in read
    ]
    place = names.index(asked)
    (roles,) = honesty(statements, n)
    if n == 2 or any(one.speaker is None and one.kind != "count" for one in statements):
        steps, known = _propagated(statements, names, {})
        if place not in known:
            raise ValueError("the chain does not reach the person")
        return Trace(tuple(steps), ROLES[0] if known[place] else ROLES[1])
    wrong = not roles[place]
    tried, known = _propagated(statements, names, {place: wrong})
    if known:
        raise ValueError("the wrong role is not refuted step by step")
    right = ROLES[0] if roles[place] else ROLES[1]
    found = "、".join(
        f"{name}は{ROLES[0] if honest else ROLES[1]}"
        for name, honest in zip(names, roles, strict=True)
    )
    steps = [
        f"仮に{asked}が{ROLES[0] if wrong else ROLES[1]}だとします。",
        *tried,
        f"したがって、{asked}は{right}です。",
    ]
    if draw.random() < 0.6:
        steps.append(f"実際に、{found}とすると、すべての発言とつじつまが合います。")
    return Trace(tuple(steps), right)


def _propagated(
    statements: Sequence[Said], names: Sequence[str], start: dict[int, bool]
) -> tuple[list[str], dict[int, bool]]:
    """What follows from some roles, a statement at a time: steps, and the known roles; none when
    they end in a contradiction. Raises ValueError when neither everything nor a contradiction
    follows."""
    known, steps, n = dict(start), list[str](), len(names)
    left = list(statements)
    while left:
        for said in list(left):
            worlds = [
                world
                for world in product((True, False), repeat=n)
                if all(world[person] is role for person, role in known.items())
                and honesty_holds(said, world)
            ]
            reason = _reason(said, names, known)
            if not worlds:
                steps.append(f"{reason}。ところが、これはここまでにわかったことと矛盾します。")
                return steps, {}
            forced = {
                person: worlds[0][person]
                for person in range(n)
                if person not in known and len({world[person] for world in worlds}) == 1
            }
            if forced:
                known |= forced
                result = "、".join(
                    f"{names[p]}は{ROLES[0] if role else ROLES[1]}" for p, role in forced.items()
                )
                if said.speaker is None and said.kind != "count":
                    steps.append(f"{result}だとわかっています。")
                else:
                    steps.append(f"{reason}。よって、{result}です。")
                left.remove(said)
                break
            if (
                all(person in known for person in said.about)
                and (said.speaker is None or said.speaker in known)
                and (said.kind != "count" or len(known) == n)
            ):
                left.remove(said)
                break
        else:
            raise ValueError("stuck")
        if len(known) == n and not start:
            break
    return steps, known


def honesty_holds(said: Said, world: tuple[bool, ...]) -> bool:
    """Whether roles agree with one statement."""
    return world in honesty([said], len(world))


def _reason(said: Said, names: Sequence[str], known: dict[int, bool]) -> str:
    who = [names[person] for person in said.about]
    text = {
        "honest": "{0}は正直者だ",
        "liar": "{0}はうそつきだ",
        "same": "私と{0}は、どちらも正直者か、どちらもうそつきだ",
        "both": "{0}と{1}は二人ともうそつきだ",
        "any": "{0}と{1}の少なくとも一人はうそつきだ",
        "count": f"うそつきはちょうど{said.number}人だ",
    }[said.kind].format(*who)
    if said.speaker is None:
        return f"{text}とわかっています"
    name = names[said.speaker]
    if said.speaker not in known:
        truths = {
            world[said.speaker] is honesty_holds(said, world)
            for world in product((True, False), repeat=len(names))
            if all(world[person] is role for person, role in known.items())
        }
        if said.kind != "same" and len(truths) == 1:
            truth = "本当" if truths.pop() else "うそ"
            return f"{name}の発言「{text}」は、ここまでの結果から{truth}です"
        return f"{name}の発言「{text}」は、{name}が正直者なら本当、うそつきならうそです"
    if known[said.speaker]:
        return f"{name}は正直者なので、発言「{text}」は本当です"
    return f"{name}はうそつきなので、発言「{text}」はうそです"


def _compound(draw: Draw, problem: Problem) -> Trace:
    facts, claim = problem.slots["facts"], problem.slots["claim"]
    found = re.findall(r"([^、。0-9：]+)が([0-9]+)([^、。]+)", facts.split("ある。")[0])
    counts = {name: (int(count), counter) for name, count, counter in found}
    steps = [draw.choice(("一つずつ正誤を調べます。", "まず、それぞれの文の正誤を確かめます。"))]
    if re.search(r"[P-S]：", facts):
        leaves = dict(re.findall(r"([P-S])：([^。]+)。", facts))
        formula = claim[1:-1]
    else:
        texts = re.findall(r"「([^」]+)」", claim)
        leaves = dict(zip("PQ", texts, strict=False))
        formula = claim
        for label, text in leaves.items():
            formula = formula.replace(f"「{text}」", label)
    values = {}
    for label, text in leaves.items():
        values[label], why = _leaf(text, counts)
        name = label if f"{label}：" in facts else f"「{text}」"
        steps.append(f"{name}は、{why}ので{_truth(values[label])}です。")
    if len(steps) == 2:
        steps = steps[1:]
    shown = {
        label: label if f"{label}：" in facts else f"「{text}」" for label, text in leaves.items()
    }
    value, rest = _evaluate(formula, values, shown, steps)
    if rest:
        raise ValueError(claim)
    return Trace(tuple(steps), "正しい" if value else "誤り")


def _truth(value: bool) -> str:
    return "正しい" if value else "誤り"


def _leaf(text: str, counts: dict[str, tuple[int, str]]) -> tuple[bool, str]:
    if found := re.fullmatch(r"(.+)の数は(.+)の数より多い", text):
        (a, unit), (b, other) = counts[found[1]], counts[found[2]]
        facts = f"{found[1]}が{a}{unit}、{found[2]}が{b}{other}"
        if a == b:
            return False, f"{facts}で数が同じな"
        return a > b, f"{facts}で{found[1]}のほうが{'多い' if a > b else '少ない'}"
    name = next(name for name in counts if text.startswith(f"{name}は"))
    bound, (count, unit) = numbers_in(text.removeprefix(name))[0], counts[name]
    fact = f"{name}は{count}{unit}で、{bound}{unit}"
    if text.endswith("以上ある"):
        return count >= bound, f"{fact}{'以上な' if count >= bound else 'より少ない'}"
    return count <= bound, f"{fact}{'以下な' if count <= bound else 'より多い'}"


def _evaluate(
    text: str, values: dict[str, bool], shown: dict[str, str], steps: list[str]
) -> tuple[bool, str]:
    """The truth of a compound at the head of a text, and the text behind it; appends how each part
    comes out."""

    def atom(rest: str) -> tuple[bool, str, str]:
        if rest.startswith("（"):
            value, after = _evaluate(rest[1:], values, shown, steps)
            inner = rest[1 : len(rest) - len(after)]
            return value, after[1:], f"（{inner}）"
        return values[rest[0]], rest[1:], rest[0]

    value, rest, name = atom(text)
    while rest and not rest.startswith("）"):
        before = name
        if rest.startswith("でない"):
            rest, name, why = (
                rest[3:],
                f"{name}でない",
                f"{_words(before, shown)}が{'正しい' if value else '誤りな'}ので",
            )
            value = not value
        else:
            word = next(word for word in ("かつ", "または", "ならば") if rest.startswith(word))
            other, rest, second = atom(rest[len(word) :])
            name = f"{before}{word}{second}"
            why = _why(word, value, other)
            value = {
                "かつ": value and other,
                "または": value or other,
                "ならば": not value or other,
            }[word]
        said = _words(name, shown)
        said = said if "「" in said else f"「{said}」"
        steps.append(f"{said}は、{why}{_truth(value)}です。")
    return value, rest


def _words(text: str, shown: dict[str, str]) -> str:
    return re.sub("[P-S]", lambda found: shown.get(found[0], found[0]), text)


def _why(word: str, a: bool, b: bool) -> str:
    if word == "かつ":
        if a and b:
            return "両方とも正しいので"
        return "両方とも誤りなので" if not a and not b else "一方が誤りなので"
    if word == "または":
        if not a and not b:
            return "両方とも誤りなので"
        return "両方とも正しいので" if a and b else "一方が正しいので"
    if a and not b:
        return "前が正しく後が誤りなので"
    return "前が誤りなので" if not a else "前も後も正しいので"


LOGIC: dict[str, Tracer] = {
    "reasoning/transitivity": _transitivity,
    "reasoning/truth-tellers": _truth_tellers,
    "reasoning/compound": _compound,
}
