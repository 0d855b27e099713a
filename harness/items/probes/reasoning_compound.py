"""Reasoning probes about compound statements: is "P and (Q or not R)" true of the facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.items.probes.family import Draw, Family, Problem
from harness.items.probes.pools import GOODS
from harness.items.schema import FormatRule


@dataclass(frozen=True)
class Formula:
    """A compound of numbered statements: op is leaf, not, and, or, implies."""

    op: str
    parts: tuple[Formula, ...] = ()
    leaf: int = -1

    def holds(self, values: Sequence[bool]) -> bool:
        if self.op == "leaf":
            return values[self.leaf]
        parts = [part.holds(values) for part in self.parts]
        if self.op == "not":
            return not parts[0]
        if self.op == "and":
            return all(parts)
        if self.op == "or":
            return any(parts)
        return not parts[0] or parts[1]

    def text(self, leaves: Sequence[str]) -> str:
        if self.op == "leaf":
            return leaves[self.leaf]
        parts = [
            part.text(leaves) if part.op == "leaf" else f"（{part.text(leaves)}）"
            for part in self.parts
        ]
        if self.op == "not":
            return f"{parts[0]}でない"
        return {"and": "かつ", "or": "または", "implies": "ならば"}[self.op].join(parts)

    def canonical(self, leaves: Sequence[str]) -> str:
        """The compound as text that does not depend on the order of commutative parts."""
        if self.op == "leaf":
            return leaves[self.leaf]
        parts = [part.canonical(leaves) for part in self.parts]
        return f"{self.op}({','.join(parts if self.op == 'implies' else sorted(parts))})"


def _formula(draw: Draw, leaves: Sequence[int], level: int) -> Formula:
    """A random compound in which each leaf occurs once."""
    if len(leaves) == 1:
        leaf = Formula("leaf", leaf=leaves[0])
        return Formula("not", (leaf,)) if level >= 3 and draw.random() < 0.3 else leaf
    cut = draw.randrange(1, len(leaves))
    op = draw.choice(("and", "or", "implies") if level == 5 else ("and", "or"))
    parts = _formula(draw, leaves[:cut], level), _formula(draw, leaves[cut:], level)
    whole = Formula(op, parts)
    return Formula("not", (whole,)) if level >= 4 and draw.random() < 0.2 else whole


def _compound(draw: Draw, level: int) -> Problem:
    goods = draw.entities(tuple(GOODS), (2, 2, 3, 4, 4)[level - 1])
    counts = {name: draw.randrange(2, 10 if level <= 2 else 30) for name in goods}
    leaf_count = (1, 2, 2, 3, 4)[level - 1]
    leaves: list[str] = []
    keys: list[str] = []
    values: list[bool] = []
    for name in (goods * 2)[:leaf_count]:
        counter, kind = GOODS[name], draw.choice(("more", "least", "most"))
        bound = max(1, counts[name] + draw.randrange(-2, 3))
        if kind == "more":
            other = draw.choice([other for other in goods if other != name])
            leaves.append(f"{name}の数は{other}の数より多い")
            keys.append(f"{name}>{other}")
            values.append(counts[name] > counts[other])
        elif kind == "least":
            leaves.append(f"{name}は{bound}{counter}以上ある")
            keys.append(f"{name}>={bound}")
            values.append(counts[name] >= bound)
        else:
            leaves.append(f"{name}は{bound}{counter}以下だ")
            keys.append(f"{name}<={bound}")
            values.append(counts[name] <= bound)
    wanted = draw.random() < 0.5
    formula = _formula(draw, range(leaf_count), level)
    for _ in range(20):  # some leaves allow one truth value only; else the two come out even
        if formula.holds(values) is wanted:
            break
        formula = _formula(draw, range(leaf_count), level)
    facts = "、".join(f"{name}が{counts[name]}{GOODS[name]}" for name in goods) + "ある。"
    if level <= 2:
        claim = formula.text([f"「{leaf}」" for leaf in leaves])
    else:
        labels = "PQRS"[:leaf_count]
        facts += "".join(f"{p}：{leaf}。" for p, leaf in zip(labels, leaves, strict=True))
        if level == 5:
            facts += "「XならばY」は、Xが正しくYが誤りのときだけ誤りとする。"
        claim = f"「{formula.text(labels)}」"
    return Problem(
        slots={"facts": facts, "claim": claim},
        content=f"compound|{';'.join(sorted(f'{k}={v}' for k, v in counts.items()))}"
        f"|{formula.canonical(keys)}",
        answer="正しい" if formula.holds(values) else "誤り",
        format=FormatRule(kind="choice", labels=("正しい", "誤り")),
        metric="exact",
    )


COMPOUND = Family(
    name="reasoning/compound",
    version=1,
    templates=(
        "{facts}{claim}は「正しい」か「誤り」か、一語で答えてください。",
        "{facts}\n{claim}は正しいですか。「正しい」か「誤り」とだけ書いてください。",
        "棚の中身：{facts}\n{claim}について、正しい・誤りのどちらか一語で答えてください。",
        "次の状況で{claim}は成り立ちますか。成り立てば「正しい」、"
        "成り立たなければ「誤り」とだけ答えてください。\n{facts}",
        "【事実】{facts}\n【文】{claim}\n【答え方】「正しい」または「誤り」の一語",
        "{facts}ここで{claim}という文を考えます。正しいか誤りかを判定し、"
        "「正しい」「誤り」のどちらかだけを書いてください。",
        "在庫メモ：{facts}\n判定する文：{claim}\n判定（正しい／誤り）：",
        "{facts}このことから{claim}と言った人がいます。その発言は「正しい」ですか、「誤り」ですか。"
        "一語で返してください。",
        "{claim}の真偽を調べよ。ただし{facts}\n答えは「正しい」「誤り」のいずれか一語のみ。",
    ),
    problem=_compound,
)
