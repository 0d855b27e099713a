"""A battle as it is held before people: turns, the answers of both models, and the vote (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from harness.arena.types import Battle, Outcome
from harness.arena.variants import style_of
from harness.items.schema import content_hash

Side = Literal["a", "b"]
State = Literal["answering", "answered", "failed", "voted"]
SIDES: tuple[Side, Side] = ("a", "b")

# What a voter may say of either answer, besides which is better.
TAGS = ("correct", "natural", "followed", "layout", "concise", "helpful")

Reason = Literal[
    "answering", "failed", "voted", "turn", "too-many-turns", "empty", "too-long", "tags"
]


class RefusedError(Exception):
    """What a voter asked for is not possible in this state of a battle; `reason` says why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


@dataclass(frozen=True)
class Reply:
    """One model's answer to one turn, ended.

    finish_reason  stop, length or error
    error          one sentence for the record where it is error; voters do not see it, since it
                   may name the model
    seconds        from the prompt to the end of the answer
    """

    text: str
    finish_reason: str
    error: str | None = None
    seed: int | None = None
    tokens: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Turn:
    """A prompt, and what each side answered; None while it still does."""

    prompt: str
    a: Reply | None = None
    b: Reply | None = None

    def reply(self, side: Side) -> Reply | None:
        return self.a if side == "a" else self.b


@dataclass(frozen=True)
class Ballot:
    """A vote: the outcome, what was good about each answer (of TAGS), and a remark."""

    outcome: Outcome
    tags_a: tuple[str, ...] = ()
    tags_b: tuple[str, ...] = ()
    comment: str = ""


@dataclass(frozen=True)
class Conversation:
    """Two models, one voter, one or more turns.

    id        unguessable; session: whose it is, and nobody else may vote
    model_a   the one on the left, or first on a narrow screen
    suite, item_hash, genre
              of an item drawn from an evalset; of a prompt that the voter wrote only the genre,
              if they named one
    prompt    key of what was asked: battles of equal prompt are not independent
    sampling  settings that both models' answers were drawn with
    answered_at  when both answers of the latest turn had ended
    """

    id: str
    session: str
    model_a: str
    model_b: str
    fingerprint_a: str
    fingerprint_b: str
    prompt: str
    turns: tuple[Turn, ...]
    began_at: datetime
    suite: str = ""
    item_hash: str | None = None
    genre: str = ""
    sampling: Mapping[str, Any] = field(default_factory=dict)
    language: str = ""
    answered_at: datetime | None = None
    ballot: Ballot | None = None
    voted_at: datetime | None = None

    @property
    def state(self) -> State:
        if self.ballot is not None:
            return "voted"
        replies = [turn.reply(side) for turn in self.turns for side in SIDES]
        if any(reply is not None and reply.finish_reason == "error" for reply in replies):
            return "failed"
        return "answering" if None in replies else "answered"

    @property
    def latency(self) -> float | None:
        """Seconds from the end of both answers to the vote."""
        if self.voted_at is None or self.answered_at is None:
            return None
        return (self.voted_at - self.answered_at).total_seconds()

    def model(self, side: Side) -> str:
        return self.model_a if side == "a" else self.model_b


def prompt_key(prompt: str) -> str:
    """The key of a prompt that a voter wrote."""
    return content_hash([prompt.strip()])


def ask(held: Conversation, number: int, prompt: str, most: int) -> Conversation:
    """The conversation with one more prompt, its turn `number` (from 1).

    Raises RefusedError: the turn before has not ended or failed, a vote was cast, `number` is not
    the next turn (a form that was sent twice), or there are `most` turns already.
    """
    _require_answered(held)
    if number != len(held.turns) + 1:
        raise RefusedError("turn")
    if number > most:
        raise RefusedError("too-many-turns")
    return replace(held, turns=(*held.turns, Turn(prompt)), answered_at=None)


def hear(held: Conversation, side: Side, reply: Reply, now: datetime) -> Conversation:
    """The conversation with one side's answer to the latest turn."""
    last = held.turns[-1]
    turn = replace(last, a=reply) if side == "a" else replace(last, b=reply)
    ended = turn.a is not None and turn.b is not None
    return replace(
        held, turns=(*held.turns[:-1], turn), answered_at=now if ended else held.answered_at
    )


def cast(held: Conversation, ballot: Ballot, now: datetime) -> Conversation:
    """The conversation with its vote.

    Raises RefusedError: not both answers have ended, one failed, there is a vote already, or a tag
    is unknown.
    """
    _require_answered(held)
    if not set(ballot.tags_a) | set(ballot.tags_b) <= set(TAGS):
        raise RefusedError("tags")
    return replace(held, ballot=ballot, voted_at=now)


def _require_answered(held: Conversation) -> None:
    match held.state:
        case "answering":
            raise RefusedError("answering")
        case "failed":
            raise RefusedError("failed")
        case "voted":
            raise RefusedError("voted")


def battle_of(held: Conversation) -> Battle:
    """The battle that a vote decided. Its id follows from the conversation's: a vote counts once
    however often it is written. A was on the left, so it was seen first."""
    if held.ballot is None:
        raise RefusedError("answering")
    texts = {
        side: "\n\n".join(reply.text for turn in held.turns if (reply := turn.reply(side)))
        for side in SIDES
    }
    return Battle(
        id=content_hash(["people", held.id]),
        kind="people",
        model_a=held.model_a,
        model_b=held.model_b,
        outcome=held.ballot.outcome,
        prompt=held.prompt,
        source=held.id,
        sequence=0,
        genre=held.genre,
        item_hash=held.item_hash,
        order="a",
        session=held.session,
        latency=held.latency,
        time=held.voted_at,
        style_a=style_of(texts["a"]),
        style_b=style_of(texts["b"]),
    )
