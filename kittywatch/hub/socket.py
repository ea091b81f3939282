"""The protocol's WebSocket, for machines: snapshot first, then events both ways, acks and pings.

Three tasks a connection. `receive` reads and queues what the client sends; when the queue is full it stops reading,
which is how a client that sends too fast is slowed down. `acknowledge` stores what has piled up in one batch and
answers each event. `announce` passes on what others of the team sent, and pings. The first that ends, ends all.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import UTC, datetime

import msgspec
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from kittywatch.hub import credentials, parsing, sessions
from kittywatch.hub.answers import answer_database_error
from kittywatch.hub.errors import CredentialError, ThrottledError
from kittywatch.hub.feed import Subscription
from kittywatch.hub.parsing import BatchItem
from kittywatch.hub.service import Service, service_of
from kittywatch.hub.sessions import Login
from kittywatch.hub.snapshot import snapshot
from kittywatch.hub.transports import FRAMES

_log = logging.getLogger("kittywatch.hub.socket")
_QUEUED_MESSAGES = 500
_SILENT_PINGS = 3
_PARSED_HERE = 4096  # bytes; more than that is parsed beside the event loop


async def events_socket(websocket: WebSocket) -> None:
    """`GET /ws/v1/events/`"""
    service = service_of(websocket)
    try:
        token = credentials.bearer_of(websocket)
        login = await service.write(lambda database: sessions.take_ws_token(database, token))
        credentials.show(websocket, login)
    except (CredentialError, ThrottledError) as error:
        await websocket.send_denial_response(JSONResponse({"error": error.message}, status_code=error.status))
        return
    except SQLAlchemyError as error:
        await websocket.send_denial_response(answer_database_error(websocket, error))
        return
    await websocket.accept()
    with suppress(WebSocketDisconnect):
        try:
            await _converse(websocket, service, login)
        except SQLAlchemyError as error:
            # What was not acknowledged comes again, here or at another replica.
            _log.error("a socket was closed: the database failed: %s", type(error).__name__)
            await _close(websocket, 1013, "Try again later.")


async def _converse(websocket: WebSocket, service: Service, login: Login) -> None:
    subscription = await service.feed.subscribe(login.team_id)
    try:
        await websocket.send_text(await service.read(lambda database: snapshot(database, login.team_id)))
        await _Conversation(websocket, service, login=login, subscription=subscription).run()
    finally:
        service.feed.unsubscribe(login.team_id, subscription)


async def _close(websocket: WebSocket, code: int, reason: str) -> None:
    with suppress(RuntimeError):  # closed from the other side meanwhile
        await websocket.close(code, reason)


class _Conversation:
    def __init__(self, websocket: WebSocket, service: Service, *, login: Login, subscription: Subscription) -> None:
        self._websocket = websocket
        self._service = service
        self._login = login
        self._subscription = subscription
        self._received: asyncio.Queue[bytes] = asyncio.Queue(_QUEUED_MESSAGES)
        self._silent_pings = 0
        self._taken = 0

    async def run(self) -> None:
        loops = (self._receive(), self._acknowledge(), self._announce(), self._ping())
        tasks = [asyncio.create_task(loop) for loop in loops]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except CredentialError:
            await _close(self._websocket, 1008, "This login has ended.")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._service.budget.give_back(self._login.session_id, self._taken)

    async def _receive(self) -> None:
        limits = self._service.config.limits
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            self._silent_pings = 0
            data = message.get("bytes") or (message.get("text") or "").encode()
            if len(data) > limits.message:
                await _close(self._websocket, 1009, "The message is too big.")
                return
            while wait := self._service.messages.wait(self._login.session_id):
                await asyncio.sleep(wait)
            if not _is_pong(data):
                await self._service.budget.take_in_time(self._login.session_id, len(data))
                self._taken += len(data)
                await self._received.put(data)

    async def _acknowledge(self) -> None:
        budget, session_id = self._service.budget, self._login.session_id
        while True:
            waiting = [await self._received.get()]
            while not self._received.empty():
                waiting.append(self._received.get_nowait())
            await self._check_login()
            items = await self._parsed(waiting)
            results = await self._service.writer.store(self._login, items)
            self._service.metrics.count_events(result.status for result in results)
            for result in results:
                await self._send({"type": "ack", **result.to_dict()})
            size = sum(map(len, waiting))
            self._taken -= size
            budget.give_back(session_id, size)

    async def _parsed(self, messages: list[bytes]) -> list[BatchItem]:
        def parse() -> list[BatchItem]:
            limits = self._service.config.limits
            return [parsing.open_event(data, team_slug=self._login.team_slug, limits=limits) for data in messages]

        return parse() if sum(map(len, messages)) <= _PARSED_HERE else await run_in_threadpool(parse)

    async def _announce(self) -> None:
        takes_frames = FRAMES in self._websocket.scope.get("extensions", {})
        while chunk := await self._subscription.next():
            if not takes_frames:
                for text in chunk.texts_for(self._login.session_id):
                    await self._websocket.send_text(text)
            elif frames := chunk.frames_for(self._login.session_id):
                await self._websocket.send({"type": "websocket.send", "frames": frames})
        await _close(self._websocket, 1013, "Too slow; connect again.")

    async def _ping(self) -> None:
        while self._silent_pings < _SILENT_PINGS:
            await asyncio.sleep(self._service.config.ping_seconds)
            await self._check_login()
            self._silent_pings += 1
            await self._send({"type": "ping", "timestamp": datetime.now(UTC).isoformat()})
        await _close(self._websocket, 1001, "No answer to pings.")

    async def _check_login(self) -> None:
        session_id = self._login.session_id
        await self._service.read(lambda database: sessions.login_of(database, session_id, kind="machine"))

    async def _send(self, message: dict[str, object]) -> None:
        await self._websocket.send_text(msgspec.json.encode(message).decode())


def _is_pong(data: bytes) -> bool:
    if len(data) > 200:
        return False
    try:
        message = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return isinstance(message, dict) and message.get("type") == "pong"
