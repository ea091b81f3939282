"""One log line and one count a request. Paths are logged without their query, and nothing of headers or bodies."""

from __future__ import annotations

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kittywatch.hub.metrics import Metrics

LOGGER = "kittywatch.hub.access"
_log = logging.getLogger(LOGGER)


class AccessLog:
    """ASGI middleware for HTTP requests."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def sender(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sender)
        finally:
            seconds = time.perf_counter() - started
            metrics: Metrics = scope["app"].state.service.metrics
            route = getattr(scope.get("endpoint"), "__name__", "none")
            metrics.count_request(route, status=status, seconds=seconds)
            _log.info("%s %s %d %.1f ms", scope["method"], ascii(scope["path"])[1:-1][:200], status, seconds * 1000)
