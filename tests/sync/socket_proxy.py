"""A proxy between a WebSocket client and a hub that does to single messages what `fault_proxy` does to bytes.

HTTP is passed on as it is. Each message of a WebSocket, in either direction, is asked about: `plan` gets who it is
from, its text and its number, and says what becomes of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import WebSocketException

from tests.waiting import DEADLINE


class Do(Enum):
    """What becomes of a message."""

    PASS = "it arrives"
    LOSE = "it never arrives"
    CUT = "the connection breaks before it arrives"
    CUT_AFTER = "it arrives, and the connection breaks"
    HOLD = "it arrives after the next one"
    TWICE = "it arrives twice"
    NOISE = "something else arrives first"


Plan: TypeAlias = Callable[[str, str, int], Do]
"""From `client` or `server`, the text, and how many messages there were before."""
NOISES: tuple[str | bytes, ...] = (
    "",
    "null",
    b"\x00\xff\x16",
    '{"type":"ack"}',
    '{"type":"ack","event_id":"01JQ0000000000000000000000","status":"success"}',
    '{"type":"event","event":{"lamport_clock":4611686018427387904}}',
    '{"type":"hello"}',
    "[" * 5000,
    '{"type":"ping","timestamp":"' + "x" * 100_000 + '"}',
)


@dataclass
class SocketProxy:
    """Listens on a port of 127.0.0.1 and passes on to `target`, a hub's port there; a context manager."""

    target: int
    plan: Plan = lambda sender, text, number: Do.PASS
    noises: Sequence[str | bytes] = NOISES
    port: int = 0
    messages: list[tuple[str, str, Do]] = field(default_factory=list)
    connections: int = 0

    def __enter__(self) -> SocketProxy:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="socket proxy")
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=DEADLINE)

    async def _listen(self) -> None:
        self._sockets: Server = await serve(self._converse, "127.0.0.1", 0, ping_interval=None, max_size=None)
        self._tasks: set[asyncio.Task[None]] = set()
        self._door = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._door.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        self._door.close()
        self._sockets.close()
        await self._sockets.wait_closed()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Bytes to the hub, or to the part of this proxy that knows WebSockets."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            start = await reader.readexactly(7)
            inner = self._sockets.sockets[0].getsockname()[1]
            port = inner if start.startswith(b"GET /ws") else self.target
            there, to_there = await asyncio.open_connection("127.0.0.1", port)
            to_there.write(start)
            pipes = [asyncio.create_task(_pipe(reader, to_there)), asyncio.create_task(_pipe(there, writer))]
            try:
                await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pipe in pipes:
                    pipe.cancel()
                await asyncio.gather(*pipes, return_exceptions=True)
                to_there.transport.abort()
        writer.transport.abort()
        self._tasks.discard(task)

    async def _converse(self, client: ServerConnection) -> None:
        assert client.request is not None
        headers = {"Authorization": client.request.headers["Authorization"]}
        url = f"ws://127.0.0.1:{self.target}{client.request.path}"
        with contextlib.suppress(WebSocketException, OSError):
            async with connect(url, additional_headers=headers, proxy=None, max_size=None, ping_interval=None) as hub:
                self.connections += 1
                ways = [
                    asyncio.create_task(self._carry("client", client, hub)),
                    asyncio.create_task(self._carry("server", hub, client)),
                ]
                try:
                    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for way in ways:
                        way.cancel()
                    await asyncio.gather(*ways, return_exceptions=True)
                    client.transport.abort()
                    hub.transport.abort()

    async def _carry(
        self, sender: str, source: ServerConnection | ClientConnection, to: ServerConnection | ClientConnection
    ) -> None:
        held: list[str | bytes] = []
        with contextlib.suppress(WebSocketException, OSError):
            async for message in source:
                text = message if isinstance(message, str) else message.decode("utf-8", "replace")
                do = self.plan(sender, text, len(self.messages))
                self.messages.append((sender, text, do))
                if do is Do.CUT:
                    return
                if do is Do.HOLD:
                    held.append(message)
                    continue
                if do is Do.NOISE:
                    await to.send(self.noises[len(self.messages) % len(self.noises)])
                if do is not Do.LOSE:
                    for each in [message, *([message] if do is Do.TWICE else []), *held]:
                        await to.send(each)
                    held.clear()
                if do is Do.CUT_AFTER:
                    return


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
