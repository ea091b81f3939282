"""A proxy between a client and a hub, with real sockets, that does to requests what networks and servers do.

Each request is asked about: `plan` gets the request's path and its number, and says what happens to it. What is
upgraded to a WebSocket is piped both ways; `cut` and `stall` act on whatever is open.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tests.waiting import DEADLINE


@dataclass(frozen=True)
class Pass:
    """Nothing; after `delay` seconds before and `lag` seconds after the server's answer."""

    delay: float = 0.0
    lag: float = 0.0


@dataclass(frozen=True)
class Cut:
    """The connection breaks: `before` the server hears of it, in the `request`, in the `answer`, or `after` it."""

    where: str = "before"


@dataclass(frozen=True)
class Drip:
    """The answer comes a byte at a time, with `pause` seconds between; from the head on, or only the body."""

    pause: float = 1.0
    body_only: bool = False


@dataclass(frozen=True)
class Silence:
    """No answer ever, and the connection stays: the server has `heard` the request, or hasn't."""

    heard: bool = False


@dataclass(frozen=True)
class Say:
    """Another answer than the server's; with `heard` the server has done its part all the same."""

    status: int = 503
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    heard: bool = False


@dataclass(frozen=True)
class Noise:
    """Bytes that are no HTTP."""

    data: bytes = b"\x00\xff\x16\x03 neither head nor tail\r\n\r\n"


Fault: TypeAlias = Pass | Cut | Drip | Silence | Say | Noise
Plan: TypeAlias = Callable[[str, int], Fault]
EVERY_STATUS = (300, 301, 302, 307, 308, 404, 405, 408, 410, 415, 418, 425, 429, 451, 500, 501, 502, 503, 504, 507, 599)


@dataclass
class FaultProxy:
    """Listens on `port` of 127.0.0.1 and passes on to `target`, a port there; a context manager.

    `heads` and `bodies` hold what was asked; a request's are there already when its plan is asked for.
    """

    target: int
    plan: Plan = lambda path, number: Pass()
    port: int = 0
    requests: list[tuple[str, Fault]] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def __enter__(self) -> FaultProxy:
        self._loop = asyncio.new_event_loop()
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy")
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

    def cut(self) -> None:
        """Break every connection that is open."""
        self._call(self._cut())

    def stall(self) -> None:
        """From now on WebSockets carry nothing, and stay open: a network that swallows."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def flow(self) -> None:
        """End a stall."""
        self._loop.call_soon_threadsafe(self._flowing.set)

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=DEADLINE)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, limit=1 << 24)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        self._server.close()
        await self._cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _cut(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open.add(writer)
        try:
            await _Connection(self, reader, writer).serve()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass  # one of the two ends is gone, as tests want it
        except asyncio.CancelledError:
            pass  # the proxy ends; a server's task that is cancelled would be complained about
        finally:
            writer.transport.abort()
            self._open.discard(writer)
            self._tasks.discard(task)


class _Connection:
    """One client's connection, and one to the server for it."""

    def __init__(self, proxy: FaultProxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._reader = reader
        self._writer = writer

    async def serve(self) -> None:
        while not self._reader.at_eof():
            head, body = await _message(self._reader)
            path = head.split(b" ", 2)[1].decode()
            self._proxy.heads.append(head)
            self._proxy.bodies.append(body)
            fault = self._proxy.plan(path, len(self._proxy.heads) - 1)
            self._proxy.requests.append((path, fault))
            if not await self._apply(fault, head, body):
                return

    async def _apply(self, fault: Fault, head: bytes, body: bytes) -> bool:
        """Do it; returns whether the connection goes on."""
        match fault:
            case Pass(delay, lag):
                await asyncio.sleep(delay)
                return await self._pass_on(head, body, lag)
            case Cut("before"):
                return False
            case Cut("request"):
                await self._half_ask(head + body)
                return False
            case Cut(where):
                answer = await self._ask(head, body)
                if where == "answer":
                    self._writer.write(answer[: len(answer) // 2])
                    await self._writer.drain()
                return False
            case Drip(pause, body_only):
                await self._drip(await self._ask(head, body), pause, body_only)
                return True
            case Silence(heard):
                if heard:
                    await self._ask(head, body)
                await self._reader.read()  # until the client has had enough
                return False
            case Say(status, said, headers, heard):
                if heard:
                    await self._ask(head, body)
                lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(said)}", *(f"{k}: {v}" for k, v in headers)]
                self._writer.write("\r\n".join([*lines, "", ""]).encode() + said)
                await self._writer.drain()
                return True
            case Noise(data):
                self._writer.write(data)
                await self._writer.drain()
                return False
        raise AssertionError(fault)

    async def _pass_on(self, head: bytes, body: bytes, lag: float) -> bool:
        if b"\r\nupgrade: websocket" in head.lower():
            await self._pipe_both(head + body)
            return False
        answer = await self._ask(head, body)
        await asyncio.sleep(lag)
        self._writer.write(answer)
        await self._writer.drain()
        return True

    async def _ask(self, head: bytes, body: bytes) -> bytes:
        """The server's whole answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._proxy.target, limit=1 << 24)
        try:
            writer.write(head + body)
            await writer.drain()
            return b"".join(await _message(reader))
        finally:
            writer.transport.abort()

    async def _half_ask(self, request: bytes) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", self._proxy.target)
        writer.write(request[: len(request) // 2])
        await writer.drain()
        writer.transport.abort()

    async def _drip(self, answer: bytes, pause: float, body_only: bool) -> None:
        start = answer.index(b"\r\n\r\n") + 4 if body_only else 0
        self._writer.write(answer[:start])
        for byte in answer[start:]:
            self._writer.write(bytes([byte]))
            await self._writer.drain()
            await asyncio.sleep(pause)

    async def _pipe_both(self, request: bytes) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._proxy.target, limit=1 << 24)
        self._proxy._open.add(writer)
        writer.write(request)
        pipes = [
            asyncio.create_task(self._pipe(reader, self._writer)),
            asyncio.create_task(self._pipe(self._reader, writer)),
        ]
        try:
            await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pipe in pipes:
                pipe.cancel()
            await asyncio.gather(*pipes, return_exceptions=True)
            writer.transport.abort()
            self._proxy._open.discard(writer)

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                await self._proxy._flowing.wait()
                writer.write(data)
                await writer.drain()


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """One request or answer: its head with the empty line, and its body of a stated length."""
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return head, await reader.readexactly(int(value))
    return head, b""


def answer_json(status: int, value: Any, **headers: str) -> Say:
    """An answer of the proxy's own with a JSON body."""
    return Say(
        status, json.dumps(value).encode(), tuple((name.replace("_", "-"), text) for name, text in headers.items())
    )
