"""Battles without a judge: on an item that can be proven, the right answer beats the wrong one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.arena.types import Battle, Outcome, Style
from harness.items.schema import content_hash

KIND = "verifier"


@dataclass(frozen=True)
class Proof:
    """One answer to an item: whether a rule proved it right (score 1 of its metric)."""

    right: bool
    prompt: str
    genre: str
    style: Style


# (item hash, sample, turn)
Place = tuple[str, int, int]
Proofs = Mapping[Place, Proof]


def decide(right_a: bool, right_b: bool) -> Outcome:
    """Right beats wrong; both right are a tie, both wrong are both bad."""
    if right_a != right_b:
        return "a" if right_a else "b"
    return "tie" if right_a else "both_bad"


def battles(
    model_a: str, model_b: str, a: Proofs, b: Proofs, *, source: str, protocol_hash: str
) -> Iterator[Battle]:
    """One battle for each place that both models answered, in order of place.

    The model whose name sorts first is a, so that a pair played twice, either way round, has the
    same battles.
    """
    if model_b < model_a:
        model_a, model_b, a, b = model_b, model_a, b, a
    for number, place in enumerate(sorted(a.keys() & b.keys())):
        one, other = a[place], b[place]
        yield Battle(
            id=content_hash([KIND, model_a, model_b, protocol_hash, *place]),
            kind=KIND,
            model_a=model_a,
            model_b=model_b,
            outcome=decide(one.right, other.right),
            prompt=one.prompt,
            source=source,
            sequence=number,
            genre=one.genre,
            item_hash=place[0],
            style_a=one.style,
            style_b=other.style,
        )
