"""uvicorn's two protocols, with an end to everything that a client can draw out.

- A request's headers have HEADER_SECONDS, from the connection or from the answer before.
- Who reads too slowly what is written is cut off: of what waits, DRAIN_BYTES have to go within DRAIN_SECONDS.
- An application may send frames that are encoded already, once for all who get them: `frames` in `websocket.send`,
  where FRAMES is among the scope's extensions.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, cast

import h11
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from kittywatch.hub.connections import Connections, Entry

HEADER_SECONDS = 10.0
DRAIN_SECONDS = 15.0
DRAIN_BYTES = 16 << 10
FRAMES = "kittywatch.frames"
ENTRY = "kittywatch.connection"
PEER = "kittywatch.peer"


class _Named:
    """The application, told which connection a request came over."""

    def __init__(self, app: Any, show_login: Any) -> None:
        self._app = app
        self._show_login = show_login

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        fields = cast(dict[str, Any], scope)
        fields[ENTRY] = self._show_login
        fields[PEER] = (fields.get("client") or ("unknown", 0))[0]  # before any proxy's headers are believed
        if scope["type"] == "websocket":
            fields["extensions"] = {**(fields.get("extensions") or {}), FRAMES: {}}
        await self._app(scope, receive, send)


class _Drained:
    """Cuts a connection off whose other side doesn't read."""

    transport: asyncio.Transport
    loop: asyncio.AbstractEventLoop
    _stalled: asyncio.TimerHandle | None = None

    def watch_drain(self) -> None:
        size = self.transport.get_write_buffer_size()
        self._stalled = self.loop.call_later(DRAIN_SECONDS, self._look, size)

    def stop_watching(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _look(self, before: int) -> None:
        if before - self.transport.get_write_buffer_size() < DRAIN_BYTES:
            self.transport.abort()
        else:
            self.watch_drain()


class HttpTransport(_Drained, H11Protocol):
    """HTTP/1.1, for one connection."""

    def __init__(self, *, connections: Connections, entry: Entry, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._connections = connections
        self._entry = entry
        self._headers_due: asyncio.TimerHandle | None = None
        self._is_upgraded = False
        self.app = _Named(self.app, partial(connections.show_login, entry))
        socket = partial(SocketTransport, connections=connections, entry=entry)
        self.ws_protocol_class = cast(Any, socket)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._entry.close = transport.abort
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.remove(self._entry)
        self._stop_waiting()
        self.stop_watching()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._is_upgraded = True
        self._entry.is_busy = True
        self._stop_waiting()
        super().handle_websocket_upgrade(event)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.watch_drain()

    def resume_writing(self) -> None:
        self.stop_watching()
        super().resume_writing()

    def _watch(self) -> None:
        """Give the next request its time, unless one is being answered."""
        if self._is_upgraded:
            return
        self._entry.is_busy = self.cycle is not None and not self.cycle.response_complete
        if self._entry.is_busy or self.transport.is_closing():
            self._stop_waiting()
        elif self._headers_due is None:
            self._headers_due = self.loop.call_later(HEADER_SECONDS, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._headers_due is not None:
            self._headers_due.cancel()
            self._headers_due = None


class SocketTransport(_Drained, WebSocketsSansIOProtocol):
    """A WebSocket, after the request that asked for it."""

    def __init__(self, *, connections: Connections, entry: Entry, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._connections = connections
        self._entry = entry
        self._is_lost = False
        self.app = _Named(self.app, partial(connections.show_login, entry))

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.remove(self._entry)
        self.stop_watching()
        self._is_lost = True
        super().connection_lost(exc)
        self.writable.set()  # whoever waits for room hears that there will be none; older uvicorns don't say so

    def pause_writing(self) -> None:
        super().pause_writing()
        self.watch_drain()

    def resume_writing(self) -> None:
        self.stop_watching()
        super().resume_writing()

    async def send(self, message: ASGISendEvent) -> None:
        frames = cast(dict[str, Any], message).get("frames")
        if frames is None:
            await super().send(message)
            return
        await self.writable.wait()
        if self._is_lost or self.close_sent:
            raise ClientDisconnected
        self.transport.write(frames)
