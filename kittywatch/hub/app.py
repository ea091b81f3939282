"""The application: routes and what stands around them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from kittywatch.hub import api, health, pages, schemas, signin, views
from kittywatch.hub.access import AccessLog
from kittywatch.hub.answers import HANDLERS
from kittywatch.hub.compression import Compression
from kittywatch.hub.config import Config
from kittywatch.hub.live import board_socket
from kittywatch.hub.security import Guard
from kittywatch.hub.service import running
from kittywatch.hub.socket import events_socket

ROUTES = [
    Route("/api/v1/", api.describe, methods=["GET"]),
    Route("/api/v1/token/", api.obtain_token, methods=["POST"]),
    Route("/api/v1/token/refresh/", api.refresh_token, methods=["POST"]),
    Route("/api/v1/ws-token/", api.obtain_ws_token, methods=["POST"]),
    Route("/api/v1/events/", api.list_events, methods=["GET"]),
    Route("/api/v1/events/batch/", api.take_batch, methods=["POST"]),
    Route("/schemas/{version}/{event_type}.json", schemas.schema, methods=["GET"]),
    WebSocketRoute("/ws/v1/events/", events_socket),
    WebSocketRoute("/live", board_socket),
    Route("/healthz", health.healthz),
    Route("/readyz", health.readyz),
    Route("/metrics", health.metrics),
    Route("/sign-in", signin.sign_in_page, methods=["GET"]),
    Route("/sign-in", signin.sign_in, methods=["POST"]),
    Route("/sign-out", signin.sign_out, methods=["POST"]),
    Route("/password", signin.password_page, methods=["GET"]),
    Route("/password", signin.change_password, methods=["POST"]),
    Route("/", views.board_page),
    Route("/cards", views.more_cards),
    Route("/wp/{project}/{feature:path}/{wp_id}", views.work_package_page),
    Route("/feature/{project}/{feature:path}", views.feature_page),
    Route("/activity", views.activity_page),
    Route("/session", signin.session),
    Mount("/static", StaticFiles(packages=[("kittywatch.hub", "static")])),
]


def build(config: Config) -> Starlette:
    """The application of one process; its parts start and stop with the server's lifespan."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        pages.prepare()
        async with running(config) as service:
            app.state.service = service
            yield

    middleware = [Middleware(AccessLog), Middleware(Guard, hosts=config.hosts()), Middleware(Compression)]
    return Starlette(routes=ROUTES, middleware=middleware, exception_handlers=HANDLERS, lifespan=lifespan)
