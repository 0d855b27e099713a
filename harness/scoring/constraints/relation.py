"""How a counted number is compared with the number that was asked for."""

from __future__ import annotations

from typing import Literal, get_args

# M-IFEval knows 以上 and 未満; 以下 is how Japanese asks for an upper bound most often.
Relation = Literal["以上", "未満", "以下"]
RELATIONS: tuple[Relation, ...] = get_args(Relation)


def holds(count: int, relation: Relation, limit: int) -> bool:
    match relation:
        case "以上":
            return count >= limit
        case "未満":
            return count < limit
        case "以下":
            return count <= limit
