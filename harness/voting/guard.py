"""What every request must pass and every reply carries: host, origin, size, rate; security headers.

A pure ASGI layer around the application, so that nothing behind it is reached by a request from
another site, for another host (DNS rebinding), or larger than any form of ours.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from harness.voting.rates import Buckets, Rate

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not "no-referrer", with which browsers send no origin along with a form.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
# Seconds that sending a form may take.
_MOST_SECONDS = 30.0
LOOPBACK = ("127.0.0.1", "localhost", "::1")

# Answers a refused request: its scope, the status, why (a key of words), values for the words.
Refuse = Callable[[Scope, Receive, Send, int, str, dict[str, Any]], Awaitable[None]]


class Guard:
    """hosts: names under which the page is served. most_bytes: of a form. rate: requests of one
    address."""

    def __init__(
        self, app: ASGIApp, hosts: Iterable[str], most_bytes: int, rate: Rate, refuse: Refuse
    ) -> None:
        self.app = app
        self.hosts = {host.lower() for host in hosts}
        self.most_bytes = most_bytes
        self.buckets = Buckets(rate)
        self.refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        headers = Headers(scope=scope)
        address = scope["client"][0] if scope.get("client") else ""
        if _host(headers.get("host", "")) not in self.hosts:
            await self.refuse(scope, receive, dressed, 421, "host", {})
        elif wait := self.buckets.take(address, monotonic()):
            await self.refuse(scope, receive, dressed, 429, "fast", {"n": wait})
        elif scope["method"] in ("GET", "HEAD"):
            await self.app(scope, receive, dressed)
        elif scope["method"] != "POST":
            await self.refuse(scope, receive, dressed, 405, "method", {})
        elif not from_here(headers, scope["scheme"]):
            await self.refuse(scope, receive, dressed, 403, "origin", {})
        else:
            try:
                async with asyncio.timeout(_MOST_SECONDS):
                    body = await self._body(receive)
            except TimeoutError:
                body = None
            if body is None:
                await self.refuse(scope, receive, dressed, 413, "size", {})
            else:
                await self.app(scope, _again(body, receive), dressed)

    async def _body(self, receive: Receive) -> bytes | None:
        """The whole body; None for one that is too large."""
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return b""
            body += bytes(message.get("body", b""))
            if len(body) > self.most_bytes:
                return None
            if not message.get("more_body"):
                return body


def _again(body: bytes, receive: Receive) -> Receive:
    """Hands out a body that was read already, then what else comes."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def handed() -> Message:
        return waiting.pop() if waiting else await receive()

    return handed


def from_here(headers: Headers, scheme: str) -> bool:
    """Whether a form was sent from a page of this very origin. Browsers say so in Origin or,
    older ones, in Referer, and new ones in Sec-Fetch-Site too; where all are silent it was no
    browser's form of ours."""
    here = f"{scheme}://{headers.get('host', '')}".lower()
    site = headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    if (origin := headers.get("origin")) is not None:
        return origin.lower() == here
    if (referer := headers.get("referer")) is not None:
        parts = urlsplit(referer)
        return f"{parts.scheme}://{parts.netloc}".lower() == here
    return site == "same-origin"


def _host(header: str) -> str:
    """The name in a Host header, without port and brackets."""
    try:
        return (urlsplit(f"//{header}").hostname or "").lower()
    except ValueError:
        return ""
