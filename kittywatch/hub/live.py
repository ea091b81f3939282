"""The board's own WebSocket: what changed since the page was made, and from then on as it happens.

The page says which position it shows and which filter it has, and gets the cards that are different past it, rendered
by the templates that rendered the page. So a page that was away for a second or a day catches up the same way.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import lru_cache

from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.frames import Frame, Opcode

from kittywatch.hub import credentials
from kittywatch.hub.board import Filter
from kittywatch.hub.errors import CredentialError
from kittywatch.hub.service import service_of
from kittywatch.hub.sessions import Login
from kittywatch.hub.transports import FRAMES
from kittywatch.hub.viewers import NO_DATABASE, Ended, Viewer

_CLOSE_SECONDS = 5.0
_BARE_LENGTH = 16 << 10  # what is longer is worth compressing for each page by itself


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
    except SQLAlchemyError:
        await websocket.send_denial_response(PlainTextResponse(NO_DATABASE.reason, status_code=503))
        return
    after = websocket.query_params.get("after", "")
    if login.must_change or not (after.isascii() and after.isdigit() and len(after) < 16):
        await websocket.send_denial_response(PlainTextResponse("Load the board first.", status_code=403))
        return
    await websocket.accept()
    with suppress(WebSocketDisconnect):
        try:
            await _show(websocket, login, position=int(after))
        except SQLAlchemyError:
            await _close(websocket, NO_DATABASE)


async def _show(websocket: WebSocket, login: Login, *, position: int) -> None:
    wanted = Filter.from_query(websocket.query_params)
    async with service_of(websocket).viewers.joined(login, wanted, position=position) as viewer:
        tasks = [asyncio.create_task(_listen(websocket)), asyncio.create_task(_send(websocket, viewer))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _listen(websocket: WebSocket) -> None:
    with suppress(WebSocketDisconnect):
        while True:
            await websocket.receive_text()


async def _send(websocket: WebSocket, viewer: Viewer) -> None:
    takes_frames = FRAMES in websocket.scope.get("extensions", {})
    while isinstance(message := await viewer.next(), str):
        if takes_frames and len(message) <= _BARE_LENGTH:
            await websocket.send({"type": "websocket.send", "frames": frame_of(message)})
        else:
            await websocket.send_text(message)
    await _close(websocket, message)


@lru_cache(maxsize=32)
def frame_of(message: str) -> bytes:
    """A message as a WebSocket frame, uncompressed; made once for all pages that are sent it."""
    return Frame(Opcode.TEXT, message.encode()).serialize(mask=False)


async def _close(websocket: WebSocket, why: Ended) -> None:
    # A page that reads nothing doesn't take the close either.
    with suppress(RuntimeError, TimeoutError):
        await asyncio.wait_for(websocket.close(why.code, why.reason), _CLOSE_SECONDS)
