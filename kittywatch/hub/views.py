"""The board's pages, for whoever is signed in."""

from __future__ import annotations

import time

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from kittywatch.hub import board, charts, credentials, history, renaming
from kittywatch.hub.board import Filter, Key, LanePage
from kittywatch.hub.columns import columns
from kittywatch.hub.errors import PasswordChangeError
from kittywatch.hub.feed import last_position
from kittywatch.hub.history import Entry, Timeline
from kittywatch.hub.pages import fragment, render
from kittywatch.hub.parts import parts_of
from kittywatch.hub.service import service_of
from kittywatch.hub.sessions import Login

_ACTIVITY_PAGE = 100


async def board_page(request: Request) -> Response:
    """`GET /`, with a filter in the query; `X-Fragment` asks for parts of it.

    `board` are the parts that the filter changes, `whole` all that events do.
    """
    login = await _signed_in(request)
    asked = Filter.from_query(request.query_params)
    service = service_of(request)
    position, wanted = await service.read(
        lambda database: (last_position(database, login.team_id), board.followed(database, login.team_id, asked))
    )
    parts = await service.parts.get(
        (login.team_id, wanted, position),
        lambda: service.read(lambda database: parts_of(database, login.team_id, wanted)),
    )
    if (part := request.headers.get("x-fragment")) in ("board", "whole"):
        return HTMLResponse(fragment("parts.html", parts=parts, is_whole=part == "whole"))
    return render(request, "board.html", login=login, wanted=wanted, parts=parts, server=_server(request))


async def more_cards(request: Request) -> Response:
    """`GET /cards?lane=&cursor=` and a filter: the next page of a lane, as list items."""
    login = await _signed_in(request)
    wanted = Filter.from_query(request.query_params)
    lane = request.query_params.get("lane", "")
    cursor = request.query_params.get("cursor", "")

    def find(database: Connection) -> LanePage | None:
        shown = board.followed(database, login.team_id, wanted)
        there = columns(database, login.team_id, shown.project, shown.source)
        column = next((one for one in there if one.key == lane), None)
        if column is None:
            return None
        return board.lane_page(database, login.team_id, shown, column=column, count=0, cursor=cursor)

    page = await service_of(request).read(find)
    if page is None:
        return render(request, "error.html", status=404, title="There is no such lane.", text="")
    return HTMLResponse(fragment("cards.html", page=page, wanted=wanted))


async def work_package_page(request: Request) -> Response:
    """`GET /wp/…`: a card and its timeline, or what is older than `before`; with `event`, that event's JSON.

    `X-Fragment: drawer` gives it without the page around it, `timeline` the entries alone.
    """
    login = await _signed_in(request)
    asked = (_part(request, "project"), _part(request, "feature"), _part(request, "wp_id"))
    before = request.query_params.get("before", "").replace("\0", "")
    if event_id := request.query_params.get("event", "").replace("\0", ""):
        return await _raw_event(request, login, asked, event_id)

    def find(database: Connection) -> tuple[board.CardView | None, Timeline]:
        key = _followed(database, login, asked)
        return board.card(database, login.team_id, key), history.timeline(database, login.team_id, key, before=before)

    card, timeline = await service_of(request).read(find)
    if card is None:
        text = "It may belong to another team, or nothing was told of it yet."
        return render(request, "error.html", status=404, title="There is no such work package.", text=text)
    fragments = {"drawer": "drawer.html", "timeline": "moments.html"}
    template = fragments.get(request.headers.get("x-fragment", ""), "work_package.html")
    return render(request, template, login=login, card=card, timeline=timeline)


async def _raw_event(request: Request, login: Login, asked: Key, event_id: str) -> Response:
    def find(database: Connection) -> str | None:
        return history.raw_event(database, login.team_id, _followed(database, login, asked), event_id)

    found = await service_of(request).read(find)
    if found is None:
        return render(request, "error.html", status=404, title="There is no such event.", text="")
    return PlainTextResponse(found)


async def feature_page(request: Request) -> Response:
    """`GET /feature/…`: cumulative flow and cycle time."""
    login = await _signed_in(request)
    asked = (_part(request, "project"), _part(request, "feature"), "")

    def find(database: Connection) -> tuple[Key, charts.FeatureCharts | None]:
        key = _followed(database, login, asked)
        return key, charts.of_feature(database, login.team_id, key[0], key[1], now=time.time())

    (project, feature, _), found = await service_of(request).read(find)
    if found is None:
        return render(request, "error.html", status=404, title="There is no such feature.", text="")
    return render(request, "feature.html", login=login, project=project, feature=feature, charts=found)


async def activity_page(request: Request) -> Response:
    """`GET /activity`: what arrived, latest first; `before` is a position."""
    login = await _signed_in(request)
    asked = Filter.from_query(request.query_params)
    given = request.query_params.get("before", "")
    before = int(given) if given.isascii() and given.isdigit() and len(given) < 16 else None

    def find(database: Connection) -> tuple[Filter, list[Entry]]:
        shown = board.followed(database, login.team_id, asked)
        return shown, history.activity(database, login.team_id, shown, before=before, limit=_ACTIVITY_PAGE)

    wanted, entries = await service_of(request).read(find)
    older = entries[-1].position if len(entries) == _ACTIVITY_PAGE else None
    return render(request, "activity.html", login=login, activity=entries, older=older, wanted=wanted)


def _server(request: Request) -> str:
    """The address that this request reached us by; its host was checked."""
    return f"{request.url.scheme}://{request.url.netloc}"


def _followed(database: Connection, login: Login, asked: Key) -> Key:
    """What an address leads to: it may be from before the feature was renamed, or the work package moved."""
    project, feature, wp_id = asked
    return (project, renaming.shown_name(database, login.team_id, project, feature, wp_id), wp_id)


def _part(request: Request, name: str) -> str:
    return str(request.path_params[name]).replace("\0", "")


async def _signed_in(request: Request) -> Login:
    """Who looks; raises CredentialError, or PasswordChangeError while the password is a one-time one."""
    login = await credentials.of_browser(request)
    if login.must_change:
        raise PasswordChangeError("The password is for one time.", remedy="Choose another at /password.")
    return login
