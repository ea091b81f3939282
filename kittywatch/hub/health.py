"""What a balancer and a monitor ask."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from kittywatch.hub.config import is_loopback
from kittywatch.hub.credentials import address_of
from kittywatch.hub.errors import ForbiddenError
from kittywatch.hub.service import service_of


async def healthz(request: Request) -> Response:
    """200 while the process lives."""
    return PlainTextResponse("ok\n")


async def readyz(request: Request) -> Response:
    """200 when events can be stored and are handed on, else 503."""
    ready = await service_of(request).readiness.is_ready()
    return JSONResponse({"ready": ready}, status_code=200 if ready else 503)


async def metrics(request: Request) -> Response:
    """Prometheus' text format; for this machine alone unless the hub was told otherwise."""
    service = service_of(request)
    # Through a proxy on this machine everybody has its address.
    is_local = is_loopback(address_of(request)) and "x-forwarded-for" not in request.headers
    if not (service.config.public_metrics or is_local):
        raise ForbiddenError("Metrics are for this machine alone.", remedy="Serve with --public-metrics.")
    text = service.metrics.render(connections=service.feed.connections + service.viewers.beside_rooms)
    return PlainTextResponse(text, media_type="text/plain; version=0.0.4")
