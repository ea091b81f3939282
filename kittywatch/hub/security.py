"""What holds for every request: whom it is addressed to, where it comes from, and what a browser may do with it.

Host: a name that is not ours is a rebound one, and a page under it would share our origin. Origin: a browser says
where a request was made; another site's pages may not act for whoever is signed in here. The policy lets the pages
load from this server alone, and nothing inline.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: with that, browsers send `Origin: null` even to ourselves.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Guard:
    """ASGI middleware; refuses with 400 (Host) or 403 (Origin), also WebSocket handshakes."""

    def __init__(self, app: ASGIApp, *, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        sender = _with_headers(scope, send)
        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, sender)
        else:
            await refusal(scope, receive, sender)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if host_name(host) not in self._hosts:
            return PlainTextResponse("This name is not served here. See --allow-host.\n", status_code=400)
        if "transfer-encoding" in headers and "content-length" in headers:
            # Two lengths: a proxy before us may have gone by the other one, and take the rest for a second request.
            return PlainTextResponse("One length is enough.\n", status_code=400, headers={"Connection": "close"})
        origin = headers.get("origin")
        acts = scope["type"] == "websocket" or scope["method"] not in _SAFE_METHODS
        if acts and origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return PlainTextResponse("Another site's page may not do this.\n", status_code=403)
        return None


def host_name(host: str) -> str:
    """The name in a Host header, lower-case, without port and brackets; empty if there is none."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _with_headers(scope: Scope, send: Send) -> Send:
    async def sender(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            headers = MutableHeaders(scope=message)
            if message["type"] == "websocket.http.response.start":
                del headers["Content-Length"]  # uvicorn adds its own, and before 0.54 beside ours
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            # Our own files are the same for everybody; browsers ask whether they changed.
            is_file = scope["path"].startswith("/static/")
            headers.setdefault("Cache-Control", "no-cache" if is_file else "no-store")
            if scope["scheme"] in ("https", "wss"):
                headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        await send(message)

    return sender
