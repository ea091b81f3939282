"""One log line and one count a request: the client's address, the user, if one is known, what was asked and answered.

Paths are logged without their query, and nothing of headers or bodies.
"""

from __future__ import annotations

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kittywatch.hub.metrics import Metrics

LOGGER = "kittywatch.hub.access"
_log = logging.getLogger(LOGGER)


class AccessLog:
    """ASGI middleware for HTTP requests and WebSockets; a WebSocket's line comes when it ends."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def sender(message: Message) -> None:
            nonlocal status
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                status = message["status"]
            elif message["type"] == "websocket.accept":
                status = 101
            await send(message)

        try:
            await self._app(scope, receive, sender)
        finally:
            seconds = time.perf_counter() - started
            if scope["type"] == "http":
                metrics: Metrics = scope["app"].state.service.metrics
                route = getattr(scope.get("endpoint"), "__name__", "none")
                metrics.count_request(route, status=status, seconds=seconds)
            address = (scope.get("client") or ("unknown", 0))[0]
            user = scope.get("state", {}).get("user", "-")
            method = scope.get("method", "WEBSOCKET")
            path = ascii(scope["path"])[1:-1][:200]
            _log.info("%s %s %s %s %d %.1f ms", address, user, method, path, status, seconds * 1000)
