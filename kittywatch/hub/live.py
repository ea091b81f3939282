"""The board's own WebSocket: what changed since the page was made, and from then on as it happens.

The page says which position it shows and which filter it has, and gets the cards that are different past it, rendered
by the templates that rendered the page. So a page that was away for a second or a day catches up the same way.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial

import msgspec
from sqlalchemy import Connection
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from kittywatch.hub import board, credentials, history, overview
from kittywatch.hub.board import Filter
from kittywatch.hub.errors import CredentialError
from kittywatch.hub.feed import Subscription
from kittywatch.hub.history import LANE_NAMES
from kittywatch.hub.pages import fragment
from kittywatch.hub.service import service_of
from kittywatch.hub.sessions import Login

_PING_SECONDS = 10.0


async def board_socket(websocket: WebSocket) -> None:
    """`GET /live?after=POSITION` and a filter, with the browser's cookie."""
    try:
        # Browsers always say where a page is from; without it this is no page of ours. The value was checked before.
        if "origin" not in websocket.headers:
            raise CredentialError("This is for the board's pages.")
        login = await credentials.of_browser(websocket)
    except CredentialError as error:
        await websocket.send_denial_response(PlainTextResponse(error.message, status_code=401))
        return
    after = websocket.query_params.get("after", "")
    if login.must_change or not (after.isascii() and after.isdigit() and len(after) < 16):
        await websocket.send_denial_response(PlainTextResponse("Load the board first.", status_code=403))
        return
    await websocket.accept()
    feed = service_of(websocket).feed
    subscription = await feed.subscribe(login.team_id)
    listening = asyncio.create_task(_wait_for_end(websocket))
    telling = asyncio.create_task(_tell(websocket, login, subscription, position=int(after)))
    try:
        await asyncio.wait((listening, telling), return_when=asyncio.FIRST_COMPLETED)
    finally:
        feed.unsubscribe(login.team_id, subscription)
        for task in (listening, telling):
            task.cancel()
        await asyncio.gather(listening, telling, return_exceptions=True)


async def _wait_for_end(websocket: WebSocket) -> None:
    with suppress(WebSocketDisconnect):
        while True:
            await websocket.receive_text()


async def _tell(websocket: WebSocket, login: Login, subscription: Subscription, *, position: int) -> None:
    service = service_of(websocket)
    wanted = Filter.from_query(websocket.query_params)
    while True:
        look = partial(_changes, login=login, wanted=wanted, after=position)
        message, position = await service.read(look)
        await websocket.send_text(message)
        while not await _has_news(subscription):
            try:
                await credentials.of_browser(websocket)
            except CredentialError:
                await websocket.close(1008, "This login has ended.")
                return
            await websocket.send_text('{"type":"ping"}')
        if subscription.lost:
            await websocket.close(1013, "Too slow; connect again.")
            return


async def _has_news(subscription: Subscription) -> bool:
    try:
        await asyncio.wait_for(subscription.next(), _PING_SECONDS)
    except TimeoutError:
        return False
    subscription.clear()  # one look at the database tells them all
    return True


def _changes(database: Connection, *, login: Login, wanted: Filter, after: int) -> tuple[str, int]:
    found = board.changes(database, login.team_id, wanted, after=after)
    withdrawn = history.withdrawn(database, login.team_id, after=after)
    if found is None or withdrawn is None:
        return '{"type":"reload"}', after
    entries = history.activity(database, login.team_id, wanted, after=after)
    message = {
        "type": "changes",
        "position": found.position,
        "counts": board.counts(database, login.team_id, wanted),
        "gone": found.gone,
        "cards": [
            {
                "id": card.dom_id,
                "lane": card.lane,
                "order": card.order,
                "said": f"{card.wp_id} {card.title[:80]}: {LANE_NAMES[card.lane]}",
                "html": fragment("card.html", card=card, wanted=wanted),
            }
            for card in found.cards
        ],
        "withdrawn": withdrawn,
        "activity": fragment("entries.html", activity=entries, lane_names=LANE_NAMES),
        "tree": fragment("tree.html", tree=overview.tree(database, login.team_id), wanted=wanted),
    }
    return msgspec.json.encode(message).decode(), max(found.position, after)
