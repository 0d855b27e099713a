"""Draws the pages: templates, their words, and what they show of a battle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness.arena.conversation import SIDES, TAGS, Conversation
from harness.voting.boards import Standing
from harness.voting.sessions import Session
from harness.voting.words import LANGUAGES, Language, say

# Votes in the order of their buttons, with the keys that cast them.
VOTES = (("a", "A", "1"), ("tie", "T", "2"), ("both_bad", "X", "3"), ("b", "B", "4"))


@lru_cache(maxsize=1)
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("harness.voting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@dataclass(frozen=True)
class Face:
    """How a page looks to one visitor. path: where it is, for the language switch."""

    language: Language
    path: str
    member: bool

    def draw(self, template: str, **values: Any) -> str:
        def word(key: str, **more: object) -> str:
            return say(self.language, key, **more)

        return (
            _templates()
            .get_template(template)
            .render(
                word=word,
                language=self.language,
                languages=LANGUAGES,
                path=self.path,
                member=self.member,
                **values,
            )
        )


def battle_values(
    held: Conversation,
    session: Session,
    answers: Mapping[tuple[int, str], str],
    heard: Mapping[Any, str],
    standing: Standing | None,
    following: str,
    most_turns: int,
) -> dict[str, Any]:
    """What the battle's template needs. Names are among it once a vote is cast, not before.

    answers    HTML of ended answers by turn and side; following: the item's next turn, if any
    """
    voted = held.state == "voted"
    turns = [
        {
            "number": number,
            "prompt": turn.prompt,
            "sides": [
                {
                    "side": side,
                    "name": held.model(side) if voted else "",
                    "reply": reply,
                    "html": Markup(answers.get((number, side), "")),
                    "heard": heard[side] if reply is None else "",
                    "broken": reply is not None and reply.finish_reason == "error",
                    "cut": reply is not None and reply.finish_reason == "length",
                }
                for side in SIDES
                for reply in (turn.reply(side),)
            ],
        }
        for number, turn in enumerate(held.turns)
    ]
    revealed = None
    if voted:
        revealed = [
            {"side": side, "name": model, "rating": standing and standing.rating(model)}
            for side, model in zip(SIDES, (held.model_a, held.model_b), strict=True)
        ]
    return {
        "id": held.id,
        "state": held.state,
        "turns": turns,
        "genre": held.genre,
        "suite": held.suite,
        "ticket": session.ticket(held.id),
        "number": len(held.turns) + 1,
        "may_ask": len(held.turns) < most_turns,
        "following": following,
        "votes": VOTES,
        "tags": TAGS,
        "ballot": held.ballot,
        "revealed": revealed,
    }


def board_values(standing: Standing | None) -> dict[str, Any]:
    """What the leaderboard's template needs besides: rows with their intervals on a common scale
    of 200 units."""
    if standing is None:
        return {"rows": [], "few": []}
    rated = standing.board.ratings.rows
    low, high = min(row.low for row in rated), max(row.high for row in rated)

    def place(points: float) -> float:
        return round(6 + 188 * (points - low) / max(high - low, 1e-9), 1)

    rows = [
        {
            "rating": row,
            "low": place(row.low),
            "middle": place(row.rating),
            "high": place(row.high),
        }
        for row in rated
    ]
    return {"rows": rows, "few": list(standing.board.unrated)}
