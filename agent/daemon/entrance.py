"""Who may open the page: whoever has the token, from this machine, from this page.

A page of another site that is open in the same browser can reach loopback too. It is refused by
the name that it asks for (a rebound one is not loopback's) and by its origin; what changes
anything must say where it comes from. Refuses to know what is asked for.
"""

from __future__ import annotations

import hmac

from starlette.datastructures import Headers
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = ["127.0.0.1", "localhost"]
_BEARER = "Bearer "
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _CSP,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


def cookie_name(request: Request) -> str:
    """Name of the cookie: with the port, since a browser sends cookies to every port of a host."""
    return f"feedsway-{request.url.port}"


class Entrance:
    """Lets through what may pass, and puts the same headers on every answer."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._token = app, token.encode()
        self._hosts = TrustedHostMiddleware(self._checked, allowed_hosts=HOSTS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                told = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                message["headers"] = [*message["headers"], *told]
            await send(message)

        await self._hosts(scope, receive, headed)

    async def _checked(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        if refused := self._refusal(request):
            await PlainTextResponse(refused + "\n", 403)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, request: Request) -> str | None:
        """Why this may not pass, in words; ``None`` where it may."""
        headers = request.headers
        if not _same_origin(headers):
            return "Another site may not ask here."
        if self._is(headers.get("authorization", "").removeprefix(_BEARER)):
            return None
        if request.method not in ("GET", "HEAD") and "origin" not in headers:
            return "A request that changes something must say which page it comes from."
        given = (request.query_params.get("token"), request.cookies.get(cookie_name(request)))
        if any(one is not None and self._is(one) for one in given):
            return None
        return "This page needs its token. For the link, type: python -m agent status"

    def _is(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token)


def _same_origin(headers: Headers) -> bool:
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if origin is not None and origin != f"http://{headers.get('host')}":
        return False
    # a link from elsewhere may be followed: that shows the page to its owner and nobody else
    followed = headers.get("sec-fetch-mode") == "navigate" and origin is None
    return site in (None, "same-origin", "none") or followed
