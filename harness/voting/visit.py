"""One request and its visitor: the session in the cookie, the fields of a form, and refusals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from harness.voting.pages import Face
from harness.voting.sessions import Session, to_cookie
from harness.voting.words import COOKIE, choose_language

_MOST_FIELDS = 40
_YEAR = 31_536_000


class StopError(Exception):
    """A request that is refused: status, why (a key of words), and the battle it was about."""

    def __init__(self, status: int, why: str, battle: str = "", **values: object) -> None:
        super().__init__(why)
        self.status = status
        self.why = why
        self.battle = battle
        self.values = values


@dataclass(frozen=True)
class Visit:
    """One request: who asks, in which language, and the fields of a form."""

    request: Request
    session: Session
    face: Face
    form: Mapping[str, str]
    ticked: frozenset[tuple[str, str]]

    @property
    def address(self) -> str:
        return self.request.client.host if self.request.client else ""

    def require(self, purpose: str) -> None:
        """Refuses a form that does not carry this visitor's ticket for this purpose."""
        if not self.session.is_ticket(self.form.get("ticket", ""), purpose):
            raise StopError(403, "ticket")


async def refuse(
    scope: Scope, receive: Receive, send: Send, status: int, why: str, values: dict[str, Any]
) -> None:
    """A refusal before anybody looked at who asks."""
    response = refusal(face_of(Request(scope), False), StopError(status, why, **values))
    await response(scope, receive, send)


async def http_fault(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    why = "method" if error.status_code == 405 else "path"
    return refusal(face_of(request, False), StopError(error.status_code, why))


def face_of(request: Request, member: bool) -> Face:
    language = choose_language(
        request.query_params.get("lang"),
        request.cookies.get(COOKIE),
        request.headers.get("accept-language"),
    )
    return Face(language, request.url.path, member)


def refusal(face: Face, stop: StopError) -> Response:
    # A path that was refused is no place to come back to.
    page = replace(face, path="/").draw(
        "refused.html", why=stop.why, values=stop.values, battle=stop.battle
    )
    response = HTMLResponse(page, stop.status)
    if stop.status == 429:
        response.headers["Retry-After"] = str(stop.values["n"])
    return response


async def read_fields(request: Request) -> tuple[dict[str, str], frozenset[tuple[str, str]]]:
    """The fields of a form, and all its pairs (ticked boxes share a name)."""
    if request.method != "POST":
        return {}, frozenset()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise StopError(415, "ticket")
    try:
        body = (await request.body()).decode("ascii")
        pairs = parse_qsl(body, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:  # not ASCII, or too many fields
        raise StopError(400, "ticket") from None
    return dict(pairs), frozenset(pairs)


def cookie_name(request: Request) -> str:
    # The prefix has the browser refuse a cookie that another host or plain HTTP set.
    return "__Host-arena" if request.url.scheme == "https" else "arena"


def remember(request: Request, response: Response, session: Session, token: str | None) -> None:
    response.set_cookie(
        cookie_name(request),
        to_cookie(session, token),
        max_age=_YEAR,
        path="/",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
