"""What judging is made of: a judge, an answer as it is shown, what is wanted, how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from typing import Protocol as TypingProtocol

from harness.engines.types import Generation, Request, Sampling
from harness.items.schema import Item, content_hash
from harness.judge.prompts import Rendered

# The judge's own setting in every protocol.
SAMPLING = Sampling(temperature=0.0, max_tokens=2048)


class Judge(TypingProtocol):
    """Whoever rates. `ask` is called from several threads at once, up to `concurrency`.

    name        what scores are compared under: the model, or a checkpoint's name and fingerprint
    place       where it runs, for the record
    structured  whether it holds a reply to a schema; turns False when it proves not to
    overlaps    whether it may be asked while answers are generated; a local one may need the room
                that their engine takes
    """

    @property
    def name(self) -> str: ...

    @property
    def place(self) -> str: ...

    @property
    def concurrency(self) -> int: ...

    @property
    def structured(self) -> bool: ...

    @property
    def overlaps(self) -> bool: ...

    def ask(self, request: Request, schema: Mapping[str, Any] | None = None) -> Generation: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Shown:
    """An answer as a judge sees it.

    evaluation, answer  that it belongs to, and the key of its generation
    texts               its texts by turn; the last one is judged
    """

    evaluation: str
    answer: str
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Wanted:
    """One answer to be rated, or two to be compared.

    reference  whether against the item's reference answer
    rival      the other answer, where two are compared; swapped: it is shown first
    """

    item: Item
    shown: Shown
    reference: bool
    repeat: int
    rival: Shown | None = None
    swapped: bool = False

    @property
    def turn(self) -> int:
        return len(self.shown.texts) - 1

    @property
    def candidates(self) -> list[tuple[str, ...]]:
        """The texts in the order in which they are shown."""
        if self.rival is None:
            return [self.shown.texts]
        pair = [self.shown.texts, self.rival.texts]
        return pair[::-1] if self.swapped else pair


@dataclass(frozen=True)
class JudgeProgress:
    """What became of the judgments that were wanted; wanted = reused + asked + left."""

    wanted: int = 0
    reused: int = 0
    asked: int = 0
    left: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = None
    fault: str | None = None


def call_key(
    judge: str, prompt_hash: str, rendered: Rendered, sampling: Sampling, repeat: int
) -> str:
    """The content key of a judge call."""
    return content_hash([judge, prompt_hash, rendered.messages, sampling, repeat, rendered.schema])
