"""The JSON Schemas of events, for programs that follow them."""

from __future__ import annotations

from functools import cache

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from kittywatch.events.schema import TYPES, VERSIONS, schema_of
from kittywatch.hub.errors import RequestError


async def schema(request: Request) -> Response:
    """`GET /schemas/VERSION/TYPE.json`: no login, for a schema says nothing of anybody's work."""
    version, event_type = request.path_params["version"], request.path_params["event_type"]
    if version not in VERSIONS or event_type not in TYPES:
        raise RequestError(
            "There is no such schema.",
            status=404,
            remedy=f"Versions are {', '.join(VERSIONS)}, types {', '.join(TYPES)}.",
        )
    return Response(_encoded(version, event_type), media_type="application/schema+json")


@cache
def _encoded(version: str, event_type: str) -> bytes:
    known = next(one for one in VERSIONS if one == version)
    return msgspec.json.format(msgspec.json.encode(schema_of(event_type, known)), indent=2)
