"""The protocol's calls over HTTP, for machines."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kittywatch import __version__
from kittywatch.hub import credentials, listing, parsing, sessions, tokens
from kittywatch.hub.bodies import Share, read_batch, read_body
from kittywatch.hub.errors import CredentialError, ForbiddenError, RequestError
from kittywatch.hub.ingest import Result
from kittywatch.hub.renaming import RenameResult
from kittywatch.hub.service import service_of
from kittywatch.hub.sessions import ACCESS_SECONDS, REFRESH_SECONDS, WS_SECONDS, Login, Opened
from kittywatch.hub.supersession import AliasResult


class _LoginRequest(msgspec.Struct):
    username: str
    password: str


class _RefreshRequest(msgspec.Struct):
    refresh: str


FEATURES = ("aliases", "events", "events-1.1", "renames", "schemas", "work-package-renames")


async def describe(request: Request) -> JSONResponse:
    """`GET /api/v1/`: what this hub can beyond the protocol of the field; no login."""
    return JSONResponse({"server": "kittywatch-hub", "version": __version__, "features": list(FEATURES)})


async def obtain_token(request: Request) -> JSONResponse:
    """`POST /api/v1/token/`"""
    asked = await _small_json(request, _LoginRequest)
    opened = await credentials.sign_in(
        service_of(request),
        name=asked.username,
        password=asked.password,
        address=credentials.network_of_stranger(request),
        kind="machine",
    )
    return JSONResponse(_tokens(request, opened))


async def refresh_token(request: Request) -> JSONResponse:
    """`POST /api/v1/token/refresh/`"""
    asked = await _small_json(request, _RefreshRequest)
    service_of(request).batches.take(f"refresh {credentials.network_of_stranger(request)}")
    opened = await service_of(request).write(lambda database: sessions.refresh(database, asked.refresh))
    if opened is None:
        raise CredentialError("The refresh token was used before, so this login has ended.", remedy="Log in again.")
    return JSONResponse(_tokens(request, opened))


async def obtain_ws_token(request: Request) -> JSONResponse:
    """`POST /api/v1/ws-token/`"""
    login = _writer(await credentials.of_machine(request))
    service_of(request).batches.take(f"socket {login.session_id}")
    token = await service_of(request).write(lambda database: sessions.issue_ws_token(database, login))
    return JSONResponse({"ws_token": token, "expires_in": WS_SECONDS})


async def take_batch(request: Request) -> JSONResponse:
    """`POST /api/v1/events/batch/`"""
    service = service_of(request)
    login = _writer(await credentials.of_machine(request))
    service.batches.take(login.session_id)
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding not in ("gzip", "identity"):
        raise RequestError("The content encoding is not known.", status=415, remedy="Send gzip.")
    with Share(service.budget, login.session_id) as share:
        items = await _read_items(request, share, is_gzip=encoding == "gzip", login=login)
        results = await service.writer.store(login, items)
    told = [result for result in results if isinstance(result, Result)]
    service.metrics.count_events(result.status for result in told)
    answer = {"results": [result.to_dict() for result in told]}
    for name, kind in (("aliases", AliasResult), ("renames", RenameResult)):
        if beside := [result.to_dict() for result in results if isinstance(result, kind)]:
            answer[name] = beside
    return JSONResponse(
        answer,
        headers={"X-RateLimit-Batch-Interval": f"{service.config.batch_interval:g}"},
    )


async def _read_items(request: Request, share: Share, *, is_gzip: bool, login: Login) -> list[parsing.BatchItem]:
    limits = service_of(request).config.limits
    data = await read_batch(request.stream(), share, is_gzip=is_gzip, limits=limits)
    return await run_in_threadpool(parsing.open_batch, data, team_slug=login.team_slug, limits=limits)


async def list_events(request: Request) -> Response:
    """`GET /api/v1/events/?after=CURSOR&limit=&project=&feature=&wp_id=&type=&source=`"""
    service = service_of(request)
    login = await credentials.of_machine(request)
    service.batches.take(login.session_id)
    wanted = listing.Wanted.from_query(request.query_params)
    body = await service.read(lambda database: listing.page(database, login.team_id, wanted))
    return Response(body, media_type="application/json")


def _writer(login: Login) -> Login:
    if not login.may_write:
        raise ForbiddenError("This user may only look.", remedy="Log in as a user who may send events.")
    return login


async def _small_json(request: Request, kind: type[Any]) -> Any:
    limits = service_of(request).config.limits
    body = await read_body(request.stream(), limit=limits.small_body, seconds=limits.small_body_seconds)
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        fields = ", ".join(kind.__struct_fields__)
        raise RequestError("The body is not what this call takes.", remedy=f"Send JSON with {fields}.") from None


def _tokens(request: Request, opened: Opened) -> dict[str, Any]:
    return {
        "access": tokens.issue(service_of(request).key, opened.login),
        "refresh": opened.secret,
        "access_lifetime": ACCESS_SECONDS,
        "refresh_lifetime": REFRESH_SECONDS,
        "team_slug": opened.login.team_slug,
    }
