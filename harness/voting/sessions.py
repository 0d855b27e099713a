"""Sessions and the tickets that forms carry: who a visitor is, and that a form is our own (pure).

A session is a random secret in a cookie, signed with the login token; nothing of it is kept here,
so a voter goes on after the server was started again. The secret signs the tickets of its forms:
one for each purpose, so that a ticket for one battle is none for another.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

_COOKIE = re.compile(r"([mv])\.([A-Za-z0-9_-]{43})\.([0-9a-f]{64})")
_ID = re.compile(r"[A-Za-z0-9_-]{22}")


@dataclass(frozen=True)
class Session:
    """A visitor.

    secret  known to the visitor's cookie alone
    member  whether they may take part: they gave the token, or none is wanted
    """

    secret: str
    member: bool

    @property
    def id(self) -> str:
        """What the record knows of them; the secret does not follow from it."""
        return hashlib.sha256(f"session {self.secret}".encode()).hexdigest()[:16]

    def ticket(self, purpose: str) -> str:
        """What a form for this purpose must carry (a CSRF token)."""
        return _sign(self.secret, f"ticket {purpose}")

    def is_ticket(self, ticket: str, purpose: str) -> bool:
        return hmac.compare_digest(ticket.encode(), self.ticket(purpose).encode())


def new_session(token: str | None, *, member: bool) -> Session:
    return Session(secrets.token_urlsafe(32), member or token is None)


def to_cookie(session: Session, token: str | None) -> str:
    kind = "m" if session.member else "v"
    return f"{kind}.{session.secret}.{_sign(token or '', f'{kind} {session.secret}')}"


def from_cookie(cookie: str, token: str | None) -> Session | None:
    """The session of a cookie; None for one that this token did not sign."""
    found = _COOKIE.fullmatch(cookie)
    if found is None:
        return None
    kind, secret, signature = found.groups()
    if not hmac.compare_digest(signature, _sign(token or "", f"{kind} {secret}")):
        return None
    return Session(secret, kind == "m")


def is_token(given: str, token: str) -> bool:
    """Compared in constant time, whatever the lengths."""
    return hmac.compare_digest(_sign("token", given), _sign("token", token))


def new_id() -> str:
    """An unguessable id for a battle: 128 random bits."""
    return secrets.token_urlsafe(16)


def is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def _sign(key: str, text: str) -> str:
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
