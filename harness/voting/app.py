"""The application: routes, each a few lines between the visitor and the stage."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import SystemRandom
from time import monotonic
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from harness.arena.conversation import Ballot, RefusedError
from harness.arena.types import OUTCOMES
from harness.errors import HarnessError
from harness.voting.boards import Boards
from harness.voting.draw import Pool, of_item, of_text
from harness.voting.guard import LOOPBACK, Guard
from harness.voting.pages import battle_values, board_values
from harness.voting.rates import Buckets, Rate
from harness.voting.sessions import (
    from_cookie,
    is_id,
    is_token,
    new_id,
    new_session,
)
from harness.voting.stage import BusyError, Live, Stage
from harness.voting.visit import (
    StopError,
    Visit,
    cookie_name,
    face_of,
    http_fault,
    read_fields,
    refusal,
    refuse,
    remember,
)
from harness.voting.words import COOKIE, LANGUAGES

_STATIC = Path(__file__).parent / "static"
# Pages of one visitor that listen at the same time.
_MOST_LISTENING = 8
_MOST_COMMENT = 2_000


@dataclass(frozen=True)
class Settings:
    """Who may come, and how fast.

    token     what members must know; None where everybody may take part
    hosts     names that the page is served under
    asks      battles and turns of one session; address_asks: of one address
    logins    tries at the token of one address
    requests  of any sort of one address
    """

    token: str | None = None
    hosts: tuple[str, ...] = LOOPBACK
    asks: Rate = field(default_factory=lambda: Rate(10, 20))
    address_asks: Rate = field(default_factory=lambda: Rate(100, 200))
    logins: Rate = field(default_factory=lambda: Rate(5, 10))
    requests: Rate = field(default_factory=lambda: Rate(600, 1200))


Handler = Callable[[Visit], Awaitable[Response]]


def make_app(stage: Stage, pool: Pool, settings: Settings) -> Starlette:
    """The application over a stage; closing it closes the stage."""
    site = Site(stage, pool, settings)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await stage.close()

    def route(path: str, handler: Handler, *, post: bool = False, members: bool = True) -> Route:
        endpoint = site.endpoint(handler, members=members)
        return Route(path, endpoint, methods=["POST"] if post else ["GET"])

    most_bytes = 9 * stage.terms.most_characters + 20_000  # a character is %XX%XX%XX in a form
    app = Starlette(
        routes=[
            route("/", site.home),
            route("/battle", site.start, post=True),
            route("/battle/{id}", site.battle),
            route("/battle/{id}/events", site.events),
            route("/battle/{id}/turn", site.turn, post=True),
            route("/battle/{id}/vote", site.vote, post=True),
            route("/board", site.board),
            route("/login", site.login_page, members=False),
            route("/login", site.login, post=True, members=False),
            Mount("/static", StaticFiles(directory=_STATIC)),
        ],
        middleware=[
            Middleware(
                Guard,
                hosts=settings.hosts,
                most_bytes=most_bytes,
                rate=settings.requests,
                refuse=refuse,
            )
        ],
        exception_handlers={HTTPException: http_fault},
        lifespan=lifespan,
    )
    # A path with a stroke too many is none of ours; a redirect would be built from it.
    app.router.redirect_slashes = False
    return app


class Site:
    """The pages; every handler gets a Visit."""

    def __init__(self, stage: Stage, pool: Pool, settings: Settings) -> None:
        self.stage = stage
        self.pool = pool
        self.settings = settings
        self.boards = Boards(stage.store)
        self.random = SystemRandom()
        self.listening: Counter[str] = Counter()
        self.asks = Buckets(settings.asks)
        self.address_asks = Buckets(settings.address_asks)
        self.logins = Buckets(settings.logins)

    def endpoint(
        self, handler: Handler, *, members: bool
    ) -> Callable[[Request], Awaitable[Response]]:
        """Finds out who asks, hands on, and turns refusals into pages."""
        token = self.settings.token

        async def run(request: Request) -> Response:
            name = cookie_name(request)
            known = from_cookie(request.cookies.get(name, ""), token)
            session = known or new_session(token, member=False)
            face = face_of(request, session.member)
            if known is None and request.headers.get("sec-fetch-site") == "cross-site":
                # A link from elsewhere comes without our cookie, which is for this site alone.
                # Coming again from this page it has it; a new session would replace the old.
                return HTMLResponse(face.draw("again.html"))
            try:
                if members and not session.member:
                    if request.method != "GET":
                        raise StopError(403, "ticket")
                    response: Response = RedirectResponse("/login", 303)
                else:
                    form, ticked = await read_fields(request)
                    response = await handler(Visit(request, session, face, form, ticked))
            except StopError as stop:
                response = refusal(face, stop)
            except BusyError:
                response = refusal(face, StopError(503, "busy"))
            except HarnessError:
                response = refusal(face, StopError(503, "store"))
            if known is None and "set-cookie" not in response.headers:
                remember(request, response, session, token)
            if request.query_params.get("lang") in LANGUAGES:
                response.set_cookie(
                    COOKIE, face.language, max_age=31_536_000, samesite="strict", httponly=True
                )
            return response

        return run

    async def home(self, visit: Visit) -> Response:
        query = visit.request.query_params
        suite, genre = query.get("suite", ""), query.get("genre", "")
        item = self.pool.draw(suite, genre, self.random) if suite else None
        key = new_id()
        page = visit.face.draw(
            "home.html",
            id=key,
            ticket=visit.session.ticket(f"start {key}"),
            suites=list(self.pool.suites),
            genres=self.pool.genres,
            suite=suite,
            genre=genre,
            item=item,
            most=self.stage.terms.most_characters,
        )
        return HTMLResponse(page)

    async def start(self, visit: Visit) -> Response:
        key = visit.form.get("id", "")
        if not is_id(key):
            raise StopError(403, "ticket")
        visit.require(f"start {key}")
        self._require_pace(visit)
        if item_hash := visit.form.get("item"):
            found = self.pool.find(item_hash)
            if found is None:
                raise StopError(400, "empty")
            draw = of_item(*found)
        else:
            genre = visit.form.get("genre", "")
            draw = of_text(self._prompt(visit), genre if genre in self.pool.genres else "")
        live = await self.stage.start(key, visit.session.id, draw, visit.face.language)
        if live is None:
            raise StopError(409, "again", key)
        return RedirectResponse(f"/battle/{key}", 303)

    async def battle(self, visit: Visit) -> Response:
        live = await self._mine(visit)
        return HTMLResponse(visit.face.draw("battle.html", **await self._shown(visit, live)))

    async def events(self, visit: Visit) -> Response:
        """The answers as they grow, as server-sent events."""
        live = await self._mine(visit)
        session = visit.session.id
        if self.listening[session] >= _MOST_LISTENING:
            raise StopError(429, "fast", live.held.id, n=60)

        async def lines() -> AsyncIterator[str]:
            self.listening[session] += 1
            try:
                async for news in self.stage.listen(live):
                    if not news:
                        yield ": still here\n\n"
                        continue
                    if news.get("state") not in (None, "closing"):
                        values = await self._shown(visit, live)
                        news["html"] = visit.face.draw("_controls.html", **values)
                    yield f"data: {json.dumps(news, ensure_ascii=False)}\n\n"
            finally:
                self.listening[session] -= 1

        return StreamingResponse(
            lines(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
        )

    async def turn(self, visit: Visit) -> Response:
        live = await self._mine(visit)
        visit.require(live.held.id)
        self._require_pace(visit)
        number = visit.form.get("number", "")
        prompt = self._prompt(visit, live)
        try:
            await self.stage.ask(live, int(number) if number.isdecimal() else 0, prompt)
        except RefusedError as refused:
            raise self._stop(refused, live) from None
        return RedirectResponse(f"/battle/{live.held.id}#latest", 303)

    async def vote(self, visit: Visit) -> Response:
        live = await self._mine(visit)
        visit.require(live.held.id)
        outcome = visit.form.get("vote", "")
        if outcome not in OUTCOMES:
            raise StopError(400, "tags", live.held.id)
        ballot = Ballot(
            outcome,
            tuple(sorted(tag for side, tag in visit.ticked if side == "tag_a")),
            tuple(sorted(tag for side, tag in visit.ticked if side == "tag_b")),
            visit.form.get("comment", "").strip()[:_MOST_COMMENT],
        )
        try:
            await self.stage.vote(live, ballot)
        except RefusedError as refused:
            raise self._stop(refused, live) from None
        return RedirectResponse(f"/battle/{live.held.id}", 303)

    async def board(self, visit: Visit) -> Response:
        kind = visit.request.query_params.get("kind", "people")
        found, standing = await self.stage.read(
            lambda: (self.boards.kinds(), self.boards.standing(kind))
        )
        page = visit.face.draw(
            "board.html", kinds=found, kind=kind, standing=standing, **board_values(standing)
        )
        return HTMLResponse(page)

    async def login_page(self, visit: Visit) -> Response:
        if visit.session.member:
            return RedirectResponse("/", 303)
        ticket = visit.session.ticket("login")
        return HTMLResponse(visit.face.draw("login.html", ticket=ticket, wrong=False))

    async def login(self, visit: Visit) -> Response:
        token = self.settings.token
        visit.require("login")
        if wait := self.logins.take(visit.address, monotonic()):
            raise StopError(429, "fast", n=wait)
        if token is None or visit.session.member:
            return RedirectResponse("/", 303)
        if not is_token(visit.form.get("token", ""), token):
            ticket = visit.session.ticket("login")
            return HTMLResponse(visit.face.draw("login.html", ticket=ticket, wrong=True), 403)
        response = RedirectResponse("/", 303)
        # A new session: nobody who knew the visitor's cookie knows the member's.
        remember(visit.request, response, new_session(token, member=True), token)
        return response

    async def _mine(self, visit: Visit) -> Live:
        """The visitor's own battle. Another's is not there at all for them."""
        key = visit.request.path_params["id"]
        live = await self.stage.find(key) if is_id(key) else None
        if live is None or live.held.session != visit.session.id:
            raise StopError(404, "missing")
        return live

    async def _shown(self, visit: Visit, live: Live) -> dict[str, Any]:
        held = live.held
        answers = {
            (number, side): await self.stage.page(live, number, side)
            for number, turn in enumerate(held.turns)
            for side in ("a", "b")
            if turn.reply(side) is not None
        }
        standing = None
        if held.state == "voted":
            standing = await self.stage.read(lambda: self.boards.standing("people"))
        item = self.pool.find(held.item_hash) if held.item_hash else None
        further = item[1].turns[len(held.turns) :] if item else ()
        return battle_values(
            held,
            visit.session,
            answers,
            live.heard,
            standing,
            further[0] if further else "",
            self.stage.terms.most_turns,
        )

    def _prompt(self, visit: Visit, live: Live | None = None) -> str:
        battle = live.held.id if live else ""
        prompt = visit.form.get("prompt", "").replace("\r\n", "\n").replace("\0", "").strip()
        if not prompt:
            raise StopError(400, "empty", battle)
        if len(prompt) > (most := self.stage.terms.most_characters):
            raise StopError(413, "too-long", battle, n=most)
        return prompt

    def _require_pace(self, visit: Visit) -> None:
        now = monotonic()
        wait = self.asks.take(visit.session.id, now) or self.address_asks.take(visit.address, now)
        if wait:
            raise StopError(429, "fast", n=wait)

    def _stop(self, refused: RefusedError, live: Live) -> StopError:
        status = 400 if refused.reason == "tags" else 409
        return StopError(status, refused.reason, live.held.id, n=self.stage.terms.most_turns)
