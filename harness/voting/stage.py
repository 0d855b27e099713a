"""The battles that are being held: who answers whom, what is heard so far, and the votes.

Everything here happens on one event loop, so that a vote is looked at and counted without anybody
in between; what takes long (rendering, the disk, the database) goes to threads and is awaited.
Each step of a battle is durable before the voter is told of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from random import SystemRandom
from typing import Any, TypeVar

from harness.arena.conversation import (
    SIDES,
    Ballot,
    Conversation,
    Reply,
    Side,
    Turn,
    ask,
    cast,
    hear,
)
from harness.engines.prompt import first_line
from harness.engines.types import Generation, Message, Sampling
from harness.errors import HarnessError
from harness.store import conversations, write
from harness.voting.answers import render_answer
from harness.voting.draw import Draw, draw_pair
from harness.voting.speakers import Listener, Speaker

log = logging.getLogger(__name__)
T = TypeVar("T")

# Battles kept in memory; an older one is read from the store again.
_REMEMBERED = 1_000
# Voters see text at most so often; seconds.
_BEAT = 0.05
# Seconds that another program's lock on the database is waited for; what is spooled is safe.
_WAIT = 5.0


@dataclass(frozen=True)
class Terms:
    """What a battle may take.

    most_turns, most_characters  of prompts
    most_answering  battles whose models answer at the same time, in all and of one session
    seconds         until an answer that has not ended counts as failed
    sampling        how answers are drawn; each has a seed of its own
    """

    most_turns: int = 5
    most_characters: int = 8_000
    most_answering: int = 64
    most_answering_each: int = 2
    seconds: float = 300.0
    sampling: Sampling = field(default_factory=lambda: Sampling(temperature=0.7, max_tokens=1024))


class BusyError(Exception):
    """No further battle now: too many are being answered."""


@dataclass
class Live:
    """A battle in memory: its state, and what is heard of the answers to the latest turn.

    saved    its state as the store has it
    pages    HTML of ended answers, by turn and side
    changed  set, and replaced by a new one, whenever there is something new
    ending   held while an answer's end is made durable, before anybody is told
    """

    held: Conversation
    saved: Conversation | None = None
    heard: dict[Side, str] = field(default_factory=lambda: {"a": "", "b": ""})
    pages: dict[tuple[int, Side], str] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    ending: asyncio.Lock = field(default_factory=asyncio.Lock)

    def tell(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


class Stage:
    """The battles of one server; see `start`, `ask`, `vote`, `listen`."""

    def __init__(self, speakers: Sequence[Speaker], store: Path, terms: Terms) -> None:
        self.speakers = {speaker.name: speaker for speaker in speakers}
        self.store = store
        self.terms = terms
        self.is_ending: Callable[[], bool] = lambda: False
        self._random = SystemRandom()
        self._lives: OrderedDict[str, Live] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        # DuckDB takes one configuration at a time in a process: all its connections take turns.
        self._books = ThreadPoolExecutor(1, thread_name_prefix="store")
        # Saving needs no connection, and waits for nothing else.
        self._disk = ThreadPoolExecutor(8, thread_name_prefix="disk")

    async def start(self, key: str, session: str, draw: Draw, language: str) -> Live | None:
        """Begins a battle of two models that the pairing policy chose; None where there is one of
        that id already (a form that was sent twice).

        Raises BusyError, and HarnessError where it cannot be saved.
        """
        self._require_room(session)
        if await self.find(key) is not None:
            return None
        names = tuple(self.speakers)
        playing = [
            (one.held.model_a, one.held.model_b)
            for one in self._lives.values()
            if one.held.state in ("answering", "answered")
        ]
        pair = await self.read(lambda: draw_pair(self.store, names, playing, self._random))
        a, b = (self.speakers[name].checkpoint for name in pair)
        held = Conversation(
            id=key,
            session=session,
            model_a=a.name,
            model_b=b.name,
            fingerprint_a=a.fingerprint,
            fingerprint_b=b.fingerprint,
            prompt=draw.key,
            turns=(Turn(draw.prompt),),
            began_at=datetime.now(UTC),
            suite=draw.suite,
            item_hash=draw.item_hash,
            genre=draw.genre,
            sampling={
                name: value
                for name, value in asdict(self.terms.sampling).items()
                if name not in ("seed", "stop")
            },
            language=language,
        )
        # Others came while the store was read: the same form, or other battles of this voter.
        if key in self._lives:
            return None
        self._require_room(session)
        live = self._lives[key] = Live(held)
        await self._begin(live, None)
        return live

    async def ask(self, live: Live, number: int, prompt: str) -> None:
        """Asks both models once more. Raises RefusedError, BusyError, HarnessError."""
        self._require_room(live.held.session)
        before = live.held
        live.held = ask(before, number, prompt, self.terms.most_turns)
        live.heard = {"a": "", "b": ""}
        await self._begin(live, before)

    async def _begin(self, live: Live, before: Conversation | None) -> None:
        try:
            await self._save(live, live.held)
        except HarnessError:
            if before is None:
                del self._lives[live.held.id]
            else:
                live.held = before
            raise
        self._background(self._turn(live))
        self._forget()

    async def vote(self, live: Live, ballot: Ballot) -> None:
        """Casts the vote; it is durable when this returns. Raises RefusedError, HarnessError."""
        before = live.held
        # From here on another vote is refused; nothing is awaited in between.
        live.held = cast(before, ballot, datetime.now(UTC))
        try:
            await self._save(live, live.held)
        except HarnessError:
            live.held = before
            raise
        live.tell()
        self._background(self._take_in())

    async def find(self, key: str) -> Live | None:
        """A battle by its id, from memory or from the store."""
        live = self._lives.get(key)
        if live is not None:
            self._lives.move_to_end(key)
            return live
        held = await self.read(lambda: conversations.find(self.store, key))
        if held is None:
            return None
        saved = held
        if held.state == "answering":
            # The server that was asking has ended; so has the answer.
            held = _broken_off(held)
        found = self._lives.setdefault(key, Live(held, saved))
        self._forget()
        return found

    async def page(self, live: Live, number: int, side: Side) -> str:
        """HTML of an answer that has ended."""
        if (number, side) not in live.pages:
            reply = live.held.turns[number].reply(side)
            text = reply.text if reply else ""
            live.pages[number, side] = await asyncio.to_thread(render_answer, text)
        return live.pages[number, side]

    async def listen(self, live: Live) -> AsyncIterator[dict[str, object]]:
        """News of the latest turn until both answers have ended: {side, from, text} for new text,
        {side, html} for an ended answer, {state} at the end; {} for each second without news."""
        sent: dict[Side, int] = {"a": 0, "b": 0}
        ended: set[Side] = set()
        number = len(live.held.turns) - 1
        while True:
            changed = live.changed
            turn = live.held.turns[number]
            for side in SIDES:
                text = live.heard[side]
                if len(text) > sent[side] and side not in ended:
                    yield {"side": side, "from": sent[side], "text": text[sent[side] :]}
                    sent[side] = len(text)
                reply = turn.reply(side)
                if reply is not None and side not in ended and reply.finish_reason != "error":
                    yield {"side": side, "html": await self.page(live, number, side)}
                    ended.add(side)
            if self.is_ending():
                yield {"state": "closing"}
                return
            if live.held.state != "answering":
                yield {"state": live.held.state}
                return
            try:
                await asyncio.wait_for(changed.wait(), 1.0)
            except TimeoutError:
                yield {}
            await asyncio.sleep(_BEAT)

    async def read(self, what: Callable[[], T]) -> T:
        """Runs something that opens the store, after taking in what was spooled."""

        def run() -> T:
            self._ingest()
            return what()

        return await asyncio.get_running_loop().run_in_executor(self._books, run)

    async def close(self) -> None:
        """Ends what is being answered, and leaves every battle in the store."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for live in self._lives.values():
            if live.held.state == "answering":
                live.held = _broken_off(live.held)
            if live.saved is not live.held:
                await self._keep(live, live.held)
        await self.read(lambda: None)
        self._books.shutdown()
        self._disk.shutdown()
        await asyncio.gather(
            *(asyncio.to_thread(speaker.close) for speaker in self.speakers.values())
        )

    async def _turn(self, live: Live) -> None:
        """Has both models answer the latest prompt."""
        # Where one fails the battle is over: the other need not go on.
        wanted = {"wanted": True}
        await asyncio.gather(*(self._answer(live, side, wanted) for side in SIDES))

    async def _answer(self, live: Live, side: Side, both: dict[str, bool]) -> None:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Generation] = loop.create_future()
        seed = self._random.getrandbits(31)
        messages = [Message("user", live.held.turns[0].prompt)]
        for before, turn in zip(live.held.turns, live.held.turns[1:], strict=False):
            reply = before.reply(side)
            messages += [
                Message("assistant", reply.text if reply else ""),
                Message("user", turn.prompt),
            ]

        def more(text: str) -> None:
            live.heard[side] += text
            live.tell()

        def heard(text: str) -> bool:
            if both["wanted"]:
                loop.call_soon_threadsafe(more, text)
            return both["wanted"]

        def done(generation: Generation) -> None:
            with contextlib.suppress(RuntimeError):  # the server has ended meanwhile
                loop.call_soon_threadsafe(_settle, future, generation)

        number = len(live.held.turns)
        key = f"{live.held.id} {number} {side}"
        speaker = self.speakers[live.held.model(side)]
        sampling = replace(self.terms.sampling, seed=seed)
        started = loop.time()
        try:
            async with asyncio.timeout(self.terms.seconds):
                await asyncio.to_thread(speaker.say, key, messages, sampling, Listener(heard, done))
                made = await future
        except TimeoutError:
            reason = f"no end after {self.terms.seconds:g} s"
            made = Generation(key, live.heard[side], "error", error=reason)
        except asyncio.CancelledError:
            both["wanted"] = False
            raise
        except Exception as error:  # a battle must not stay open for ever
            log.exception("%s failed", speaker.name)
            made = Generation(key, live.heard[side], "error", error=first_line(error))
        if made.finish_reason == "error":
            both["wanted"] = False
            log.warning("%s failed: %s", speaker.name, made.error)
            made = replace(made, text=made.text or live.heard[side])
        reply = Reply(
            made.text,
            made.finish_reason,
            made.error,
            seed,
            made.completion_tokens,
            loop.time() - started,
        )
        async with live.ending:
            held = hear(live.held, side, reply, datetime.now(UTC))
            if held.state != "answering":
                await self._keep(live, held)
            live.held = held
        live.tell()

    async def _save(self, live: Live, held: Conversation) -> None:
        # Shielded: a voter who goes away must not keep a vote from the disk.
        saving = asyncio.get_running_loop().run_in_executor(
            self._disk, conversations.save, self.store, held
        )
        await asyncio.shield(saving)
        live.saved = held

    async def _keep(self, live: Live, held: Conversation) -> None:
        """Saves what no form waits for; a full disk is for the log."""
        try:
            await self._save(live, held)
        except HarnessError as error:
            log.error("%s", error)

    def _require_room(self, session: str) -> None:
        answering = [
            one.held.session for one in self._lives.values() if one.held.state == "answering"
        ]
        if (
            len(answering) >= self.terms.most_answering
            or answering.count(session) >= self.terms.most_answering_each
        ):
            raise BusyError

    async def _take_in(self) -> None:
        await self.read(lambda: None)

    def _ingest(self) -> None:
        try:
            write.ingest(self.store, wait=_WAIT)
        except HarnessError as error:
            # It stays spooled, and durable; the next one takes it in.
            log.warning("%s", error)

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _forget(self) -> None:
        """Lets go of the battles that were looked at longest ago; the store has them."""
        for key in list(self._lives):
            if len(self._lives) <= _REMEMBERED:
                return
            if self._lives[key].held.state != "answering":
                del self._lives[key]


def _settle(future: asyncio.Future[Generation], generation: Generation) -> None:
    if not future.done():
        future.set_result(generation)


def _broken_off(held: Conversation) -> Conversation:
    now = datetime.now(UTC)
    for side in SIDES:
        if held.turns[-1].reply(side) is None:
            reply = Reply("", "error", "the server was stopped before this answer had ended")
            held = hear(held, side, reply, now)
    return held
