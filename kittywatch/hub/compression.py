"""Compressed answers for browsers. What machines get stays as the protocol has it."""

from __future__ import annotations

from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

_LEAST_BYTES = 1024
_LEVEL = 5  # past it pages get hardly smaller, and the event loop waits


class Compression:
    """ASGI middleware: gzip for pages and their files. No page holds a secret that its own text could find out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._compressing = GZipMiddleware(app, minimum_size=_LEAST_BYTES, compresslevel=_LEVEL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_page = scope["type"] == "http" and not scope["path"].startswith("/api/")
        await (self._compressing if is_page else self._app)(scope, receive, send)
