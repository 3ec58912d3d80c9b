"""Who may ask: whoever sends the token in a header, from this machine, from this page.

A page of another site that is open in the same browser can reach loopback too. It is refused by
the name that it asks for (a rebound one is not loopback's) and by its origin. No cookie holds the
token: browsers send cookies to every port of a host, and so to whoever serves another one.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = ["127.0.0.1", "localhost"]
PICTURES = "/pictures/"
_BEARER = "Bearer "
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _CSP,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


class RequestGate:
    """Lets through what may pass, and puts the same headers on every answer.

    Parameters
    ----------
    public
        Paths that anybody of this machine may read: the page's own files, which tell nothing.
    ask
        The command that prints the link.
    picture_key
        Opens what lies below ``PICTURES``, and nothing else: an image's address sends no header.
    """

    def __init__(
        self,
        app: ASGIApp,
        token: str,
        public: Collection[str],
        ask: str = "python -m agent status",
        picture_key: str | None = None,
    ) -> None:
        self._app, self._token, self._public = app, token.encode(), frozenset(public)
        self._ask, self._picture_key = ask, picture_key
        self._hosts = TrustedHostMiddleware(self._checked, allowed_hosts=HOSTS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name for name, _ in message["headers"]}
                told = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                message["headers"] = [
                    *message["headers"],
                    *(header for header in told if header[0] not in there),
                ]
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
        if request.method in ("GET", "HEAD") and request.url.path in self._public:
            return None
        if self._is(headers.get("authorization", "").removeprefix(_BEARER)):
            return None
        if request.url.path.startswith(PICTURES) and self._opens_pictures(request):
            return None
        return f"This page needs its token. For the link, type: {self._ask}"

    def _opens_pictures(self, request: Request) -> bool:
        given = request.query_params.get("key", "")
        key = self._picture_key
        return key is not None and hmac.compare_digest(given.encode(), key.encode())

    def _is(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token)


def _same_origin(headers: Headers) -> bool:
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if origin is not None and origin != f"http://{headers.get('host')}":
        return False
    # a link from elsewhere may be followed: that shows the page to its owner and nobody else
    followed = headers.get("sec-fetch-mode") == "navigate" and origin is None
    return site in (None, "same-origin", "none") or followed
